"""Training many models: ingredients first, nothing trained twice, nothing left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import psutil
import pytest
import torch
from safetensors.torch import save_file

from bench import models
from bench.errors import CheckFailed, UsageError
from bench.files import temporary_name
from bench.models import file_sha256, origin, weights_of
from bench.protocols import PROTOCOLS
from bench.records.schema import RunSpec
from bench.training import schedule
from bench.training.schedule import finished, train_all, with_ingredients
from bench.training.train import checkpoint_path
from reference_models import find
from reference_models.shipped import FOLDER_VARIABLE, shipped_weights
from reference_models.sizes.autoencoders import AUTOENCODERS
from tests.paths import ROOT

STUDY = PROTOCOLS["digits-study"]


def test_what_a_model_is_made_from_comes_before_it():
    found = with_ingredients(["transdiff-mrar-digits", "llamagen-digits", "transdiff-digits"])
    assert sorted(found) == ["llamagen-digits", "transdiff-digits", "transdiff-mrar-digits", "vq-digits"]
    assert found.index("transdiff-digits") < found.index("transdiff-mrar-digits")
    assert found.index("vq-digits") < found.index("llamagen-digits")


def write_weights(folder, name, recipe=None, **made_from):
    recipe = recipe or (AUTOENCODERS[name] if name in AUTOENCODERS else find(name)).recipe
    metadata = {"recipe": json.dumps(asdict(recipe)), "made_from_sha256": json.dumps(made_from)}
    save_file({"x": torch.zeros(1)}, folder / f"{name}.safetensors", metadata)


def test_weights_count_as_finished_only_by_the_recipe_of_today_from_the_ingredients_beside_them(tmp_path):
    assert not finished("vq-digits", tmp_path)
    write_weights(tmp_path, "vq-digits")
    assert finished("vq-digits", tmp_path)
    write_weights(tmp_path, "vq-digits", replace(AUTOENCODERS["vq-digits"].recipe, num_steps=7))
    assert not finished("vq-digits", tmp_path)
    tokenizer = tmp_path / "vq-digits.safetensors"
    write_weights(tmp_path, "llamagen-digits", **{"vq-digits": file_sha256(tokenizer)})
    assert finished("llamagen-digits", tmp_path)
    write_weights(tmp_path, "vq-digits")  # another tokenizer: its tokens mean other images
    assert not finished("llamagen-digits", tmp_path)


def test_damaged_weights_are_said_to_be_and_do_not_count_as_finished(tmp_path, capsys):
    write_weights(tmp_path, "vq-digits")
    path = tmp_path / "vq-digits.safetensors"
    for damaged in (path.read_bytes()[:-1], b"", b"no weights"):
        path.write_bytes(damaged)
        assert not finished("vq-digits", tmp_path)
        assert "made again" in capsys.readouterr().out


def test_a_further_training_seed_has_weights_of_its_own(tmp_path):
    spec = RunSpec("dit-digits", replace(STUDY, training_seed=2))
    assert weights_of(RunSpec("dit-digits", STUDY), tmp_path) == shipped_weights("dit-digits")
    assert weights_of(spec, tmp_path) is None
    folder = models.seed_folder(tmp_path, 2)
    folder.mkdir(parents=True)
    write_weights(folder, "dit-digits")
    assert weights_of(spec, tmp_path) == folder / "dit-digits.safetensors"
    assert origin(spec, tmp_path) == "trained here"
    assert origin(RunSpec("dit-digits", STUDY), tmp_path) == "shipped"
    assert origin(RunSpec("dit-digits", replace(STUDY, training_seed=3)), tmp_path) is None


def test_another_folder_of_weights_takes_the_place_of_the_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert shipped_weights("dit-digits") is None
    write_weights(tmp_path, "dit-digits")
    assert shipped_weights("dit-digits") == tmp_path / "dit-digits.safetensors"


def test_only_the_small_scales_are_retrained(tmp_path):
    with pytest.raises(UsageError, match="scales digits and scenes, not of imagenet-256"):
        schedule.retrain_for("imagenet-256", (), tmp_path, "cpu")


@pytest.fixture
def short(tmp_path, monkeypatch):
    """A folder where weights count as finished although they were trained for 3 steps only."""
    monkeypatch.setattr(schedule, "finished", lambda name, folder: (folder / f"{name}.safetensors").is_file())
    return tmp_path / "weights"


def test_models_are_trained_on_the_ingredients_beside_them_and_once(short, capsys):
    train_all(["llamagen-digits"], seed=1, folder=short, device="cpu", num_steps=3)
    from safetensors import safe_open

    with safe_open(short / "llamagen-digits.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata["seed"] == "1"
    assert metadata["command"] == "python -m bench train llamagen-digits --seed 1 --steps 3"
    assert json.loads(metadata["made_from_sha256"]) == {"vq-digits": file_sha256(short / "vq-digits.safetensors")}
    before = (short / "llamagen-digits.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    train_all(["llamagen-digits"], seed=1, folder=short, device="cpu", num_steps=3)
    assert "done before" in capsys.readouterr().out
    assert (short / "llamagen-digits.safetensors").stat().st_mtime_ns == before


def test_a_training_that_fails_is_named_with_its_last_words(short):
    short.mkdir()
    recipe = replace(AUTOENCODERS["vq-digits"].recipe, num_steps=3)
    checkpoint_path("vq-digits", 0, recipe, short / "vq-digits.safetensors").write_bytes(b"no checkpoint")
    with pytest.raises(CheckFailed, match=r"training vq-digits \(seed 0\) failed: .+"):
        train_all(["llamagen-digits"], seed=0, folder=short, device="cpu", num_steps=3)
    assert "Traceback" in (short / "vq-digits.log").read_text()
    assert not (short / "llamagen-digits.safetensors").exists()


def test_what_killed_workers_were_writing_goes_when_a_training_of_many_is_interrupted(tmp_path, monkeypatch):
    """Nothing of a living process does."""
    own = temporary_name("dit-digits.safetensors")
    dead = own.replace(f".{os.getpid()}.", ".4194305.")  # no process has this number

    def interrupted(jobs, **how):
        for name in (dead, own, "dit-digits.log"):
            (tmp_path / name).touch()
        yield from ()
        raise KeyboardInterrupt

    monkeypatch.setattr(schedule, "run_jobs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_all(["dit-digits"], seed=0, folder=tmp_path, device="cpu", num_steps=3)
    assert {path.name for path in tmp_path.iterdir()} == {own, "dit-digits.log"}


def test_a_killed_retraining_leaves_nothing_running(tmp_path):
    command = [sys.executable, "-m", "bench", "reproduce", "--retrain", "--only", "dit-digits"]
    command += ["--results", str(tmp_path), "--device", "cpu"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    log = tmp_path / "retrained/.work/weights/dit-digits.log"
    try:
        wait_for(log.exists)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: not any(map(alive, children)), limit_s=2)


def wait_for(condition, limit_s=60):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


def alive(process):
    """Running or able to; a zombie has ended and waits for whoever inherited it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
