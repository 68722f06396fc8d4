"""Released weights: every layout the authors use is read, nothing in a file is run, and what does not fit is named."""

from __future__ import annotations

import argparse
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reference_models.checkpoints import load_into, read_state, rename
from reference_models.errors import CheckpointError


def state(value: float) -> dict[str, Tensor]:
    """The state dict of nn.Linear(3, 2), filled with one value."""
    return {"weight": torch.full((2, 3), value), "bias": torch.full((2,), value)}


PLAIN, EMA = state(1.0), state(2.0)
ARGS = argparse.Namespace(lr=1e-4, resume="out", device=torch.device("cpu"))
OPTIMIZER = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.95)}]}


def assert_same(read: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert read.keys() == expected.keys()
    assert all(torch.equal(read[key], expected[key]) for key in expected)


def refusal(path: Path) -> str:
    """The message that reading `path` ends in: one line that names the file."""
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


# -- layouts -----------------------------------------------------------------------------------------------------------
RELEASED: dict[
    str, tuple[Any, dict[str, Tensor], dict[str, Tensor]]
] = {  # content, read by default, read with ema=False
    "transdiff and mar": ({"model": PLAIN, "model_ema": EMA, "optimizer": OPTIMIZER, "args": ARGS}, EMA, PLAIN),
    "transdiff without ema": ({"model": PLAIN, "model_ema": None, "epoch": 3, "args": ARGS}, PLAIN, PLAIN),
    "transdiff with an empty ema": ({"model": PLAIN, "model_ema": {}, "args": ARGS}, PLAIN, PLAIN),
    "mar vae": ({"model": PLAIN}, PLAIN, PLAIN),
    "dit and sit from training": ({"model": PLAIN, "ema": EMA, "opt": OPTIMIZER, "args": ARGS}, EMA, PLAIN),
    "dit, sit and var": (PLAIN, PLAIN, PLAIN),
    "llamagen": ({"model": PLAIN, "optimizer": OPTIMIZER, "steps": 9, "args": ARGS}, PLAIN, PLAIN),
    "llamagen from deepspeed": ({"module": PLAIN, "global_steps": 9}, PLAIN, PLAIN),
    "ema alone": ({"ema": EMA}, EMA, EMA),
    "state_dict": ({"state_dict": PLAIN, "epoch": 3}, PLAIN, PLAIN),
    "parameters": ({"model": {key: nn.Parameter(value) for key, value in PLAIN.items()}}, PLAIN, PLAIN),
    "distributed and compiled": ({"model": {f"module._orig_mod.{k}": v for k, v in PLAIN.items()}}, PLAIN, PLAIN),
}


@pytest.mark.parametrize("name", RELEASED)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before-1.6"])
def test_pickled_layouts(name: str, zipped: bool, tmp_path: Path):
    """EMA weights by default where a file has them, the plain ones on request, in both formats torch ever wrote."""
    content, default, plain = RELEASED[name]
    path = tmp_path / "weights.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert_same(read_state(path), default)
    assert_same(read_state(path, ema=False), plain)
    assert not any(value.requires_grad for value in read_state(path).values())


def write_shards(folder: Path) -> Path:
    """The two tensors of PLAIN in a file each, and the index that ties them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {key: f"diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i, key in enumerate(sorted(PLAIN), 1)}
    for key, name in names.items():
        save_file({key: PLAIN[key]}, folder / name)
    index = folder / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": names}))
    return index


def test_safetensors(tmp_path: Path):
    save_file(PLAIN, tmp_path / "w.safetensors", {"seed": "0"})
    assert_same(read_state(tmp_path / "w.safetensors"), PLAIN)


def test_sharded_safetensors(tmp_path: Path):
    """Shards are read through their index; one that is missing is named."""
    index = write_shards(tmp_path)
    assert_same(read_state(index), PLAIN)
    (tmp_path / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    assert "1 of 2 shards are missing, first diffusion_pytorch_model-00002-of-00002.safetensors" in refusal(index)


@pytest.mark.parametrize("inside", ["", "transformer"], ids=["model", "pipeline"])
@pytest.mark.parametrize("layout", ["sharded", "safetensors", "bin"])
def test_diffusers_folders(inside: str, layout: str, tmp_path: Path):
    """A model's folder or the pipeline's around it; a half-precision variant beside the weights is left alone."""
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    if layout == "sharded":
        write_shards(folder)
    elif layout == "safetensors":
        save_file(PLAIN, folder / "diffusion_pytorch_model.safetensors")
    else:
        torch.save(PLAIN, folder / "diffusion_pytorch_model.bin")
    save_file(EMA, folder / "diffusion_pytorch_model.fp16.safetensors")
    assert_same(read_state(tmp_path), PLAIN)


def test_a_folder_without_weights_is_refused(tmp_path: Path):
    assert "a folder with none of diffusion_pytorch_model.safetensors" in refusal(tmp_path)


# -- broken and hostile files ------------------------------------------------------------------------------------------
def test_a_missing_file_is_named(tmp_path: Path):
    assert "no such file" in refusal(tmp_path / "gone.pth")


@pytest.mark.parametrize("kind", ["zip", "before-1.6", "safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_file_cut_off_anywhere_is_refused(kind: str, kept: float, tmp_path: Path):
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    weights = {"weight": torch.ones(4000)}
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save({"model": weights}, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.safetensors.index.json"])
def test_another_kind_of_file_is_refused(name: str, tmp_path: Path):
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "cannot be read" in refusal(tmp_path / name)


@pytest.mark.parametrize("content", [PLAIN["weight"], [PLAIN], {}, {"epoch": 3}, {"model": {"weight": "x"}}], ids=str)
def test_a_file_without_a_state_dict_is_refused(content: Any, tmp_path: Path):
    torch.save(content, tmp_path / "w.pth")
    assert "holds no state dict" in refusal(tmp_path / "w.pth")


def test_torch_adds_no_warnings_of_its_own(tmp_path: Path, recwarn: pytest.WarningsRecorder):
    """Of what it is about to refuse: the line that names the file stands alone."""
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(os.getcwd, protocol=4))
    recwarn.clear()
    assert "cannot be read" in refusal(path)
    assert not list(recwarn)


class MakesFolder:
    """Unpickled carelessly, it makes a folder."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before-1.6"])
