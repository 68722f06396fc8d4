"""The tables of one machine's times: percentiles, estimates, batch sweeps, stages, compliance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from bench.analysis.evidence import Trace, in_record
from bench.analysis.speed import Rooflines, rate_key, rates_of, stages_of
from bench.analysis.stage_numbers import MATMUL, flop_rate, roofline_share, stage_numbers
from bench.formatting import Unit, display_unit, number, percent, quantity
from bench.metrics.latency import best_batch, is_open
from bench.metrics.stages import StageSummary
from bench.records.parts import REST, Compliance, Series
from bench.records.schema import Record
from bench.report.tables import (
    NONE,
    SPEEDS,
    Cell,
    Column,
    Table,
    batch_remarks,
    cell,
    derived,
    measured_cell,
    metric_columns,
    plain_table,
    quantity_of,
    record_table,
    rounds_cell,
)

NOT_MEASURED = Cell("not measured")
PERCENTILES = SPEEDS[:4]
TOO_FEW = "too few rounds"
ESTIMATES = ("latency_s", "decoder_time_share", "flops", "peak_memory_bytes")
ENDED = {"memory": "the next did not fit into memory", "time": "its rounds got long"}


def time_cell(record: Record, metric: str, unit: Unit) -> Cell:
    """A time with its interval. A percentile of the tail that the rounds do not bound is not printed: of ten rounds a
    p99 is the slowest of them and may be anything above."""
    found, measured = cell(record, metric, unit), record.measurements.get(metric)
    if metric not in PERCENTILES or measured is None or not is_open(measured):
        return found
    return replace(found, below=TOO_FEW) if metric == "latency_s" else Cell("–", TOO_FEW)


# -- times -------------------------------------------------------------------------------------------------------------


def latency_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """Percentiles of the timed rounds, throughput, the cold first call and the number of rounds."""
    caption = "Time to generate, each model by itself: percentiles of the timed rounds, which hold no cold call."
    columns = [
        *metric_columns(SPEEDS, records, batch_remarks(records), time_cell),
        Column("First call", "cold", first_call_cell),
        Column("Timed rounds", "fastest to slowest below", rounds_cell),
    ]
    return record_table(caption, columns, records, labels)


def first_call_cell(record: Record) -> Cell:
    seconds = record.timing.latency.first_call_s if record.timing else None
    return derived(record, "timing.latency.first_call_s", seconds, quantity_of("latency_s")) if seconds else NONE


def estimated_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """Estimated latencies with the error of the estimate, and how many of the calls ran."""
    caption = (
        f"Estimated latency of one image at batch 1, {records[0].protocol.scale}, with 95 % intervals below: where the "
        "machine's paces differ by more than 15 %, two of them do not compare."
    )
    columns = [
        *metric_columns(ESTIMATES, records),
        Column("Error of the estimate", "calls that ran, of all", error_cell),
        Column("Machine's pace", "matrix product, same run", pace_cell),
    ]
    return record_table(caption, columns, records, labels)


def error_cell(record: Record) -> Cell:
    stages = record.timing.stages if record.timing else None
    if record.timing is None or stages is None or stages.error_s is None:
        return NONE
    ran, calls = (sum(getattr(part, key) for part in stages.parts.values()) for key in ("num_timed", "num_calls"))
    share = stages.error_s / median(record.timing.latency.rounds_s)
    key = "timing.stages.error_s / median(timing.latency.rounds_s)"
    return derived(record, key, share, lambda value: f"± {percent(value)}", f"{ran:,} of {calls:,}")


def pace_cell(record: Record) -> Cell:
    roofline = record.timing.roofline if record.timing else None
    if roofline is None:
        return NONE
    return derived(record, MATMUL, roofline.matmul_flop_per_s, lambda rate: f"{quantity('flops', rate)}/s")


def sweep_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """Images per second by batch size, the peak memory below."""
    sizes = sorted({size for record in records for size in rates_of(record)})
    rows = []
    for record in records:
        sweep = record.timing.sweep if record.timing else None
        if sweep is None:
            continue
        rates, best = rates_of(record), best_batch(sweep)
        memory = {found.batch_size: found.peak_memory_bytes for found in sweep.batches}
        cells = [
            derived(
                record,
                rate_key(record, size),
                rates[size],
                number,
                memory_words(memory[size]) + ", best" * (size == best),
            )
            if size in rates
            else NONE
            for size in sizes
        ]
        rows.append((labels[record.file], [*cells, Cell(ENDED.get(sweep.ended_by, sweep.ended_by))]))
    columns = (*((f"Batch {size:,}", "images/s") for size in sizes), ("Ended because", ""))
    return plain_table("Batch sweep; peak memory of a call below, the weights left out.", columns, rows)


def memory_words(num_bytes: int | None) -> str:
    return "memory unknown" if num_bytes is None else quantity("peak_memory_bytes", num_bytes)


STAGE_COLUMNS: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (  # heading, remark, number, its words
    ("Time", "median round", "seconds", quantity_of("latency_s")),
    ("Share", "of the sum", "share", percent),
    ("Calls", "", "calls", lambda count: f"{count:,.0f}"),
    ("Per call", "", "seconds_per_call", quantity_of("latency_s")),
    ("FLOPs", "", "flops", quantity_of("flops")),
    ("Weights read", "", "weight_bytes", quantity_of("peak_memory_bytes")),
    ("Of the roofline", "reached", "roofline_share", percent),
    ("If it were free", "gain at most, by Amdahl", "amdahl_bound", lambda bound: f"x{number(bound)}"),
)


def stage_table(records: Sequence[Record], labels: Mapping[str, str], rooflines: Rooflines) -> Table:
    """A group per model and a row per stage."""
    groups = [
        (
            f"{labels[record.file]}{remark_on(record)}",
            [(stage, stage_row(record, stage, row, rooflines)) for stage, row in stages_of(record).items()],
        )
        for record in records
    ]
    columns = [(title, remark) for title, remark, *_ in STAGE_COLUMNS]
    return Table("Stages of one call of each model.", columns, groups, first="Stage")


def stage_row(record: Record, stage: str, row: StageSummary, rooflines: Rooflines) -> list[Cell]:
    found = stage_numbers(record, stage, rooflines)
    unknown = stage != REST and row.roofline_share is None
    absent = {"amdahl_bound": Cell("nothing is left"), "roofline_share": NOT_MEASURED if unknown else NONE}
    return [
        Cell(words(found[name].value), trace=found[name]) if name in found else absent.get(name, NONE)
        for *_, name, words in STAGE_COLUMNS
    ]


def remark_on(record: Record) -> str:
    """How the stages of a record add up."""
    stages = record.timing.stages if record.timing else None
    total = sum(row.seconds for row in stages_of(record).values())
    if stages and stages.estimated and stages.error_s is not None:
        return f": estimated, ± {percent(stages.error_s / total)}"
    if not stages or not stages.whole_s:
        return ""
    return f": stages add up to {percent(total / median(stages.whole_s))} of a call that nothing interrupts"


# -- compliance --------------------------------------------------------------------------------------------------------


def compliance_table(records: Sequence[Record], labels: Mapping[str, str]) -> Table:
    """A line per model: what guards its times."""
    columns = (
        "Valid",
        ("Timed images", "against those scored, same seeds"),
        ("Repeated / fresh", "time of one image"),
        ("Other work", "cores that others used"),
        ("Warm-up", "rounds thrown away"),
        "Rounds ended",
    )
    rows = [
        (labels[r.file], (Cell(f"✗ failed: {r.reason}"),) if r.status != "ok" else compliance_row(r)) for r in records
    ]
    return plain_table("What was checked while each model was timed.", columns, rows)


def compliance_row(record: Record) -> tuple[Cell, ...]:
    if record.timing is None:
        return (NOT_MEASURED,) * 6
    found, series = record.timing.compliance, record.timing.latency
    checks = (NOT_MEASURED, NOT_MEASURED, NOT_MEASURED)
    if found:
        ratio = measured_cell(record, "timing.compliance.repeat_ratio", found.repeat_ratio)
        checks = (
            Cell("✓" if found.valid else "✗ not valid", mark="" if found.valid else "do not trust"),
            images_cell(record, found),
            replace(ratio, below=ratio.below or f"{found.repeat_ratio.n} pairs: no interval"),
        )
    ended, warm = series.rounds_ended_by, series.warmup_ended_by
    return (
        *checks,
        load_cell(record, series),
        derived(record, "count(timing.latency.warmup_s)", len(series.warmup_s), str, f"ended: {warm}")
        if warm
        else NOT_MEASURED,
        Cell("cut short" if ended == "time" else ended) if ended else NOT_MEASURED,
    )


def images_cell(record: Record, found: Compliance) -> Cell:
    num = found.num_images
    if found.num_different:
        below = f"by up to {found.max_difference} grey levels"
        key, differ = "timing.compliance.num_different", f"{found.num_different} of {num} differ"
        return derived(record, key, found.num_different, lambda _: differ, below)
    steps = f" of {found.num_steps} steps" if found.num_steps else ""
    return Cell("equal" if found.images_equal else "equal but for rounding", f"{num} images{steps}")


def load_cell(record: Record, series: Series) -> Cell:
    """What others did on the machine during the rounds, marked where it was much."""
    if not series.rounds_ended_by:
        return NOT_MEASURED
    cores, gpu = series.foreign_load, series.foreign_gpu_share
    parts = [*([f"{cores:.2f}"] if cores is not None else []), *([f"{percent(gpu)} of the GPU"] if gpu else [])]
    found = Cell(", ".join(parts) or "unknown", mark="disturbed" if series.disturbed else "")
    if not parts:
        return found
    key, value = ("foreign_load", cores) if cores is not None else ("foreign_gpu_share", gpu)
    return replace(found, trace=in_record(record, f"timing.latency.{key}", value or 0.0))


# -- the sides of a claim ----------------------------------------------------------------------------------------------


def side_cells(record: Record, rooflines: Rooflines, shared: Trace | None = None) -> tuple[Cell, ...]:
    """Time, evaluations, FLOPs, FLOP/s, share of the roofline and main stage of one timed model; shared: its time in
    rounds that it shared with the others, None: in its own run."""
    found = stages_of(record)
    main = max(found, key=lambda stage: found[stage].share) if found else ""
    latency = record.measurements.get("latency_s")
    seconds = shared or (in_record(record, "measurements.latency_s", latency.value) if latency else None)
    rate = flop_rate(record, seconds) if seconds else None
    reached = roofline_share(record, main, found[main], rooflines) if main else None
    return (
        shared_cells(shared, None)[0] if shared else timed_cell(record),
        cell(record, "nfe"),
        flops_cell(record),
        Cell(f"{quantity('flops', rate.value)}/s", trace=rate) if rate else NONE,
        Cell(percent(reached.value), trace=reached) if reached else NONE,
        Cell(main, percent(found[main].share)) if main else NONE,
    )


def shared_cells(seconds: Trace, evaluations: Trace | None) -> tuple[Cell, ...]:
    """The same of a model that was timed in shared rounds alone: its time and evaluations are known, nothing else."""
    counted = Cell(f"{evaluations.value:,.0f}", trace=evaluations) if evaluations else NONE
    return (Cell(quantity("latency_s", seconds.value), "in shared rounds", trace=seconds), counted, *[NONE] * 4)


def timed_cell(record: Record) -> Cell:
    measured = record.measurements.get("latency_s")
    if measured is None:
        return NONE
    unit = display_unit("latency_s", [measured.value])
    found = cell(record, "latency_s", unit)
    return replace(found, text=f"{found.text} {unit.symbol}")


def flops_cell(record: Record) -> Cell:
    measured = record.measurements.get("flops")
    return replace(cell(record, "flops"), text=quantity("flops", measured.value)) if measured else NONE
