"""Quality against cost: which runs no other beats in both, and which runs of a model form a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bench.records.parts import Measurement
from bench.records.schema import Record

KINDS = {"FLOPs": "flops", "evaluations": "nfe"}  # what a point may cost -> its metric; both are counted, never timed


def counts_by_run(records: Sequence[Record]) -> dict[str, Record]:
    """The runs that counted a cost, by model and settings: see `run_name`."""
    return {run_name(record): record for record in records if "flops" in record.measurements}


def run_name(record: Record) -> str:
    """A model and its settings in force: what a count depends on."""
    return json.dumps([record.model, dict(sorted(record.settings.items()))])


def cost_of(record: Record, kind: str, counted: Mapping[str, Record]) -> Measurement | None:
    """What an image of a run costs, of KINDS: by its own record, or by the run that counted the same settings."""
    metric = KINDS[kind]
    found = record.measurements.get(metric)
    if found is None and run_name(record) in counted:
        found = counted[run_name(record)].measurements.get(metric)
    return found


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
