"""Records that differ in their seeds or were made of the same scenes: paired differences and their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bench.formatting import listed
from bench.metrics import METRICS
from bench.records.comparable import differences
from bench.records.schema import Comparison, Record
from bench.stats import (
    COVERAGE,
    NUM_RESAMPLES,
    SMALLEST_RESAMPLED,
    Interval,
    extreme_interval,
    two_level_interval,
    variance_components,
)
from bench.studies import DIGITS

SPEEDS = ("latency_s", "throughput_per_s", "texts_per_s")  # depend on no weights; studies time them in other batches
Seeds = tuple[int, int]  # of the training run, of the sampling


def seeds_of(record: Record) -> Seeds:
    return record.protocol.training_seed, record.protocol.seed


def settings_agree(a: Mapping[str, object], b: Mapping[str, object]) -> bool:
    """Whether two records' settings are equal where both have them: later code may know more settings than earlier."""
    return all(a[name] == b[name] for name in a.keys() & b.keys())


def at_seeds(model: str, settings: Mapping[str, object], records: Sequence[Record]) -> dict[Seeds, Record]:
    """The studies' records of a model at these settings, by training and sampling seed; see `of_one_network`."""
    return of_one_network(
        [
            record
            for record in records
            if (record.model, record.protocol.name, record.status) == (model, DIGITS.name, "ok")
            and record.settings == settings
        ]
    )


def of_one_network(records: Iterable[Record]) -> dict[Seeds, Record]:
    """Records of one model and its settings by seeds: of each training seed those of one network.

    A training seed may have been trained twice, on machines that round differently: those are two networks. The one
    with the most sampling seeds is kept, of several the one measured last.
    """
    networks: dict[tuple[int, str | None], dict[Seeds, Record]] = {}
    for record in sorted(records, key=lambda record: record.created_utc):
        network = (record.protocol.training_seed, record.inputs.weights_sha256)
        networks.setdefault(network, {})[seeds_of(record)] = record
    kept: dict[int, dict[Seeds, Record]] = {}
    for (training_seed, _), found in sorted(networks.items(), key=lambda item: max(map(made_at, item[1].values()))):
        if len(found) >= len(kept.get(training_seed, {})):
            kept[training_seed] = found
    return {seeds: record for training_seed in sorted(kept) for seeds, record in sorted(kept[training_seed].items())}


def made_at(record: Record) -> str:
    return record.created_utc


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
    """Mean difference with its 95 % interval over training seeds and, within each, sampling seeds.

    The training seed is the unit: images of one network, however many, say nothing of the next training run. Where no
    training run was sampled twice the interval is unknown: three runs may agree by chance, and nothing would tell.
    """
    return interval_of_gaps(
        {seeds: a.measurements[metric].value - b.measurements[metric].value for seeds, (a, b) in pairs.items()}
    )


def interval_of_gaps(gaps: Mapping[Seeds, float]) -> Interval:
    """Of paired differences by seeds; see `paired_difference`."""
    found = mean_over_training_seeds(gaps)
    if max(map(len, by_training_seed(gaps).values())) < 2:
        return Interval(found.value, math.nan, math.nan)
    return found


def mean_over_training_seeds(values: Mapping[Seeds, float]) -> Interval:
    """Mean over training seeds with its interval (bench.stats.two_level_interval), NaN where there is one of them."""
    return two_level_interval(list(by_training_seed(values).values()))


def by_training_seed(values: Mapping[Seeds, float]) -> dict[int, list[float]]:
    """By training seed the values of its sampling seeds."""
    found: dict[int, list[float]] = {}
    for (training_seed, _), value in sorted(values.items()):
        found.setdefault(training_seed, []).append(value)
    return found


def spreads_of(values: Mapping[Seeds, float]) -> tuple[float | None, float | None]:
    """Standard deviations of another training run and of another sampling of one run; None where unknown."""
    return variance_components(list(by_training_seed(values).values()))


def seed_means(values: Mapping[Seeds, float]) -> dict[int, float]:
    """By training seed the mean of its sampling seeds."""
    return {seed: float(np.mean(each)) for seed, each in by_training_seed(values).items()}


