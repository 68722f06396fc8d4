"""Collect images: class-balanced, one seed per image, in shards that survive an interruption."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.timing.clock import once

if TYPE_CHECKING:
    from reference_models.d_dit import DDiT
    from reference_models.spec import ImageModel


def batches(num: int, batch_size: int) -> Iterator[range]:
    """Ranges of at most `batch_size` indices covering 0..num-1."""
    return (range(start, min(start + batch_size, num)) for start in range(0, num, batch_size))


def generate_batch(model: ImageModel, indices: list[int] | range, seed: int, settings: Mapping[str, Any]) -> np.ndarray:
    """The images of these indices, uint8 (B, 3, H, W): image i has label i mod num_classes, seed hash(seed, i)."""
    from reference_models.noise import image_seeds

    labels = [i % model.num_classes for i in indices]
    return model.generate(labels, image_seeds(seed, indices), **settings).cpu().numpy()


def collect_images(
    model: ImageModel,
    *,
    num_images: int,
    seed: int,
    batch_size: int,
    settings: Mapping[str, Any],
    folder: Path,
    advance: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, list[float]]:
    """(all images, uint8 (num_images, 3, H, W); the seconds that each batch of `batch_size` took).

    Batches in `folder` are read, the others generated and saved there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards, rounds_s = [], []
    for indices in batches(num_images, batch_size):
        path = folder / f"{indices.start:06d}-{indices.stop:06d}.npz"
        if not path.exists():
            start = time.perf_counter()
            images = generate_batch(model, indices, seed, settings)  # on the CPU, so the device is done
            with open(path.with_suffix(".tmp"), "wb") as file:
                np.savez(file, images=images, seconds=time.perf_counter() - start)
            os.replace(path.with_suffix(".tmp"), path)
        with np.load(path) as shard:
            shards.append(shard["images"])
            if len(indices) == batch_size:
                rounds_s.append(float(shard["seconds"]))
        advance(indices.stop)
    return np.concatenate(shards), rounds_s


def collect_paintings(
    model: DDiT,
    prompts: Sequence[str],
    *,
    seed: int,
    batch_size: int,
    settings: Mapping[str, Any] = {},
    advance: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, list[float]]:
    """(images uint8 (N, 3, H, W), one per prompt; the seconds that each whole batch took).

    Image i depends on prompt i and on (seed, i) alone.
    """
    from reference_models.noise import image_seeds

    painted: list[np.ndarray] = []
    rounds_s: list[float] = []
    for indices in batches(len(prompts), batch_size):
        asked, seeds = prompts[indices.start : indices.stop], image_seeds(seed, indices)

        def paint(round_idx: int, asked: Sequence[str] = asked, seeds: Sequence[int] = seeds) -> None:
            painted.append(model.generate(asked, seeds, **settings).cpu().numpy())

        seconds = once(paint, str(model.device), len(rounds_s))
        if len(indices) == batch_size:
            rounds_s.append(seconds)
        advance(indices.stop)
    return np.concatenate(painted), rounds_s
