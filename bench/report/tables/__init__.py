"""Tables of measurements: one unit per column, every number with its interval below and its record behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from bench.analysis.evidence import Trace, Traced, in_record
from bench.analysis.records import nfe_of
from bench.formatting import Unit, display_unit, fixed, interval, listed, number, quantity
from bench.metrics import METRICS
from bench.records.parts import Measurement
from bench.records.schema import REAL_DATA, Record, Word
from bench.report.words import badge_of

# Columns of the tables, by metric; titles and meanings are the metrics' own (bench.metrics, which brings no torch).
SCORES = ("fid", "kid", "inception_score", "precision", "recall")  # of clean-fid the page says once that it agrees
SPEEDS = ("latency_s", "latency_p90_s", "latency_p95_s", "latency_p99_s", "throughput_per_s")
COSTS = ("num_params", "nfe", "flops", "peak_memory_bytes")
HELD_OUT = "real held-out scans"
DIGITS_SETTINGS = (  # reference_models/digits.py
    " Sampling settings of the small models are this project's. Their guidance was chosen by this same FID, at a seed "
    "that no record has; of dit-digits it is the published 1.5 (what others give: study “Guidance”)."
)


@dataclass(frozen=True)
class Cell:
    """A number or a word and, below it, its interval or a remark."""

    text: str
    below: str = ""
    heat: float | None = None  # 0 to 1: how strongly it is tinted; None: not at all
    mark: str = ""  # why it stands out, in a word; "": it does not
    trace: Trace | None = None  # where the number stands; None: it is none, or computed from several
    style: str = ""  # of a badge; "": none
    sign: str = ""  # of that badge
    family: str = ""  # of models that the row's claim speaks of; "": the row is no claim
    link: str = ""  # where the word leads; "": nowhere


NONE = Cell("–")
Heading = tuple[str, str]  # title, remark
Rows = Sequence[tuple[str, Sequence[Cell]]]  # label, cells; a single cell spans the row


@dataclass(frozen=True)
class Table:
    caption: str
    columns: Sequence[Heading]
    groups: Sequence[tuple[str, Rows]]  # heading ("": none), rows
    first: str = "Model"  # heading of the labels
    floor_rows: int = 0  # leading rows that are real data, not a model


@dataclass(frozen=True)
class Column:
    """Of a table with a row per record."""

    title: str
    remark: str
    cell: Callable[[Record], Cell]


def badge_cell(word: Word, marker: str = "") -> Cell:
    """A verdict's word."""
    made = badge_of(word, marker)
    return Cell(made["word"], marker, style=made["style"], sign=made["sign"])


def plain_table(caption: str, columns: Iterable[Heading | str], rows: Rows, first: str = "Model") -> Table:
    """A table of one group; a heading without a remark is its title alone."""
    return Table(caption, [(each, "") if isinstance(each, str) else each for each in columns], [("", rows)], first)


def record_table(
    caption: str, columns: Sequence[Column], records: Iterable[Record], labels: Mapping[str, str]
) -> Table:
    """A row per record; failed runs in words."""
    rows = [
        (labels[r.file], [c.cell(r) for c in columns] if r.status == "ok" else [Cell(f"failed: {r.reason}")])
        for r in records
    ]
    return plain_table(caption, [(column.title, column.remark) for column in columns], rows)


def score_table(images: Sequence[Record], labels: Mapping[str, str]) -> Table | None:
    """Scores with 95 % intervals: real data first, then by FID; who is not told apart from the first is marked."""
    floor = [r for r in images if r.model == REAL_DATA and r.status == "ok"][:1]
    models = [record for record in images if record.model != REAL_DATA]
    models.sort(key=lambda r: r.measurements["fid"].value if "fid" in r.measurements else float("inf"))
    if not floor and not models:
        return None
    names = {r.file: HELD_OUT for r in floor} | {r.file: labels[r.file] for r in models}
    caption = "Scores, sorted by FID, with 95 % intervals below."
    if any(record.protocol.scale == "digits" for record in models):
        caption += DIGITS_SETTINGS
    best = next((r.measurements["fid"] for r in models if "fid" in r.measurements), None)

    def with_ties(record: Record, metric: str, unit: Unit | None = None) -> Cell:
        found, fid = cell(record, metric, unit), record.measurements.get("fid")
        ties = best and fid and record.model != REAL_DATA and fid is not best and overlap(best, fid)
        return replace(found, mark="tie with the first in this run") if ties and metric == "fid" else found

    shown = [*floor, *models]
    kept = kept_metrics(SCORES, shown)
    count = Column("Images", "", partial(images_cell, metrics=kept))
    table = record_table(caption, [*metric_columns(kept, shown, cell_of=with_ties), count], shown, names)
    return replace(table, floor_rows=len(floor))


def overlap(one: Measurement, other: Measurement) -> bool:
    """Whether two 95 % intervals meet; of an unknown one nobody knows."""
    if None in (one.ci_low, one.ci_high, other.ci_low, other.ci_high):
        return False
    return one.ci_low <= other.ci_high and other.ci_low <= one.ci_high  # type: ignore[operator]


