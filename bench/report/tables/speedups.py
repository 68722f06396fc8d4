"""Measured ratios of speed, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.analysis.evidence import in_record
from bench.analysis.speed import Sweeps, best_batches, latest_sweeps, tf32_convolutions, was_cut_short
from bench.analysis.speedups import evaluations_of
from bench.formatting import listed
from bench.records.comparable import not_comparable
from bench.records.parts import BASELINE, SUBJECT, Speedup
from bench.records.schema import Record
from bench.report.tables import NONE, Cell, Table
from bench.report.words import times
from bench.stats import Interval, as_interval

EQUAL, BEST = "forced equal", "each at its best"
COLUMNS = (
    ("Forced equal", "same rounds, same batch"),
    ("Best of either sweep", "batches below"),
    ("Network evaluations", "for an image"),
)
NOTE = (  # on the columns, once a page
    "One model against another; an interval covers the rounds of its run, not other runs. Best of either sweep: the "
    "batches with the most images per second; their rounds are not shared, so there is no interval; cut short: a "
    "larger batch was not timed and might do more."
)


def ratio_table(every: Sequence[Record]) -> Table | None:
    """The ratios of one machine's records, a group per run; None where no two models were timed together. Studies have
    no group: that of own kernels has a table of its own."""
    groups = []
    records = [record for record in every if not record.protocol.study]
    sweeps = latest_sweeps(records)
    for record in records:
        rows = [(name, row_of(record, pair, sweeps)) for name, pair in pairs_of(record).items()]
        if rows:
            groups.append((heading(record), rows))
    if not groups:
        return None
    return Table(f"Times per image on {records[0].environment.machine}.", COLUMNS, groups, "Against")


def pairs_of(record: Record) -> dict[str, dict[str, Speedup]]:
    """The entries of a record by baseline and mode."""
    found: dict[str, dict[str, Speedup]] = {}
    for entry in record.speedups:
        found.setdefault(entry.baseline, {})[entry.mode] = entry
    return found


def heading(record: Record) -> str:
    estimated = any(entry.estimated for entry in record.speedups)
    disturbed = any(entry.disturbed for entry in record.speedups)
    words = [
        f"{record.protocol.scale} scale",
        f"batch {record.protocol.latency_batch_size}",
        record.protocol.dtype,
        *(["TF32 in convolutions"] if True in tf32_convolutions(record) else []),
        *(["compiled"] if record.protocol.compiled else []),
        *(["estimated latency"] if estimated else []),
        *(["other work ran meanwhile"] if disturbed else []),
    ]
    return f"{record.model} ({', '.join(words)})"


def row_of(record: Record, pair: Mapping[str, Speedup], sweeps: Sweeps) -> tuple[Cell, ...]:
    entry = pair.get(EQUAL) or next(iter(pair.values()))
    equal = measured_cell(record, pair[EQUAL]) if EQUAL in pair else Cell("not measured")
    best = measured_cell(record, pair[BEST]) if BEST in pair else at_best(record, entry.baseline, sweeps)
    return equal, best, evaluations(record, entry)


def measured_cell(record: Record, entry: Speedup) -> Cell:
    ratio = entry.ratio
    if entry.not_comparable or ratio is None:
        return Cell("not comparable", entry.not_comparable)
    shown, words, below = times(as_interval(ratio))
    below = "; ".join(filter(None, (below or f"{ratio.n} pairs: no interval", own_kernels(entry))))
    key = f"speedups.{record.speedups.index(entry)}.ratio"
    trace = in_record(record, key, ratio.value)
    return Cell(f"{shown} {words}", below, trace=trace.inverted if ratio.value < 1 else trace)


def own_kernels(entry: Speedup) -> str:
    """The faster ways of this suite's layers on a CPU, where only one side has them; "" where they tell nothing."""
    sides = [entry.conditions[role].own_kernels for role in ("model", "baseline")]
    if sides[0] is None or sides[1] is None or set(sides[0]) == set(sides[1]):
        return ""
    return f"own CPU kernels: {' against '.join(listed(side) or 'none' for side in sides if side is not None)}"


def at_best(record: Record, baseline: str, sweeps: Sweeps) -> Cell:
    """The ratio of the best batches of both sweeps, which were not timed in the same rounds."""
    ours, theirs = (sweeps.get((model, record.protocol.scale)) for model in (record.model, baseline))
    if ours is None or theirs is None:
        return Cell("not measured", "no sweep of both")
    one, other = (side.timing.latency.conditions if side.timing else None for side in (ours, theirs))
    if one is None or other is None:
        return Cell("not comparable", "conditions unknown")
    if why := not_comparable(one, other, BEST):
        return Cell("not comparable", why)
    found = best_batches(ours, theirs)
    shown, words, _ = times(Interval(found.ratio, math.nan, math.nan))
    trace = found.trace if found.ratio > 1 else found.trace.inverted
    short = ", cut short" if any(map(was_cut_short, (ours, theirs))) else ""
    return Cell(f"{shown} {words}", "batch {} against {}".format(*found.sizes) + short, trace=trace)


def evaluations(record: Record, entry: Speedup) -> Cell:
    """How many evaluations either side needs, which is what a speed-up is made of."""
    ours, theirs = (evaluations_of(record, entry, role) for role in (SUBJECT, BASELINE))
    if ours is None or theirs is None:
        return NONE
    return Cell(f"{ours.value:,.0f}", f"against {theirs.value:,.0f}", trace=ours)
