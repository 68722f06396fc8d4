"""Speed of sampling: latency, throughput, memory, arithmetic, stages; estimated latency; speed-ups; counts.

Latency is timed as long as the protocol says; throughput, whose rounds are longer, in no more rounds than bound a
median. What explains them (a batch sweep, the stages) and what guards them (the compliance checks) follow in the same
process, with the model warm, in as few rounds as each needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.console import progress
from bench.errors import CheckFailed
from bench.evaluators.compliance import collect_compliance
from bench.metrics import latency, size
from bench.metrics.stages import decoder_time_share
from bench.models import build_for
from bench.records.environment import available_memory_bytes
from bench.records.parts import Compliance, Counts, Measurement, Series, Speedup, Stages
from bench.records.schema import RunSpec
from bench.stats import MIN_PAIRS
from bench.timing.generation import collect_timings, rounds_of
from bench.timing.model_cost import collect_size, weight_bytes
from bench.timing.roofline import measure_roofline
from bench.timing.settings import TimingSettings
from bench.timing.speedup import Side, collect_ratios
from bench.timing.stages import collect_estimated, collect_stages
from bench.timing.sweep import sweep_batches

SWEPT_ROUNDS = 2  # of each batch of the sweep
TIMING = TimingSettings(longest_swept_s=0.5)  # beyond the first batch that takes longer: that of the throughput alone
STAGE_ROUNDS = 3  # by stages, each beside a whole call
COMPARED_IMAGES = 4  # with those that are scored
STEPS = ("latency", "throughput", "memory and arithmetic", "batch sweep", "stages", "compliance")


def measure_timings(
    model: Any, spec: RunSpec, inputs: Any, work: Path, *, timing: TimingSettings = TIMING
) -> dict[str, Any]:
    """CheckFailed where the timed calls are not those that are scored, or are answered from a cache."""
    protocol, device = spec.protocol, str(model.device)
    few = min(MIN_PAIRS, protocol.min_rounds)
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
        compliance = collect_compliance(
            model,
            settings=spec.settings,
            num_images=COMPARED_IMAGES,
            min_rounds=few,
            is_warm=True,
            seed=protocol.seed,
            timing=timing,
        )
        bar.update(len(STEPS))
    check_compliance(compliance)
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


def measure_composed(
    model: Any, spec: RunSpec, inputs: Any, work: Path, *, timing: TimingSettings = TIMING
) -> dict[str, Any]:
    """Latency, stages, memory and arithmetic of one batch; `protocol.sampled_calls` calls of each part run."""
    protocol = spec.protocol
    with progress(f"{spec.model}: composed", 1) as bar:
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


BESIDE_WEIGHTS = 1.5  # memory of a model while it paints one image over that of its weights: autoencoder, activations


def measure_ratios(
    model: Any, spec: RunSpec, inputs: Any, work: Path, *, timing: TimingSettings = TIMING
) -> dict[str, Any]:
    """One entry per baseline; as many of them as memory holds share their rounds with the model."""
    protocol, device = spec.protocol, str(model.device)
    ratios: list[Speedup] = []
    with progress(f"{spec.model}: ratios", len(spec.baselines)) as bar:
        for names in groups_that_fit({name: memory_bytes(name) for name in spec.baselines}, free_bytes(device)):
            ratios += collect_ratios(
                Side(model, protocol.latency_batch_size),
                [Side(build_for(name, protocol, device, work), protocol.latency_batch_size) for name in names],
                settings=spec.settings,
                sampled=protocol.sampled_calls or None,
                min_rounds=protocol.min_rounds,
                min_duration_s=protocol.min_duration_s,
                seed=protocol.seed,
                timing=timing,
            )
            bar.update(len(ratios))
    return {"speedups": tuple(ratios)}


def groups_that_fit(needed_bytes: Mapping[str, float], free: float | None) -> list[list[str]]:
    """The names in their order, in groups as large as `free` bytes hold, of one at least. free None: unknown, all."""
    groups: list[list[str]] = []
    left = 0.0
    for name, needed in needed_bytes.items():
        if groups and (free is None or needed <= left):
            groups[-1].append(name)
            left -= needed
        else:
            groups.append([name])
            left = (free or 0.0) - needed
    return groups


def memory_bytes(name: str) -> float:
    """What a model needs to paint one image in float32, about."""
    import reference_models

    return BESIDE_WEIGHTS * weight_bytes(reference_models.build(name, device="meta", weights=None))


def free_bytes(device: str) -> float | None:
    """Memory that models can still take on a device."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return available_memory_bytes()


def measure_sizes(spec: RunSpec) -> dict[str, Any]:
    """Count on the meta device: no weights, no memory."""
    import reference_models

    model = reference_models.build(spec.model, device="meta", weights=None)
    raw = collect_size(model)
    return {"family": model.spec.family, "measurements": size.summarise(raw), "counts": Counts(**raw)}
