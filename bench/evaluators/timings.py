"""Speed of sampling: latency, throughput, memory, arithmetic, stages.

Latency is timed as long as the protocol says; throughput, whose rounds are longer, in no more rounds than bound a
median. What explains them (a batch sweep, the stages) and what guards them (the compliance checks) follow in the same
process, with the model warm, in as few rounds as each needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.console import progress
from bench.errors import CheckFailed
from bench.evaluators import Context
from bench.evaluators.compliance import collect_validity
from bench.metrics import latency
from bench.metrics.stages import decoder_time_share
from bench.records.schema import Measurement, RunSpec
from bench.stats import MIN_PAIRS
from bench.timing.generation import collect_timings, painter
from bench.timing.model_cost import weight_bytes
from bench.timing.roofline import measure_limits
from bench.timing.stages import collect_stages
from bench.timing.sweep import sweep_batches

SWEPT_ROUNDS = 2  # of each batch of the sweep
LONGEST_SWEPT_S = 0.5  # beyond the first batch whose round takes longer, the sweep has that of the throughput alone
STAGE_ROUNDS = 3  # by stages, each beside a whole call
COMPARED_IMAGES = 4  # with those that are scored
STEPS = ("latency", "throughput", "memory and arithmetic", "batch sweep", "stages", "validity")


def measure_timings(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """CheckFailed where the timed calls are not those that are scored, or are answered from a cache."""
    protocol, device = spec.protocol, str(model.device)
    few = min(MIN_PAIRS, protocol.min_rounds)
    brief: dict[str, Any] = {"settings": spec.settings, "min_duration_s": 0.0, "is_warm": True, "seed": protocol.seed}
    with progress(f"{spec.model}: timing", len(STEPS)) as bar:

        def advance(step: str) -> None:
            bar.update(STEPS.index(step), step)

        raw = collect_timings(
            model,
            latency_batch_size=protocol.latency_batch_size,
            throughput_batch_size=protocol.throughput_batch_size,
            min_rounds=protocol.min_rounds,
            min_duration_s=protocol.min_duration_s,
            min_throughput_rounds=few,
            settings=spec.settings,
            seed=protocol.seed,
            advance=advance,
        )
        advance("batch sweep")
        peaks = {raw["throughput"]["batch_size"]: raw["peak_memory_bytes"] - weight_bytes(model)}
        raw["sweep"] = sweep_batches(
            lambda batch_size: painter(model, batch_size, spec.settings, protocol.seed),
            device=device,
            max_round_s=LONGEST_SWEPT_S,
            min_rounds=SWEPT_ROUNDS,
            min_duration_s=0.0,
            is_warm=True,
            known={
                series["batch_size"]: {
                    "rounds_s": series["rounds_s"],
                    "peak_memory_bytes": peaks.get(series["batch_size"]),
                }
                for series in (raw["latency"], raw["throughput"])
            },
        )
        advance("stages")
        raw["stages"] = collect_stages(model, min_rounds=min(STAGE_ROUNDS, protocol.min_rounds), **brief)
        raw["machine_limits"] = measure_limits(device, model.dtype)
        advance("validity")
        raw["validity"] = collect_validity(model, num_images=COMPARED_IMAGES, min_rounds=few, **brief)
        bar.update(len(STEPS))
    check_validity(raw["validity"])
    measurements = latency.summarise(raw) | measure_decoder(model, raw["stages"])
    return {"measurements": measurements, "raw": {"rounds_s": raw["latency"].pop("rounds_s"), **raw}}


def measure_decoder(model: Any, stages: Mapping[str, Any]) -> dict[str, Measurement]:
    """The diffusion decoder's share of the time, of TransDiff; MAR's decoder is a part of its AR transformer."""
    share = decoder_time_share(stages) if model.spec.family.startswith("transdiff") else None
    return {} if share is None else {"decoder_time_share": share}


def check_validity(found: Mapping[str, Any]) -> None:
    """CheckFailed with what is wrong, by bench.evaluators.compliance."""
    if found["valid"]:
        return
    if found["num_different"]:
        raise CheckFailed(
            f"validity: {found['num_different']} of {found['num_images']} timed images differ from those that are "
            f"scored for the same seeds, by up to {found['max_difference']} grey levels"
        )
    ratio = found["repeat_ratio"]
    raise CheckFailed(
        f"validity: painting one image again takes {ratio['value']:.2f} times as long as painting a fresh one "
        f"(95 % interval {ratio['ci_low']:.2f} to {ratio['ci_high']:.2f}): something is answered from a cache"
    )
