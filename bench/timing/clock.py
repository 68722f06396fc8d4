"""The clock: seconds of one call, the device idle at both ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def synchronise(device: str) -> None:
    """Wait until a device has done all it was given."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
    elif device.startswith("mps"):
        import torch

        torch.mps.synchronize()


def once(call: Callable[[int], Any], device: str, round_idx: int) -> float:
    """Seconds of `call(round_idx)`, the device idle at both ends."""
    synchronise(device)
    start = time.perf_counter()
    call(round_idx)
    synchronise(device)
    return time.perf_counter() - start
