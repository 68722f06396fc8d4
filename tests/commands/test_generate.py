"""`bench generate`: a folder of one run's images, whatever was there, whoever else is at work, however it ends."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
from PIL import Image

import reference_models
from bench.commands import generate as generate_command
from bench.sampling import files
from bench.sampling.png_folder import MANIFEST
from reference_models.shipped import SHIPPED
from tests.command_line import bench, complains
from tests.store_worker import NOISE, allowed_s, build
from tests.warm import Warm

NUM = 6


@pytest.fixture
def noise(monkeypatch):
    """The command on a model without weights; (the first index of every batch that it generated)."""
    monkeypatch.setattr(reference_models, "specs", lambda: {NOISE.name: NOISE})
    model, generated, generate_batch = build(NOISE.name), [], generate_command.generate_batch

    def noting(model, indices, *args, **kwargs):
        generated.extend(indices)
        return generate_batch(model, indices, *args, **kwargs)

    monkeypatch.setattr(generate_command, "load_model", lambda *args, **kwargs: (model, "of the test"))
    monkeypatch.setattr(generate_command, "generate_batch", noting)
    return generated


def call(out, *options, num=NUM):
    return ("generate", NOISE.name, "--num", num, "--out", out, "--device", "cpu", "--batch-size", 4, *options)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".bad"}


def other_pixels(path):
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGE = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "empty": lambda path: path.write_bytes(b""),
    "flipped": flipped,
    "foreign": other_pixels,
    "swapped": lambda path: shutil.copy(path.with_name("000001.png"), path),
    "text": lambda path: path.write_text("no image"),
    "a pipe": a_pipe,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_image_is_set_aside_named_and_made_again(capsys, noise, tmp_path, how):
    out = tmp_path / "out"
    assert bench(capsys, *call(out))[0] == 0
    before = content(out)
    assert len(before) == NUM + 1
    noise.clear()
    DAMAGE[how](out / "000003.png")
    status, said, _ = bench(capsys, *call(out))
    assert status == 0
    assert noise == [3]
    assert content(out) == before
    (line,) = [line for line in said.splitlines() if "set aside" in line]
    assert "000003.png" in line
    (bad,) = out.glob("*.bad")
    assert bad.name in line


def test_a_damaged_tokenizer_is_found_before_the_folder_is_begun(capsys, tmp_path, monkeypatch):
    """Else its manifest would name the damaged file, and the folder take no image once that is mended."""
    weights, out = tmp_path / "weights", tmp_path / "out"
    weights.mkdir()
    for name in ("llamagen-digits", "vq-digits"):
        shutil.copy(SHIPPED / f"{name}.safetensors", weights)
    monkeypatch.setenv("ARBITER_WEIGHTS", str(weights))
    tokenizer = weights / "vq-digits.safetensors"
    tokenizer.write_bytes(tokenizer.read_bytes()[:-1])
    call = ("generate", "llamagen-digits", "--num", 1, "--device", "cpu", "--out", out)
    assert "vq-digits.safetensors" in complains(capsys, *call, status=1)
    assert not out.exists()


def test_the_option_that_torchrun_leaves_alone(capsys, noise, tmp_path):
    arguments = ["--num-images" if one == "--num" else one for one in call(tmp_path / "out")]
    assert bench(capsys, *arguments)[0] == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == NUM


def test_ranks_share_the_images_and_finish_for_the_dead(capsys, noise, tmp_path, monkeypatch):
    """Each of three ends with all there; the files are those of one."""
    assert bench(capsys, *call(tmp_path / "one"))[0] == 0
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in ("2", "0"):
        monkeypatch.setenv("RANK", rank)
        assert bench(capsys, *call(tmp_path / "out"))[0] == 0
        assert content(tmp_path / "out") == content(tmp_path / "one")
    for wrong in ("5", "x", ""):
        monkeypatch.setenv("RANK", wrong)
        assert f"RANK='{wrong}': expected a whole number from 0 to 2" in complains(capsys, *call(tmp_path / "new"))
    monkeypatch.setenv("WORLD_SIZE", "-2")
    assert "WORLD_SIZE='-2'" in complains(capsys, *call(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_another_run_is_refused_and_a_damaged_manifest_is_one_line(capsys, noise, tmp_path):
    out = tmp_path / "out"
    assert bench(capsys, *call(out))[0] == 0
    assert "holds images of another run (another seed)" in complains(capsys, *call(out, "--seed", 1))
    for text in ("", "{", "[1]", "[" * 100_000, "\x00", '{"seed": 1' + "0" * 5000 + "}"):
        (out / MANIFEST).write_text(text)
        assert f"{MANIFEST} is damaged" in complains(capsys, *call(out))
    (out / MANIFEST).unlink()
    assert "images that this command did not make" in complains(capsys, *call(out))


def test_a_run_that_begins_between_our_two_looks_is_seen(capsys, noise, tmp_path, monkeypatch):
    """Another run's manifest appears after this run found none: this run is refused."""
    out = tmp_path / "out"
    write_new = files.write_new

    def late(path, data):
        path.write_text('{"seed": 7}')
        return write_new(path, data)

    monkeypatch.setattr(files, "write_new", late)
    assert "another run" in complains(capsys, *call(out))
    assert not list(out.glob("*.png"))


