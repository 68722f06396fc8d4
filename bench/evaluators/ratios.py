"""Speed-ups: a model against its baselines, timed in the same interleaved rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.console import progress
from bench.evaluators import Context
from bench.evaluators.timings import TIMING
from bench.models import build_for
from bench.records.environment import available_memory_bytes
from bench.records.parts import Speedup
from bench.records.schema import RunSpec
from bench.timing.model_cost import weight_bytes
from bench.timing.settings import TimingSettings
from bench.timing.speedup import Side, collect_ratios
from reference_models import build

BESIDE_WEIGHTS = 1.5  # memory of generating one image over that of the weights: autoencoder, activations


def measure_ratios(model: Any, spec: RunSpec, context: Context, *, timing: TimingSettings = TIMING) -> dict[str, Any]:
    """One entry per baseline; as many of them as memory holds share their rounds with the model."""
    return measure(model, spec, context, timing, both_kernels=False)


def measure_kernels(model: Any, spec: RunSpec, context: Context, *, timing: TimingSettings = TIMING) -> dict[str, Any]:
    """The same, and of each baseline a second entry: without the CPU kernels of reference_models/layers.py."""
    return measure(model, spec, context, timing, both_kernels=True)


def measure(
    model: Any, spec: RunSpec, context: Context, timing: TimingSettings, *, both_kernels: bool
) -> dict[str, Any]:
    """Baselines in groups that memory holds; both_kernels: both ways in the same rounds."""
    protocol = spec.protocol
    ratios: list[Speedup] = []
    done = 0  # baselines

    def side(name: str) -> Side:
        return Side(build_for(name, protocol, context.device, context.work), protocol.latency_batch_size)

    with progress(f"{spec.model}: ratios", len(spec.baselines)) as bar:
        for names in groups_that_fit({name: memory_bytes(name) for name in spec.baselines}, free_bytes(context.device)):
            ratios += collect_ratios(  # holds the only reference to a group's models: the next needs their memory
                Side(model, protocol.latency_batch_size),
                [side(name) for name in names],
                settings=spec.settings,
                sampled=protocol.sampled_calls or None,
                min_rounds=protocol.min_rounds,
                min_duration_s=protocol.min_duration_s,
                seed=protocol.seed,
                timing=timing,
                both_kernels=both_kernels,
            )
            done += len(names)
            bar.update(done)
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
    """What a model needs to generate one image in float32, about."""
    return BESIDE_WEIGHTS * weight_bytes(build(name, device="meta", weights=None))


def free_bytes(device: str) -> float | None:
    """Memory that models can still take on a device."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return available_memory_bytes()
