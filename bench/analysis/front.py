"""Quality against cost: which runs no other beats in both, and which runs of a model form a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bench.analysis.seeds import settings_agree
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


def lines_of(records: Sequence[Record]) -> list[list[Record]]:
    """Runs of one model that differ in `num_steps` alone, from few to many."""
    lines: dict[str, list[Record]] = {}
    for record in records:
        others = {name: value for name, value in record.settings.items() if name != "num_steps"}
        lines.setdefault(json.dumps(others, sort_keys=True), []).append(record)
    return [sorted(line, key=lambda record: record.settings.get("num_steps", 0)) for line in lines.values()]
