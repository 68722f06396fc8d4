"""Randomness as an argument: image i depends on its seed and i alone, whatever the batch, the device or the process.

A sampler asks a `Noise` for its draws in a fixed order. `SeededNoise` has one generator per image; `GivenNoise` replays
tensors, for parity cases. Draws are made on the CPU, so that a GPU starts from the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

CHUNK = (
    16  # draws made (and sent to the device) at a time by `normals`: bounds memory, keeps copies out of the inner loop
)


class Noise(Protocol):
    """A source of random draws for a batch of B images."""

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, float32 (B, *shape)."""

    def normals(self, count: int, *shape: int) -> Iterator[Tensor]:
        """`count` standard normal draws, each float32 (B, *shape)."""

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), float32 (B, *shape)."""

    def permutation(self, n: int) -> Tensor:
        """A random order of 0..n-1 for each image, int64 (B, n)."""


class SeededNoise:
    """One generator per image."""

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu"):
        self.generators = [torch.Generator().manual_seed(int(seed) % 2**63) for seed in seeds]
        self.device = torch.device(device)

    def _stack(self, draws: list[Tensor]) -> Tensor:
        return torch.stack(draws).to(self.device, non_blocking=True)

    def normal(self, *shape: int) -> Tensor:
        return self._stack([torch.randn(shape, generator=g) for g in self.generators])

    def normals(self, count: int, *shape: int) -> Iterator[Tensor]:
        for start in range(0, count, CHUNK):
            yield from self.normal(min(CHUNK, count - start), *shape).unbind(1)

    def uniform(self, *shape: int) -> Tensor:
        return self._stack([torch.rand(shape, generator=g) for g in self.generators])

    def permutation(self, n: int) -> Tensor:
        return self._stack([torch.randperm(n, generator=g) for g in self.generators])


class GivenNoise:
    """Replays given tensors, each (B, ...), in their order; `orders` answers `permutation`."""

    def __init__(self, draws: Iterable[Tensor], orders: Tensor | None = None):
        self.draws = iter(draws)
        self.orders = orders

    def normal(self, *shape: int) -> Tensor:
        draw = next(self.draws)
        if draw.shape[1:] != shape:
            raise ValueError(
                f"given noise has shape {tuple(draw.shape)}, the sampler asked for (B, {', '.join(map(str, shape))})"
            )
        return draw

    def normals(self, count: int, *shape: int) -> Iterator[Tensor]:
        return (self.normal(*shape) for _ in range(count))

    uniform = normal

    def permutation(self, n: int) -> Tensor:
        if self.orders is None:
            raise ValueError("the given noise holds no orders")
        return self.orders


def image_seeds(seed: int, indices: Iterable[int]) -> list[int]:
    """The seed of each image of a run: a hash of (seed, index), so that neighbouring runs share images by chance alone.

    The hash has 63 bits. torch's CPU generator, which draws for every device, keeps the low 32 of a seed: among n
    images about n^2 / 2^33 pairs share their noise by chance, 0.3 of 50,000 images (seed 0: none).
    """
    return [int(np.random.SeedSequence([seed, i]).generate_state(1, np.uint64)[0] >> np.uint64(1)) for i in indices]
