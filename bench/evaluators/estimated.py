"""Estimated latency, where a whole image takes minutes: from a few calls of each part of the network, and counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.console import progress
from bench.evaluators import Context
from bench.evaluators.timings import TIMING, measure_decoder
from bench.metrics import latency
from bench.records.schema import RunSpec
from bench.timing.roofline import measure_roofline
from bench.timing.settings import TimingSettings
from bench.timing.stages import collect_estimated


def measure_estimated(
    model: Any, spec: RunSpec, context: Context, *, timing: TimingSettings = TIMING
) -> dict[str, Any]:
    """Latency, stages, memory and arithmetic of one batch; `protocol.sampled_calls` calls of each part run."""
    protocol = spec.protocol
    with progress(f"{spec.model}: estimated latency", 1) as bar:
        found = collect_estimated(
            model,
            settings=spec.settings,
            min_rounds=protocol.min_rounds,
            sampled=protocol.sampled_calls,
            batch_size=protocol.latency_batch_size,
            seed=protocol.seed,
            timing=timing,
        )
        found = replace(found, roofline=measure_roofline(str(model.device), model.dtype, timing))
        bar.update(1)
    decoder = measure_decoder(model, found.stages) if found.stages else {}
    return {"measurements": latency.summarise(found) | decoder, "timing": found}
