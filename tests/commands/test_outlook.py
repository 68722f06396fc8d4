"""What a run says before it starts and on its way: runs, hours, disk, what is missing, what is left."""

from __future__ import annotations

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.analysis.forecast import Forecast
from bench.commands import outlook
from bench.commands.outlook import Left, Outlook, before, check_room, costs, slow
from bench.commands.plan_tables import state_words
from bench.errors import CheckFailed
from bench.plan import Plan, PlannedRun
from bench.protocols import PROTOCOLS
from bench.records.schema import RunSpec

QUALITY = PROTOCOLS["imagenet-256-quality"]


def planned(model="transdiff-b", *, lacks=(), cost_s=None, protocol=QUALITY):
    return PlannedRun(RunSpec(model, protocol), (), tuple(lacks), cost_s)


def found(tmp_path, runs, forecasts, **changes):
    plan = Plan("imagenet-256", "cpu", tmp_path, tuple(runs), changes.pop("keep_images", False))
    return Outlook(plan, tuple(forecasts), frozenset(changes.pop("measured", ())), **changes)


HALF_DONE = Forecast(2e15, 7200.0, "roofline", 3e9, 50_000, 25_000)


def test_what_is_about_to_run_is_summed_and_what_is_missing_named(tmp_path):
    runs = [
        planned(),
        planned("mar-b", lacks=["mar-b is missing: here"]),
        planned("dit-xl-2", cost_s=600.0, protocol=PROTOCOLS["imagenet-256-latency"]),
        planned("mar-l"),
    ]
    forecasts = [HALF_DONE, HALF_DONE, Forecast(), HALF_DONE]
    first, items, hours, timed, _, missing = before(found(tmp_path, runs, forecasts, measured=[3]))
    assert first == "4 runs: 2 to do, 1 measured already, 1 lacks something"
    assert items == "images of 1 run: 2,000 TFLOP, 3.00 GB of disk; 25,000 are in the store already, and left out"
    assert hours.startswith("at least 2.00 device-hours: on 1 device it would end not before ")
    assert timed == "the other runs took 10 min last time"
    assert missing == "missing: mar-b is missing: here"


def test_a_run_that_is_half_done_costs_half_of_last_time(tmp_path):
    look = found(tmp_path, [planned(cost_s=1000.0)], [replace(HALF_DONE, seconds=None, ground="counts")])
    assert look.seconds(0) == 500
    assert any("0.139 device-hours" in line for line in costs(look, [0]))


def test_a_disk_that_is_too_small_is_said_before_anything_runs(tmp_path, monkeypatch):
    look = found(tmp_path / "not yet" / "there", [planned()], [HALF_DONE])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2e9))
    with pytest.raises(CheckFailed, match=r"takes 3\.00 GB of disk, 2\.00 GB are free; expected room .* --results"):
        check_room(look)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3e9))
    check_room(look)


def test_what_is_left_follows_what_is_done_by_the_weight_of_the_runs(tmp_path, monkeypatch, capsys):
    """A run of 100 s took 200 s, so the other two, of 300 s and of unknown length, will take 1,000 s."""
    now = iter([0.0, 200.0])
    monkeypatch.setattr(outlook, "time", SimpleNamespace(monotonic=lambda: next(now)))
    runs = [planned(cost_s=100.0), planned("mar-b", cost_s=300.0), planned("mar-l")]
    left = Left(found(tmp_path, runs, [Forecast()] * 3), [0, 1, 2])
    left.tell(runs[0])
    assert capsys.readouterr().out == "1 of 3 runs done, about 17 min left\n"


def test_a_run_that_waits_for_a_detector_says_so_and_one_that_only_waits_is_not_run(tmp_path):
    look = found(
        tmp_path, [planned(), planned("mar-b")], [Forecast(), Forecast()], awaits={0: "a", 1: "b"}, idle=frozenset([1])
    )
    assert look.todo == [0]
    assert state_words(look, 0, "[1]") == "ready; its scores need [1]"
    assert state_words(look, 1, "[2]") == "not run: needs [2]"
    assert [line for line in before(look) if line.startswith("missing")] == ["missing: a", "missing: b"]


def test_what_is_measured_is_run_again_for_pixels_alone(tmp_path):
    runs = [planned(), planned("mar-b")]
    forecasts = [HALF_DONE, replace(HALF_DONE, num_stored=50_000)]
    assert found(tmp_path, runs, forecasts, measured=[0, 1]).todo == []
    assert found(tmp_path, runs, forecasts, measured=[0, 1], keep_images=True).todo == [0]


def test_large_sums_are_told_in_full(tmp_path):
    """Not as 1.23e+04 hours and 2.5e+03 GB."""
    forecasts = [replace(HALF_DONE, seconds=12_345 * 3600.0, disk_bytes=2.5e12)]
    items, hours = costs(found(tmp_path, [planned()], forecasts), [0])
    assert "2,500 GB of disk" in items
    assert "12,345 device-hours" in hours


def test_a_data_set_is_read_once_for_all_runs_that_ask_it(tmp_path, monkeypatch):
    protocol, read = PROTOCOLS["coco-captions-captions"], []
    monkeypatch.setattr(outlook, "num_texts", lambda spec: read.append(spec) or 40_504)
    runs = tuple(planned("d-dit-512", protocol=protocol) for _ in range(3))
    looked = outlook.outlook(Plan("coco-captions", "cpu", tmp_path, runs))
    assert [each.num_items for each in looked.forecasts] == [40_504] * 3
    assert len(read) == 1


def test_float16_on_a_processor_is_said_to_be_slow(tmp_path):
    """TransDiff and VAR are published under float16 autocast, DiT in TF32, D-DiT in bfloat16."""
    names = ("transdiff-b", "var-d16", "dit-xl-2")
    look = found(tmp_path, [planned(name) for name in names], [HALF_DONE] * 3)
    (line,) = slow(look, look.todo)
    assert line.startswith("slow: transdiff-b and var-d16: published in float16")
    assert line in before(look)
    assert not slow(replace(look, plan=replace(look.plan, device="cuda")), look.todo)
