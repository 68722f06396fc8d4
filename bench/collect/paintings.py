"""Collect paintings: an image of each prompt, every batch timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.collect.clock import once
from bench.collect.images import batches

if TYPE_CHECKING:
    from reference_models.d_dit import DDiT


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