def batch_remarks(timings: Sequence[Record]) -> dict[str, str]:
    """The batch size behind each metric, in words."""

    def sizes(kind: str) -> str:
        found = sorted({getattr(record.protocol, f"{kind}_batch_size") for record in timings})
        return f"batch {listed([str(size) for size in found])}"

    remarks = {name: sizes("latency") for name in SPEEDS}
    return remarks | {"throughput_per_s": sizes("throughput"), "peak_memory_bytes": sizes("throughput")}


def versions_of(metric: str, records: Sequence[Record]) -> set[int]:
    """The versions of a metric that these records hold: of several one column would compare unlike numbers."""
    held = {r.inputs.metric_versions.get(metric) for r in records if metric in r.measurements}
    return {version for version in held if version is not None}


def earlier_version(metric: str, records: Sequence[Record]) -> str:
    """As "version 1", where records hold a metric as it was computed before; "" where they are of today's version."""
    return "".join(f"version {held}" for held in versions_of(metric, records) if held < METRICS[metric].version)


def table_of(caption: str, metrics: Sequence[str], records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """A row per record and a column per metric; failed runs in words."""
    return record_table(caption, metric_columns(metrics, records), records, labels)


def kept_metrics(metrics: Sequence[str], records: Sequence[Record]) -> Sequence[str]:
    """Those that any record holds, or all where none holds any; without those that were computed by one version in some
    records and by another in others."""
    alike = [name for name in metrics if len(versions_of(name, records)) < 2]
    return [name for name in alike if any(name in r.measurements for r in records)] or alike


def metric_columns(
    metrics: Sequence[str],
    records: Sequence[Record],
    remarks: Mapping[str, str] = MappingProxyType({}),
    cell_of: Callable[..., Cell] | None = None,
) -> list[Column]:
    """A column per metric that is kept, each with one unit.  remarks: what to add to a metric's heading; cell_of:
    `cell`, or what says more."""
    better = {True: "higher is better", False: "lower is better", None: ""}
    columns = []
    for name in kept_metrics(metrics, records):
        unit = display_unit(name, [r.measurements[name].value for r in records if name in r.measurements])
        title = METRICS[name].title + (f", {unit.symbol}" if unit.symbol else "")
        parts = (remarks.get(name), earlier_version(name, records), better[METRICS[name].higher_is_better])
        columns.append(Column(title, ", ".join(filter(None, parts)), partial(cell_of or cell, metric=name, unit=unit)))
    return columns


def derived(record: Record, key: str, value: float, words: Callable[[Any], str], below: str = "") -> Cell:
    """A number that stands in a record, or follows from it by the formula `key`, printed in `words`."""
    return Cell(words(value), below, trace=in_record(record, key, value))


def estimate(number_with_trace: Traced | None) -> Cell:
    """A number that follows from several records, with its interval below."""
    if number_with_trace is None:
        return NONE
    found = number_with_trace.found
    bounds = (found.value, found.low, found.high)
    return Cell(number(*bounds), interval(*bounds), trace=number_with_trace.trace)


def quantity_of(metric: str) -> Callable[[float], str]:
    """How a value of a metric is printed, with its unit."""
    return lambda value: quantity(metric, value)


def cell(record: Record, metric: str, unit: Unit | None = None) -> Cell:
    """A measurement of a record; below it the interval, or of counted evaluations the parts of the network."""
    measured = record.measurements.get(metric)
    if measured is None:
        return NONE
    found = measured_cell(record, f"measurements.{metric}", measured, unit)
    counted = measured.unit == METRICS["nfe"].unit and float(measured.value).is_integer()
    below = ", ".join(f"{part} {count_words(n)}" for part, n in nfe_of(record).items()) if metric == "nfe" else ""
    return replace(found, text=fixed(measured.value, 0) if counted else found.text, below=found.below or below)


def measured_cell(record: Record, key: str, measured: Measurement, unit: Unit | None = None) -> Cell:
    """What stands at a key of a record, with its interval below."""
    bounds = (measured.value, measured.ci_low, measured.ci_high)
    return Cell(number(*bounds, unit), interval(*bounds, unit), trace=in_record(record, key, measured.value))


def count_words(count: float) -> str:
    """A count, or the mean of counts in three digits."""
    return fixed(count, 0) if float(count).is_integer() else number(count)


def rounds_cell(record: Record) -> Cell:
    """How many rounds were timed, and from which to which time they took."""
    rounds = record.timing.latency.rounds_s if record.timing else ()
    if not rounds:
        return NONE
    ends = f"{quantity('latency_s', min(rounds))} to {quantity('latency_s', max(rounds))}"
    return derived(record, "count(timing.latency.rounds_s)", len(rounds), str, ends)


def images_cell(record: Record, metrics: Sequence[str]) -> Cell:
    """How many images stand behind these metrics of a record."""
    names = {n: name for name in metrics if name in record.measurements and (n := record.measurements[name].n)}
    if not names:
        return NONE
    first = min(names)
    others = ", ".join(f"and {n:,}" for n in sorted(names)[1:])
    return derived(record, f"measurements.{names[first]}.n", first, lambda n: f"{n:,}", others)