def seeds_words(values: Iterable[Seeds]) -> str:
    """As "3 training seeds with 3 sampling seeds each"; where the numbers differ "(2, 3 and 3)"."""
    counts = [len(each) for each in by_training_seed(dict.fromkeys(values, 0.0)).values()]
    runs = f"{len(counts)} training seed{'s' if len(counts) != 1 else ''}"
    if len(set(counts)) > 1:
        return f"{runs} with {listed([str(count) for count in counts])} sampling seeds"
    return f"{runs} with {counts[0]} sampling seed{'s' if counts[0] != 1 else ''} each"


def image_pairs(records: Sequence[Record], later: int, earlier: int, metric: str) -> dict[Seeds, tuple[Record, Record]]:
    """Pairs of records (of the later image, of the earlier one) by seeds: the same weights, alike in all but
    `num_images`."""
    alike: dict[tuple[str, Seeds], list[Record]] = {}
    for record in records:
        alike.setdefault((record.model, seeds_of(record)), []).append(record)
    pairs = [
        (a, b)
        for a in records
        if a.settings.get("num_images") == later
        for b in alike[a.model, seeds_of(a)]
        if {**a.settings, "num_images": earlier} == b.settings
        and metric in a.measurements.keys() & b.measurements.keys()
        and a.inputs.weights_sha256 == b.inputs.weights_sha256  # else two networks, whatever their seed
        and not differences(a, b, metric)
    ]
    chosen = of_one_network(a for a, _ in pairs)
    return {seeds_of(a): (a, b) for a, b in pairs if chosen.get(seeds_of(a)) is a}


def paired_over_scenes(metric: str, a: Record, b: Record) -> Interval | None:
    """a - b with a percentile bootstrap over scenes, both models' texts of a scene drawn together, from a fixed seed.

    The scene is the unit: the texts of one scene are wrong together, and a scene that is hard is hard for both.
    Where no scene differs, in per cent, what so many scenes rule out: were a share of 1 - 0.025^(1 / scenes) to differ,
    one would show with 97.5 % (stats.extreme_interval). NaN where the scenes are too few or differ all alike; None
    where the records do not keep the metric by scene, or not of the same scenes.
    """
    found = totals_by_scene(metric, a, b)
    if found is None:
        return None
    num, ours, theirs = found
    gaps = ours - theirs
    value = float(gaps.sum() / num.sum())
    if not gaps.any() and METRICS[metric].unit == "%" and (reach := extreme_interval(0.0, len(num), 100.0)):
        return Interval(value, -reach[1], reach[1])
    if len(num) < SMALLEST_RESAMPLED or np.ptp(gaps / num) == 0:
        return Interval(value, math.nan, math.nan)
    drawn = scenes_drawn(len(num))
    low, high = np.percentile(gaps[drawn].sum(axis=1) / num[drawn].sum(axis=1), COVERAGE)
    return Interval(value, float(low), float(high))


def errors_over_scenes(metric: str, highest: float, a: Record, b: Record) -> Interval | None:
    """Errors of a over errors of b, an error being what a text's score lacks of `highest`; the same bootstrap.

    None as `paired_over_scenes`, and where b makes none; an unknown interval (NaN) where a resample of b holds none.
    """
    found = totals_by_scene(metric, a, b)
    if found is None:
        return None
    num, *totals = found
    ours, theirs = (num * highest - total for total in totals)
    if theirs.sum() <= 0:
        return None
    drawn = scenes_drawn(len(num))
    below = theirs[drawn].sum(axis=1)
    value = float(ours.sum() / theirs.sum())
    if below.min() <= 0 or len(num) < SMALLEST_RESAMPLED:
        return Interval(value, math.nan, math.nan)
    low, high = np.percentile(ours[drawn].sum(axis=1) / below, COVERAGE)
    return Interval(value, float(low), float(high))


def totals_by_scene(metric: str, a: Record, b: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(texts, totals of a, totals of b) by scene; None where they were not kept, or not of the same scenes."""
    ours, theirs = a.samples.scenes, b.samples.scenes
    if not ours or [(row.scene, row.num) for row in ours] != [(row.scene, row.num) for row in theirs]:
        return None
    if any(metric not in row.totals for row in (*ours, *theirs)):
        return None
    totals = (np.asarray([row.totals[metric] for row in side], np.float64) for side in (ours, theirs))
    return np.asarray([row.num for row in ours], np.float64), *totals  # type: ignore[return-value]


def scenes_drawn(num: int) -> np.ndarray:
    """NUM_RESAMPLES draws of `num` scenes with replacement, always the same."""
    return np.random.default_rng(0).integers(0, num, (NUM_RESAMPLES, num))
