"""Collect timings: raw rounds of `generate`, the device idle at both ends of each; memory in a pass of its own."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_models.spec import ImageModel

MAX_ROUNDS = 1000
MIN_WARMUP, MAX_WARMUP = 3, 20
STABLE = 0.05  # warm-up ends when the medians of the last two windows of three rounds differ by less than this


def synchronise(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)


def once(call: Callable[[int], Any], device: str, round_idx: int) -> float:
    """Seconds of one call, the device idle at both ends."""
    synchronise(device)
    start = time.perf_counter()
    call(round_idx)
    synchronise(device)
    return time.perf_counter() - start


def time_rounds(
    call: Callable[[int], Any], *, device: str, min_rounds: int, min_duration_s: float
) -> dict[str, list[float] | float]:
    """Time `call(round_idx)`, every round with fresh inputs.

    Returns first_call_s (what a cold call costs), warmup_s (rounds thrown away) and rounds_s (at least `min_rounds`
    rounds and `min_duration_s` seconds of them).
    """
    first_call_s = once(call, device, 0)
    warmup_s: list[float] = []
    while len(warmup_s) < MAX_WARMUP:
        warmup_s.append(once(call, device, 1 + len(warmup_s)))
        if len(warmup_s) >= max(MIN_WARMUP, 6):
            before, after = statistics.median(warmup_s[-6:-3]), statistics.median(warmup_s[-3:])
            if abs(after - before) <= STABLE * before:
                break
        if len(warmup_s) >= MIN_WARMUP and sum(warmup_s) > max(min_duration_s, 1.0):
            break
    rounds_s: list[float] = []
    gc.collect()
    while (len(rounds_s) < min_rounds or sum(rounds_s) < min_duration_s) and len(rounds_s) < MAX_ROUNDS:
        rounds_s.append(once(call, device, 1 + len(warmup_s) + len(rounds_s)))
    return {"first_call_s": first_call_s, "warmup_s": warmup_s, "rounds_s": rounds_s}


def peak_memory(call: Callable[[int], Any], device: str) -> int:
    """Most bytes of tensors alive at once while `call` runs once, those that were there before (weights) left out.

    On a GPU by torch's allocator; on a CPU by torch's profiler, which sees every allocation and release of a tensor.
    """
    import torch

    if device.startswith("cuda"):
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call(0)
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # or the profiler prints its own starts and stops
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        call(0)
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = peak = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def count_flops(call: Callable[[int], Any]) -> int:
    """Floating-point operations of one call by torch's own counter: a multiply-add counts two."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        call(0)
    return counter.get_total_flops()


def count_sampling_flops(model: ImageModel, settings: Mapping[str, Any]) -> int:
    """Floating-point operations to paint one image. Long samplers: counted at 2 and 4 (steps are alike)."""

    def count(**changes: Any) -> int:
        return count_flops(lambda _: model.generate([0], [0], **{**settings, **changes}))

    num_steps = settings.get("num_steps", 0)
    if num_steps <= 4:
        return count()
    at_two, at_four = count(num_steps=2), count(num_steps=4)
    return at_two + (num_steps - 2) * (at_four - at_two) // 2


def collect_timings(
    model: ImageModel,
    *,
    latency_batch_size: int,
    throughput_batch_size: int,
    min_rounds: int,
    min_duration_s: float,
    settings: Mapping[str, Any],
    seed: int = 0,
    advance: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Raw timings of `generate`, keys latency, throughput (of `time_rounds`), peak_memory_bytes, flops, nfe, ...

    Each round paints other images (its own seeds and labels), so that nothing can be answered from a cache.
    """
    from reference_models.noise import image_seeds

    device = str(model.device)

    def painter(batch_size: int) -> Callable[[int], Any]:
        def paint(round_idx: int) -> Any:
            indices = range(round_idx * batch_size, (round_idx + 1) * batch_size)
            labels = [i % model.num_classes for i in indices]
            return model.generate(labels, image_seeds(seed, indices), **settings)

        return paint

    found: dict[str, Any] = {}
    for kind, batch_size in (("latency", latency_batch_size), ("throughput", throughput_batch_size)):
        if batch_size:
            advance(kind)
            rounds = time_rounds(
                painter(batch_size), device=device, min_rounds=min_rounds, min_duration_s=min_duration_s
            )
            found[kind] = {"batch_size": batch_size, **rounds}
    advance("memory and arithmetic")
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    found["peak_memory_bytes"] = weights + peak_memory(painter(throughput_batch_size or latency_batch_size), device)
    found["flops"] = count_sampling_flops(model, {**model.spec.sampling, **settings})
    found["nfe"] = model.network_evaluations(**{**model.spec.sampling, **settings})
    found["num_params"] = sum(p.numel() for p in model.parameters())
    return found
