"""Which weights of a file are taken, and that they are whole: entries, prefixes, shards, NaN, checksums."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import reference_models
from reference_models import shipped
from reference_models.checkpoints import load_into, read_checkpoint, read_state
from reference_models.errors import CheckpointError


def state(value: float) -> dict[str, Tensor]:
    return {"a.weight": torch.full((2,), value), "b.weight": torch.full((3,), value)}


def refusal(path: Path, **options: Any) -> str:
    """The one line that reading `path` ends in; it names the file."""
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "name", ["ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema", "params_ema", "Net-EMA"]
)
def test_averaged_weights_are_known_by_their_name(name, tmp_path, caplog):
    """Under any name with the word "ema"; what was taken is told, and plain weights are taken on request."""
    torch.save({"model": state(0.0), name: state(1.0), "ema_decay": 0.999}, tmp_path / "w.pt")
    with caplog.at_level(logging.INFO, "reference_models"):
        read = read_checkpoint(tmp_path / "w.pt")
    assert (read.entry, read.state["a.weight"][0].item()) == (name, 1.0)
    assert repr(name) in caplog.text
    plain = read_checkpoint(tmp_path / "w.pt", ema=False)
    assert (plain.entry, plain.state["a.weight"][0].item()) == ("model", 0.0)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"ema": state(0.0), "params_ema": state(1.0)}, ("ema", "params_ema")),
        ({"model": state(0.0), "state_dict": state(1.0)}, ("model", "state_dict")),
        ({"model": state(0.0), "averaged": state(1.0)}, ("model", "averaged")),  # of another name, with the same keys
    ],
)
def test_several_that_could_be_meant_are_named_and_one_can_be_chosen(content, names, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    message = refusal(tmp_path / "w.pt")
    assert all(name in message for name in names)
    assert read_checkpoint(tmp_path / "w.pt", entry=names[1]).state["a.weight"][0] == 1.0
    assert "it has" in refusal(tmp_path / "w.pt", entry="nothing")


def test_an_ema_that_cannot_be_read_does_not_give_way_to_plain_weights(tmp_path):
    torch.save({"model": state(0.0), "ema": {"decay": 0.99, "shadow": [torch.ones(2)]}}, tmp_path / "w.pt")
    assert "'ema' holds no state dict" in refusal(tmp_path / "w.pt")
    assert read_checkpoint(tmp_path / "w.pt", ema=False).entry == "model"


def test_training_files_of_var(tmp_path):
    torch.save({"epoch": 1, "trainer": {"var_wo_ddp": state(1.0), "vae_local": state(0.0)}}, tmp_path / "w.pth")
    read = read_checkpoint(tmp_path / "w.pth")
    assert (read.entry, read.state["a.weight"][0].item()) == ("trainer.var_wo_ddp", 1.0)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_wrappers_leave_no_prefix(suffix, tmp_path):
    wrapped = {f"_orig_mod.module.{key}": value for key, value in state(1.0).items()}
    path = tmp_path / f"w{suffix}"
    (torch.save if suffix == ".pt" else save_file)(wrapped, path)
    assert read_state(path).keys() == state(1.0).keys()
    both = {**wrapped, **state(1.0)}
    (torch.save if suffix == ".pt" else save_file)(both, path)
    assert "with and without the prefix" in refusal(path)


def write_bin_shards(folder: Path) -> Path:
    names = {"a.weight": "pytorch_model-00001-of-00002.bin", "b.weight": "pytorch_model-00002-of-00002.bin"}
    for key, name in names.items():
        torch.save({key: state(1.0)[key]}, folder / name)
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": names}))
    return index


def test_sharded_bin(tmp_path):
    """Through their index or their folder; a shard that is damaged, lacks a key or lies elsewhere is an error."""
    index = write_bin_shards(tmp_path)
    assert read_state(index).keys() == read_state(tmp_path).keys() == state(1.0).keys()
    shard = tmp_path / "pytorch_model-00002-of-00002.bin"
    torch.save({"c.weight": torch.ones(1)}, shard)
    assert "lack 1 keys (b.weight)" in refusal(index)
    shard.write_bytes(b"cut off")
    assert shard.name in refusal(index)
    index.write_text(json.dumps({"weight_map": {"a.weight": "../elsewhere.bin"}}))
    assert "outside its folder" in refusal(index)
    index.write_text(json.dumps([1]))
    assert "cannot be read" in refusal(index)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_a_model_is_not_filled_with_nan_or_infinity(value, tmp_path):
    """Nor with what is infinite in its own type."""
    model = torch.nn.Linear(2, 2)
    spoilt = {"weight": torch.zeros(2, 2), "bias": torch.tensor([0.0, value], dtype=torch.float64)}
    torch.save({"model": spoilt}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"w\.pt: NaN or infinity in bias$"):
        load_into(model, read_state(tmp_path / "w.pt"), str(tmp_path / "w.pt"))


def test_a_flipped_bit_in_a_pickled_file_is_an_error(tmp_path):
    """Its parts have checksums, which torch does not look at: no flip gives other weights without a word."""
    path = tmp_path / "w.pt"
    torch.save({"model": {"weight": torch.arange(4096.0)}}, path)
    whole, kept = path.read_bytes(), read_state(path)["weight"].clone()
    for position in range(0, len(whole), len(whole) // 40):
        damaged = bytearray(whole)
        damaged[position] ^= 16
        path.write_bytes(damaged)
        try:
            found = read_state(path)["weight"]
        except CheckpointError:
            continue
        assert torch.equal(found, kept)  # padding, or a field that nothing depends on


def test_shipped_files_are_those_that_the_package_was_made_with():
    """Every shipped file has its checksum, and no checksum is without its file."""
    files = {path.name for path in shipped.SHIPPED.glob("*.safetensors")}
    assert files == shipped.checksums().keys()
    for name in files:
        shipped.check_shipped(shipped.SHIPPED / name)


def test_a_flipped_bit_in_shipped_weights_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "dit-digits.safetensors"
    shutil.copy(shipped.SHIPPED / path.name, path)
    sums = shipped.checksums()
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    monkeypatch.setattr(shipped, "checksums", lambda: sums)
    read_state(path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert "not the file that came with this package" in refusal(path)


@pytest.mark.parametrize("name", ["dit-digits", "llamagen-digits"])
def test_missing_weights_of_a_small_model_are_an_error(name, tmp_path, monkeypatch):
    """A model without its file, or without its tokenizer's, does not go on with random weights."""
    monkeypatch.setenv(shipped.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(CheckpointError, match=f"{name} has no weights here"):
        reference_models.build(name)
    if name == "llamagen-digits":
        model = reference_models.build(name, weights=shipped.SHIPPED / f"{name}.safetensors")
        with pytest.raises(CheckpointError, match="vq-digits has no weights here"):
            model.generate([0], [0])
