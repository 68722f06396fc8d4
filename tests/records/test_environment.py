"""What others do on the machine: counted apart from our own work, and noticed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial

import pytest

from bench.timing import other_load
from bench.timing.clock import once
from bench.timing.series import time_series

BURN = "while True: pass"


@pytest.fixture
def burner():
    """Starts a process that keeps a core busy, on the cores this process may run on."""
    started = []
    yield lambda: started.append(subprocess.Popen([sys.executable, "-c", BURN]))
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="only Linux tells")
def test_a_process_started_during_a_measurement_disturbs_it(burner):
    """It runs for all but the first of the timed rounds: half a core or more, on however many cores there are."""
    started = []

    def call(round_idx):
        if round_idx == 21 and not started:  # the first call and ten to twenty rounds of warm-up lie behind
            started.append(burner())
        time.sleep(0.05)

    found = time_series(partial(once, call, "cpu"), device="cpu", min_rounds=40, min_duration_s=0.0)
    assert started
    assert found.foreign_load > 0.3
    assert found.disturbed is True


def test_foreign_load_is_what_is_busy_and_not_ours(monkeypatch):
    """Two cores, busy for 3 s in 2 s, of which this process took 1.9 s: others used 0.55 cores."""
    monkeypatch.setattr(other_load, "num_cores", lambda: 2)
    clocks = {"busy": iter([100.0, 103.0]), "own": iter([7.0, 8.9]), "wall": iter([50.0, 52.0])}
    monkeypatch.setattr(other_load, "busy_s", lambda: next(clocks["busy"]))
    monkeypatch.setattr(other_load.time, "process_time", lambda: next(clocks["own"]))
    monkeypatch.setattr(other_load.time, "monotonic", lambda: next(clocks["wall"]))
    with other_load.watching_others() as found:
        pass
    monkeypatch.undo()
    assert found["foreign_load"] == pytest.approx(0.55)
    assert found["disturbed"] is True  # 27 % of the cores


@pytest.mark.parametrize(("others_s", "disturbed"), [(0.19, False), (0.21, True)])
def test_a_twentieth_of_the_cores_is_the_line(monkeypatch, others_s, disturbed):
    """Of two cores, 0.1."""
    monkeypatch.setattr(other_load, "num_cores", lambda: 2)
    busy, wall = iter([0.0, others_s]), iter([0.0, 2.0])
    monkeypatch.setattr(other_load, "busy_s", lambda: next(busy))
    monkeypatch.setattr(other_load.time, "process_time", lambda: 0.0)
    monkeypatch.setattr(other_load.time, "monotonic", lambda: next(wall))
    with other_load.watching_others() as found:
        pass
    monkeypatch.undo()
    assert found["disturbed"] is disturbed


def test_too_short_a_watch_says_nothing():
    """The system counts in hundredths of a second."""
    with other_load.watching_others() as found:
        pass
    assert (found["foreign_load"], found["disturbed"]) == (None, None)


@pytest.mark.parametrize(("printed", "share"), [("37", 0.37), ("0", 0.0), ("[N/A]", None)])
def test_the_busy_share_of_a_gpu_is_read_from_nvidia_smi(tmp_path, monkeypatch, printed, share):
    """It is asked for one GPU by its uuid; a slice of a GPU has no share."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$*" in *--id=GPU-17*) echo "{printed}";; *) exit 1;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert other_load.gpu_share("GPU-17") == share
    assert other_load.gpu_share("GPU-4") is None


def test_without_nvidia_smi_nothing_is_known_of_the_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert other_load.gpu_share("GPU-17") is None
