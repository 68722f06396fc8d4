"""The study "trade-off": FID against what an image costs, in FLOPs and in network evaluations, with the Pareto front.

Costs are counted. The runs of a study come from different hours, so their times would compare the hours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from bench.analysis.front import cost_of, costed, front_of, lines_of
from bench.analysis.records import whiskers
from bench.analysis.studies import told_apart
from bench.formatting import listed, number
from bench.records.schema import Record
from bench.report.charts.lines import Line, Panel, high, lines_chart
from bench.report.sections.studies.common import Answers, Section, fid_of, recognised
from bench.report.tables import NONE, Cell, Column, Table, metric_columns, record_table
from bench.report.tables.speed import flops_cell

COLUMNS = ("fid", "recall", "nfe")
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
    records = [record for record in answers.records if "fid" in record.measurements]
    charts: list[tuple[Markup, str]] = []
    fronts: dict[str, list[str]] = {}
    for kind in AXES:
        with_cost = [record for record in records if cost_of(record, kind, answers.counted)]
        if with_cost:
            fronts[kind] = front_of({record.file: place_of_run(record, kind, answers) for record in with_cost})
            charts.append((cost_chart(with_cost, fronts[kind], kind, answers), CAPTIONS[kind]))
    table = record_table(
        "Every run, with 95 % intervals below.", run_columns(records, answers), records, answers.labels
    )
    return Section(
        findings=findings(records, answers, fronts),
        charts=charts,
        folded=(
            *((("The Pareto front", front_table(records, answers, fronts)),) if fronts else ()),
            *(((f"All {len(records)} runs", table),) if records else ()),
        ),
    )


def place_of_run(record: Record, kind: str, answers: Answers) -> tuple[float, float]:
    """Cost and FID."""
    cost = cost_of(record, kind, answers.counted)
    assert cost is not None
    return cost.value, record.measurements["fid"].value


def cost_chart(records: Sequence[Record], front: Sequence[str], kind: str, answers: Answers) -> Markup:
    by_file = {record.file: record for record in records}
    told = [f"{answers.labels[file]} at FID {fid_of(by_file[file])}" for file in front]
    panel = cost_panel(records, front, kind, answers)
    return lines_chart([high(panel)], AXES[kind], f"FID against cost. On the Pareto front: {listed(told)}.", columns=1)


def cost_panel(records: Sequence[Record], front: Sequence[str], kind: str, answers: Answers) -> Panel:
    """FID against cost, a line per model and settings; the front as the corners of its staircase."""
    lines, by_file = [], {record.file: record for record in records}
    for model in answers.models:
        for found in lines_of([record for record in records if record.model == model]):
            points = [(place_of_run(r, kind, answers)[0], whiskers(r.measurements["fid"])) for r in found]
            lines.append(Line(model, points, label=model))
    corners: list[tuple[float, float]] = []
    for file in front:
        x, y = place_of_run(by_file[file], kind, answers)
        corners += [(x, corners[-1][1])] if corners else []
        corners.append((x, y))
    return Panel("", lines, log_x=True, log_y=True, level=answers.floor, front=corners)


def cost_panels(answers: Answers) -> dict[str, Panel]:
    """By kind of cost, the panels that the records can fill."""
    records = [record for record in answers.records if "fid" in record.measurements]
    found = {}
    for kind in AXES:
        with_cost = [record for record in records if cost_of(record, kind, answers.counted)]
        if with_cost:
            front = front_of({record.file: place_of_run(record, kind, answers) for record in with_cost})
            found[kind] = cost_panel(with_cost, front, kind, answers)
    return found


def findings(records: Sequence[Record], answers: Answers, fronts: Mapping[str, Sequence[str]]) -> list[str]:
    """What the front says, in words."""
    sentences = []
    by_file = {record.file: record for record in records}
    kind = next(iter(fronts), "")
    front = [by_file[file] for file in fronts.get(kind, ())]
    if front:
        best = front[-1]
        sentence = f"Of the runs whose {kind} are counted, the lowest FID is that of {named(best, answers)}."
        like = [record for record in front[:-1] if not told_apart(record, best)]
        if like:
            gain = place_of_run(best, kind, answers)[0] / place_of_run(like[0], kind, answers)[0]
            sentence += (
                f" The cheapest run on the front that is not told apart from it is {named(like[0], answers)}, "
                f"with {number(gain)} times fewer {kind}."
            )
        sentences.append(sentence)
    absent = {
        kind: [model for model in answers.models if model not in {by_file[file].model for file in front}]
        for kind, front in fronts.items()
    }
    by_models: dict[str, list[str]] = {}
    for kind, models in absent.items():
        by_models.setdefault(listed(models), []).append(kind)
    clauses = [f"o run of {models} is on the front by {listed(kinds)}" for models, kinds in by_models.items() if models]
    return [*sentences, f"N{'; n'.join(clauses)}."] if clauses else sentences


def named(record: Record, answers: Answers) -> str:
    return f"{answers.labels[record.file]} at {fid_of(record)}"


def front_table(records: Sequence[Record], answers: Answers, fronts: Mapping[str, Sequence[str]]) -> Table:
    """The runs on either front, the cheapest first."""
    chosen = [record for record in records if any(record.file in front for front in fronts.values())]
    chosen.sort(key=lambda record: (cost_or_last(record, answers), record.measurements["fid"].value))

    def fronts_of(record: Record) -> Cell:
        return Cell(" and ".join(kind for kind, front in fronts.items() if record.file in front))

    columns = [*run_columns(chosen, answers), Column("On the front by", "", fronts_of)]
    return record_table("Runs on the Pareto front, the cheapest first.", columns, chosen, answers.labels)


def cost_or_last(record: Record, answers: Answers) -> tuple[float, ...]:
    """What a run costs, by each kind; last where that is not counted."""
    costs = [cost_of(record, kind, answers.counted) for kind in AXES]
    return tuple(cost.value if cost else math.inf for cost in costs)


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
