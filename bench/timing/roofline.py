"""What the machine can do at most, measured where and when a model is: a large matrix product, a large copy.

The fastest of several rounds, not the median: a limit. Copying counts the bytes read and the bytes written.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from bench.timing.clock import once

MATMUL_SIZE = {"cpu": 1024, "gpu": 8192}  # side of the square matrices
COPY_BYTES = {"cpu": 2**28, "gpu": 2**31}  # far beyond any cache
MIN_ROUNDS, MIN_DURATION_S = 5, 0.5


def measure_limits(device: str, dtype: torch.dtype) -> dict[str, Any]:
    """matmul_flop_per_s (in `dtype`, a multiply-add is two) and copy_bytes_per_s, with torch's threads as they are."""
    kind = "cpu" if device == "cpu" else "gpu"
    size, num_bytes = MATMUL_SIZE[kind], COPY_BYTES[kind]
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(a)
    source = torch.ones(num_bytes // 4, device=device)
    target = torch.empty_like(source)
    return {
        "matmul_flop_per_s": 2 * size**3 / _fastest_s(lambda: torch.mm(a, b, out=product), device),
        "copy_bytes_per_s": 2 * num_bytes / _fastest_s(lambda: target.copy_(source), device),
        "matmul_size": size,
        "copy_bytes": num_bytes,
        "dtype": str(dtype).removeprefix("torch."),
        "num_threads": torch.get_num_threads(),
    }


def _fastest_s(work: Any, device: str) -> float:
    """Seconds of the fastest of at least MIN_ROUNDS rounds and MIN_DURATION_S seconds, after one that warms up."""
    once(lambda _: work(), device, 0)
    start = time.perf_counter()
    seconds: list[float] = []
    while len(seconds) < MIN_ROUNDS or time.perf_counter() - start < MIN_DURATION_S:
        seconds.append(once(lambda _: work(), device, 0))
    return min(seconds)
