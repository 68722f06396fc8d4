"""Quality against cost: which runs no other beats in both, and which runs of a model form a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.seeds import settings_agree
from bench.analysis.studies import told_apart
from bench.records.parts import Measurement
from bench.records.schema import Record

KINDS = {"FLOPs": "flops", "evaluations": "nfe"}  # what a point may cost -> its metric; both are counted, never timed


def cost_of(record: Record, kind: str, counted: Sequence[Record]) -> Measurement | None:
    """What an image of a run costs, of KINDS: by its own record, or by that of `counted` with the same settings."""
    found = costed(record, kind, counted)
    return None if found is None else found.measurements[KINDS[kind]]


def costed(record: Record, kind: str, counted: Sequence[Record]) -> Record | None:
    """The record that says what an image of a run costs: its own, or that of `counted` with the same settings."""
    alike = [
        other
        for other in (*counted, record)
        if other.model == record.model
        and KINDS[kind] in other.measurements
        and settings_agree(record.settings, other.settings)
    ]
    return alike[-1] if alike else None


def front_of(costs: Mapping[str, tuple[float, float]]) -> list[str]:
    """The runs (by name: cost, FID) that no other beats in both, the cheapest first."""
    kept: list[str] = []
    for name in sorted(costs, key=lambda name: costs[name]):
        if not kept or costs[name][1] < costs[kept[-1]][1]:
            kept.append(name)
    return kept


@dataclass(frozen=True)
class Front:
    """Runs with an FID whose cost of one kind is known, and which of them no other beats in both."""

    places: Mapping[str, tuple[float, float]]  # by file: cost, FID
    runs: Sequence[Record]  # all
    best: Sequence[Record]  # on the front, the cheapest first

    @property
    def cheapest_alike(self) -> tuple[Record, float] | None:
        """The cheapest run on the front whose FID is not told apart from the lowest, and how many times less it costs;
        None: all are told apart."""
        *others, last = self.best
        alike = next((record for record in others if not told_apart(record, last)), None)
        return (alike, self.places[last.file][0] / self.places[alike.file][0]) if alike else None


def fronts_of(records: Sequence[Record], counted: Sequence[Record]) -> dict[str, Front]:
    """By kind of cost; a kind that was counted for no run with an FID is left out."""
    found = {}
    for kind in KINDS:
        costs = {r.file: (r, cost) for r in records if "fid" in r.measurements and (cost := cost_of(r, kind, counted))}
        places = {file: (cost.value, r.measurements["fid"].value) for file, (r, cost) in costs.items()}
        if places:
            best = [costs[file][0] for file in front_of(places)]
            found[kind] = Front(places, [record for record, _ in costs.values()], best)
    return found


def lines_of(records: Sequence[Record]) -> list[list[Record]]:
    """Runs of one model that differ in `num_steps` alone, from few to many."""
    lines: dict[str, list[Record]] = {}
    for record in records:
        others = {name: value for name, value in record.settings.items() if name != "num_steps"}
        lines.setdefault(json.dumps(others, sort_keys=True), []).append(record)
    return [sorted(line, key=lambda record: record.settings.get("num_steps", 0)) for line in lines.values()]
