"""What else the machine is doing while something is timed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from bench.records.environment import cores, num_cores

# -- what else the machine is doing ------------------------------------------------------------------------------------

DISTURBED_ABOVE = (
    0.05  # share of the cores (or of the GPU) that others may use before a measurement counts as disturbed
)
SHORTEST_WATCH_S = 0.5  # systems count in hundredths of a second: below, a share says nothing
NOT_BUSY = ("idle", "iowait", "guest", "guest_nice")  # of the times of a core that psutil knows
GPU_IDLE_S = 1.0  # nvidia-smi's utilisation looks back at most so far


@contextmanager
def watching_others(device: str = "cpu") -> Iterator[dict[str, Any]]:
    """A dict that holds, once the block has ended, what others did meanwhile (None: the system does not tell).

    foreign_load: mean number of the cores this process may run on that others used, time stolen from a virtual machine
    among them; load_average: over the last minute, as the block began; foreign_gpu_share: busy share of the GPU
    before and after the block, while this process left it idle (the larger); disturbed: more than DISTURBED_ABOVE.
    """
    found: dict[str, Any] = {"load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None}
    gpu_before = idle_gpu_share(device)
    start, busy, own = time.monotonic(), busy_s(), time.process_time()
    yield found
    wall, busy_after, own_after = time.monotonic() - start, busy_s(), time.process_time()
    load = None
    if busy is not None and busy_after is not None and wall >= SHORTEST_WATCH_S:
        load = max(0.0, (busy_after - busy) - (own_after - own)) / wall
    found["foreign_load"] = load
    shares = [] if load is None else [load / num_cores()]
    if device.startswith("cuda"):
        gpu = [share for share in (gpu_before, idle_gpu_share(device)) if share is not None]
        found["foreign_gpu_share"] = max(gpu, default=None)
        shares += gpu
    found["disturbed"] = max(shares) > DISTURBED_ABOVE if shares else None


def busy_s() -> float | None:
    """Seconds that the cores this process may run on have been busy since boot, all of them together.

    Time stolen from a virtual machine counts as busy; time of guests counts once, for it is a part of user and nice.
    """
    try:
        times = psutil.cpu_times(percpu=True)
    except (OSError, RuntimeError, psutil.Error):
        return None
    mine = (times[core] for core in cores() if core < len(times))
    return sum(spent for core in mine for name, spent in core._asdict().items() if name not in NOT_BUSY)


def idle_gpu_share(device: str) -> float | None:
    """Share of the last second that a GPU was busy, while this process leaves it idle: others' work; None: unknown."""
    if not device.startswith("cuda"):
        return None
    import torch

    torch.cuda.synchronize(device)
    time.sleep(GPU_IDLE_S)
    return gpu_share(f"GPU-{torch.cuda.get_device_properties(device).uuid}")


def gpu_share(uuid: str) -> float | None:
    """Busy share of a GPU as nvidia-smi sees it; None where it does not tell (no nvidia-smi, a slice of a GPU)."""
    query = ["nvidia-smi", f"--id={uuid}", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout) / 100
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
