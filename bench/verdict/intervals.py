"""Numbers with their 95 % intervals, and what becomes of the interval under a difference or a ratio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.records import Measurement

NUM_RESAMPLES = 2000
COVERAGE = (2.5, 97.5)  # percentiles of a 95 % interval


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def as_interval(measured: Measurement) -> Interval:
    """The measurement with its interval, NaN where unknown; widened to the value where a bootstrap left that out."""
    if measured.ci_low is None or measured.ci_high is None:
        return Interval(measured.value, math.nan, math.nan)
    return Interval(measured.value, min(measured.ci_low, measured.value), max(measured.ci_high, measured.value))


def difference(a: Interval, b: Interval) -> Interval:
    """a - b. Its interval by MOVER: low = d - sqrt((a - a_low)^2 + (b_high - b)^2), high alike (Zou & Donner 2008)."""
    value = a.value - b.value
    return Interval(
        value,
        value - math.hypot(a.value - a.low, b.high - b.value),
        value + math.hypot(a.high - a.value, b.value - b.low),
    )


def quotient(a: Interval, b: Interval) -> Interval:
    """a / b of positive numbers, with all that both intervals allow."""
    return Interval(a.value / b.value, a.low / b.high, a.high / b.low)


def ratio_of_medians(above: Sequence[float], below: Sequence[float]) -> Interval:
    """median(above) / median(below) with a percentile bootstrap over the rounds of both, from a fixed seed."""
    generator = np.random.default_rng(0)

    def medians(rounds: Sequence[float]) -> np.ndarray:
        values = np.asarray(rounds, dtype=np.float64)
        return np.median(values[generator.integers(0, len(values), (NUM_RESAMPLES, len(values)))], axis=1)

    low, high = np.percentile(medians(above) / medians(below), COVERAGE)
    return Interval(float(np.median(above) / np.median(below)), float(low), float(high))
