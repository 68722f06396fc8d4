"""Training seeds: the paired difference of two families, or of two images of a row, over training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.analysis.seeds import Seeds, image_pairs, paired_difference
from bench.formatting import fixed, interval_words, num_decimals
from bench.records.schema import Record, Verdict, Word
from bench.stats import Interval
from bench.verdict.finding import METRIC_WORDS, Finding, weigh


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
        f"{fixed(estimate.value, decimals)}, "
        f"{interval_words(estimate.value, estimate.low, estimate.high, 'over training seeds')}).",
        estimate,
    )


# -- the images of a row -----------------------------------------------------------------------------------------------


def judge_later_images(records: Sequence[Record]) -> Verdict:
    """Whether the last image of a row that refers to the earlier ones has a lower FID than the first (MRAR).

    Paired over training seeds: the same network and seeds, `num_images` alone differs.
    """

    def verdict(word: Word, reason: str, estimate: Interval | None = None) -> Verdict:
        bounds = (estimate.value, *estimate.known, "FID") if estimate else ()
        used = tuple(record.file for pair in pairs.values() for record in pair)
        return Verdict("mrar-later-images", "digits", word, reason, used, *bounds)

    rows = [r for r in records if r.status == "ok" and r.protocol.study and "num_images" in r.settings]
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
