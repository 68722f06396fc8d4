"""The study "training-seeds": how far another training run moves FID, beside the interval of one run."""

from __future__ import annotations

from collections.abc import Mapping

from bench.analysis.seeds import mean_over_training_seeds, seed_means, spread_of
from bench.analysis.studies import Values, fid_half_width, values_of
from bench.formatting import fixed, listed, num_decimals, number
from bench.report.sections.studies.common import Answers, Section, interval_cell
from bench.report.tables import NONE, Cell, Table, plain_table


def training_seeds(answers: Answers) -> Section:
    fids = {model: found for model in answers.models if (found := values_of(answers.of(model), "fid"))}
    if all(len(seed_means(values)) < 2 for values in fids.values()):
        return Section()
    sentence = spread_in_words(answers, fids)
    return Section(
        findings=(sentence,) if sentence else (),
        tables=(seeds_table(answers, fids),),
    )


def spread_in_words(answers: Answers, fids: Mapping[str, Values]) -> str:
    """How far another training run moves FID, beside what the bootstrap interval of a run covers."""
    ratios = {}
    for model, values in fids.items():
        spread, half_width = spread_of(values), fid_half_width(answers.of(model))
        if spread is not None and half_width:
            per_training_seed = len(values) / len(seed_means(values))
            ratios[model] = 1.96 * spread / (half_width / per_training_seed**0.5)
    if not ratios:
        return ""
    shown = listed([f"{model} {number(ratio)}" for model, ratio in ratios.items()])
    num = max(len(seed_means(values)) for values in fids.values())
    return (
        "Spread of FID between training seeds, in multiples of what the bootstrap interval of a run explains by the "
        f"choice of samples: {shown}. 1 would mean that another training run changes nothing; from {num} training runs "
        "the spread itself is rough."
    )


def seeds_table(answers: Answers, fids: Mapping[str, Values]) -> Table:
    training = sorted({seed for values in fids.values() for seed, _ in values})
    rows = []
    for model, values in fids.items():
        mean, spread, half_width = (
            mean_over_training_seeds(values),
            spread_of(values),
            fid_half_width(answers.of(model)),
        )
        means = seed_means(values)
        decimals = num_decimals(half_width or 1.0, 0.0, 2 * (half_width or 1.0))
        rows.append(
            (
                model,
                (
                    interval_cell(mean),
                    *(Cell(fixed(means[seed], decimals)) if seed in means else NONE for seed in training),
                    NONE if spread is None else Cell(number(spread)),
                    NONE if half_width is None else Cell(number(half_width)),
                ),
            )
        )
    return plain_table(
        "FID over training seeds: mean with Student's 95 % interval below, each training seed (mean of its sampling "
        "seeds), the standard deviation between them, and the half-width of one run's bootstrap interval.",
        (
            ("Mean FID", "lower is better"),
            *((f"Training seed {seed}", "shipped or retrained" if seed == 0 else "") for seed in training),
            ("Between seeds", "standard deviation"),
            ("One run", "half-width"),
        ),
        tuple(rows),
    )