def test_targets_that_cannot_be_written_are_found_at_the_start(capsys, noise, tmp_path, monkeypatch):
    """A file where a folder is meant, a disk without room: one line, and nothing is generated or made."""
    (tmp_path / "file").write_text("")
    assert "file is a file, expected a folder" in complains(capsys, *call(tmp_path / "file"))
    assert "file is a file, expected a folder" in complains(capsys, *call(tmp_path / "file" / "x"))
    for num in (2**30, 2**31 - 1):
        status, _, err = bench(capsys, *call(tmp_path / "many", num=num))
        assert status == 1
        assert "of disk" in err
        assert err.count("\n") == 1

    def read_only(*args):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("bench.files.open", read_only, raising=False)
    status, _, err = bench(capsys, *call(tmp_path / "new"))
    assert (status, err.count("\n")) == (1, 1)
    assert "cannot be written to: Read-only file system" in err
    assert noise == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_up_leaves_whole_images_and_goes_on_later(capsys, noise, tmp_path, monkeypatch):
    out, replace, count = tmp_path / "out", os.replace, []
    assert bench(capsys, *call(tmp_path / "one"))[0] == 0

    def full(source, target):
        count.append(target)
        if len(count) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    status, _, err = bench(capsys, *call(out))
    assert (status, err.count("\n")) == (1, 1)
    assert "000003.png: cannot be written: No space left on device" in err
    assert sorted(path.name for path in out.iterdir()) == ["000000.png", "000001.png", "000002.png", MANIFEST]
    monkeypatch.setattr(os, "replace", replace)
    assert bench(capsys, *call(out))[0] == 0
    assert content(out) == content(tmp_path / "one")


def test_pngs_of_somebody_else_are_named(capsys, noise, tmp_path):
    assert bench(capsys, *call(tmp_path / "out"))[0] == 0
    shutil.copy(tmp_path / "out" / "000000.png", tmp_path / "out" / "cat.png")
    assert "1 PNGs of somebody else's (first: cat.png)" in bench(capsys, *call(tmp_path / "out"))[1]


def test_a_record_of_what_made_them(capsys, noise, tmp_path):
    """The manifest names everything that the images depend on."""
    assert bench(capsys, *call(tmp_path / "out"))[0] == 0
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    expected = {"model", "version", "sampling_version", "files_sha256", "settings", "seed", "asked", "precision"}
    assert set(manifest) == expected
    assert (manifest["model"], manifest["asked"], manifest["precision"]) == ("noise", {"labels": "balanced"}, "float32")


# -- in processes of their own -----------------------------------------------------------------------------------------


def start(out, *options):
    arguments = ["generate", "var-digits", "--num", 40, "--batch-size", 4, "--out", out, "--device", "cpu", *options]
    return Warm("bench", *arguments)


@pytest.mark.slow
def test_of_two_runs_into_one_new_folder_one_is_refused(tmp_path):
    workers = [start(tmp_path / "out", "--seed", seed) for seed in (0, 1)]
    said = [worker.communicate(timeout=240) for worker in workers]
    assert sorted(worker.returncode for worker in workers) == [0, 2]
    (refused,) = [err for (_, err), worker in zip(said, workers, strict=True) if worker.returncode]
    assert "another run" in refused
    assert refused.count("\n") == 1
    assert len(list((tmp_path / "out").glob("*.png"))) == 40


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_and_run_again_it_leaves_what_an_undisturbed_run_does(tmp_path, number):
    whole, out = tmp_path / "whole", tmp_path / "out"
    first = start(whole)
    worker = start(out)
    deadline = time.monotonic() + 120
    while not list(out.glob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    begun = time.monotonic()
    worker.send_signal(number)
    _, err = worker.communicate(timeout=60)
    assert time.monotonic() - begun < allowed_s()
    if number != signal.SIGKILL:
        assert err == "bench: interrupted; run the same command again to continue\n"
        assert not list(out.rglob(".*"))
    again = start(out, "--batch-size", 7)
    assert again.communicate(timeout=240)[1] == ""
    assert first.communicate(timeout=240)[1] == ""
    assert content(out) == content(whole)


def test_an_autoencoder_of_a_model_that_brings_its_own_is_refused(capsys, tmp_path):
    line = complains(
        capsys, "generate", "dit-digits", "--num", 2, "--out", tmp_path / "o", "--autoencoder", tmp_path / "none"
    )
    assert "dit-digits brings its own autoencoder: leave out --autoencoder" in line


def test_weights_that_are_not_in_the_folder_of_the_variable_name_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("ARBITER_WEIGHTS", str(tmp_path / "none"))
    line = complains(capsys, "generate", "dit-digits", "--num", 2, "--out", tmp_path / "o")
    assert f"no shipped weights in ARBITER_WEIGHTS={tmp_path / 'none'}: train it" in line
