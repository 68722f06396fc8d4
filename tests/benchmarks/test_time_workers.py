"""Two workers on two cores against one pinned to one core, `pytest --benchmark-only`: `ratio` should be 1.7 or more.

In turns: each fills a store of its own with the same images; starting the processes is left out. `ratio` is in the
benchmark's extra_info (`--benchmark-json`), and is printed under `-s`; it means something on a quiet machine only.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import psutil
import pytest

from tests.paths import ROOT

MODEL, NUM, BATCH_SIZE, SIZE, TURNS = "dit-digits", 400, 25, 25, 3


def fill(store, num_workers, cores):
    """Seconds from the moment when the last worker is ready until all are done."""
    started = []
    for rank in range(num_workers):
        told = {"RANK": f"{rank}", "WORLD_SIZE": f"{num_workers}", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.store_worker", str(store), MODEL, f"{NUM}", f"{BATCH_SIZE}", "0", f"{SIZE}"],
            cwd=ROOT,
            env=os.environ | told,
            stdout=subprocess.PIPE,
            text=True,
        )
        psutil.Process(process.pid).cpu_affinity([cores[rank % len(cores)]])
        started.append(process)
    for process in started:
        assert process.stdout.readline() == "ready\n"
    start = time.perf_counter()
    sums = {process.communicate()[0] for process in started}
    seconds = time.perf_counter() - start
    assert len(sums) == 1, "all read the same shards"
    return seconds


@pytest.mark.benchmark(group="two workers on two cores against one on one")
def test_two_workers(benchmark, tmp_path):
    if not benchmark.enabled:  # under --benchmark-disable
        pytest.skip("processes of their own")
    cores = psutil.Process().cpu_affinity()[:2]
    if len(cores) < 2:
        pytest.skip("one core")
    one, two, loads = [], [], []

    def compare():
        for turn in range(TURNS):
            loads.append(psutil.getloadavg()[0])
            one.append(fill(tmp_path / f"one{turn}", 1, cores[:1]))
            two.append(fill(tmp_path / f"two{turn}", 2, cores))

    benchmark.pedantic(compare)
    ratio = statistics.median(one) / statistics.median(two)
    benchmark.extra_info |= {"ratio": ratio, "one_s": one, "two_s": two, "load_before": loads}
    print(f"two workers on two cores: {ratio:.2f} times as fast as one on one; load before each turn: {loads}")
