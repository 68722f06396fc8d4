"""Runs that time nothing, side by side in processes of their own."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import bench.run
from bench.plan import make_plan
from bench.records.store import load_records
from bench.run import run_plan


def quick_quality(results):
    """Smoke runs of two models and of real data, without the timed ones and the counts."""
    plan = make_plan(scale="digits", only=("llamagen-digits", "var-digits"), quick=True, device="cpu", results=results)
    return replace(plan, runs=tuple(run for run in plan.runs if run.spec.protocol.collects == "images"))


@pytest.mark.slow
def test_two_processes_measure_what_one_measures(tmp_path, monkeypatch):
    """Number for number: every image depends on its own seed alone."""
    found = {}
    for workers in (1, 2):
        monkeypatch.setattr(bench.run, "num_workers", lambda device, workers=workers: workers)
        plan = quick_quality(tmp_path / str(workers))
        assert run_plan(plan) == []
        loaded = load_records([plan.results])
        assert not loaded.faults
        found[workers] = {record.model: (record.measurements, record.images.grid_png) for record in loaded.records}
    assert set(found[1]) == {"real-data", "llamagen-digits", "var-digits"}
    assert found[1] == found[2]


def test_what_is_timed_runs_alone():
    """What has a clock in it, by name. Times of `digits-quality` and of the studies of images are not read off."""
    from bench.protocols import PROTOCOLS, is_timed

    timed = {protocol.name for protocol in PROTOCOLS.values() if is_timed(protocol)}
    assert timed == {
        name for name in PROTOCOLS if re.search("latency|ratios|kernels|composed|batch-128|^scenes-", name)
    }
