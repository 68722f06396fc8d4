"""What a run of speed measures: timings with stages and checks, composed times, ratios."""

from __future__ import annotations

from dataclasses import replace

import pytest

import reference_models
from bench import models
from bench.errors import CheckFailed
from bench.evaluators import Context, ratios, timings
from bench.evaluators.estimated import measure_estimated
from bench.evaluators.ratios import groups_that_fit, measure_ratios
from bench.evaluators.timings import check_validity, measure_timings
from bench.protocols import PROTOCOLS
from bench.records.schema import RunSpec
from bench.timing import roofline, series
from reference_models.autoencoders import PatchLatents
from tests.toy import SPEC, Toy


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setattr(series, "MIN_WARMUP", 2)
    monkeypatch.setattr(series, "WINDOW", 1)
    monkeypatch.setattr(series, "SHORTEST_WARMUP_S", 0.0)
    monkeypatch.setattr(timings, "LONGEST_SWEPT_S", 0.002)
    monkeypatch.setattr(roofline, "MATMUL_SIZE", {"cpu": 64})
    monkeypatch.setattr(roofline, "COPY_BYTES", {"cpu": 2**16})
    monkeypatch.setattr(roofline, "MIN_DURATION_S", 0.0)


def toy(name: str = SPEC.name):
    model = Toy().eval()
    model.attach(replace(SPEC, name=name), PatchLatents)
    return model


def spec_of(protocol: str, **changes) -> RunSpec:
    return RunSpec(SPEC.name, replace(PROTOCOLS[protocol], min_rounds=6, min_duration_s=0.0), **changes)


def test_a_timing_run_keeps_what_explains_and_what_guards_its_numbers(tmp_path):
    found = measure_timings(toy(), spec_of("digits-latency"), Context("cpu", tmp_path, "key"))
    raw = found["raw"]
    assert len(raw["rounds_s"]) >= 6
    assert raw["validity"]["valid"] is True
    assert raw["validity"]["num_images"] >= 4
    assert set(raw["stages"]["rounds_s"]) == {"autoencoder", "rest"}  # a toy has no parts
    assert len(raw["stages"]["whole_s"]) == 3
    assert raw["machine_limits"]["matmul_flop_per_s"] > 0
    swept = {batch["batch_size"]: batch["rounds_s"] for batch in raw["sweep"]["batches"]}
    assert (swept[1], swept[8]) == (raw["rounds_s"], raw["throughput"]["rounds_s"])  # timed once
    assert raw["sweep"]["ended_by"] == "time"
    assert "latency_s" in found["measurements"]
    assert "decoder_time_share" not in found["measurements"]  # it has none


def test_a_run_whose_images_are_not_the_scored_ones_fails():
    found = {"valid": False, "num_different": 3, "num_images": 4, "max_difference": 17}
    with pytest.raises(CheckFailed, match=r"^validity: 3 of 4 timed images differ .* by up to 17 grey levels$"):
        check_validity(found)


def test_a_run_that_answers_from_a_cache_fails():
    ratio = {"value": 0.1, "ci_low": 0.09, "ci_high": 0.12}
    with pytest.raises(CheckFailed, match=r"0.10 times as long .* answered from a cache"):
        check_validity(
            {"valid": False, "num_different": 0, "num_images": 4, "max_difference": 0, "repeat_ratio": ratio}
        )
    check_validity({"valid": True})


def test_a_composed_run_keeps_its_error_its_stages_and_the_limits(tmp_path):
    found = measure_estimated(toy(), spec_of("imagenet-256-composed"), Context("cpu", tmp_path, "key"))
    raw = found["raw"]
    assert raw["latency"]["composed"] is True
    assert raw["latency"]["error_s"] >= 0
    assert len(raw["rounds_s"]) == 6
    assert "whole_s" not in raw["stages"]
    assert raw["machine_limits"]["copy_bytes_per_s"] > 0
    assert "latency_p90_s" not in found["measurements"]


def test_a_ratio_run_times_every_baseline(tmp_path, monkeypatch):
    """In groups of two where memory holds no more; each entry has the protocol's batch."""
    built = []
    monkeypatch.setattr(ratios, "build_for", lambda name, *rest: built.append(name) or toy(name))
    monkeypatch.setattr(ratios, "memory_bytes", lambda name: 4.0)
    monkeypatch.setattr(ratios, "free_bytes", lambda device: 10.0)
    spec = spec_of("digits-ratios", baselines=("a", "b", "c"))
    found = measure_ratios(toy(), spec, Context("cpu", tmp_path, "key"))
    entries = found["raw"]["ratios"]
    assert [entry["baseline"] for entry in entries] == built == ["a", "b", "c"]
    assert {entry["footing"]["baseline"]["batch_size"] for entry in entries} == {1}
    assert all(entry["ratio"]["ci_low"] for entry in entries)
    assert entries[0]["rounds_s"]["model"] == entries[1]["rounds_s"]["model"] != entries[2]["rounds_s"]["model"]


@pytest.mark.parametrize(
    ("free", "groups"),
    [(None, [["a", "b", "c"]]), (9.0, [["a", "b", "c"]]), (8.0, [["a", "b"], ["c"]]), (1.0, [["a"], ["b"], ["c"]])],
)
def test_groups_are_as_large_as_memory_holds_and_of_one_at_least(free, groups):
    assert groups_that_fit({"a": 5.0, "b": 3.0, "c": 1.0}, free) == groups


def test_at_a_papers_size_speed_is_measured_with_random_weights(monkeypatch):
    monkeypatch.setattr(reference_models, "build", lambda name, **asked: (name, asked["weights"]))
    assert models.build_for("dit-s-8", PROTOCOLS["imagenet-256-latency"], "cpu", None) == ("dit-s-8", None)
