"""Estimated latency, where a whole image takes minutes: from a few calls of each part of the network, and counts."""

from __future__ import annotations

from typing import Any

from bench.console import progress
from bench.evaluators import Context
from bench.evaluators.timings import measure_decoder
from bench.metrics import latency
from bench.records.schema import RunSpec
from bench.timing.roofline import measure_limits
from bench.timing.stages import collect_composed


def measure_estimated(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """Latency, stages, memory and arithmetic of one batch; `protocol.sampled_calls` calls of each part run."""
    protocol = spec.protocol
    with progress(f"{spec.model}: estimated latency", 1) as bar:
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
