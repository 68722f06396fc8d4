"""Training seeds: the paired difference of two families, or of two images of a row, over training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.seeds import Seeds, image_pairs, mean_over_training_seeds, paired_difference, seeds_words
from bench.formatting import fixed, interval_words, listed, num_decimals, number
from bench.records.schema import Record, Verdict, Word
from bench.stats import Interval
from bench.verdict.finding import METRIC_WORDS, Finding, weigh


def over_training_seeds(
    metric: str, better: str, against: str, pairs: Mapping[Seeds, tuple[Record, Record]], margin: float = 0.0
) -> Finding:
    """The first records of the pairs against the second, which are called `against`, by the paired difference."""
    estimate = paired_difference(metric, pairs)
    ours, theirs = (
        mean_over_training_seeds({at: pair[i].measurements[metric].value for at, pair in pairs.items()}).value
        for i in (0, 1)
    )
    if not estimate.is_known:
        name = METRIC_WORDS.get(metric, metric)
        told = f"{number(ours)} against {number(theirs)}, means over pairs of {seeds_words(pairs)}"
        why = "another sampling could say otherwise"
        return Finding("inconclusive", f"{name} not judged against {against} ({told}): {why}.")
    word, relation = weigh(estimate, better, against, margin, theirs)
    decimals = num_decimals(estimate.value, estimate.low, estimate.high)
    name = METRIC_WORDS.get(metric, metric)
    return Finding(
        word,
        f"{name} {relation} ({fixed(ours, decimals)} against "
        f"{fixed(theirs, decimals)}, means over pairs of {seeds_words(pairs)}; difference "
        f"{fixed(estimate.value, decimals)}, "
        f"{interval_words(estimate.value, estimate.low, estimate.high, 'over seeds')}).",
        estimate,
    )


# -- the images of a row -----------------------------------------------------------------------------------------------


def judge_later_images(records: Sequence[Record]) -> Verdict:
    """Whether the last image of a row that refers to the earlier ones has a lower FID than the first (MRAR).

    Paired over training and sampling seeds: the same network and seeds, `num_images` alone differs.
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
        return verdict(
            "inconclusive", "Both were measured of one training run only: another training run could say otherwise."
        )
    finding = over_training_seeds("fid", "lower", "the first image's", pairs)
    steps: dict[str, list[int]] = {}  # by how an image compares with the one before it
    for k in range(2, last + 1):
        if step := against_the_one_before(rows, k):
            steps.setdefault(step, []).append(k)
    told = [
        f"{'Image' if len(places) == 1 else 'Images'} {listed([str(k) for k in places])} {step}."
        for step, places in steps.items()
    ]
    return verdict(finding.word, " ".join([f"Image {last} of a row: {finding.text}", *told]), finding.estimate)


def against_the_one_before(records: Sequence[Record], k: int) -> str:
    """Image k against image k - 1, as "lower than the one before it"; "" where no two training seeds tell."""
    pairs = image_pairs(records, k, k - 1, "fid")
    if len({training_seed for training_seed, _ in pairs}) < 2:
        return ""
    gap = paired_difference("fid", pairs)
    if not gap.is_known:
        return "sampled once with the one before it: not judged"
    _, relation = weigh(gap, "lower", "the one before it", 0.0, 0.0)
    return relation
