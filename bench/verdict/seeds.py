"""Training seeds: the paired difference of two families, or of two images of a row, over training runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.formatting import fixed, interval, num_decimals
from bench.records import Comparison, Record, Verdict, Word
from bench.verdict.finding import METRIC_WORDS, Finding, differences, weigh
from bench.verdict.intervals import Interval

Seeds = tuple[int, int]  # of the training run, of the sampling


def seeds_of(record: Record) -> Seeds:
    return int(record.protocol.get("training_seed", 0)), int(record.protocol.get("seed", 0))


def at_seeds(model: str, settings: Mapping[str, object], records: Sequence[Record]) -> dict[Seeds, Record]:
    """The studies' records of a model at these settings, by training and sampling seed."""
    return {
        seeds_of(record): record
        for record in records
        if record.model == model
        and record.status == "ok"
        and record.protocol.get("study")
        and record.settings == settings
    }


def seed_records(
    side: Comparison, subject: Record, baseline: Record, records: Sequence[Record]
) -> dict[Seeds, tuple[Record, Record]] | None:
    """Pairs of records (subject, baseline) of equal seeds, at the settings of these two. None below two training seeds.

    For scores only: a latency does not hang on the weights.
    """
    if side.metric == "latency_s":
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
    """Mean of the training seeds' means with Student's 95 % interval, NaN where there is one training seed."""
    from scipy.special import stdtrit

    by_training_seed: dict[int, list[float]] = {}
    for (training_seed, _), value in values.items():
        by_training_seed.setdefault(training_seed, []).append(value)
    means = np.array([np.mean(found) for found in by_training_seed.values()])
    mean = float(means.mean())
    if len(means) < 2:
        return Interval(mean, math.nan, math.nan)
    spread = float(stdtrit(len(means) - 1, 0.975) * means.std(ddof=1) / math.sqrt(len(means)))
    return Interval(mean, mean - spread, mean + spread)


def over_training_seeds(
    metric: str, better: str, against: str, pairs: Mapping[Seeds, tuple[Record, Record]], margin: float = 0.0
) -> Finding:
    """The first records of the pairs against the second, which are called `against`, by the paired difference."""
    estimate = paired_difference(metric, pairs)
    ours, theirs = (float(np.mean([pair[i].measurements[metric].value for pair in pairs.values()])) for i in (0, 1))
    word, relation = weigh(estimate, better, against, margin, theirs)
    decimals = num_decimals(estimate.value, estimate.low, estimate.high)
    num_training = len({training_seed for training_seed, _ in pairs})
    name = METRIC_WORDS.get(metric, metric)
    return Finding(
        word,
        f"{name} {relation} ({fixed(ours, decimals)} against "
        f"{fixed(theirs, decimals)}, means of {num_training} training seeds, {len(pairs)} pairs; difference "
        f"{fixed(estimate.value, decimals)}, 95 % interval over training seeds "
        f"{interval(estimate.value, estimate.low, estimate.high)}).",
        estimate,
    )


# -- the images of a row -----------------------------------------------------------------------------------------------


def judge_later_images(records: Sequence[Record]) -> Verdict:
    """Whether the last image of a row that refers to the earlier ones has a lower FID than the first (MRAR).

    Paired over training seeds: the same network and seeds, `num_images` alone differs.
    """

    def verdict(word: Word, reason: str, estimate: Interval | None = None) -> Verdict:
        bounds = (estimate.value, estimate.low, estimate.high, "FID") if estimate else ()
        used = tuple(record.file for pair in pairs.values() for record in pair)
        return Verdict("mrar-later-images", "digits", word, reason, used, *bounds)

    rows = [r for r in records if r.status == "ok" and r.protocol.get("study") and "num_images" in r.settings]
    last = max((record.settings["num_images"] for record in rows), default=1)
    pairs = image_pairs(rows, last, 1, "fid") if last > 1 else {}
    if not pairs:
        return verdict(
            "not run", "No pair of a first and a later image: `python -m bench study references` would run it."
        )
    if len({training_seed for training_seed, _ in pairs}) < 2:
        return verdict("inconclusive", "Trained with one seed only: another training run could say otherwise.")
    finding = over_training_seeds("fid", "lower", "the first image's", pairs)
    return verdict(finding.word, f"Image {last} of a row: {finding.text}", finding.estimate)


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
