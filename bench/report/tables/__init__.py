"""Tables of measurements: one unit per column, every number with its interval below, failed runs in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.records import nfe_of
from bench.formatting import Unit, as_words, display_unit, fixed, interval, listed, number, quantity
from bench.metrics import METRICS
from bench.records.parts import Measurement
from bench.records.schema import REAL_DATA, Record

# Columns of the tables, by metric; titles and meanings are the metrics' own (bench.metrics, which brings no torch).
SCORES = ("fid", "fid_clean", "kid", "inception_score", "precision", "recall")
SPEEDS = ("latency_s", "latency_p90_s", "latency_p95_s", "latency_p99_s", "throughput_per_s")
COSTS = ("num_params", "nfe", "flops", "peak_memory_bytes")


@dataclass(frozen=True)
class Cell:
    """A number and, below it, its interval or a remark."""

    text: str
    below: str = ""
    heat: float | None = None  # 0 to 1: how strongly it is tinted; None: not at all
    mark: str = ""  # why it stands out, in a word; "": it does not


@dataclass(frozen=True)
class Table:
    caption: str
    columns: tuple[tuple[str, str], ...]  # heading, remark
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]  # label, cells; a single cell spans the row
    floor_rows: int = 0  # leading rows that are real data, not a model
    first: str = "Model"  # heading of the labels


def score_table(images: Sequence[Record], labels: Mapping[str, str], floor: Mapping[str, Measurement]) -> Table | None:
    """Scores with 95 % intervals, real data first."""
    models = [record for record in images if record.model != REAL_DATA]
    measurements = {labels[record.file]: record.measurements for record in models}
    rows = {"real held-out scans": floor, **measurements} if floor else measurements
    if not rows:
        return None
    table = table_of("Scores, with 95 % intervals below.", SCORES, rows, failures(models, labels), {}, count=True)
    return replace(table, floor_rows=1 if floor else 0)


def metric_table(
    caption: str, metrics: Sequence[str], records: Sequence[Record], labels: Mapping[str, str]
) -> Table | None:
    """A row per record and a column per metric."""
    if not records:
        return None
    rows = {labels[record.file]: record.measurements for record in records}
    return table_of(caption, metrics, rows, failures(records, labels), batch_remarks(records), parts(records, labels))


def with_column(table: Table, heading: tuple[str, str], cells: Mapping[str, Cell]) -> Table:
    """The table with one column more; cells by label of their row."""
    rows = tuple(
        (label, row if len(row) < len(table.columns) else (*row, cells.get(label, Cell("–"))))
        for label, row in table.rows
    )
    return replace(table, columns=(*table.columns, heading), rows=rows)


def batch_remarks(timings: Sequence[Record]) -> dict[str, str]:
    """The batch size behind each metric, in words."""

    def sizes(kind: str) -> str:
        found = sorted({getattr(record.protocol, f"{kind}_batch_size") for record in timings})
        return f"batch {listed([str(size) for size in found])}"

    remarks = {name: sizes("latency") for name in SPEEDS}
    return remarks | {"throughput_per_s": sizes("throughput"), "peak_memory_bytes": sizes("throughput")}


def parts(timings: Sequence[Record], labels: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """What stands below a number without interval: the network evaluations by part of the network."""
    nfe = {labels[record.file]: nfe_of(record) for record in timings}
    return {(label, "nfe"): as_words("nfe", found) for label, found in nfe.items() if found}


def rounds_column(records: Sequence[Record], labels: Mapping[str, str]) -> tuple[tuple[str, str], dict[str, Cell]]:
    """How many rounds were timed, and from which to which time they took."""
    cells = {}
    for record in records:
        if record.timing:
            rounds = record.timing.latency.rounds_s
            cells[labels[record.file]] = Cell(
                str(len(rounds)), f"{quantity('latency_s', min(rounds))} to {quantity('latency_s', max(rounds))}"
            )
    return ("Timed rounds", "fastest to slowest below"), cells


def table_of(
    caption: str,
    metrics: Sequence[str],
    rows: Mapping[str, Mapping[str, Measurement]],
    failed: Mapping[str, str],
    remarks: Mapping[str, str],
    below: Mapping[tuple[str, str], str] | None = None,
    *,
    count: bool = False,
) -> Table:
    """Rows of measurements in one unit per column; `count` adds the number of images behind each row.

    remarks: what to add to a metric's heading    below: what to print below the number of (row, metric).
    """
    kept = [name for name in metrics if any(name in row for row in rows.values())] or list(metrics)
    units = {name: display_unit(name, [row[name].value for row in rows.values() if name in row]) for name in kept}
    better = {True: "higher is better", False: "lower is better", None: ""}
    headings = []
    for name in kept:
        symbol = f", {units[name].symbol}" if units[name].symbol else ""
        remark = ", ".join(filter(None, (remarks.get(name), better[METRICS[name].higher_is_better])))
        headings.append((METRICS[name].title + symbol, remark))
    body: list[tuple[str, tuple[Cell, ...]]] = []
    for label, measurements in rows.items():
        if label in failed:
            body.append((label, (Cell(f"failed: {failed[label]}"),)))
            continue
        cells = [cell(measurements.get(name), units[name], (below or {}).get((label, name), "")) for name in kept]
        if count:
            shown = [measurements[name].n for name in kept if name in measurements]
            counts = {n for n in shown if n is not None}
            cells.append(Cell(" / ".join(f"{n:,}" for n in sorted(counts)) or "–"))
        body.append((label, tuple(cells)))
    return Table(caption, (*headings, *((("Images", ""),) if count else ())), tuple(body))


def failures(records: Sequence[Record], labels: Mapping[str, str]) -> dict[str, str]:
    return {labels[record.file]: record.reason for record in records if record.status != "ok"}


def cell(measured: Measurement | None, unit: Unit, below: str = "") -> Cell:
    if measured is None:
        return Cell("–")
    bounds = (measured.value, measured.ci_low, measured.ci_high)
    counted = measured.unit == METRICS["nfe"].unit and float(measured.value).is_integer()
    return Cell(fixed(measured.value, 0) if counted else number(*bounds, unit), interval(*bounds, unit) or below)
