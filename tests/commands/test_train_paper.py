"""`bench train --data`: from a folder of images to weights that `generate` takes, and every wrong call in one line."""

from __future__ import annotations

import pytest
from safetensors import safe_open

from tests.command_line import bench, complains
from tests.tiny_bench import give_training_data, know_tiny_models


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Tiny models under the papers' names, a folder of three classes, an autoencoder's file; (folder, arguments)."""
    know_tiny_models(monkeypatch)
    return tmp_path, give_training_data(tmp_path)


def test_from_a_folder_to_images_and_to_mrar(tiny, capsys):
    """The one-step model, MRAR fine-tuned from it, and images of what was trained."""
    folder, arguments = tiny
    out, mrar = folder / "one.safetensors", folder / "mrar.safetensors"
    status, said, _ = bench(capsys, "train", "transdiff-b", *arguments, "--out", out)
    assert status == 0
    assert "recipe: github.com/TransDiff/TransDiff" in said
    assert "not done here: random crops" in said
    with safe_open(out, "pt") as file:
        metadata = file.metadata()
    assert (metadata["model"], metadata["steps"], metadata["precision"]) == ("transdiff-b", "2", "float32")
    assert metadata["left_out"].startswith("random crops")
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
