"""Run jobs side by side: how many at a time, and children that end with their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from bench import console


def die_with_parent() -> None:
    """In a child: have Linux end it when the parent dies, even if that is killed: no two trainings write one file.

    Elsewhere such a child trains to its end.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def num_workers(device: str) -> int:
    """How many runs may go on at a time: one per processor, one on a GPU."""
    return 1 if device.startswith("cuda") else (os.cpu_count() or 1)


def start_worker() -> None:
    """In a child: end with the parent, and leave the terminal's progress bars to nobody."""
    die_with_parent()
    console.plain_only()
