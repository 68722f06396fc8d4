"""Two machines' records: whether their claims got the same words, and how their times compare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.records.json_files import plain
from bench.records.schema import Record, Verdict


@dataclass(frozen=True)
class OtherMachine:
    """What another machine found, beside the one that answers."""

    machine: str
    num_same: int  # verdicts with equal words, of those that both could give
    differing: tuple[tuple[Verdict, Verdict], ...]  # (here, there): the others
    times_longer: tuple[float, float, float] | None  # median, lowest, highest over the runs that both timed


def compared(
    here: str, there: str, verdicts: Mapping[str, Iterable[Verdict]], ours: Sequence[Record], theirs: Sequence[Record]
) -> OtherMachine:
    """verdicts: by machine."""
    mine, other = ({(v.claim_id, v.scale): v for v in verdicts[name] if v.word != "not run"} for name in (here, there))
    pairs = [(mine[key], other[key]) for key in mine if key in other]
    differing = tuple(pair for pair in pairs if pair[0].word != pair[1].word)
    return OtherMachine(there, len(pairs) - len(differing), differing, times_longer(ours, theirs))


def times_longer(ours: Sequence[Record], theirs: Sequence[Record]) -> tuple[float, float, float] | None:
    """Of latencies of equal model, protocol, settings and arithmetic; estimated ones are left out."""
    one, other = latencies(ours), latencies(theirs)
    ratios = [other[key] / one[key] for key in one if key in other]
    return (median(ratios), min(ratios), max(ratios)) if ratios else None


def latencies(records: Sequence[Record]) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for record in records:
        measured = record.measurements.get("latency_s")
        if measured and record.timing and not record.timing.latency.estimated and not record.protocol.quick:
            settings = json.dumps(plain(record.settings), sort_keys=True)
            found[record.model, record.protocol.name, record.protocol.dtype, settings] = measured.value
    return found
