"""What the losses of paper size are computed at, drawn sample by sample: the same for any number of processes.

Sample i of step s draws from a generator of (seed, s, i) alone, so that neither the number of processes nor the size of
the batches that they hold in memory changes a draw. What a loss shares among all samples comes from (seed, s).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from reference_models.dropout import Dropout
from reference_models.noise import SeededNoise
from reference_models.training import seed_of

Draws = tuple[Tensor, ...]


def sample_noise(seed: int, step: int, samples: Sequence[int], device: torch.device) -> SeededNoise:
    """The draws of these samples of a step; made on the CPU, so that a GPU trains on the same."""
    return SeededNoise([seed_of(seed, step, 1 + i) for i in samples], device)


def sample_dropout(seed: int, step: int, samples: Sequence[int], rate: float) -> Dropout:
    """What these samples of a step drop: by seeds of their own, beside those of their other draws."""
    return Dropout([seed_of(seed, step, 1 + i, 1) for i in samples], rate)


def shared_uniform(seed: int, step: int) -> float:
    """One draw in [0, 1) for all samples of a step."""
    return torch.rand((), generator=torch.Generator().manual_seed(seed_of(seed, step, 0))).item()


def drop_labels(model: Any, labels: Tensor, noise: SeededNoise) -> Tensor:
    """Each label the null class with probability `label_dropout`.  labels: (B,)."""
    return labels.masked_fill(noise.uniform() < model.label_dropout, model.num_classes)


def transdiff(model: Any, noise: SeededNoise, u: float) -> Draws:
    """t (K B,), logit-normal, and noise (K B, N, C): K draws per image, the whole batch again for each draw."""
    t = noise.normal(model.draws_per_image).sigmoid()
    eps = noise.normal(model.draws_per_image, *model.token_shape)
    return t.transpose(0, 1).flatten(), eps.transpose(0, 1).flatten(0, 1)


def transdiff_mrar(model: Any, noise: SeededNoise, u: float) -> Draws:
    """The same for each image of a row: t (4, K B), noise (4, K B, N, C)."""
    rows = (model.images_per_sample, model.draws_per_image)
    t, eps = noise.normal(*rows).sigmoid(), noise.normal(*rows, *model.token_shape)
    return t.permute(1, 2, 0).flatten(1), eps.permute(1, 2, 0, 3, 4).flatten(1, 2)


def mar(model: Any, noise: SeededNoise, u: float) -> Draws:
    """Orders (B, N), t (K, B, hidden), noise (K, B, hidden, C). One mask ratio for the step, from u.

    Departs from official: there each process draws its own ratio in each step.
    """
    order = noise.permutation(model.num_tokens)
    shape = (model.draws_per_image, model.num_hidden(u))
    t, eps = noise.uniform(*shape), noise.normal(*shape, model.token_size)
    return order, (1000 * t).long().transpose(0, 1), eps.transpose(0, 1)


def dit(model: Any, noise: SeededNoise, u: float) -> Draws:
    """t (B,) in 0..999, noise (B, C, h, w)."""
    return (1000 * noise.uniform()).long(), noise.normal(*model.latent_shape)


def sit(model: Any, noise: SeededNoise, u: float) -> Draws:
    """t (B,) in [0, 1), noise (B, C, h, w)."""
    return noise.uniform(), noise.normal(*model.latent_shape)


# By family; what `loss(latents, labels, *draws)` of its model takes.
DRAWS: dict[str, Callable[[Any, SeededNoise, float], Draws]] = {
    "transdiff": transdiff,
    "transdiff-mrar": transdiff_mrar,
    "mar": mar,
    "dit": dit,
    "sit": sit,
}
