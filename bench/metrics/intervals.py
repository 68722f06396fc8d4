"""95 % intervals by resampling the generated images; the reference stays fixed.

Recentred percentile. Resampled with replacement, a Frechet distance is biased up once more (a resample has fewer
distinct images than the sample), so the plain percentile interval need not even hold the value. The spread of the
replicates is sound, their centre is not: the interval is value + (quantile - mean of the replicates).

What it covers: sampling other images from the same model. Not covered: the metric's own bias at this count (compare
only equal counts), another reference, another training run (it moves FID about three times more: arXiv 2606.20536).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

RESAMPLES = 200
LEVEL = 0.95

Interval = tuple[float, float]


def resample(num: int, *, seed: int, strata: np.ndarray | None = None, halves: bool = False) -> Iterator[np.ndarray]:
    """Endless index arrays into `num` images: with replacement, `num` indices each.

    halves: half of the images without replacement. For asymptotically linear statistics the spread over halves equals
    the bootstrap's (1/m - 1/n = 1/n at m = n/2); for statistics that duplicates break, as distances to neighbours.
    strata: (num,) labels; each is resampled by itself, as class-balanced sampling draws them.
    """
    generator = np.random.default_rng(seed)
    groups = [np.arange(num)] if strata is None else [np.flatnonzero(strata == label) for label in np.unique(strata)]
    while True:
        if halves:
            parts = [generator.permutation(group)[: max(1, len(group) // 2)] for group in groups]
        else:
            parts = [generator.choice(group, len(group)) for group in groups]
        yield np.concatenate(parts)


def interval(
    value: float,
    statistic: Callable[[np.ndarray], float],
    num: int,
    *,
    seed: int = 0,
    strata: np.ndarray | None = None,
    halves: bool = False,
    resamples: int = RESAMPLES,
    lowest: float = -np.inf,
    highest: float = np.inf,
) -> Interval:
    """(low, high) around `value` for `statistic(indices)` of `num` images; lowest, highest: what the metric can be."""
    draws = resample(num, seed=seed, strata=strata, halves=halves)
    replicates = np.array([statistic(next(draws)) for _ in range(resamples)])
    low, high = value + np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - replicates.mean()
    return float(np.clip(low, lowest, highest)), float(np.clip(high, lowest, highest))
