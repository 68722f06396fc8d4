"""95 % intervals: bootstrap over samples, over pairs of rounds and over independent rounds; MOVER for differences; over
training runs with several samplings of each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.records.parts import Measurement

COVERAGE = (2.5, 97.5)  # percentiles of a 95 % interval
NUM_RESAMPLES = 2000  # of rounds, of scenes
MIN_PAIRS = 6  # fewer rounds, or pairs of them, bound no ratio: of five not even the whole range bounds a median


# -- intervals and what becomes of them --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval, NaN where it is unknown."""

    value: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        return not (math.isnan(self.low) or math.isnan(self.high))

    @property
    def known(self) -> tuple[float, float] | tuple[None, None]:
        """Both bounds, as a record or a verdict holds them: None where they are unknown."""
        return (self.low, self.high) if self.is_known else (None, None)


def as_interval(measured: Measurement) -> Interval:
    """The measurement with its interval, widened to the value where a bootstrap left that out.

    NaN where it is unknown, as is one of no width: what was resampled was all equal, which is no knowledge.
    """
    if measured.ci_low is None or measured.ci_high is None or measured.ci_low == measured.ci_high:
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


# -- training runs, each sampled several times -------------------------------------------------------------------------


def two_level_interval(groups: Sequence[Sequence[float]]) -> Interval:
    """Mean over training runs with its 95 % interval.  groups: per training run the values of its sampling seeds.

    y_ij = mean + a_i + e_ij: run i departs by a_i, each sampling of it by e_ij (Searle, Casella & McCulloch 1992,
    "Variance Components", chapter 3: the nested random model; with unequal numbers the unweighted means of the runs).
    The means of the runs have variance s_a^2 + s_e^2 / n, so Student's t over them covers both (runs - 1 degrees of
    freedom). Of two or three runs that spread may come out tiny by chance; the interval is never narrower than what the
    spread within runs alone explains, which has more degrees of freedom: the wider of the two. NaN for one run, and
    where all agree to the last digit, which shows no spread.
    """
    if len(groups) == 0 or any(len(group) == 0 for group in groups):
        raise ValueError("expected a value at least of each training run")
    runs = [np.asarray(group, np.float64) for group in groups]
    means = np.array([run.mean() for run in runs])
    mean = float(means.mean())
    if len(runs) < 2:
        return Interval(mean, math.nan, math.nan)
    half = student_975(len(runs) - 1) * float(means.std(ddof=1)) / math.sqrt(len(runs))
    within, freedom = pooled_variance(runs)
    if within is not None:
        error = math.sqrt(within * sum(1 / len(run) for run in runs)) / len(runs)
        half = max(half, student_975(freedom) * error)
    if half == 0:
        return Interval(mean, math.nan, math.nan)
    return Interval(mean, mean - half, mean + half)


@functools.cache
def student_975(freedom: int) -> float:
    """The 97.5 % point of Student's t with a whole number of degrees of freedom (from 1).

    With t = sqrt(freedom) tan(angle) the chance of less than t in size is a finite sum in sine and cosine (Abramowitz &
    Stegun 26.7.3 and 26.7.4), which is halved to the last digit. As scipy.special.stdtrit, whose import takes longer
    than all that a report computes.
    """
    low, high = 0.0, math.pi / 2
    while low < (angle := (low + high) / 2) < high:
        cosine, odd = math.cos(angle), freedom % 2
        term = total = cosine if odd else 1.0
        for power in range(2 + odd, freedom, 2):
            term *= cosine**2 * (power - 1) / power
            total += term
        inside = math.sin(angle) * total if freedom > 1 else 0.0
        if odd:
            inside = (angle + inside) * 2 / math.pi
        low, high = (angle, high) if inside < LEVEL else (low, angle)
    return math.sqrt(freedom) * math.tan(angle)


