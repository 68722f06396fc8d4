"""Speed from raw rounds: medians and percentiles of seconds, never means (one stall would move them).

The interval of a percentile is by order statistics: of n rounds the k-th smallest lies below the true quantile with a
binomial probability, whatever the distribution (scipy's quantile_test). Where the rounds are too few to bound a side,
that side is None (a p99 of ten rounds has no upper end).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from bench.metrics import size
from bench.records.parts import Measurement, Sweep, Timing
from bench.records.schema import Metric

PERCENTILES = (50, 90, 95, 99)


def percentile(rounds_s: Sequence[float], percent: float) -> Measurement:
    """A percentile of the rounds in seconds, with its 95 % interval, widened to the value where that leaves it out: of
    few rounds a high percentile lies between two of them, and the interval's bounds are rounds."""
    from scipy.stats import quantile_test

    seconds, share = np.asarray(rounds_s, np.float64), percent / 100
    interval = quantile_test(seconds, p=share).confidence_interval(0.95)
    value = float(np.quantile(seconds, share))
    low = None if np.isnan(interval.low) else min(float(interval.low), value)
    high = None if np.isnan(interval.high) else max(float(interval.high), value)
    return Measurement(value, "s", low, high, len(seconds))


def is_open(measured: Measurement) -> bool:
    """Whether so few rounds bound a percentile on one side at most: the number is no more than the slowest of them."""
    return measured.ci_low is None or measured.ci_high is None


def estimated_latency(rounds_s: Sequence[float], error_s: float) -> Measurement:
    """An estimated latency (metrics/stages.py): the median round; its interval is that of the rounds, or their range
    where they are too few, widened by 1.96 standard errors of the estimate, `error_s`."""
    median = percentile(rounds_s, 50)
    low = min(rounds_s) if median.ci_low is None else median.ci_low
    high = max(rounds_s) if median.ci_high is None else median.ci_high
    return Measurement(median.value, "s", max(0.0, low - 1.96 * error_s), high + 1.96 * error_s, median.n)


def compute_throughput(rounds_s: Sequence[float], batch_size: int, unit: str = "images/s") -> Measurement:
    """Images (or texts) per second at the median round."""
    median = percentile(rounds_s, 50)

    def rate(seconds: float | None) -> float | None:
        return None if seconds is None else batch_size / seconds

    return Measurement(batch_size / median.value, unit, rate(median.ci_high), rate(median.ci_low), median.n)


def rates(sweep: Sweep) -> dict[int, float]:
    """Images per second at the median round, by batch size."""
    found = {series.batch_size: series.batch_size / statistics.median(series.rounds_s) for series in sweep.batches}
    return dict(sorted(found.items()))


def best_batch(sweep: Sweep) -> int:
    """The batch size of a sweep that generates most images per second, at the median round."""
    found = rates(sweep)
    return max(found, key=found.__getitem__)


def summarise(timing: Timing) -> dict[str, Measurement]:
    """Every speed and size metric of one timed model: metric name -> Measurement. What was not timed is left out."""
    latency = timing.latency
    if latency.estimated:  # no round ran whole: it has no percentiles
        found = {"latency_s": estimated_latency(latency.rounds_s, latency.error_s or 0.0)}
    else:
        found = {"latency_s": percentile(latency.rounds_s, 50)}
        found |= {f"latency_p{percent}_s": percentile(latency.rounds_s, percent) for percent in PERCENTILES[1:]}
    if timing.throughput is not None:
        found["throughput_per_s"] = compute_throughput(timing.throughput.rounds_s, timing.throughput.batch_size)
    counts = {name: getattr(timing, name) for name in ("peak_memory_bytes", "num_params", "flops")}
    return {**found, **size.summarise({**counts, "nfe": timing.nfe or None})}


METRICS = (
    Metric(
        name="latency_s",
        unit="s",
        higher_is_better=False,
        title="Latency (median)",
        what="seconds for one call that generates one batch (of one image unless said otherwise), the median round",
    ),
    *(
        Metric(
            name=f"latency_p{percent}_s",
            unit="s",
            higher_is_better=False,
            title=f"Latency (p{percent})",
            what=f"seconds that {percent} % of the calls stay below",
        )
        for percent in PERCENTILES[1:]
    ),
    Metric(
        name="throughput_per_s",
        unit="images/s",
        higher_is_better=True,
        title="Throughput",
        what="images per second in large batches, at the median round",
    ),
    Metric(
        name="texts_per_s",
        unit="texts/s",
        higher_is_better=True,
        title="Texts per second",
        what="captions or answers per second in batches of 16, at the median round",
    ),
)
