"""The command line as a user calls it: in a process of its own, judged by exit status and by what it says."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.paths import ROOT


def bench(*arguments, cwd=ROOT):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True
    )


def complains(result, status, *words):
    """One line on stderr with these words, no traceback."""
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


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
def test_every_door_has_help_with_an_example(door):
    result = bench(*door.split(), "--help")
    assert result.returncode == 0
    assert f"Example: python -m bench {door}" in " ".join(result.stdout.split())


def test_an_unknown_model_gets_the_nearest_name(tmp_path):
    result = bench("generate", "transdif-digits", "--num", 1, "--out", tmp_path / "out")
    complains(result, 2, "unknown model 'transdif-digits'", "did you mean transdiff-digits", "mar-digits")
    assert not (tmp_path / "out").exists()


def test_an_unknown_scale_names_those_that_exist():
    complains(bench("plan", "--scale", "mnist"), 2, "unknown scale 'mnist'", "digits", "imagenet-256")


def test_an_unknown_option_and_a_missing_argument_are_one_line():
    complains(bench("time"), 2, "Missing argument")
    complains(bench("plan", "--colour"), 2, "--colour")
    complains(bench("paint"), 2, "paint")


def test_a_count_must_be_positive(tmp_path):
    for count in (0, -3):
        complains(bench("generate", "dit-digits", "--num", count, "--out", tmp_path / "out"), 2, "--num")
    complains(bench("time", "dit-digits", "--batch-size", 0), 2, "--batch-size")


def test_an_unknown_device_names_those_that_exist(tmp_path):
    result = bench("generate", "dit-digits", "--num", 1, "--out", tmp_path / "out", "--device", "tpu")
    complains(result, 2, "'tpu'", "cpu")


def test_a_paper_size_without_weights_says_where_they_are(tmp_path):
    result = bench("generate", "transdiff-b", "--num", 1, "--out", tmp_path / "out")
    complains(result, 2, "--weights", "huggingface.co/zhendch/Transdiff")


def test_a_truncated_weights_file_is_named(tmp_path):
    whole = (ROOT / "reference_models/weights/dit-digits.safetensors").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    result = bench(
        "generate", "dit-digits", "--num", 1, "--out", tmp_path / "o", "--weights", tmp_path / "half.safetensors"
    )
    complains(result, 1, "half.safetensors")


def test_weights_of_another_model_name_expected_and_found_keys(tmp_path):
    other = ROOT / "reference_models/weights/dit-digits.safetensors"
    result = bench("generate", "transdiff-digits", "--num", 1, "--out", tmp_path / "o", "--weights", other)
    complains(result, 1, "dit-digits.safetensors", "missing", "unexpected")


@pytest.mark.parametrize(
    ("reference", "words"),
    [("missing", "no such"), ("empty", "empty"), ("mixed", "sizes")],
)
def test_a_bad_reference_folder_is_refused(tmp_path, reference, words):
    generated = folder_of_images(tmp_path / "generated", [8] * 4)
    (tmp_path / "empty").mkdir()
    folder_of_images(tmp_path / "mixed", [8, 8, 16])
    result = bench("score", "images", generated, "--reference", tmp_path / reference, "--features", "digits")
    complains(result, 2, "reference", reference)


def test_an_unknown_feature_extractor_names_those_that_exist(tmp_path):
    generated = folder_of_images(tmp_path / "generated", [8] * 4)
    result = bench("score", "images", generated, "--reference", "digits-train", "--features", "clip")
    complains(result, 2, "'clip'", "digits", "inception")


def test_generate_is_resumable_and_refuses_to_mix_runs(tmp_path):
    out = tmp_path / "out"
    assert bench("generate", "transdiff-digits", "--num", 3, "--out", out).returncode == 0
    first = {path.name: path.read_bytes() for path in out.glob("*.png")}
    (out / "000001.png").unlink()
    assert bench("generate", "transdiff-digits", "--num", 4, "--out", out, "--batch-size", 1).returncode == 0
    again = {path.name: path.read_bytes() for path in out.glob("*.png")}
    assert sorted(again) == [f"{i:06d}.png" for i in range(4)]
    for name, data in first.items():
        one, two = (np.asarray(Image.open(io.BytesIO(d))).astype(int) for d in (data, again[name]))
        assert abs(one - two).max() <= 1
    complains(bench("generate", "transdiff-digits", "--num", 4, "--seed", 1, "--out", out), 2, "another run")


def test_a_report_without_records_says_so(tmp_path):
    result = bench("report", "--results", tmp_path / "none", "--out", tmp_path / "index.html")
    assert result.returncode == 2 or (tmp_path / "index.html").exists()
    assert "Traceback" not in result.stderr
