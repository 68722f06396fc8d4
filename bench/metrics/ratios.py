"""Ratios of two sides timed pair by pair: each round holds both, so that what slows the machine slows both.

The interval is a paired bootstrap: rounds are drawn with replacement, both sides of a round together, and the ratio of
medians is taken anew. Fewer than MIN_PAIRS pairs have none: of five rounds not even the whole range bounds a median
with 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.records import Measurement

MIN_PAIRS = 6
RESAMPLES = 2000


def ratio_of_medians(numerator_s: Sequence[float], denominator_s: Sequence[float], *, seed: int = 0) -> Measurement:
    """median(numerator) / median(denominator) with its 95 % interval; entry i of both sides is of round i."""
    if len(numerator_s) != len(denominator_s):
        raise ValueError(f"expected pairs, got {len(numerator_s)} and {len(denominator_s)} rounds")
    sides = np.asarray([numerator_s, denominator_s], np.float64)
    num = sides.shape[1]
    value = float(np.divide(*np.median(sides, axis=1)))
    if num < MIN_PAIRS:
        return Measurement(value, "", n=num)
    rows = np.random.default_rng(seed).integers(num, size=(RESAMPLES, num))
    ratios = np.divide(*np.median(sides[:, rows], axis=2))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Measurement(value, "", float(low), float(high), num)


def widened(ratio: Measurement, error_share: float) -> Measurement:
    """The ratio with an interval that also holds a standard error of `error_share`, relative to its value, on top."""
    if ratio.ci_low is None or ratio.ci_high is None:
        return ratio
    below, above = ratio.value - ratio.ci_low, ratio.ci_high - ratio.value
    error = 1.96 * error_share * ratio.value
    return replace(ratio, ci_low=ratio.value - np.hypot(below, error), ci_high=ratio.value + np.hypot(above, error))
