"""How many times as fast one model is as others, by every kind of evidence that the records hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.evidence import Trace, Traced, in_record, traced
from bench.analysis.speed import is_estimated, pairs_of, timed_of
from bench.records.schema import Comparison, Record
from bench.stats import Interval, as_interval


@dataclass(frozen=True)
class Speed:
    """A ratio of times, baseline over subject: above 1 the subject is the faster."""

    subject: str
    baseline: str
    kind: str  # "small", "paper", "estimated" or "flops"
    ratio: Traced


def speeds_of(side: Comparison, records: Sequence[Record]) -> list[Speed]:
    """Of shared rounds, in the order of the side's baselines; [] where none were timed."""
    found = []
    for baseline, pair in pairs_of(side, records).items():
        if pair.entry.ratio is None:
            continue
        place = pair.record.speedups.index(pair.entry)
        trace = in_record(pair.record, f"speedups.{place}.ratio", pair.entry.ratio.value)
        kind = "small" if side.scale == "digits" else "estimated" if is_estimated(pair.record) else "paper"
        found.append(Speed(side.subject, baseline, kind, Traced(as_interval(pair.entry.ratio), trace)))
    return found


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
