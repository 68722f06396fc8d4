"""What others do on the machine, on clocks and cores that are told what to say."""

from __future__ import annotations

import os
from collections import namedtuple

import psutil
import pytest
import torch

from bench.timing import other_load

Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")


def test_busy_is_all_that_the_cores_of_this_process_do_but_idle_and_what_counts_twice(monkeypatch):
    """Waiting is not busy, a guest's time is in the user's already; time stolen by other machines is busy. A core that
    this process may not run on, and one that the system does not tell of, count nothing."""
    cores = [Times(1, 2, 4, 1000, 2000, 8, 16, 32, 4000, 8000), Times(*[1e6] * 10), Times(64, *[0] * 9)]
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: cores if percpu else None)
    monkeypatch.setattr(other_load, "cores", lambda: [0, 2, 3])
    assert other_load.busy_s() == 63 + 64


@pytest.mark.parametrize("error", [OSError, RuntimeError, psutil.AccessDenied])
def test_a_system_that_does_not_tell_is_unknown(monkeypatch, error):
    def cpu_times(percpu):
        raise error

    monkeypatch.setattr(psutil, "cpu_times", cpu_times)
    assert other_load.busy_s() is None


def watched(monkeypatch, busy=(0.0, 0.0), own=(0.0, 0.0), wall=(0.0, 2.0), gpu=(None, None), device="cpu"):
    """What is found of two cores, the readings before and after a watch as given."""
    readings = {"busy": iter(busy), "own": iter(own), "wall": iter(wall), "gpu": iter(gpu)}
    monkeypatch.setattr(other_load, "num_cores", lambda: 2)
    monkeypatch.setattr(other_load, "busy_s", lambda: next(readings["busy"]))
    monkeypatch.setattr(other_load, "idle_gpu_share", lambda device: next(readings["gpu"]))
    monkeypatch.setattr(other_load.time, "process_time", lambda: next(readings["own"]))
    monkeypatch.setattr(other_load.time, "monotonic", lambda: next(readings["wall"]))
    with other_load.watching_others(device) as found:
        pass
    monkeypatch.undo()
    return found


@pytest.mark.parametrize(
    ("busy", "own", "wall", "load"),
    [
        ((10.0, 13.0), (1.0, 2.5), (5.0, 7.0), 0.75),
        ((10.0, 11.0), (1.0, 2.5), (5.0, 7.0), 0.0),  # clocks that disagree by a little: never below zero
        ((0.0, 1.0), (0.0, 0.0), (0.0, 0.5), 2.0),  # half a second is long enough
        ((0.0, 1.0), (0.0, 0.0), (0.0, 0.49), None),
        ((None, 1.0), (0.0, 0.0), (0.0, 2.0), None),
        ((0.0, None), (0.0, 0.0), (0.0, 2.0), None),
    ],
)
def test_foreign_load_is_cores_that_were_busy_and_not_with_us(monkeypatch, busy, own, wall, load):
    found = watched(monkeypatch, busy, own, wall)
    assert found["foreign_load"] == load
    assert found["disturbed"] is (None if load is None else load > 0.1)
    assert "foreign_gpu_share" not in found


@pytest.mark.parametrize(("others_s", "disturbed"), [(0.2, False), (0.2001, True)])
def test_exactly_a_twentieth_of_the_cores_disturbs_nothing(monkeypatch, others_s, disturbed):
    """0.2 s in 2 s are 0.1 of two cores."""
    assert watched(monkeypatch, busy=(0.0, others_s))["disturbed"] is disturbed


@pytest.mark.parametrize(
    ("gpu", "share", "disturbed"),
    [
        ((0.0, 0.04), 0.04, False),
        ((0.06, 0.0), 0.06, True),
        ((None, 0.06), 0.06, True),
        ((0.06, None), 0.06, True),
        ((None, None), None, False),
    ],
)
def test_of_a_gpu_the_larger_share_before_and_after_counts(monkeypatch, gpu, share, disturbed):
    found = watched(monkeypatch, gpu=gpu, device="cuda:0")
    assert (found["foreign_gpu_share"], found["disturbed"]) == (share, disturbed)


def test_where_neither_cores_nor_gpu_are_known_nothing_is_said_of_a_disturbance(monkeypatch):
    unknown = watched(monkeypatch, busy=(None, None), device="cuda")
    assert (unknown["foreign_load"], unknown["foreign_gpu_share"], unknown["disturbed"]) == (None, None, None)
    of_gpu = watched(monkeypatch, busy=(None, None), gpu=(0.5, None), device="cuda")
    assert of_gpu["disturbed"] is True


def test_a_cpu_has_no_share_of_a_gpu():
    assert other_load.idle_gpu_share("cpu") is None


def test_a_gpu_is_left_idle_for_a_second_before_its_share_is_asked_for(monkeypatch):
    """So far back its utilisation looks: our own work would count as others'."""
    done = []
    properties = type("Properties", (), {"uuid": "17-4"})
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: done.append("synchronised"))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(other_load.time, "sleep", done.append)
    monkeypatch.setattr(other_load, "gpu_share", lambda uuid: done.append(uuid) or 0.25)
    assert other_load.idle_gpu_share("cuda:0") == 0.25
    assert done == ["synchronised", 1.0, "GPU-17-4"]


def test_a_number_of_a_program_that_failed_is_none(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 37\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert other_load.gpu_share("GPU-17") is None


def test_the_load_average_kept_is_that_of_the_last_minute(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (0.25, 0.5, 1.0))
    assert watched(monkeypatch)["load_average"] == 0.25
