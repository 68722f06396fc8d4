"""The study "references": whether each image of a row that refers to the earlier ones (MRAR) improves on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from bench.analysis import over_seeds
from bench.analysis.seeds import (
    at_seeds,
    image_pairs,
    mean_over_training_seeds,
    paired_difference,
    seed_means,
    seeds_of,
    seeds_words,
)
from bench.analysis.studies import Answers, measured_at, values_of
from bench.claims.sources import ABSTRACT
from bench.formatting import listed, number
from bench.metrics import METRICS
from bench.records.schema import Record
from bench.report.charts.lines import Line, Panel, lines_chart
from bench.report.sections.quality import sample_grids
from bench.report.sections.studies.common import Section, gap_words, models_of
from bench.report.tables import NONE, Cell, Table, estimate, plain_table
from bench.report.words import badge_of
from bench.stats import Interval
from bench.verdict.seeds import judge_later_images

ONE_STEP = "transdiff-digits"  # the model that MRAR is fine-tuned from, and compared with
LATER_IMAGES = "improving the quality of generated images in subsequent iterations"  # of ABSTRACT
SCORES = ("fid", "inception_score", "recall", "feature_similarity")
COST = "nfe"  # counted; the times of a study are of different hours


def references(answers: Answers) -> Section:
    rows: dict[int, list[Record]] = {}
    for record in answers.records:
        if "fid" in record.measurements:
            rows.setdefault(record.settings["num_images"], []).append(record)
    rows = dict(sorted(rows.items()))
    if len(rows) < 2:
        return Section()
    one_step = list(at_seeds(ONE_STEP, answers.in_use.get(ONE_STEP, {}), answers.machine_records).values())
    verdict = judge_later_images(answers.records)
    return Section(
        findings=[*filter(None, (cost_of_references(rows), *other_scores(answers.records, max(rows))))],
        verdict={**badge_of(verdict.word), "reason": verdict.reason},
        claim={"quote": LATER_IMAGES, "source": f"{ABSTRACT.paper}, {ABSTRACT.where}"},
        charts=[row_chart(answers, rows, one_step)],
        tables=[row_table(rows, one_step)],
        samples=row_samples(rows),
        samples_note="Unselected, of the first training and sampling seed: the same place in every grid has the same "
        "seed, each column one class.",
    )


def row_samples(rows: Mapping[int, Sequence[Record]]) -> list[dict[str, Any]]:
    """The grid of each image of a row, of the first training seed and sampling seed."""
    first = {k: min(records, key=seeds_of) for k, records in rows.items()}
    return sample_grids(list(first.values()), {record.file: f"image {k}" for k, record in first.items()})


def cost_of_references(rows: Mapping[int, Sequence[Record]]) -> str:
    """As "An image with 3 references costs 4.0 times the network evaluations of one without."."""
    last = max(rows)
    dear, cheap = (values_of(rows.get(k, ()), COST).values() for k in (last, 1))
    if not dear or not cheap or last == 1:
        return ""
    ratio = float(np.mean(list(dear)) / np.mean(list(cheap)))
    return f"An image with {last - 1} references costs {number(ratio)} times the network evaluations of one without."


def other_scores(records: Sequence[Record], last: int) -> list[str]:
    """What the scores beside FID say of the last image against the first."""
    clauses = []
    for metric in SCORES[1:]:
        pairs = image_pairs(records, last, 1, metric)
        if len({training_seed for training_seed, _ in pairs}) > 1:
            gap = paired_difference(metric, pairs)
            word = "higher" if gap.low > 0 else "lower" if gap.high < 0 else "not told apart"
            clauses.append(f"{METRICS[metric].title} {word} ({gap_words(gap)})")
    return [f"Image {last} against the first in the other scores: {'; '.join(clauses)}."] if clauses else []


def row_chart(answers: Answers, rows: Mapping[int, Sequence[Record]], one_step: Sequence[Record]) -> tuple[Markup, str]:
    training_seeds = sorted({seeds_of(record)[0] for record in answers.records})
    panels, model = [], models_of(answers)[0]
    for metric in SCORES:
        values = {k: found for k, records in rows.items() if (found := values_of(records, metric))}
        if not values:
            continue
        by_seed, level = {k: seed_means(found) for k, found in values.items()}, values_of(one_step, metric)
        thin = [[(k, bare(means.get(seed, math.nan))) for k, means in by_seed.items()] for seed in training_seeds]
        means = [(k, drawn(mean_over_training_seeds(found))) for k, found in values.items()]
        lines = [*(Line(model, points, thin=True) for points in thin), Line(model, means)]
        dashed = drawn(mean_over_training_seeds(level)) if level else None
        panels.append(Panel(METRICS[metric].title, lines, level=dashed))
    ends = ", ".join(f"{panel.title} {panel.lines[-1].ends()}" for panel in panels)
    svg = lines_chart(
        panels,
        "images in a row; the last is scored",
        f"Scores of the first to the last image of a row, means over training seeds: {ends}.",
    )
    caption = (
        f"Scores of the 1st to the {max(rows)}th image of a row, each with the ones before it as references. "
        "Markers: mean over training seeds with its 95 % interval; thin: each training seed."
    )
    if one_step:
        caption += f" Dashed, in the band of its interval: {ONE_STEP}."
    return svg, caption


def drawn(mean: Interval) -> Interval:
    """With whiskers where its interval is known."""
    return mean if mean.is_known else bare(mean.value)


def bare(value: float) -> Interval:
    """For drawing without whiskers."""
    return Interval(value, value, value)


def row_table(rows: Mapping[int, Sequence[Record]], one_step: Sequence[Record]) -> Table:
    """Means over seeds with their intervals, and each image against the one before it."""
    named = {f"image {k}": records for k, records in rows.items()} | ({ONE_STEP: one_step} if one_step else {})
    images = [record for records in rows.values() for record in records]
    gained = {f"image {k}": image_pairs(images, k, k - 1, "fid") for k in rows}
    shown = [metric for metric in (*SCORES, COST) if any(values_of(records, metric) for records in named.values())]

    def mean_cell(name: str, metric: str) -> Cell:
        measured = measured_at(named[name], metric)
        return estimate(over_seeds.mean(measured, metric)) if measured else NONE

    def gain_cell(name: str) -> Cell:
        return estimate(over_seeds.paired(gained[name], "fid")) if gained.get(name) else NONE

    sampled = {name: seeds_words(values_of(records, "fid")) for name, records in named.items()}
    return plain_table(
        f"Means over training seeds and their sampling seeds ({told_once(sampled)}), 95 % intervals over both below.",
        [*(METRICS[metric].title for metric in shown), ("FID against the image before", "paired")],
        [(name, [*(mean_cell(name, metric) for metric in shown), gain_cell(name)]) for name in named],
        first="Scored",
    )


def told_once(words: Mapping[str, str]) -> str:
    """As "3 training seeds with 3 sampling seeds each"; where rows differ, with the rows that share them."""
    rows: dict[str, list[str]] = {}
    for name, told in words.items():
        rows.setdefault(told, []).append(name)
    return next(iter(rows)) if len(rows) == 1 else "; ".join(f"{listed(names)}: {told}" for told, names in rows.items())
