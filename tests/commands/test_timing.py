"""`bench time`: what it prints and writes, and which calls it refuses."""

from __future__ import annotations

import json

import pytest
import torch

from bench.commands import time
from bench.commands.time import Request, time_models
from bench.errors import CheckFailed, UsageError
from bench.records.parts import Measurement
from bench.timing.settings import TimingSettings
from reference_models import layers
from tests.command_line import bench

FEW = 2  # diffusion steps


BRIEF = TimingSettings(
    min_warmup=2,
    window=1,
    shortest_warmup_s=0.0,
    longest_swept_s=0.03,
    matmul_size_by_kind={"cpu": 64},
    copy_bytes_by_kind={"cpu": 2**16},
    roofline_min_duration_s=0.0,
)


def run(names, json_file, *, against=None, **asked):
    """What `bench time` writes, after two rounds of each."""
    timing = Request(num_steps=FEW, min_rounds=2, min_duration_s=0.0, stopwatch=BRIEF, **asked)
    time_models(names, timing, against=against, json_file=json_file)
    return json.loads(json_file.read_text())


def test_one_run_has_the_metrics_plain_names(tmp_path, capsys):
    found = run(["dit-digits"], tmp_path / "out.json", stages=True)
    assert {"latency_s", "latency_p99_s", "peak_memory_bytes", "flops", "nfe"} <= found["metrics"].keys()
    assert found["metrics"]["nfe"]["value"] == 2 * FEW
    raw = found["raw"]["dit-digits@1"]
    assert raw["load_s"] > 0
    assert raw["latency"]["first_call_s"] > 0
    assert len(raw["latency"]["rounds_s"]) == len(raw["stages"]["whole_s"]) == 2
    assert set(raw["stages"]["rounds_s"]) == {"network", "autoencoder", "rest"}
    assert raw["roofline"]["dtype"] == "float32"
    assert found["protocol"]["sampling"]["dit-digits@1"]["num_steps"] == FEW
    assert found["environment"]["num_threads"] == torch.get_num_threads()
    printed = capsys.readouterr().out
    for word in ("dit-digits", "p99", "where the time goes", "GFLOP/s", "network", "rest"):
        assert word in printed


def test_against_another_model_the_ratio_comes_with_its_conditions(tmp_path, capsys):
    """At batch 1 under equal conditions and, after sweeps, each at its best batch."""
    found = run(["transdiff-digits"], tmp_path / "out.json", against="dit-digits", sweep=True)
    assert set(found["raw"]) == {"transdiff-digits@1", "dit-digits@1"}
    equal, best = found["ratios"]
    assert (equal["mode"], best["mode"]) == ("forced equal", "each at its best")
    rounds = equal["rounds_s"]
    medians = [sorted(rounds[name])[0] / 2 + sorted(rounds[name])[1] / 2 for name in ("baseline", "model")]
    assert equal["ratio"]["value"] == pytest.approx(medians[0] / medians[1])  # times as fast: of two rounds the mean
    assert equal["conditions"]["model"]["network_evaluations"] == {"encoder": 2, "decoder": 2 * FEW}
    sizes = [best["conditions"][side]["batch_size"] for side in ("model", "baseline")]
    assert sizes == [
        found["raw"][f"{name}@1"]["throughput"]["batch_size"] for name in ("transdiff-digits", "dit-digits")
    ]
    assert "times the images per second" in capsys.readouterr().out


def test_sides_that_differ_are_not_compared(tmp_path, capsys):
    found = run(["d-dit-digits"], tmp_path / "out.json", against="dit-digits")
    (ratio,) = found["ratios"]
    assert "image_size: 16 against 8" in ratio["not_comparable"]
    assert "ratio" not in ratio
    assert "not comparable: image_size: 16 against 8" in " ".join(capsys.readouterr().out.split())


def test_estimated_latencies_are_marked_and_can_be_checked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(time, "check_agreement", lambda run, ratio: None)  # what is measured here is no claim
    asked = {"compose": True, "check": True, "batch_sizes": (2,)}
    found = run(["transdiff-digits"], tmp_path / "out.json", against="dit-digits", **asked)
    raw = found["raw"]["transdiff-digits@2"]
    assert raw["latency"]["estimated"] is True
    assert raw["check_composed"]["ratio"]["n"] == 6
    assert "transdiff-digits@2/latency_s" in found["metrics"]
    assert "transdiff-digits@2/latency_p90_s" not in found["metrics"]
    assert found["ratios"][0]["estimated"] is True
    printed = " ".join(capsys.readouterr().out.split())
    assert "estimated, error" in printed
    assert "transdiff-digits@2: estimated / measured" in printed


@pytest.mark.parametrize(("low", "high", "fails"), [(0.90, 0.96, False), (1.06, 1.2, True), (0.8, 0.94, True)])
def test_an_estimated_latency_fails_where_its_whole_interval_is_off(low, high, fails):
    """By more than 5 %; one that straddles the line is not told apart."""
    ratio = Measurement((low + high) / 2, "", low, high)
    if fails:
        with pytest.raises(CheckFailed, match="dit-digits@1"):
            time.check_agreement("dit-digits@1", ratio)
    else:
        time.check_agreement("dit-digits@1", ratio)


@pytest.mark.parametrize(
    ("names", "asked", "words"),
    [
        (["dit-digits"], {"dtype": "int8"}, "unknown dtype 'int8'; known: float32"),
        (["var-digits"], {"num_steps": 5}, "--num-steps: var-digits has no such setting; it has: cfg_scale"),
        (["dit-digits"], {"sweep": True, "compose": True}, "choose one"),
        (["ar-vlm-digits"], {}, "ar-vlm-digits generates no images"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_measured(names, asked, words, monkeypatch):
    monkeypatch.setattr(time, "load", lambda build: pytest.fail("built a model"))
    with pytest.raises(UsageError) as caught:
        time_models(names, Request(**asked), against=None, json_file=None)
    assert words in str(caught.value)


def test_a_missing_folder_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "load", lambda build: pytest.fail("built a model"))
    with pytest.raises(UsageError, match="its folder does not exist"):
        time_models(["dit-digits"], Request(), against=None, json_file=tmp_path / "no" / "out.json")


def test_a_run_without_own_kernels_says_so_in_title_and_conditions(tmp_path, capsys):
    asked = ["dit-digits", "--num-steps", 2, "--device", "cpu", "--json", tmp_path / "t.json"]
    status, out, _ = bench(capsys, "time", *asked, "--no-own-kernels")
    assert (status, layers.OWN_KERNELS) == (0, True)
    assert "without own kernels" in out
    latency = json.loads((tmp_path / "t.json").read_text())["raw"]["dit-digits@1"]["latency"]
    assert latency["conditions"]["own_kernels"] == []
