"""A score over items (images, questions) that can be asked for again: of a resample, or of some of the items only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.records.parts import Measurement
from bench.stats import extreme_interval, resampled_interval


@dataclass(frozen=True)
class ItemScore:
    """One number over `items`, and how to get it of any of them."""

    of: Callable[[np.ndarray], float]  # item indices (with repeats in a resample) -> the number
    items: np.ndarray  # indices of the items it is over
    unit: str = ""
    highest: float = np.inf  # what the metric can be at most; the least is 0
    strata: np.ndarray | None = None  # label by item index: each is resampled by itself; None: all together
    is_mean: bool = False  # whether it is the mean of one value per item


def mean_score(values: np.ndarray, items: np.ndarray | None = None, *, unit: str = "", highest: float) -> ItemScore:
    """The mean of one value per item, over all items or these."""
    chosen = np.arange(len(values)) if items is None else items
    return ItemScore(lambda indices: float(values[indices].mean()), chosen, unit, highest, is_mean=True)


def measure(score: ItemScore, keep: np.ndarray | None = None, *, seed: int = 0) -> Measurement | None:
    """The number with its 95 % interval over the items (unknown for a few items); None where no item is left.

    keep: (number of all items,) bool, which of them count; None: all.
    """
    items = score.items if keep is None else score.items[keep[score.items]]
    if not len(items):
        return None
    value = score.of(items)
    bounds = extreme_interval(value, len(items), score.highest) if score.is_mean else None
    bounds = bounds or resampled_interval(
        value,
        lambda indices: score.of(items[indices]),
        len(items),
        seed=seed,
        strata=None if score.strata is None else score.strata[items],
        lowest=0.0,
        highest=score.highest,
    )
    low, high = bounds or (None, None)
    return Measurement(value, score.unit, low, high, len(items))
