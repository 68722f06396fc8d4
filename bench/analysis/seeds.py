"""Records that differ in their seeds or were made of the same scenes: paired differences and their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.metrics import METRICS
from bench.records.comparable import differences
from bench.records.schema import Comparison, Record
from bench.stats import COVERAGE, NUM_RESAMPLES, SMALLEST_RESAMPLED, Interval, extreme_interval

SPEEDS = ("latency_s", "throughput_per_s", "texts_per_s")  # depend on no weights; studies time them in other batches
Seeds = tuple[int, int]  # of the training run, of the sampling


def seeds_of(record: Record) -> Seeds:
    return record.protocol.training_seed, record.protocol.seed


def at_seeds(model: str, settings: Mapping[str, object], records: Sequence[Record]) -> dict[Seeds, Record]:
    """The studies' records of a model at these settings, by training and sampling seed."""
    return {
        seeds_of(record): record
        for record in records
        if record.model == model and record.status == "ok" and record.protocol.study and record.settings == settings
    }


def seed_records(
    side: Comparison, subject: Record, baseline: Record, records: Sequence[Record]
) -> dict[Seeds, tuple[Record, Record]] | None:
    """Pairs of records (subject, baseline) of equal seeds, at the settings of these two. None below two training seeds.

    For scores only: a speed does not depend on the weights.
    """
    if side.metric in SPEEDS:
        return None
    ours, theirs = (at_seeds(record.model, record.settings, records) for record in (subject, baseline))
    pairs = {
        seeds: (ours[seeds], theirs[seeds])
        for seeds in sorted(ours.keys() & theirs.keys())
        if not differences(ours[seeds], theirs[seeds], side.metric)
        and all(side.metric in record.measurements for record in (ours[seeds], theirs[seeds]))
    }
    return pairs if len({training_seed for training_seed, _ in pairs}) > 1 else None


def paired_difference(metric: str, pairs: Mapping[Seeds, tuple[Record, Record]]) -> Interval:
    """Mean difference with Student's 95 % interval over training seeds, sampling seeds averaged within each.

    The training seed is the unit: images of one network, however many, say nothing of the next training run.
    """
    gaps = {seeds: a.measurements[metric].value - b.measurements[metric].value for seeds, (a, b) in pairs.items()}
    return mean_over_training_seeds(gaps)


def mean_over_training_seeds(values: Mapping[Seeds, float]) -> Interval:
    """Mean of the training seeds' means with Student's 95 % interval, NaN where there is one training seed or all agree
    to the last digit, which shows no spread."""
    from scipy.special import stdtrit

    by_training_seed: dict[int, list[float]] = {}
    for (training_seed, _), value in values.items():
        by_training_seed.setdefault(training_seed, []).append(value)
    means = np.array([np.mean(found) for found in by_training_seed.values()])
    mean = float(means.mean())
    if len(means) < 2 or np.ptp(means) == 0:
        return Interval(mean, math.nan, math.nan)
    spread = float(stdtrit(len(means) - 1, 0.975) * means.std(ddof=1) / math.sqrt(len(means)))
    return Interval(mean, mean - spread, mean + spread)


def spread_of(values: Mapping[Seeds, float]) -> float | None:
    """Standard deviation between training seeds, sampling seeds averaged within each; None below two."""
    means = seed_means(values)
    return float(np.std(list(means.values()), ddof=1)) if len(means) > 1 else None


def seed_means(values: Mapping[Seeds, float]) -> dict[int, float]:
    """By training seed the mean of its sampling seeds."""
    found: dict[int, list[float]] = {}
    for (training_seed, _), value in values.items():
        found.setdefault(training_seed, []).append(value)
    return {training_seed: float(np.mean(each)) for training_seed, each in sorted(found.items())}


def image_pairs(records: Sequence[Record], later: int, earlier: int, metric: str) -> dict[Seeds, tuple[Record, Record]]:
    """Pairs of records (of the later image, of the earlier one) by seeds, alike in all but `num_images`."""
    return {
        seeds_of(a): (a, b)
        for a in records
        if a.settings.get("num_images") == later
        for b in records
        if (a.model, seeds_of(a)) == (b.model, seeds_of(b))
        and {**a.settings, "num_images": earlier} == b.settings
        and metric in a.measurements.keys() & b.measurements.keys()
        and not differences(a, b, metric)
    }


def paired_over_scenes(metric: str, a: Record, b: Record) -> Interval | None:
    """a - b with a percentile bootstrap over scenes, both models' texts of a scene drawn together, from a fixed seed.

    The scene is the unit: the texts of one scene are wrong together, and a scene that is hard is hard for both.
    Where no scene differs, in per cent, what so many scenes rule out: were a share of 1 - 0.025^(1 / scenes) to differ,
    one would show with 97.5 % (stats.extreme_interval). NaN where the scenes are too few or differ all alike; None
    where the records do not keep the metric by scene, or not of the same scenes.
    """
    ours, theirs = a.samples.scenes, b.samples.scenes
    if not ours or [(row.scene, row.num) for row in ours] != [(row.scene, row.num) for row in theirs]:
        return None
    if any(metric not in row.totals for row in (*ours, *theirs)):
        return None
    num = np.asarray([row.num for row in ours], np.float64)
    gaps = np.asarray([one.totals[metric] - other.totals[metric] for one, other in zip(ours, theirs, strict=True)])
    value = float(gaps.sum() / num.sum())
    if not gaps.any() and METRICS[metric].unit == "%" and (reach := extreme_interval(0.0, len(num), 100.0)):
        return Interval(value, -reach[1], reach[1])
    if len(num) < SMALLEST_RESAMPLED or np.ptp(gaps / num) == 0:
        return Interval(value, math.nan, math.nan)
    drawn = np.random.default_rng(0).integers(0, len(num), (NUM_RESAMPLES, len(num)))
    low, high = np.percentile(gaps[drawn].sum(axis=1) / num[drawn].sum(axis=1), COVERAGE)
    return Interval(value, float(low), float(high))
