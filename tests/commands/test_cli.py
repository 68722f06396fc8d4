"""The command line, judged by exit status and by what it says. Where a fresh process is the point there is one."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.command_line import bench, complains
from tests.paths import ROOT


def lacking(line, *words):
    """Those of the words that do not stand in a line."""
    return [word for word in words if word not in line]


def folder_of_images(path, sizes):
    path.mkdir()
    for i, size in enumerate(sizes):
        pixels = np.random.default_rng(i).integers(0, 255, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / f"{i:06d}.png")
    return path


@pytest.mark.parametrize(
    "door",
    ["list", "doctor", "fetch", "plan", "reproduce", "train", "generate", "score images", "time", "parity", "report"],
)
def test_every_door_has_help_with_an_example(capsys, door):
    status, out, _ = bench(capsys, *door.split(), "--help")
    assert status == 0
    assert f"Example: python -m bench {door}" in " ".join(out.split())


def test_a_wrong_call_in_a_process_of_its_own_is_status_2_and_one_line():
    command = [sys.executable, "-m", "bench", "draw"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("bench: No such command 'draw'")


@pytest.mark.parametrize(("group", "has"), [("", "reproduce"), ("score", "images"), ("export", "scenes")])
def test_a_group_without_a_command_prints_its_help_as_it_is(capsys, group, has):
    status, out, err = bench(capsys, *group.split())
    assert (status in (0, 2), err) == (True, "")  # older typer: 0
    assert out.startswith("Usage: bench")
    assert [line for line in out.splitlines() if line.split()[:1] == [has]]


@pytest.mark.parametrize("call", [("generate", "?", "--num", 1, "--out", "o"), ("fetch", "?")])
def test_an_unknown_name_like_no_other_names_those_that_exist(capsys, monkeypatch, tmp_path, call):
    monkeypatch.chdir(tmp_path)
    assert " '?'; known: transdiff-b, " in complains(capsys, *call)
    line = complains(capsys, *(10_000 * "?" if word == "?" else word for word in call))
    assert len(line) < 5000


def test_an_unknown_model_gets_the_nearest_name(capsys, tmp_path):
    line = complains(capsys, "generate", "transdif-digits", "--num", 1, "--out", tmp_path / "out")
    assert not lacking(line, "unknown model 'transdif-digits'", "did you mean transdiff-digits", "mar-digits")
    assert not (tmp_path / "out").exists()


def test_an_unknown_scale_names_those_that_exist(capsys):
    assert not lacking(complains(capsys, "plan", "--scale", "mnist"), "unknown scale 'mnist'", "digits", "imagenet-256")


def test_an_unknown_option_and_a_missing_argument_are_one_line(capsys):
    assert "Missing argument" in complains(capsys, "time")
    assert "--colour" in complains(capsys, "plan", "--colour")


def test_a_count_must_be_positive(capsys, tmp_path):
    for count in (0, -3):
        assert "--num" in complains(capsys, "generate", "dit-digits", "--num", count, "--out", tmp_path / "out")
    assert "--batch-size" in complains(capsys, "time", "dit-digits", "--batch-size", 0)


def test_an_unknown_device_names_those_that_exist(capsys, tmp_path):
    call = ("generate", "dit-digits", "--num", 1, "--out", tmp_path / "out")
    assert not lacking(complains(capsys, *call, "--device", "tpu"), "'tpu'", "cpu")


def test_a_paper_size_without_weights_says_where_they_are(capsys, tmp_path):
    line = complains(capsys, "generate", "transdiff-b", "--num", 1, "--out", tmp_path / "out")
    assert not lacking(line, "--weights", "huggingface.co/zhendch/Transdiff")


def test_a_truncated_weights_file_is_named(capsys, tmp_path):
    whole = (ROOT / "reference_models/weights/dit-digits.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    call = ("generate", "dit-digits", "--num", 1, "--out", tmp_path / "o", "--weights", tmp_path / "half.safetensors")
    assert "half.safetensors" in complains(capsys, *call, status=1)


def test_weights_of_another_model_name_expected_and_found_keys(capsys, tmp_path):
    other = ROOT / "reference_models/weights/dit-digits.safetensors"
    call = ("generate", "transdiff-digits", "--num", 1, "--out", tmp_path / "o", "--weights", other)
    assert not lacking(complains(capsys, *call, status=1), "dit-digits.safetensors", "missing", "unexpected")


@pytest.mark.parametrize(
    ("reference", "words"),
    [("missing", "no such"), ("empty", "empty"), ("mixed", "sizes")],
)
def test_a_bad_reference_folder_is_refused(capsys, tmp_path, reference, words):
    generated = folder_of_images(tmp_path / "generated", [8] * 4)
    (tmp_path / "empty").mkdir()
    folder_of_images(tmp_path / "mixed", [8, 8, 16])
    call = ("score", "images", generated, "--reference", tmp_path / reference, "--features", "digits")
    assert not lacking(complains(capsys, *call), "reference", reference, words)


def test_an_unknown_feature_extractor_names_those_that_exist(capsys, tmp_path):
    generated = folder_of_images(tmp_path / "generated", [8] * 4)
    call = ("score", "images", generated, "--reference", "digits-train", "--features", "clip")
    assert not lacking(complains(capsys, *call), "'clip'", "digits", "inception")


def test_generate_is_resumable_and_refuses_to_mix_runs(capsys, tmp_path):
    out = tmp_path / "out"
    call = ("generate", "transdiff-digits", "--out", out, "--device", "cpu")
    assert bench(capsys, *call, "--num", 3)[0] == 0
    first = {path.name: path.read_bytes() for path in out.glob("*.png")}
    assert len(first) == 3
    (out / "000001.png").unlink()
    assert bench(capsys, *call, "--num", 4, "--batch-size", 1)[0] == 0
    again = {path.name: path.read_bytes() for path in out.glob("*.png")}
    assert sorted(again) == [f"{i:06d}.png" for i in range(4)]
    for name, data in first.items():
        one, two = (np.asarray(Image.open(io.BytesIO(d))).astype(int) for d in (data, again[name]))
        assert abs(one - two).max() <= 1
    assert "another run" in complains(capsys, *call, "--num", 4, "--seed", 1)


def test_a_report_without_records_says_so(capsys, tmp_path):
    """A folder that is not there is a wrong call, and no page is made; one without records is a page that says so."""
    page = ("--out", tmp_path / "index.html")
    assert "does not exist" in complains(capsys, "report", "--results", tmp_path / "none", *page)
    assert not (tmp_path / "index.html").exists()
    (tmp_path / "none").mkdir()
    assert bench(capsys, "report", "--results", tmp_path / "none", *page)[0] == 0
    assert "python -m bench reproduce" in (tmp_path / "index.html").read_text()
