"""torchrun itself, two processes on a CPU: training shares a batch, workers share a store, and options arrive."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.run import parse_args

from bench.records.store import QUICK, WORK
from bench.sampling.shards import STORE, SUFFIX
from tests.command_line import bench
from tests.paths import ROOT
from tests.tiny_bench import give_training_data, know_tiny_models

pytestmark = pytest.mark.slow  # three processes import torch


def torchrun(folder, module, *arguments, num=2):
    """What `num` processes print; they must end well."""
    command = shutil.which("torchrun", path=Path(sys.executable).parent) or shutil.which("torchrun")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [command, "--standalone", "--nproc-per-node", f"{num}", "-m", module, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_two_processes_train_what_one_trains(tmp_path, capsys, monkeypatch):
    """Up to the rounding of sums: float32 gradients of a batch that is shared."""
    know_tiny_models(monkeypatch)
    arguments = give_training_data(tmp_path)
    torchrun(tmp_path, "tests.tiny_bench", "train", "transdiff-b", *arguments, "--out", tmp_path / "two.safetensors")
    assert bench(capsys, "train", "transdiff-b", *arguments, "--out", tmp_path / "one.safetensors")[0] == 0
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        assert torch.allclose(weight, two[name], atol=1e-5), name
    assert [path.name for path in tmp_path.glob("two*")] == ["two.safetensors"]  # one file, no checkpoint


def test_two_workers_fill_a_store(tmp_path):
    out = torchrun(
        tmp_path, "bench", "work", "--quick", "--only", "dit-digits", "--device", "cpu", "--results", "results"
    )
    assert "dit-digits (num_steps 25) digits-quality: 80 images" in out
    assert out.count("1 run: 1 to do") == 1, "one of them says what there is to do"
    shards = list((tmp_path / "results" / QUICK / WORK / STORE).rglob(f"*{SUFFIX}"))
    assert len(shards) == 4  # of 20 images


def test_the_number_of_images_passes_torchruns_own_options(tmp_path, capsys):
    """By the parser of torchrun, which takes `--num` for the beginning of one of its own."""

    def passed(number):
        call = ["--standalone", "--nproc-per-node", "2", "-m", "bench", "generate", "dit-digits", number, "6"]
        return parse_args([*call, "--device", "cpu", "--out", str(tmp_path / "images")]).training_script_args

    with pytest.raises(SystemExit):
        passed("--num")
    capsys.readouterr()
    assert bench(capsys, *passed("--num-images"))[0] == 0
    assert len(list((tmp_path / "images").glob("*.png"))) == 6
