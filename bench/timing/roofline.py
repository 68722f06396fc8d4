"""The roofline: what the machine can do at most, measured where and when a model is: a large matrix product and copy.

The fastest of several rounds, not the median: a limit. Copying counts the bytes read and the bytes written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from bench.records.parts import Roofline
from bench.timing.clock import once
from bench.timing.settings import DEFAULT, TimingSettings


def measure_roofline(device: str, dtype: torch.dtype, timing: TimingSettings = DEFAULT) -> Roofline:
    """matmul_flop_per_s (in `dtype`, a multiply-add is two) and copy_bytes_per_s, with torch's threads as they are."""
    kind = "cpu" if device == "cpu" else "gpu"
    size, num_bytes = timing.matmul_size_by_kind[kind], timing.copy_bytes_by_kind[kind]
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(a)
    source = torch.ones(num_bytes // 4, device=device)
    target = torch.empty_like(source)
    return Roofline(
        matmul_flop_per_s=2 * size**3 / fastest_s(lambda: torch.mm(a, b, out=product), device, timing),
        copy_bytes_per_s=2 * num_bytes / fastest_s(lambda: target.copy_(source), device, timing),
        matmul_size=size,
        copy_bytes=num_bytes,
        dtype=str(dtype).removeprefix("torch."),
        num_threads=torch.get_num_threads(),
    )


def fastest_s(work: Callable[[], Any], device: str, timing: TimingSettings = DEFAULT) -> float:
    """Seconds of the fastest of at least `roofline_min_rounds` rounds and `roofline_min_duration_s` seconds, after one
    that warms up."""
    once(lambda _: work(), device, 0)
    start = time.perf_counter()
    seconds: list[float] = []
    while len(seconds) < timing.roofline_min_rounds or time.perf_counter() - start < timing.roofline_min_duration_s:
        seconds.append(once(lambda _: work(), device, 0))
    return min(seconds)
