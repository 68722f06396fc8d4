"""`bench train --data`: from a folder of images to weights that `generate` takes, and every wrong call in one line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import reference_models
from reference_models.autoencoders import AUTOENCODERS, KLAutoencoder
from tests.command_line import bench, complains
from tests.training.tiny_paper import tiny_specs

TINY_KL = {"latent_channels": 4, "channel_mult": (1, 1, 1, 1), "channels": 32, "scale": 0.5}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Tiny models under the papers' names, a folder of three classes, an autoencoder's file; (folder, arguments)."""
    known = reference_models.specs() | tiny_specs()
    monkeypatch.setattr(reference_models, "specs", lambda: known)
    spec = replace(AUTOENCODERS["kl-16"], config=TINY_KL)
    monkeypatch.setitem(AUTOENCODERS, "kl-16", spec)
    monkeypatch.setitem(AUTOENCODERS, "sd-vae", replace(spec, name="sd-vae"))
    monkeypatch.setattr(KLAutoencoder, "from_official_state", classmethod(lambda cls, state: dict(state)))
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(tmp_path / f"data/{name}/{i}.png")
    torch.manual_seed(0)
    save_file(KLAutoencoder(**TINY_KL).state_dict(), tmp_path / "kl.safetensors")
    common = ["--data", tmp_path / "data", "--autoencoder", tmp_path / "kl.safetensors", "--results", tmp_path / "work"]
    return tmp_path, [*common, "--batch-size", 8, "--steps", 2, "--device", "cpu"]


def test_from_a_folder_to_images_and_to_mrar(tiny, capsys):
    """The one-step model, MRAR fine-tuned from it, and images of what was trained."""
    folder, arguments = tiny
    out, mrar = folder / "one.safetensors", folder / "mrar.safetensors"
    status, said, _ = bench(capsys, "train", "transdiff-b", *arguments, "--out", out)
    assert status == 0
    assert "recipe: github.com/TransDiff/TransDiff" in said
    assert "not done here: dropout of 0.1" in said
    with safe_open(out, "pt") as file:
        metadata = file.metadata()
    assert (metadata["model"], metadata["steps"], metadata["precision"]) == ("transdiff-b", "2", "float32")
    assert metadata["left_out"].startswith("dropout of 0.1")
    assert [path.name for path in folder.glob("one*")] == ["one.safetensors"]  # no checkpoint stays
    status, said, err = bench(capsys, "train", "transdiff-mrar-b", *arguments, "--start-from", out, "--out", mrar)
    assert (status, err) == (0, "")
    assert "encode: 12/12" in said  # found, not made again
    options = ["--num", 3, "--device", "cpu", "--autoencoder", folder / "kl.safetensors"]
    assert (
        bench(capsys, "generate", "transdiff-mrar-b", *options, "--weights", mrar, "--out", folder / "images")[0] == 0
    )
    assert len(list((folder / "images").glob("*.png"))) == 3


@pytest.mark.parametrize("name", ["mar-b", "dit-b-2", "sit-xl-2"])
def test_the_other_families_train(tiny, capsys, name):
    folder, arguments = tiny
    arguments = [*arguments, "--accumulate", 2, "--precision", "bfloat16", "--no-mirror"]
    assert bench(capsys, "train", name, *arguments, "--out", folder / "w.safetensors")[0] == 0
    assert (folder / "w.safetensors").is_file()


def test_wrong_calls_get_one_line(tiny, capsys):
    folder, arguments = tiny

    def refused(*changed, model="transdiff-b", given=arguments):
        return complains(capsys, "train", model, *given, *changed, "--out", folder / "w.safetensors")

    assert "no such folder" in refused("--data", folder / "none")
    assert "0 folders of images and 4 images" in refused("--data", folder / "data" / "a")
    assert "--autoencoder" in refused("--autoencoder", folder / "none.pth")
    assert "expected a multiple of 3" in refused("--accumulate", 3)
    assert "known: float32, tf32, bfloat16" in refused("--precision", "int8")
    assert "pass --start-from FILE" in refused(model="transdiff-mrar-b")
    assert "leave out --start-from" in refused("--start-from", folder / "kl.safetensors")
    assert "pass --data FOLDER" in refused(given=[])
    assert "there is a loop for" in refused(model="llamagen-b")
    assert "leave out --data, --autoencoder, --batch-size" in refused(model="transdiff-digits")
    assert not list(folder.glob("w.*"))


def test_ranks_that_torchrun_starts_must_share_the_batch(tiny, capsys, monkeypatch):
    folder, arguments = tiny
    for key, value in {"RANK": "0", "WORLD_SIZE": "3", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(key, value)
    said = complains(capsys, "train", "transdiff-b", *arguments, "--out", folder / "w.safetensors")
    assert "--batch-size 8: expected a multiple of 3 (3 processes x --accumulate 1)" in said
