"""Which runs of speed a plan holds, and what they lack."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from bench import plan
from bench.errors import CheckpointError, UsageError
from bench.models import build_for, load_model
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from bench.records.store import save_record
from reference_models import build
from reference_models.shipped import FOLDER_VARIABLE, SHIPPED
from tests import fake_records


def runs(tmp_path, protocol: str, *, scale: str = "imagenet-256", device: str = "cpu", only=()):
    planned = make_plan(scale=scale, only=only, quick=False, device=device, results=tmp_path)
    return {run.spec.model: run for run in planned.runs if run.spec.protocol.name == protocol}


def test_who_is_claimed_to_be_faster_is_timed_against_all_that_the_claims_name(tmp_path):
    found = runs(tmp_path, "digits-ratios", scale="digits")
    assert set(found["transdiff-digits"].spec.baselines) == {
        "mar-digits",
        "llamagen-digits",
        "var-digits",
        "dit-digits",
        "sit-digits",
    }
    assert "transdiff-latency-diffusion" in found["transdiff-digits"].answers
    assert "mar-digits" not in found  # no claim calls it faster than anything


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A copy of the shipped weights, in use, to take files from."""
    folder = tmp_path / "weights"
    shutil.copytree(SHIPPED, folder)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def test_a_baseline_without_weights_is_named_and_what_it_is_made_from_too(tmp_path, weights):
    (weights / "dit-digits.safetensors").unlink()
    (weights / "var-vq-digits.safetensors").unlink()
    lacks = runs(tmp_path, "digits-ratios", scale="digits")["transdiff-digits"].lacks
    names = ("var-vq-digits", "dit-digits")
    assert lacks == tuple(f"weights of {n}: python -m bench train {n} --out {weights}/{n}.safetensors" for n in names)


def test_a_model_without_its_tokenizer_is_not_run_and_names_it(tmp_path, weights):
    """With its own weights there: a random tokenizer would generate noise."""
    (weights / "vq-digits.safetensors").unlink()
    train = f"python -m bench train vq-digits --out {weights}/vq-digits.safetensors"
    for protocol in ("digits-quality", "digits-latency"):
        found = runs(tmp_path, protocol, scale="digits")
        assert found["llamagen-digits"].lacks == (f"weights of vq-digits: {train}",)
        assert not found["var-digits"].lacks  # has another
    with pytest.raises(UsageError, match=f"^llamagen-digits needs the weights of vq-digits: {train}$"):
        build_for("llamagen-digits", PROTOCOLS["digits-quality"], "cpu", tmp_path)
    with pytest.raises(UsageError, match=f"^llamagen-digits needs the weights of vq-digits: {train}$"):
        load_model("llamagen-digits", weights=None, device="cpu")
    with pytest.raises(CheckpointError, match="tokenizer vq-digits has no weights here"):
        build("llamagen-digits").generate([1], [0])


def test_composed_runs_are_of_the_models_that_claims_name_or_that_are_asked_for(tmp_path):
    found = runs(tmp_path, "imagenet-256-composed")
    assert {"transdiff-l", "dit-xl-2", "sit-xl-2", "var-d20", "mar-l", "llamagen-l"} <= found.keys()
    assert "dit-s-8" not in found
    assert not runs(tmp_path, "imagenet-256-composed", only=("dit-s-8",))["dit-s-8"].lacks


def test_a_gpu_generates_whole_images_and_a_cpu_says_with_which_command(tmp_path):
    command = "a CUDA GPU: python -m bench reproduce --scale imagenet-256 --only transdiff-l --device cuda"
    assert runs(tmp_path, "imagenet-256-ratios")["transdiff-l"].lacks == (command,)
    assert not runs(tmp_path, "imagenet-256-ratios", device="cuda")["transdiff-l"].lacks
    for protocol in ("imagenet-256-composed", "imagenet-256-composed-ratios"):
        assert not runs(tmp_path, protocol, device="cuda")


def test_d_dit_is_composed_on_a_cpu_and_timed_whole_on_a_gpu(tmp_path):
    """2 billion parameters of four bytes and as much again fit into 24 GB."""
    composed, whole = (f"coco-captions-{kind}" for kind in ("composed", "latency"))
    assert set(runs(tmp_path, composed, scale="coco-captions")) == {"d-dit-256", "d-dit-512"}
    lacks = runs(tmp_path, whole, scale="coco-captions")["d-dit-512"].lacks
    assert lacks == ("a CUDA GPU: python -m bench reproduce --scale coco-captions --only d-dit-512 --device cuda",)
    assert not runs(tmp_path, composed, scale="coco-captions", device="cuda")
    assert not runs(tmp_path, whole, scale="coco-captions", device="cuda")["d-dit-512"].lacks


@pytest.mark.parametrize(("memory_bytes", "lacks"), [(8e9, True), (64e9, False)])
def test_a_machine_too_small_for_two_models_says_so(tmp_path, monkeypatch, memory_bytes, lacks):
    """TransDiff-L and DiT-XL/2: 1.36 billion parameters of four bytes, and as much again to work in."""
    monkeypatch.setattr(plan, "memory_bytes", lambda: memory_bytes)
    found = runs(tmp_path, "imagenet-256-composed-ratios")["transdiff-l"].lacks
    assert found == (("11 GB of memory",) if lacks else ())


def test_a_run_that_failed_says_nothing_of_what_a_whole_one_costs(tmp_path):
    """It may have ended in a second."""
    whole = fake_records.quality("dit-digits", 5.0, wall_s=40.0)
    failed = replace(whole, status="failed", reason="a full disk", measurements={}, wall_s=0.1)
    for record, minute in ((whole, 1), (failed, 2)):
        save_record(replace(record, created_utc=f"2026-07-25T12:0{minute}:00+00:00"), tmp_path)
    assert runs(tmp_path, "digits-quality", scale="digits")["dit-digits"].cost_s == 40.0
