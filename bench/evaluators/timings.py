"""Timings: latency, throughput, memory and arithmetic of sampling; where the time goes, and whether it is honest.

Latency is timed as long as the protocol says; throughput, whose rounds are longer, in no more rounds than bound a
median. What explains them (a batch sweep, the stages) and what guards them (the compliance checks) follow in the same
process, with the model warm, in as few rounds as each needs; the compliance checks in few sampling steps too, where
another path, or a cache, would show as in many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.console import progress
from bench.errors import CheckFailed
from bench.evaluators import Context
from bench.evaluators.compliance import collect_compliance
from bench.metrics import latency
from bench.metrics.stages import decoder_time_share
from bench.protocols import few_steps
from bench.records.parts import Compliance, Measurement, Series, Stages
from bench.records.schema import RunSpec
from bench.stats import MIN_PAIRS
from bench.timing.generation import collect_timings, rounds_of
from bench.timing.model_cost import weight_bytes
from bench.timing.roofline import measure_roofline
from bench.timing.settings import TimingSettings
from bench.timing.stages import collect_stages
from bench.timing.sweep import sweep_batches

SWEPT_ROUNDS = 2  # of each batch of the sweep
TIMING = TimingSettings(longest_swept_s=0.5)  # beyond the first batch that takes longer: that of the throughput alone
QUICK_SWEPT_S = 0.1  # of a smoke run
STAGE_ROUNDS = 3  # by stages, each beside a whole call
COMPARED_IMAGES = 4  # with those that are scored
STEPS = ("latency", "throughput", "memory and arithmetic", "batch sweep", "stages", "compliance")


def measure_timings(model: Any, spec: RunSpec, context: Context, *, timing: TimingSettings = TIMING) -> dict[str, Any]:
    """CheckFailed where the timed calls are not those that are scored, or are answered from a cache."""
    protocol, device = spec.protocol, str(model.device)
    few = min(MIN_PAIRS, protocol.min_rounds)
    if protocol.quick:
        timing = replace(timing, longest_swept_s=min(timing.longest_swept_s, QUICK_SWEPT_S))
    with progress(f"{spec.model}: timing", len(STEPS)) as bar:

        def advance(step: str) -> None:
            bar.update(STEPS.index(step), step)

        found = collect_timings(
            model,
            latency_batch_size=protocol.latency_batch_size,
            throughput_batch_size=protocol.throughput_batch_size,
            min_rounds=protocol.min_rounds,
            min_duration_s=protocol.min_duration_s,
            min_throughput_rounds=few,
            settings=spec.settings,
            seed=protocol.seed,
            timing=timing,
            advance=advance,
        )
        advance("batch sweep")
        known = [found.latency]
        if found.throughput:
            peak_bytes = (found.peak_memory_bytes or 0) - weight_bytes(model)
            known.append(replace(found.throughput, peak_memory_bytes=peak_bytes))
        sweep = sweep_batches(
            lambda batch_size: rounds_of(model, batch_size, spec.settings, protocol.seed),
            device=device,
            min_rounds=SWEPT_ROUNDS,
            min_duration_s=0.0,
            is_warm=True,
            known={series.batch_size: in_sweep(series) for series in known},
            timing=timing,
        )
        advance("stages")
        stages = collect_stages(
            model,
            settings=spec.settings,
            min_rounds=min(STAGE_ROUNDS, protocol.min_rounds),
            min_duration_s=0.0,
            is_warm=True,
            seed=protocol.seed,
            timing=timing,
        )
        roofline = measure_roofline(device, model.dtype, timing)
        advance("compliance")
        fewer = few_steps({**model.spec.sampling, **spec.settings})
        compliance = collect_compliance(
            model,
            settings={**spec.settings, **fewer},
            num_images=COMPARED_IMAGES,
            min_rounds=few,
            is_warm=True,
            seed=protocol.seed,
            timing=timing,
        )
        bar.update(len(STEPS))
    check_compliance(compliance)
    compliance = replace(compliance, num_steps=fewer.get("num_steps"))
    found = replace(found, sweep=sweep, stages=stages, roofline=roofline, compliance=compliance)
    return {"measurements": latency.summarise(found) | measure_decoder(model, stages), "timing": found}


def in_sweep(series: Series) -> Series:
    """A series as a sweep takes it over: its rounds and memory; how they were timed stands with the series itself."""
    return Series(batch_size=series.batch_size, rounds_s=series.rounds_s, peak_memory_bytes=series.peak_memory_bytes)


def measure_decoder(model: Any, stages: Stages) -> dict[str, Measurement]:
    """The diffusion decoder's share of the time, of TransDiff; MAR's decoder is a part of its AR transformer."""
    share = decoder_time_share(stages) if model.spec.family.startswith("transdiff") else None
    return {} if share is None else {"decoder_time_share": share}


def check_compliance(found: Compliance) -> None:
    """CheckFailed with what is wrong."""
    if found.valid:
        return
    if found.num_different:
        raise CheckFailed(
            f"compliance: {found.num_different} of {found.num_images} timed images differ from those that are "
            f"scored for the same seeds, by up to {found.max_difference} grey levels"
        )
    ratio = found.repeat_ratio
    raise CheckFailed(
        f"compliance: generating one image again takes {ratio.value:.2f} times as long as generating a fresh one "
        f"(95 % interval {ratio.ci_low:.2f} to {ratio.ci_high:.2f}): something is answered from a cache"
    )
