"""Timings: latency, throughput, memory and arithmetic of sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.collect.timings import collect_timings
from bench.console import progress
from bench.metrics import latency
from bench.records import RunSpec


def measure_timings(model: Any, spec: RunSpec, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    protocol = spec.protocol
    stages = ("latency", "throughput", "memory and arithmetic")
    with progress(f"{spec.model}: timing", len(stages)) as bar:
        raw = collect_timings(
            model,
            latency_batch_size=protocol.latency_batch_size,
            throughput_batch_size=protocol.throughput_batch_size,
            min_rounds=protocol.min_rounds,
            min_duration_s=protocol.min_duration_s,
            settings=spec.settings,
            seed=protocol.seed,
            advance=lambda stage: bar.update(stages.index(stage), stage),
        )
        bar.update(len(stages))
    measurements = latency.summarise(raw)
    return {"measurements": measurements, "raw": {"rounds_s": raw["latency"].pop("rounds_s"), **raw}}
