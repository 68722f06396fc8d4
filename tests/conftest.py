"""What all tests share: the user's cache is left alone. What timing tests share: the device, the clock, the machine.

ARBITER_BENCHMARK_DEVICE names the device of the timing tests; without it, a GPU where there is one.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

CHANGES_WITHOUT_THE_MACHINE = ("commit", "dirty")  # pytest-benchmark warns where machines differ


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Roots of references that tests make are not kept among the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARBITER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


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
