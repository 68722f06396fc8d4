"""How many times as fast one model is as others, by every kind of evidence that the records hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.analysis.evidence import Trace, Traced, in_record, traced
from bench.analysis.formulas import key_of
from bench.analysis.speed import Paired, is_estimated, pairs_of, timed_of, with_and_without_own_kernels
from bench.records.parts import BASELINE, SUBJECT, Speedup
from bench.records.schema import Comparison, Record
from bench.stats import Interval, as_interval


@dataclass(frozen=True)
class Speed:
    """A ratio of times, baseline over subject: above 1 the subject is the faster."""

    subject: str
    baseline: str
    kind: str  # "small", "paper", "estimated" or "flops"
    ratio: Traced
    # With and without own kernels, of rounds that timed both; None: neither side has any, or not timed so.
    both_kernels: tuple[Traced, Traced] | None = None


def speeds_of(side: Comparison, records: Sequence[Record]) -> list[Speed]:
    """Of shared rounds, in the order of the side's baselines; [] where none were timed."""
    found = []
    for baseline, pair in pairs_of(side, records).items():
        ratio = ratio_of(pair)
        if ratio is None:
            continue
        kind = "small" if side.scale == "digits" else "estimated" if is_estimated(pair.record) else "paper"
        pairs = with_and_without_own_kernels(side.subject, baseline, pair.record.protocol.scale, records) or ()
        both = [timed for each in pairs if (timed := ratio_of(each))]
        found.append(Speed(side.subject, baseline, kind, ratio, (both[0], both[1]) if len(both) == 2 else None))
    return found


def shared_times(side: Comparison, records: Sequence[Record]) -> dict[str, Trace]:
    """By model the median time of an image in the rounds that the side's ratios are of; {} where none were shared."""
    return of_shared_rounds(time_of, side, records)


def of_shared_rounds(
    number: Callable[[Record, Speedup, str], Trace | None], side: Comparison, records: Sequence[Record]
) -> dict[str, Trace]:
    """By model the first that there is of a number of its part in the rounds that the side's ratios are of.

    number: of a record, a ratio in it and one side of that
    """
    found: dict[str, Trace] = {}
    for baseline, pair in pairs_of(side, records).items():
        for role, model in ((BASELINE, baseline), (SUBJECT, side.subject)):
            if trace := number(pair.record, pair.entry, role):
                found.setdefault(model, trace)
    return found


def time_of(record: Record, entry: Speedup, role: str) -> Trace | None:
    """The median time of an image of a side; None where it was not timed."""
    if not (rounds := entry.rounds_s.get(role)):
        return None
    place, size = record.speedups.index(entry), record.protocol.latency_batch_size
    key = f"median(speedups.{place}.rounds_s.{role})" + (f" / {size}" if size > 1 else "")
    return in_record(record, key, median(rounds) / max(size, 1))


def ratio_of(pair: Paired) -> Traced | None:
    """With the place where it stands; None: not timed."""
    if pair.entry.ratio is None:
        return None
    place = pair.record.speedups.index(pair.entry)
    trace = in_record(pair.record, f"speedups.{place}.ratio", pair.entry.ratio.value)
    return Traced(as_interval(pair.entry.ratio), trace)


def shared_evaluations(side: Comparison, records: Sequence[Record]) -> dict[str, Trace]:
    """By model its network evaluations of an image in the rounds that the side's ratios are of."""
    return of_shared_rounds(evaluations_of, side, records)


def evaluations_of(record: Record, entry: Speedup, role: str) -> Trace | None:
    """Network evaluations of one image of a side; None where they were not kept."""
    parts = entry.conditions[role].network_evaluations if role in entry.conditions else {}  # type: ignore[index]
    if not parts:
        return None
    place = ("speedups", record.speedups.index(entry), "conditions", role, "network_evaluations")
    key = f"sum({', '.join(key_of(*place, part) for part in parts)})"
    return in_record(record, key, sum(parts.values()))


def arithmetic_of(side: Comparison, records: Sequence[Record]) -> list[Speed]:
    """What the ratios would be if operations alone cost time: those of the baseline over those of the subject."""
    subject = timed_of(side.subject, side, records)
    ours = traced(subject, "flops") if subject else None
    found = []
    for baseline in side.baselines:
        timed = timed_of(baseline, side, records)
        theirs = traced(timed, "flops") if timed else None
        if ours and theirs:
            value = theirs.found.value / ours.found.value
            files = (*theirs.trace.files, *ours.trace.files)
            trace = Trace(value, files, "measurements.flops@1 / measurements.flops@2")
            found.append(Speed(side.subject, baseline, "flops", Traced(Interval(value, value, value), trace)))
    return found
