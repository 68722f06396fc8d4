"""The study "trade-off": FID against what an image costs, in FLOPs and in network evaluations, with the Pareto front.

Costs are counted. The runs of a study come from different hours, so their times would compare the hours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup

from bench.analysis.front import Front, costed, fronts_of, lines_of
from bench.analysis.records import whiskers
from bench.analysis.studies import Answers
from bench.formatting import listed, number
from bench.records.schema import Record
from bench.report.charts.lines import Line, Panel, lines_chart
from bench.report.sections.studies.common import Section, fid_of, models_of, recognised
from bench.report.tables import NONE, Cell, Column, Table, metric_columns, record_table
from bench.report.tables.speed import flops_cell

COLUMNS = ("fid", "recall", "nfe")
HIGH = 230  # pixels of a chart that stands alone
AXES = {  # what an image costs -> label of the axis
    "FLOPs": "FLOPs per image, logarithmic",
    "evaluations": "network evaluations per image, logarithmic",
}
CAPTIONS = {
    "FLOPs": "FID against the operations of an image, counted, a multiply-add as two; lower left is better. Lines join "
    "a model's runs from few to many steps; staircase: runs that no other beats in both; dashed: real held-out scans. "
    "Not timed: these runs come from different hours.",
    "evaluations": "The same against network evaluations, guidance passes counted; evaluations of two networks differ.",
}


def trade_off(answers: Answers) -> Section:
    records, fronts = scored(answers), fronts_of(answers.records, answers.counted)
    every = record_table(
        "Every run, with 95 % intervals below.", run_columns(records, answers), records, answers.labels
    )
    return Section(
        findings=findings(answers, fronts),
        charts=[(cost_chart(kind, front, answers), CAPTIONS[kind]) for kind, front in fronts.items()],
        folded=[
            *([("The Pareto front", front_table(answers, fronts))] if fronts else []),
            *([(f"All {len(records)} runs", every)] if records else []),
        ],
    )


def scored(answers: Answers) -> list[Record]:
    return [record for record in answers.records if "fid" in record.measurements]


def cost_chart(kind: str, front: Front, answers: Answers) -> Markup:
    told = [f"{answers.labels[record.file]} at FID {fid_of(record)}" for record in front.best]
    description = f"FID against cost. On the Pareto front: {listed(told)}."
    panel = replace(cost_panel(front, answers), height=HIGH)
    return lines_chart([panel], AXES[kind], description, columns=1)


def cost_panel(front: Front, answers: Answers) -> Panel:
    """FID against cost, a line per model and settings; the front as the corners of its staircase."""
    lines = []
    for model in models_of(answers):
        for found in lines_of([record for record in front.runs if record.model == model]):
            points = [(front.places[r.file][0], whiskers(r.measurements["fid"])) for r in found]
            lines.append(Line(model, points, label=model))
    corners: list[tuple[float, float]] = []
    for x, y in (front.places[record.file] for record in front.best):
        corners += [(x, corners[-1][1])] if corners else []
        corners.append((x, y))
    return Panel("", lines, log_x=True, log_y=True, level=answers.floor, front=corners)


def cost_panels(answers: Answers) -> dict[str, Panel]:
    """By kind of cost, the panels that the records can fill."""
    return {kind: cost_panel(front, answers) for kind, front in fronts_of(answers.records, answers.counted).items()}


def findings(answers: Answers, fronts: Mapping[str, Front]) -> list[str]:
    """What the front says, in words."""
    sentences = []
    for kind, front in [*fronts.items()][:1]:
        sentence = f"Of the runs whose {kind} are counted, the lowest FID is that of {named(front.best[-1], answers)}."
        if front.cheapest_alike:
            alike, times = front.cheapest_alike
            sentence += (
                f" The cheapest run on the front that is not told apart from it is {named(alike, answers)}, "
                f"with {number(times)} times fewer {kind}."
            )
        sentences.append(sentence)
    by_models: dict[str, list[str]] = {}
    for kind, front in fronts.items():
        present = {record.model for record in front.best}
        absent = listed([model for model in models_of(answers) if model not in present])
        by_models.setdefault(absent, []).append(kind)
    clauses = [f"o run of {models} is on the front by {listed(kinds)}" for models, kinds in by_models.items() if models]
    return [*sentences, f"N{'; n'.join(clauses)}."] if clauses else sentences


def named(record: Record, answers: Answers) -> str:
    return f"{answers.labels[record.file]} at {fid_of(record)}"


def front_table(answers: Answers, fronts: Mapping[str, Front]) -> Table:
    """The runs on either front, the cheapest first."""

    def cost_and_fid(record: Record) -> tuple[float, ...]:
        costs = [front.places.get(record.file, (math.inf,))[0] for front in fronts.values()]
        return (*costs, record.measurements["fid"].value)

    def on_fronts(record: Record) -> Cell:
        return Cell(" and ".join(kind for kind, front in fronts.items() if record in front.best))

    chosen = [record for record in answers.records if any(record in front.best for front in fronts.values())]
    columns = [*run_columns(chosen, answers), Column("On the front by", "", on_fronts)]
    caption = "Runs on the Pareto front, the cheapest first."
    return record_table(caption, columns, sorted(chosen, key=cost_and_fid), answers.labels)


def run_columns(records: Sequence[Record], answers: Answers) -> list[Column]:
    """FID, recall, network evaluations, recognised share and FLOPs of an image."""

    def flops_of(record: Record) -> Cell:
        counted = costed(record, "FLOPs", answers.counted)
        return flops_cell(counted) if counted else NONE

    return [
        *metric_columns(COLUMNS, records),
        Column("Recognised", "as the class asked for", recognised),
        Column("FLOPs per image", "lower is better", flops_of),
    ]
