"""The study "trade-off": FID against time and against network evaluations, with the Pareto front."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from bench.analysis.records import whiskers
from bench.analysis.studies import fid_gap, seconds_per_item
from bench.formatting import as_words, display_unit, listed, number
from bench.records.parts import Measurement
from bench.records.schema import Record
from bench.report.charts.drawing import Point
from bench.report.charts.studies import cost_chart
from bench.report.sections.studies.common import Answers, Section, fid_of, recognised
from bench.report.tables import Cell, Table, cell, parts, table_of, with_column

COLUMNS = ("fid", "recall", "nfe")
COUNTS = ("num_iter", "num_steps")  # settings that a point on the front is told by
AXES = {  # what an image costs: metric, label of the axis, word in the table
    "time": ("latency_s", "time per image, logarithmic (left is better)"),
    "evaluations": ("nfe", "network evaluations per image, logarithmic (left is better)"),
}
CAPTIONS = {
    "time": "FID against the time of an image, {how}.",
    "evaluations": "FID against network evaluations of an image, guidance passes counted; a pass of one network is not "
    "as dear as one of another.",
}
KEY = (
    " Lines join the runs of a model from few to many steps (of mar-digits one line per num_iter). Staircase and "
    "outlined markers: the Pareto front, runs that no other beats in both, with their num_steps (of mar-digits "
    "num_iter × num_steps). Whiskers: 95 % intervals; dashed: the floor set by real held-out scans."
)


def trade_off(answers: Answers) -> Section:
    records = [record for record in answers.records if "fid" in record.measurements]
    charts: list[tuple[Markup, str]] = []
    fronts: dict[str, list[str]] = {}
    for kind, (metric, x_label) in AXES.items():
        points = {record.file: point for record in records if (point := point_of(record, kind, answers))}
        if not points:
            continue
        front = front_of(points)
        fronts[kind] = front
        lines = {
            model: [[points[record.file] for record in line] for line in lines_of(answers.of(model), points)]
            for model in answers.models
        }
        svg = cost_chart(
            {model: found for model, found in lines.items() if found},
            [points[file] for file in front],
            answers.floor,
            metric,
            x_label,
            f"{answers.id}-{kind}",
        )
        charts.append(
            (Markup(svg), CAPTIONS[kind].format(how=how(records)) + (" Drawn as the chart by time." if charts else KEY))
        )
    table = table_of_runs("Every run, with 95 % intervals below.", records, answers)
    return Section(
        findings=tuple(findings(records, answers, fronts)),
        charts=tuple(charts),
        tables=(front_table(records, answers, fronts),) if fronts else (),
        folded=((f"All {len(records)} runs", table),) if records else (),
    )


def point_of(record: Record, kind: str, answers: Answers) -> Point | None:
    cost = seconds_per_item(record) if kind == "time" else record.measurements.get("nfe")
    if cost is None:
        return None
    return Point(
        label=answers.labels[record.file],
        series=answers.order[record.model],
        cost=whiskers(cost),
        fid=whiskers(record.measurements["fid"]),
        remark=" × ".join(as_words(name, record.settings[name]) for name in COUNTS if name in record.settings),
    )


def front_of(points: Mapping[str, Point]) -> list[str]:
    """The points (by file) that no other beats in both cost and FID, the cheapest first."""
    kept: list[str] = []
    for file in sorted(points, key=lambda file: (points[file].cost.value, points[file].fid.value)):
        if not kept or points[file].fid.value < points[kept[-1]].fid.value:
            kept.append(file)
    return kept


def lines_of(records: Sequence[Record], points: Mapping[str, Point]) -> list[list[Record]]:
    """Runs of one model that differ in `num_steps` alone, from few to many."""
    lines: dict[str, list[Record]] = {}
    for record in records:
        if record.file in points:
            others = {name: value for name, value in record.settings.items() if name != "num_steps"}
            lines.setdefault(json.dumps(others, sort_keys=True), []).append(record)
    return [sorted(line, key=lambda record: record.settings.get("num_steps", 0)) for line in lines.values()]


def how(records: Sequence[Record]) -> str:
    """How the time was taken, as "painting in batches of 125 on one processor thread"."""
    sizes = sorted({int(record.protocol.batch_size) for record in records})
    threads = {record.environment.num_threads for record in records}
    thread_words = " on one processor thread" if threads == {1} else ""
    return f"painting in batches of {listed([str(size) for size in sizes])}{thread_words}"


def findings(records: Sequence[Record], answers: Answers, fronts: Mapping[str, Sequence[str]]) -> list[str]:
    """What the front says, in words."""
    sentences = []
    by_file = {record.file: record for record in records}
    timed = [by_file[file] for file in fronts.get("time", ())]
    if timed:
        best = timed[-1]
        sentence = f"Of the runs with a time, the lowest FID is that of {named(best, answers)}."
        like = [record for record in timed[:-1] if not told_apart(record, best)]
        if like:
            sentence += (
                f" The cheapest run on the front that is not told apart from it is {named(like[0], answers)}, "
                f"{number(measured_time(best) / measured_time(like[0]))} times as fast."
            )
        sentences.append(sentence)
    absent = {
        kind: [model for model in answers.models if model not in {by_file[file].model for file in front}]
        for kind, front in fronts.items()
    }
    by_models: dict[str, list[str]] = {}
    for kind, models in absent.items():
        by_models.setdefault(listed(models), []).append(kind)
    clauses = [f"by {' or by '.join(kinds)}, is no run of {models}" for models, kinds in by_models.items() if models]
    return [*sentences, f"On the front, {'; '.join(clauses)}."] if clauses else sentences


def named(record: Record, answers: Answers) -> str:
    return f"{answers.labels[record.file]} at {fid_of(record)}"


def told_apart(a: Record, b: Record) -> bool:
    """Whether the interval of the difference of two FIDs leaves out 0; unknown intervals tell nothing apart."""
    gap = fid_gap(a, b)
    return gap.low > 0 or gap.high < 0


def front_table(records: Sequence[Record], answers: Answers, fronts: Mapping[str, Sequence[str]]) -> Table:
    """The runs on either front, the cheapest first."""
    chosen = [record for record in records if any(record.file in front for front in fronts.values())]
    chosen.sort(key=lambda record: (measured_time(record), record.measurements["fid"].value))
    table = table_of_runs("Runs on the Pareto front, the cheapest first, with 95 % intervals below.", chosen, answers)
    cells = {
        answers.labels[record.file]: Cell(" and ".join(kind for kind, front in fronts.items() if record.file in front))
        for record in chosen
    }
    return with_column(table, ("On the front by", ""), cells)


def measured_time(record: Record) -> float:
    seconds = seconds_per_item(record)
    return seconds.value if seconds else float("inf")


def table_of_runs(caption: str, records: Sequence[Record], answers: Answers) -> Table:
    """Settings, FID, recall, recognised share, network evaluations and seconds per image."""
    rows = {answers.labels[record.file]: record.measurements for record in records}
    table = table_of(caption, COLUMNS, rows, {}, {}, parts(records, answers.labels))
    table = with_column(
        table, ("Recognised", "as the class asked for"), {answers.labels[r.file]: recognised(r) for r in records}
    )
    return with_column(table, *time_column(records, answers.labels))


def time_column(records: Sequence[Record], labels: Mapping[str, str]) -> tuple[tuple[str, str], dict[str, Cell]]:
    found: dict[str, Measurement] = {
        labels[record.file]: seconds for record in records if (seconds := seconds_per_item(record))
    }
    middle = sorted(measured.value for measured in found.values())[len(found) // 2 : len(found) // 2 + 1]
    unit = display_unit("latency_s", middle)
    cells = {label: cell(measured, unit) for label, measured in found.items()}
    return (f"Time per image, {unit.symbol}", "lower is better"), cells
