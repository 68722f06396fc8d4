"""A paper's size on a machine where a whole image takes minutes: its time, composed of a few calls of each part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.collect.machine_limits import measure_limits
from bench.collect.stages import collect_composed
from bench.console import progress
from bench.measure.timings import measure_decoder
from bench.metrics import latency
from bench.records import RunSpec


def measure_composed(model: Any, spec: RunSpec, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    """Latency, stages, memory and arithmetic of one batch; `protocol.sampled_calls` calls of each part run."""
    protocol = spec.protocol
    with progress(f"{spec.model}: composed", 1) as bar:
        raw = collect_composed(
            model,
            settings=spec.settings,
            min_rounds=protocol.min_rounds,
            sampled=protocol.sampled_calls,
            batch_size=protocol.latency_batch_size,
            seed=protocol.seed,
        )
        raw["machine_limits"] = measure_limits(str(model.device), model.dtype)
        bar.update(1)
    measurements = latency.summarise(raw) | measure_decoder(model, raw["stages"])
    return {"measurements": measurements, "raw": {"rounds_s": raw["latency"].pop("rounds_s"), **raw}}
