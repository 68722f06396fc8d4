"""Measured ratios of speed beside the printed speed-ups: in one table, never in one column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.analysis.speed import rates_of
from bench.claims.speed import SPEED_CLAIMS
from bench.formatting import interval, number
from bench.records.comparable import not_comparable
from bench.records.parts import Speedup
from bench.records.schema import Claim, Comparison, Record
from bench.report.tables import Cell
from bench.report.tables.speed import NONE, Grouped

EQUAL, BEST = "forced equal", "each at its best"
PRINTED = "Printed, of the papers' models"
MEASURED = "Measured here: times the images per second of the other"
COLUMNS = (
    ("Speed-up", "where, below"),
    ("Forced equal", "same rounds, same batch"),
    ("Each at its best", "batches below"),
    ("Evaluations of the network", "for an image"),
)
CAPTION = (
    "Paired ratios of speed with 95 % intervals below. Forced equal: both sides timed in the same rounds, all that an "
    "experimenter chooses alike. Each at its best: each in the batch of its sweep with the most images per second; the "
    "sweeps do not share rounds, so that this ratio has no interval."
)


def ratio_table(records: Sequence[Record]) -> Grouped | None:
    """The ratios of one machine's records, a group per run; None where no two models were timed together."""
    groups = []
    for record in records:
        rows = [row_of(record, pair, records) for pair in pairs_of(record).values()]
        if rows:
            groups.append((heading(record), tuple(rows)))
    if not groups:
        return None
    return Grouped(CAPTION, COLUMNS, tuple(groups), "Against", ((PRINTED, 1), (MEASURED, 3)))


def pairs_of(record: Record) -> dict[str, dict[str, Speedup]]:
    """The entries of a record by baseline and mode."""
    found: dict[str, dict[str, Speedup]] = {}
    for entry in record.speedups:
        found.setdefault(entry.baseline, {})[entry.mode] = entry
    return found


def heading(record: Record) -> str:
    composed = any(entry.estimated for entry in record.speedups)
    disturbed = any(entry.disturbed for entry in record.speedups)
    words = [
        f"{record.protocol.scale} scale",
        f"batch {record.protocol.latency_batch_size}",
        record.protocol.dtype,
        *(["COMPOSED times"] if composed else []),
        *(["other work ran meanwhile"] if disturbed else []),
    ]
    return f"{record.model} ({', '.join(words)})"


def row_of(record: Record, pair: Mapping[str, Speedup], records: Sequence[Record]) -> tuple[str, tuple[Cell, ...]]:
    entry = pair.get(EQUAL) or next(iter(pair.values()))
    printed = list(claims_on(record.model, entry.baseline))
    numbers = Cell("; ".join(f"x{claim.value:g}" for claim in printed), "; ".join(map(short, printed)))
    equal = measured_cell(pair[EQUAL]) if EQUAL in pair else Cell("not measured")
    best = measured_cell(pair[BEST]) if BEST in pair else at_best(record, entry.baseline, records)
    return entry.baseline, (numbers if printed else NONE, equal, best, evaluations(entry))


def claims_on(model: str, baseline: str) -> Iterator[Claim]:
    """The printed speed-ups that a pair answers, at the paper's scale or in small."""
    for claim in SPEED_CLAIMS:
        sides: list[Comparison | None] = [claim.paper_scale, claim.in_small]
        if claim.paper_scale.metric == "latency_s" and any(
            side and side.subject == model and baseline in side.baselines for side in sides
        ):
            yield claim


def short(claim: Claim) -> str:
    """As "TransDiff abstract"."""
    return f"{claim.source.paper.split(' (')[0]} {claim.source.where.split(':')[0].split(',')[0]}"


def measured_cell(entry: Speedup) -> Cell:
    ratio = entry.ratio
    if entry.not_comparable or ratio is None:
        return Cell("not comparable", entry.not_comparable)
    bounds = (ratio.value, ratio.ci_low, ratio.ci_high)
    below = interval(*bounds) or f"{ratio.n} pairs: no interval"
    return Cell(f"x{number(*bounds)}", below + (", composed" if entry.estimated else ""))


def at_best(record: Record, baseline: str, records: Sequence[Record]) -> Cell:
    """The ratio of the best batches of both sweeps, which were not timed in the same rounds."""
    ours, theirs = (swept(model, record, records) for model in (record.model, baseline))
    if ours is None or theirs is None:
        return Cell("not measured", "no sweep of both")
    one, other = (side.timing.latency.conditions if side.timing else None for side in (ours, theirs))
    if one is None or other is None:
        return Cell("not comparable", "footing unknown")
    if why := not_comparable(one, other, BEST):
        return Cell("not comparable", why)
    (size, rate), (their_size, their_rate) = (max(rates_of(side), key=lambda each: each[1]) for side in (ours, theirs))
    return Cell(f"x{number(rate / their_rate)}", f"batch {size} against {their_size}")


def swept(model: str, record: Record, records: Sequence[Record]) -> Record | None:
    """The latest run of a model with a sweep, at the scale of `record`."""
    fitting = [
        found
        for found in records
        if found.model == model and found.protocol.scale == record.protocol.scale and rates_of(found)
    ]
    return max(fitting, key=lambda found: found.created_utc, default=None)


def evaluations(entry: Speedup) -> Cell:
    """How many evaluations either side needs, which is what a speed-up is made of."""
    counts = [side.network_evaluations for side in (entry.conditions["model"], entry.conditions["baseline"])]
    if not all(counts):
        return NONE
    return Cell(" against ".join(f"{sum(count.values()):,}" for count in counts))
