"""What all tests share: no network, a cache of their own, one thread to a worker, quiet where a test asks for it.
What timing tests share: the device, the clock, the machine.

ARBITER_BENCHMARK_DEVICE names the device of the timing tests; without it, a GPU where there is one.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and torch: workers side by side share the processors
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell: what tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest

CHANGES_WITHOUT_THE_MACHINE = ("commit", "dirty")  # pytest-benchmark warns where machines differ


# -- no network --------------------------------------------------------------------------------------------------------

OFFLINE = str(Path(__file__).parent / "offline")  # its sitecustomize.py does the same in every process that tests start
sys.path.insert(0, OFFLINE)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [OFFLINE, os.environ.get("PYTHONPATH")]))

import no_network  # noqa: E402

no_network.block()


@pytest.fixture
def refused():
    """What this test tried to reach, and was meant to try."""
    yield no_network.attempts
    no_network.attempts.clear()


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine():
    """A test fails where it tried to, even where the code under test shrugged it off."""
    yield
    tried = no_network.attempts.copy()
    no_network.attempts.clear()
    assert not tried, f"tests use no network, and this one tried to {'; '.join(tried)}"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Roots of references that tests make are not kept among the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARBITER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


# -- workers side by side ----------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that no worker begins a long one when the others have done all else."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """What was imported stays: no later garbage collection (every timed series begins with one) walks through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def what_earlier_tests_left_stays():
    """So that the collections in a file's timed series walk through what that file made, not through all before it."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure():
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test marked `quiet` runs while no other worker runs one."""
    folder = item.config.option.basetemp  # of a worker: below a folder that all workers have
    if "PYTEST_XDIST_WORKER" not in os.environ or folder is None:
        return (yield)
    with lock(Path(folder).parent, alone=item.get_closest_marker("quiet") is not None):
        return (yield)


@contextmanager
def lock(folder: Path, *, alone: bool) -> Iterator[None]:
    """Within the block there is no other block of this folder that is `alone`, or (`alone`) none at all."""
    import fcntl

    with (folder / "door").open("w") as door, (folder / "room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)  # who waits to be alone holds the door: nobody else gets in
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


# -- timing tests ------------------------------------------------------------------------------------------------------


def timing_device() -> str:
    import torch

    return os.environ.get("ARBITER_BENCHMARK_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="session")
def device() -> str:
    """Where timing tests run."""
    return timing_device()


@pytest.fixture
def timed(benchmark, device) -> Callable[..., None]:
    """`timed(call)` times `call(round_idx)`, so that every round can have inputs of its own.

    The device has finished when a round ends. One cold round and one warm round are not counted; then as many as fit
    into `duration_s`, at least `min_rounds`. p50, p90, p95 and p99 in seconds, and the device, stand in extra_info.
    """
    from bench.metrics.latency import PERCENTILES
    from bench.timing.clock import synchronise

    def run(call: Callable[[int], Any], *, duration_s: float = 1.0, min_rounds: int = 5, max_rounds: int = 50) -> None:
        indices = itertools.count()

        def one_round() -> None:
            call(next(indices))
            synchronise(device)

        one_round()
        start = time.perf_counter()
        one_round()
        rounds = int(duration_s / (time.perf_counter() - start))
        benchmark.pedantic(one_round, rounds=min(max(rounds, min_rounds), max_rounds), warmup_rounds=0, iterations=1)
        if benchmark.enabled:  # not under --benchmark-disable
            seconds = benchmark.stats.stats.data
            benchmark.extra_info |= {f"p{percent}_s": float(np.percentile(seconds, percent)) for percent in PERCENTILES}
            benchmark.extra_info["device"] = device

    return run


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config, machine_info):
    """The block that records hold too: processor, GPU, threads, versions."""
    from bench.records import environment

    found = asdict(environment.describe(timing_device()))
    machine_info["arbiter"] = {key: value for key, value in found.items() if key not in CHANGES_WITHOUT_THE_MACHINE}