def variance_components(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """(s_a, s_e): standard deviation between training runs, with what sampling explains taken off (0 where that is
    more), and between samplings of one run. None: unknown. By moments, as `two_level_interval`'s model."""
    runs = [np.asarray(group, np.float64) for group in groups]
    within, _ = pooled_variance(runs)
    if len(runs) < 2:
        return None, None if within is None else math.sqrt(within)
    of_means = float(np.var([run.mean() for run in runs], ddof=1))
    if within is None:
        return None, None
    shared = within * float(np.mean([1 / len(run) for run in runs]))
    return math.sqrt(max(0.0, of_means - shared)), math.sqrt(within)


def pooled_variance(groups: Sequence[np.ndarray]) -> tuple[float | None, int]:
    """(variance within groups, pooled; its degrees of freedom); (None, 0) where every group holds one value."""
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom:
        return None, 0
    return float(sum(((group - group.mean()) ** 2).sum() for group in groups)) / freedom, freedom


# -- ratios of times ---------------------------------------------------------------------------------------------------


def ratio_of_medians(
    numerator_s: Sequence[float], denominator_s: Sequence[float], *, paired: bool = True, seed: int = 0
) -> Measurement:
    """median(numerator) / median(denominator) with a percentile bootstrap over the rounds.

    paired: entry i of both sides is of one round, and both are drawn together, so that what slows the machine slows
    both. Otherwise the rounds of either side are drawn by themselves. Fewer than MIN_PAIRS pairs, or rounds of a side,
    have no interval.
    """
    if paired and len(numerator_s) != len(denominator_s):
        raise ValueError(f"expected pairs, got {len(numerator_s)} and {len(denominator_s)} rounds")
    sides = [np.asarray(side, np.float64) for side in (numerator_s, denominator_s)]
    value = float(np.median(sides[0]) / np.median(sides[1]))
    num = min(map(len, sides))
    if num < MIN_PAIRS:
        return Measurement(value, "", n=num)
    generator = np.random.default_rng(seed)
    shared = generator.integers(num, size=(NUM_RESAMPLES, num)) if paired else None
    medians = [
        np.median(
            side[generator.integers(0, len(side), (NUM_RESAMPLES, len(side))) if shared is None else shared], axis=1
        )
        for side in sides
    ]
    low, high = np.percentile(medians[0] / medians[1], COVERAGE)
    return Measurement(value, "", float(low), float(high), num)


def widened(ratio: Measurement, error_share: float) -> Measurement:
    """The ratio with an interval that also holds a standard error of `error_share`, relative to its value, on top."""
    if ratio.ci_low is None or ratio.ci_high is None:
        return ratio
    below, above = ratio.value - ratio.ci_low, ratio.ci_high - ratio.value
    error = 1.96 * error_share * ratio.value
    return replace(ratio, ci_low=ratio.value - np.hypot(below, error), ci_high=ratio.value + np.hypot(above, error))


# -- scores of images: the reference stays fixed -----------------------------------------------------------------------
#
# Recentred percentile. Resampled with replacement, a Frechet distance is biased up once more (a resample has fewer
# distinct images than the sample), so the plain percentile interval need not even hold the value. The spread of the
# replicates is sound, their centre is not: the interval is value + (quantile - mean of the replicates).
#
# It covers sampling other images from the same model. It does not cover the metric's own bias at this count (compare
# only equal counts), another reference, or another training run, which moves FID about three times more (arXiv
# 2606.20536).

IMAGE_RESAMPLES = 200
LEVEL = 0.95
SMALLEST_RESAMPLED = 6  # images; an interval resampled from fewer is far too narrow: unknown

Bounds = tuple[float, float]


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


def resampled_interval(
    value: float,
    statistic: Callable[[np.ndarray], float],
    num: int,
    *,
    seed: int = 0,
    strata: np.ndarray | None = None,
    halves: bool = False,
    resamples: int = IMAGE_RESAMPLES,
    lowest: float = -np.inf,
    highest: float = np.inf,
) -> Bounds | None:
    """(low, high) around `value` for `statistic(indices)` of `num` images; lowest, highest: what the metric can be.

    None, unknown: for fewer than SMALLEST_RESAMPLED images, where a stratum holds one image (it resamples to itself),
    and where all resamples give one number.
    """
    if not can_resample(num, strata):
        return None
    draws = resample(num, seed=seed, strata=strata, halves=halves)
    replicates = np.array([statistic(next(draws)) for _ in range(resamples)])
    return replicated_interval(value, replicates, num, strata=strata, halves=halves, lowest=lowest, highest=highest)


def can_resample(num: int, strata: np.ndarray | None = None) -> bool:
    """Whether resampling `num` images in these strata says anything of their spread."""
    return num >= SMALLEST_RESAMPLED and (strata is None or int(np.unique(strata, return_counts=True)[1].min()) > 1)


def replicated_interval(
    value: float,
    replicates: np.ndarray,
    num: int,
    *,
    strata: np.ndarray | None = None,
    halves: bool = False,
    lowest: float = -np.inf,
    highest: float = np.inf,
) -> Bounds | None:
    """The interval that the replicates (R,) of a resampling give, recentred on the value; None where they are all
    equal.

    A group of n images drawn with replacement spreads sqrt((n - 1) / n) too little: made good here.
    """
    if np.ptp(replicates) <= 1e-12 * max(1.0, float(np.abs(replicates).max())):
        return None
    groups = 1 if strata is None else len(np.unique(strata))
    widening = 1.0 if halves else math.sqrt(num / (num - groups))
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - replicates.mean()
    bounds = np.clip([value + widening * low, value + widening * high], lowest, highest)
    return float(bounds[0]), float(bounds[1])


def standard_error_of_mean(values: np.ndarray, strata: np.ndarray | None = None) -> float | None:
    """Standard error of the mean of values (N,), drawn independently or so many of each stratum; None: unknown."""
    num = len(values)
    if not can_resample(num, strata):
        return None
    if strata is None:
        return float(values.std(ddof=1)) / math.sqrt(num)
    label = np.unique(strata, return_inverse=True)[1]
    counts = np.bincount(label)
    centred = values - (np.bincount(label, values) / counts)[label]
    variances = np.bincount(label, centred**2) / (counts - 1)
    return float(math.sqrt((counts * variances).sum())) / num


def normal_interval(
    value: float, standard_error: float | None, *, lowest: float = -np.inf, highest: float = np.inf
) -> Bounds | None:
    """value +- 1.96 standard errors, inside what the metric can be; None where the error is unknown or 0."""
    if not standard_error:
        return None
    bounds = np.clip([value - 1.96 * standard_error, value + 1.96 * standard_error], lowest, highest)
    return float(bounds[0]), float(bounds[1])


def extreme_interval(value: float, num: int, highest: float) -> Bounds | None:
    """The interval of a mean of `num` values between 0 and `highest` that are all 0 or all `highest`; else None.

    Resampling sees no spread there. Were the mean below highest * (1 - LEVEL) / 2 ^ (1 / num), so many values at the
    top would have a chance of less than 2.5 % (Clopper and Pearson's bound, which holds for any values in that range).
    """
    if num < SMALLEST_RESAMPLED or not math.isfinite(highest) or value not in (0.0, highest):
        return None
    reach = highest * (1 - ((1 - LEVEL) / 2) ** (1 / num))
    return (0.0, reach) if value == 0 else (highest - reach, highest)
