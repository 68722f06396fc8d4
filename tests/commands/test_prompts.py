"""Prompts as they are read from a file, and `bench generate --prompts`: one image per prompt, by its number alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from bench.datasets.prompts import load_prompts
from bench.errors import UsageError
from reference_models import build
from reference_models.noise import image_seeds
from reference_models.shipped import shipped_weights
from tests.command_line import bench, complains, write

PROMPTS = ["a red 3 top left", "a blue 7 bottom right", "a green 2 top right"]


@pytest.fixture(scope="module")
def weights():
    """Those shipped: with random ones guidance blows the rounding of another batch up to grey levels."""
    path = shipped_weights("d-dit-digits")
    assert path is not None
    return path


def test_three_layouts(tmp_path):
    """A line each, a JSON list, or captions in COCO's layout: the first of each image, in the order of the images."""
    assert load_prompts(write(tmp_path / "a.txt", "one\u2028still one\r\n two \n")) == ["one\u2028still one", "two"]
    assert load_prompts(write(tmp_path / "a.json", PROMPTS)) == PROMPTS
    captions = [{"image_id": i, "id": k, "caption": text} for k, (i, text) in enumerate([(2, "b"), (1, "a"), (2, "c")])]
    coco = {"images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "file_name": "2.jpg"}], "annotations": captions}
    assert load_prompts(write(tmp_path / "coco.json", coco)) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "one\n\ntwo\n", r"1 of 3 are empty \(first: number 2\)"),
        ("a.txt", "", "1 of 1 are empty"),
        ("a.json", ["one", " "], r"1 of 2 are empty \(first: number 2\)"),
        ("a.json", [], "an empty list"),
        ("a.json", ["one", 2], "expected a list of texts, or captions in COCO's layout"),
        ("a.json", '["one",', "not JSON: Expecting value at line 1 column 8"),
        ("a.json", {"images": [{"id": 1}]}, "1 of 1 are empty"),
    ],
)
def test_what_is_no_prompt_is_one_line(tmp_path, name, content, message):
    with pytest.raises(UsageError, match=message) as caught:
        load_prompts(write(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_a_prompts_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "binary.txt").write_bytes(b"one\n\xff\n")
    for name, message in [("binary.txt", "not UTF-8 text"), ("none.txt", "No such file"), ("", "Is a directory")]:
        with pytest.raises(UsageError, match=message):
            load_prompts(tmp_path / name)


def test_image_i_is_that_of_prompt_i(capsys, tmp_path, weights):
    """In any batch, stopped or not; what was generated stands beside it; other prompts do not mix with it."""
    out = tmp_path / "out"
    prompts = write(tmp_path / "prompts.txt", "\n".join(PROMPTS))
    call = ("generate", "d-dit-digits", "--weights", weights, "--seed", 5, "--out", out, "--device", "cpu")
    status, _, err = bench(capsys, *call, "--prompts", prompts, "--num", 2)
    assert status == 0, err
    assert len(list(out.glob("*.png"))) == 2
    assert bench(capsys, *call, "--prompts", prompts, "--batch-size", 1)[0] == 0
    model = build("d-dit-digits", weights=weights)
    alone = model.generate(PROMPTS, image_seeds(5, range(3))).permute(0, 2, 3, 1).numpy()
    for i in range(3):
        generated = np.asarray(Image.open(out / f"{i:06d}.png")).astype(int)
        assert abs(generated - alone[i]).max() <= 1  # sums run in another order in another batch
    listed = json.loads((out / "prompts.json").read_text())
    assert listed == [{"file_name": f"{i:06d}.png", "prompt": prompt} for i, prompt in enumerate(PROMPTS)]
    other = write(tmp_path / "other.txt", "\n".join(PROMPTS[::-1]))
    assert "another run" in complains(capsys, *call, "--prompts", other)
    assert json.loads((out / "prompts.json").read_text()) == listed


def test_a_prompt_that_is_not_read_to_its_end_is_said(capsys, tmp_path, weights):
    """23 words and an end are read: of a prompt of 24 the last is left out."""
    for words, is_said in ((23, False), (24, True)):
        prompts = write(tmp_path / "prompts.txt", " ".join(["red"] * words) + "\nred\nred")
        call = ("generate", "d-dit-digits", "--prompts", prompts, "--weights", weights, "--num", 3, "--device", "cpu")
        _, out, _ = bench(capsys, *call, "--out", tmp_path / f"out{words}")
        told = f"prompts {prompts}: 1 of 2 different texts are cut: d-dit-digits reads 24 tokens, an end among them"
        assert (told in out) == is_said


def test_an_image_that_is_not_finite_is_no_image(capsys, tmp_path, weights):
    """NaN in the weights ends in one line and status 1, not in black pictures."""
    state = load_file(weights)
    state["image_head.bias"][:] = torch.nan
    save_file(state, tmp_path / "nan.safetensors")
    prompts = write(tmp_path / "prompts.txt", PROMPTS[0])
    call = ("generate", "d-dit-digits", "--prompts", prompts, "--weights", tmp_path / "nan.safetensors")
    status, _, err = bench(capsys, *call, "--out", tmp_path / "out", "--device", "cpu")
    assert status == 1
    assert err.strip().endswith("nan.safetensors: NaN or infinity in image_head.bias")
    assert not list((tmp_path / "out").glob("*.png"))


def test_prompts_and_models_that_do_not_belong_together(capsys, tmp_path, weights):
    """Each is one line that says what to pass instead, before a folder is made."""
    out = ("--out", tmp_path / "out", "--device", "cpu")
    prompts = write(tmp_path / "prompts.txt", "\n".join(PROMPTS))
    dogs = write(tmp_path / "dogs.txt", "a dog")
    generator = ("generate", "d-dit-digits", "--weights", weights, *out)
    line = complains(capsys, *generator, "--num", 2)
    assert "d-dit-digits generates from prompts: pass --prompts FILE" in line
    assert "--num 9" in complains(capsys, *generator, "--prompts", prompts, "--num", 9)
    assert "unknown word 'dog'" in complains(capsys, *generator, "--prompts", dogs)
    assert "leave out --prompts" in complains(capsys, "generate", "dit-digits", "--prompts", prompts, *out)
    assert "pass --num" in complains(capsys, "generate", "dit-digits", *out)
    line = complains(capsys, "generate", "transdiff-b", "--num", 1, "--weights", prompts, *out)
    assert "pass --autoencoder FILE (released at huggingface.co/zhendch/Transdiff, vae/checkpoint-last.pth)" in line
    assert not (tmp_path / "out").exists()


def test_a_model_that_only_reads_generates_nothing(capsys, tmp_path):
    model = build("ar-vlm-digits", weights=None)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "w.safetensors")
    prompts = write(tmp_path / "prompts.txt", PROMPTS[0])
    call = (
        "generate",
        "ar-vlm-digits",
        "--prompts",
        prompts,
        "--weights",
        tmp_path / "w.safetensors",
        "--device",
        "cpu",
    )
    assert "reads images and generates none" in complains(capsys, *call, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