def test_a_malicious_file_is_refused_and_nothing_in_it_runs(zipped: bool, tmp_path: Path):
    """The message names what the file would call, and does not pass on torch's advice to load it all the same."""
    trace, path = tmp_path / "trace", tmp_path / "w.pth"
    torch.save({"model": PLAIN, "args": MakesFolder(trace)}, path, _use_new_zipfile_serialization=zipped)
    message = refusal(path)
    assert f"refused: it holds {os.mkdir.__module__}.mkdir; " in message
    assert "weights_only" not in message
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # what the file does to a careless reader


# -- into a model ------------------------------------------------------------------------------------------------------
def test_every_key_must_be_used_and_every_parameter_filled():
    """Another model's file is refused in one line with missing and unexpected keys; the model stays as it was."""
    model = nn.Linear(3, 2)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    foreign = {"weight": torch.zeros(2, 3), **{f"blocks.{i}.scale": torch.zeros(1) for i in range(5)}}
    with pytest.raises(CheckpointError) as caught:
        load_into(model, foreign, "var.pth", hint=lambda: "; it fits var-d16")
    assert str(caught.value) == (
        "weights var.pth: do not fit the model: 1 keys missing (bias); "
        "5 keys unexpected (blocks.0.scale, blocks.1.scale, blocks.2.scale, ...); it fits var-d16"
    )
    assert_same(model.state_dict(), before)


def test_another_size_is_refused_with_both_shapes():
    with pytest.raises(CheckpointError, match=r"1 of another shape \(first bias: expected \(2,\), found \(4,\)\)"):
        load_into(nn.Linear(3, 2), {"weight": torch.zeros(2, 3), "bias": torch.zeros(4)}, "w.pth")


def test_what_fits_is_loaded():
    model = nn.Linear(3, 2)
    load_into(model, EMA, "w.pth", hint=lambda: pytest.fail("the hint is for failures"))
    assert_same(model.state_dict(), EMA)


def test_rename_applies_the_first_rule_that_matches_the_whole_key():
    rules = ((r"layers\.(\d+)\.(.*)", r"blocks.\1.\2"), (r"layers.*", "never"), (r"out", "head"))
    renamed = rename({"layers.3.w": PLAIN["bias"], "out": PLAIN["bias"], "out.bias": PLAIN["bias"]}, rules)
    assert set(renamed) == {"blocks.3.w", "head", "out.bias"}
