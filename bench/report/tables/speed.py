"""The tables of one machine's times: percentiles, composed times, batch sweeps, stages, validity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.analysis.speed import rates_of, stages_of
from bench.formatting import Unit, display_unit, fixed, interval, num_decimals, number, percent, quantity
from bench.metrics.stages import StageSummary
from bench.records.parts import REST, Compliance, Measurement, Series
from bench.records.schema import Record
from bench.report.tables import SPEEDS, Cell, Table, batch_remarks, failures, rounds_column, table_of, with_column

NONE = Cell("–")
NOT_MEASURED = Cell("not measured")
PERCENTILES = SPEEDS[:4]
COMPOSED = ("latency_s", "decoder_time_share", "flops", "peak_memory_bytes")
ENDED = {"memory": "the next did not fit into memory", "time": "its rounds got long"}


@dataclass(frozen=True)
class Grouped:
    """A table whose rows stand in groups."""

    caption: str
    columns: tuple[tuple[str, str], ...]  # heading, remark
    groups: tuple[tuple[str, tuple[tuple[str, tuple[Cell, ...]], ...]], ...]  # heading, rows of label and cells
    first: str = "Model"
    spans: tuple[tuple[str, int], ...] = ()  # headings over several columns, from the second column on


def spread(measured: Measurement, unit: Unit) -> str:
    """The interval; where too few rounds bound one side, the other side alone."""
    low, high = measured.ci_low, measured.ci_high
    if low is not None and high is not None:
        return interval(measured.value, low, high, unit)
    bound, word = (low, "or more") if low is not None else (high, "or less")
    if bound is None:
        return "no bound: too few rounds"
    return f"{fixed(bound / unit.size, num_decimals(measured.value / unit.size))} {word}"


# -- times -------------------------------------------------------------------------------------------------------------


def latency_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """Percentiles of the timed rounds, throughput, the cold first call and the number of rounds."""
    rows = {labels[record.file]: record.measurements for record in records}
    caption = "Time to generate, with 95 % intervals below: percentiles of the timed rounds, which hold no cold call."
    table = table_of(caption, SPEEDS, rows, failures(records, labels), batch_remarks(records))
    shown = [name for name in SPEEDS if any(name in row for row in rows.values())]
    units = {name: display_unit(name, [row[name].value for row in rows.values() if name in row]) for name in shown}
    bounded = tuple(
        (label, cells if len(cells) < len(shown) else with_bounds(cells, rows[label], shown, units))
        for label, cells in table.rows
    )
    first = {
        labels[record.file]: Cell(quantity("latency_s", record.timing.latency.first_call_s))
        for record in records
        if record.timing and record.timing.latency.first_call_s
    }
    table = with_column(replace(table, rows=bounded), ("First call", "cold"), first)
    return with_column(table, *rounds_column(records, labels))


def with_bounds(
    cells: Sequence[Cell], row: Mapping[str, Measurement], shown: Sequence[str], units: Mapping[str, Unit]
) -> tuple[Cell, ...]:
    """The cells of percentiles with one-sided bounds where there is no interval."""
    return tuple(
        replace(found, below=spread(row[name], units[name])) if name in PERCENTILES and name in row else found
        for found, name in zip(cells, shown, strict=True)
    )


def composed_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """Composed times with the error of the composition."""
    rows = {labels[record.file]: record.measurements for record in records}
    caption = (
        "COMPOSED times of one image at batch 1: no image was painted whole. Intervals below hold the error of the "
        "composition, too."
    )
    table = table_of(caption, COMPOSED, rows, failures(records, labels), {})
    return with_column(table, ("Error of composing", "calls that ran, of all"), composition(records, labels))


def composition(records: Sequence[Record], labels: Mapping[str, str]) -> dict[str, Cell]:
    """The standard error of each composed time relative to it, and how many of its calls ran."""
    found = {}
    for record in records:
        stages = record.timing.stages if record.timing else None
        if record.timing and stages and stages.error_s is not None:
            ran, calls = (
                sum(getattr(part, key) for part in stages.parts.values()) for key in ("num_timed", "num_calls")
            )
            share = percent(stages.error_s / median(record.timing.latency.rounds_s))
            found[labels[record.file]] = Cell(f"± {share}", f"{ran:,} of {calls:,}")
    return found


def sweep_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """Images per second by batch size, the peak memory below."""
    sizes = sorted({size for record in records for size, _ in rates_of(record)})
    rows = []
    for record in records:
        sweep = record.timing.sweep if record.timing else None
        if sweep is None:
            continue
        rates = dict(rates_of(record))
        best = max(rates, key=lambda size: rates[size])
        memory = {found.batch_size: found.peak_memory_bytes for found in sweep.batches}
        cells = [
            Cell(
                number(rates[size]),
                memory_words(memory[size]) + (", best" if size == best else ""),
            )
            if size in rates
            else NONE
            for size in sizes
        ]
        rows.append((labels[record.file], (*cells, Cell(ENDED.get(sweep.ended_by, sweep.ended_by)))))
    columns = (*((f"Batch {size:,}", "images/s") for size in sizes), ("Ended because", ""))
    return Table("Batch sweep; peak memory of a call below, the weights left out.", columns, tuple(rows))


def stage_table(records: Sequence[Record], labels: Mapping[str, str]) -> Grouped:
    """A group per model and a row per stage."""
    columns = (
        ("Time", "median round"),
        ("Share", "of the sum"),
        ("Calls", ""),
        ("Per call", ""),
        ("Operations", ""),
        ("Weights read", ""),
        ("Of the limit", "reached"),
        ("If it were free", "gain at most, by Amdahl"),
    )
    groups = tuple(
        (
            f"{labels[record.file]}{remark_on(record)}",
            tuple(map(stage_row, *zip(*stages_of(record).items(), strict=True))),
        )
        for record in records
    )
    return Grouped("Stages of one call of each model.", columns, groups, first="Stage")


def stage_row(stage: str, row: StageSummary) -> tuple[str, tuple[Cell, ...]]:
    bound = row.amdahl_bound
    cells = [Cell(quantity("latency_s", row.seconds)), Cell(percent(row.share))]
    free = Cell(f"x{number(bound)}" if bound is not None else "nothing is left")
    if stage == REST:
        return stage, (*cells, NONE, NONE, NONE, NONE, NONE, free)
    reached = row.roofline_share
    return stage, (
        *cells,
        Cell(f"{row.num_calls:,}"),
        Cell(quantity("latency_s", row.seconds / row.num_calls)),
        Cell(quantity("flops", row.flops)),
        Cell(quantity("peak_memory_bytes", row.weight_bytes)),
        NOT_MEASURED if reached is None else Cell(percent(reached)) if reached else NONE,  # nothing to do: no limit
        free,
    )


def remark_on(record: Record) -> str:
    """How the stages of a record add up."""
    stages = record.timing.stages if record.timing else None
    total = sum(row.seconds for row in stages_of(record).values())
    if stages and stages.estimated and stages.error_s is not None:
        return f": COMPOSED, ± {percent(stages.error_s / total)}"
    if not stages or not stages.whole_s:
        return ""
    return f": stages add up to {percent(total / median(stages.whole_s))} of a call that nothing interrupts"


# -- validity ----------------------------------------------------------------------------------------------------------


def validity_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """A line per model: what guards its times."""
    failed = failures(records, labels)
    columns = (
        ("Valid", ""),
        ("Timed images", "against those scored, same seeds"),
        ("Repeated / fresh", "time of one image, 95 % interval below"),
        ("Other work", "cores that others used"),
        ("Warm-up", "rounds thrown away"),
        ("Rounds ended", ""),
    )
    rows = tuple(
        (labels[r.file], (Cell(f"✗ failed: {failed[labels[r.file]]}"),) if r.status != "ok" else validity_row(r))
        for r in records
    )
    return Table("What was checked while each model was timed.", columns, rows)


def validity_row(record: Record) -> tuple[Cell, ...]:
    if record.timing is None:
        return (NOT_MEASURED,) * 6
    found, series = record.timing.compliance, record.timing.latency
    checks = (NOT_MEASURED, NOT_MEASURED, NOT_MEASURED)
    if found:
        ratio = found.repeat_ratio
        bounds = (ratio.value, ratio.ci_low, ratio.ci_high)
        checks = (
            Cell("✓" if found.valid else "✗ not valid", mark="" if found.valid else "do not trust"),
            images_cell(found),
            Cell(number(*bounds), interval(*bounds) or f"{ratio.n} pairs: no interval"),
        )
    ended, warm = series.rounds_ended_by, series.warmup_ended_by
    return (
        *checks,
        load_cell(series),
        Cell(f"{len(series.warmup_s)}", f"ended: {warm}") if warm else NOT_MEASURED,
        Cell("cut short" if ended == "time" else ended) if ended else NOT_MEASURED,
    )


def images_cell(found: Compliance) -> Cell:
    num = found.num_images
    if found.num_different:
        return Cell(f"{found.num_different} of {num} differ", f"by up to {found.max_difference} grey levels")
    return Cell("equal" if found.images_equal else "equal but for rounding", f"{num} images")


def memory_words(num_bytes: int | None) -> str:
    return "memory unknown" if num_bytes is None else quantity("peak_memory_bytes", num_bytes)


def load_cell(series: Series) -> Cell:
    """What others did on the machine during the rounds, marked where it was much."""
    if not series.rounds_ended_by:
        return NOT_MEASURED
    cores, gpu = series.foreign_load, series.foreign_gpu_share
    parts = [*([f"{cores:.2f}"] if cores is not None else []), *([f"{percent(gpu)} of the GPU"] if gpu else [])]
    return Cell(", ".join(parts) or "unknown", mark="disturbed" if series.disturbed else "")
