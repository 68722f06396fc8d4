"""The study "training-seeds": how far another training run and another sampling move FID; what can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from bench.analysis import over_seeds
from bench.analysis.seeds import seed_means, seeds_words
from bench.analysis.studies import (
    Answers,
    Values,
    fid_half_width,
    measured_at,
    smallest_difference,
    spread_in_intervals,
    values_of,
)
from bench.formatting import fixed, listed, num_decimals, number
from bench.records.schema import Record
from bench.report.sections.studies.common import Section, models_of
from bench.report.tables import NONE, Cell, Table, estimate, plain_table


def training_seeds(answers: Answers) -> Section:
    fids = {model: found for model in models_of(answers) if (found := values_of(answers.of(model), "fid"))}
    if all(len(seed_means(values)) < 2 for values in fids.values()):
        return Section()
    sentences = (smallest_in_words(fids), measured_in_words(fids), spread_in_words(answers, fids))
    return Section(findings=[*filter(None, sentences)], tables=[seeds_table(answers, fids)])


def smallest_in_words(fids: Mapping[str, Values]) -> str:
    """The smallest difference of FID that this scale can see, by the interval of the paired difference: of the two
    families whose seeds scatter least, and of those that scatter most."""
    least = {
        listed(pair): found
        for pair in combinations(fids, 2)
        if (found := smallest_difference(*(fids[model] for model in pair))) is not None
    }
    repeated = {model: values for model, values in fids.items() if len(seed_means(values)) > 1}
    if not least:
        return ""
    num = min(len(seed_means(values)) for values in repeated.values())
    finest, coarsest = min(least, key=least.__getitem__), max(least, key=least.__getitem__)
    return (
        f"The smallest difference of FID that this scale can see with {num} training runs of either model is about "
        f"{number(least[finest])} ({finest}) to {number(least[coarsest])} ({coarsest}): half the 95 % interval of "
        "their paired difference."
    )


def measured_in_words(fids: Mapping[str, Values]) -> str:
    """Which seeds were measured, where not all models have the same."""
    told: dict[str, list[str]] = {}
    for model, values in fids.items():
        told.setdefault(seeds_words(values), []).append(model)
    return f"Measured: {'; '.join(f'{words} of {listed(models)}' for words, models in told.items())}."


def spread_in_words(answers: Answers, fids: Mapping[str, Values]) -> str:
    """How far another training run moves FID, beside what the bootstrap interval of a run covers."""
    found = {model: spread_in_intervals(each, fid_half_width(answers.of(model))) for model, each in fids.items()}
    ratios = {model: ratio for model, ratio in found.items() if ratio is not None}
    if not ratios:
        return ""
    shown = listed([f"{model} {number(ratio)}" for model, ratio in ratios.items()])
    num = max(len(seed_means(values)) for values in fids.values())
    return (
        "Spread of FID between training runs, what sampling explains taken off, in multiples of the bootstrap interval "
        f"of one run: {shown}. Where it is 0, another training run changes nothing that shows; from {num} runs "
        "the spread itself is rough."
    )


def seeds_table(answers: Answers, fids: Mapping[str, Values]) -> Table:
    training = sorted({seed for values in fids.values() for seed, _ in values})
    return plain_table(
        "FID over training seeds and their sampling seeds: mean with the 95 % interval over both below, each training "
        "seed (mean of its sampling seeds), the standard deviations of another training run and of another sampling of "
        "one run, and the half-width of one run's bootstrap interval.",
        (
            ("Mean FID", "lower is better"),
            *((f"Training seed {seed}", "shipped or retrained" if seed == 0 else "") for seed in training),
            ("Training", "standard deviation"),
            ("Sampling", "standard deviation"),
            ("One run", "half-width"),
        ),
        [(model, seeds_row(answers.of(model), training)) for model in fids],
    )


def seeds_row(records: Sequence[Record], training: Sequence[int]) -> list[Cell]:
    """All means of a training seed have the digits that the interval of one run deserves."""
    measured, half_width = measured_at(records, "fid"), over_seeds.half_width(records)
    width = half_width.found.value if half_width else 1.0
    decimals = num_decimals(width, 0.0, 2 * width)

    def mean_of(seed: int) -> Cell:
        one_run = {seeds: record for seeds, record in measured.items() if seeds[0] == seed}
        mean = over_seeds.mean(one_run, "fid") if one_run else None
        return Cell(fixed(mean.found.value, decimals), trace=mean.trace) if mean else NONE

    deviations = over_seeds.spreads(measured, "fid")
    mean = estimate(over_seeds.mean(measured, "fid"))
    return [mean, *map(mean_of, training), *map(estimate, deviations), estimate(half_width)]
