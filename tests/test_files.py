"""Files that are written: asked for before the work, whole or not at all, and nothing left behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import torch

from bench import files
from bench.assets.download import unpack
from bench.assets.stream import fetch_url
from bench.datasets.reference_statistics import Statistics, save_statistics
from bench.errors import CheckFailed, CheckpointError, UsageError
from bench.features.cache import keep
from bench.report import render
from bench.report.exports import export
from bench.report.page import PICTURE
from reference_models import training
from tests.paths import ROOT


@pytest.fixture(scope="module")
def dead_pid():
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def refusal(path, kind):
    with pytest.raises(kind) as refused:
        files.check_target(path, "--out")
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_target_that_is_no_name_of_a_file_is_a_wrong_call(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "pipe")
    assert "a folder" in refusal(tmp_path, UsageError)
    assert "a folder" in refusal(files.Path(""), UsageError)
    assert "is a file, expected a folder" in refusal(tmp_path / "file" / "x", UsageError)
    assert "too long" in refusal(tmp_path / ("n" * 300), UsageError)
    assert "no regular file" in refusal(tmp_path / "pipe", UsageError)


def test_a_link_is_written_through_and_one_that_leads_nowhere_is_a_wrong_call(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "page.html", tmp_path / "link.html"
    target.touch()
    link.symlink_to(target)
    files.check_target(link, "--out")
    files.write_whole(link, b"new")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("dangling", "loop"):
        assert "a link that leads nowhere" in refusal(tmp_path / name, UsageError)
        with pytest.raises(CheckFailed, match="not the name of a regular file"):
            files.write_whole(tmp_path / name, b"new")
    assert len(list(tmp_path.iterdir())) == 4


def test_a_little_room_is_told_in_digits_that_differ(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_free_bytes", lambda folder: 307_200.0)
    with pytest.raises(CheckFailed, match=r"needs about 0\.614 MB of disk, .* has 0\.307 MB left"):
        files.check_writable(tmp_path, "--out", needed_bytes=614_400)


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), OSError(30, "Read-only file system")])
def test_a_target_that_cannot_be_written_is_known_at_the_start_and_leaves_nothing(tmp_path, monkeypatch, fault):
    def refuse(number):
        raise fault

    monkeypatch.setattr(os, "fsync", refuse)
    assert fault.strerror in refusal(tmp_path / "out.json", CheckFailed)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_while_writing_keeps_the_file_of_before(tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    files.write_whole(path, b"before")

    def refuse(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(CheckFailed, match=r"out\.json: cannot be written: No space left on device"):
        files.write_whole(path, b"after")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]


def test_asking_for_a_target_sweeps_what_killed_processes_left_of_it_and_nothing_else(tmp_path, dead_pid):
    def left(name, pid):
        path = tmp_path / f".{name}.{files.HOST}.{pid}.0123abcd.tmp"
        path.touch()
        return path.name

    left("out.json", dead_pid)
    left("out.json.1a2b3c4d.checkpoint", dead_pid)  # beside it, of its training
    (tmp_path / f".out.json.{files.HOST}.{dead_pid}.89abcdef.tmp" / "images").mkdir(parents=True)  # what exports make
    kept = {left("out.json", os.getpid()), left("other.json", dead_pid)}
    files.check_target(tmp_path / "out.json", "--json")
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_of_two_that_make_one_file_with_other_content_the_later_is_refused(tmp_path, dead_pid):
    """Not those of one identity, nor of a file whose name begins alike, nor what a killed process left."""
    path, one, other = tmp_path / "m.v1", "0" * 8, "f" * 8
    (tmp_path / f".m.v1.{other}.{files.HOST}.{dead_pid}.0123abcd.claim").touch()
    with files.making(path, one, "--out"):
        with files.making(path, one, "--out"), files.making(tmp_path / "m", other, "--out"):
            pass
        with pytest.raises(UsageError, match=rf"--out .*m\.v1: process {os.getpid()} .* choose another name"):
            files.making(path, other, "--out").__enter__()
    with files.making(path, other, "--out"):
        pass
    assert len(list(tmp_path.iterdir())) == 1


def test_of_two_that_make_a_file_of_a_long_name_the_later_is_refused(tmp_path):
    """Not for another file whose name begins alike."""
    path, like = tmp_path / ("m" * 120), tmp_path / ("m" * 119 + "n")
    with files.making(path, "0" * 8, "--out"):
        with files.making(path, "0" * 8, "--out"), files.making(like, "f" * 8, "--out"):
            pass
        with pytest.raises(UsageError, match="with another content"):
            files.making(path, "f" * 8, "--out").__enter__()


def test_a_claim_of_days_is_not_taken_for_a_dead_process_by_another_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FRESH_EVERY_S", 0.01)
    with files.making(tmp_path / "m", "0" * 8, "--out"):
        (claim,) = tmp_path.iterdir()
        os.utime(claim, (0, 0))
        deadline = time.monotonic() + 10
        while not claim.stat().st_mtime and time.monotonic() < deadline:
            time.sleep(0.01)
        monkeypatch.setattr(files, "HOST", "another")
        match = files.TEMPORARY.fullmatch(claim.name)
        assert match is not None
        assert files.is_alive(match, claim.stat().st_mtime)
        assert not files.is_alive(match, 0.0)


@pytest.mark.parametrize("name", ["ж" * 100, "x" * 240, "新" * 80])
def test_a_temporary_name_fits_wherever_the_name_itself_does(tmp_path, name):
    path = tmp_path / name.encode()[:250].decode(errors="ignore")
    files.write_whole(path, b"content")
    assert path.read_bytes() == b"content"
    assert files.is_temporary(files.temporary_name(path.name))


def test_what_has_no_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", files.Path("/dev/zero")):
        with pytest.raises(UsageError, match=r"prompts .*: no regular file"):
            files.check_regular(path, "prompts")


def test_a_file_never_takes_the_place_of_a_pipe_or_a_device(tmp_path):
    """Whoever may write everywhere would replace /dev/null by renaming; asked for before the work or not."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, files.Path("")):
        for write in (files.write_whole, files.write_new):
            with pytest.raises(CheckFailed, match="not the name of a regular file"):
                write(path, b"content")
    assert [(file.name, file.is_fifo()) for file in tmp_path.iterdir()] == [("pipe", True)]


# -- one way to write --------------------------------------------------------------------------------------------------


WRITERS = {
    "whole": lambda path: files.write_whole(path, b"new"),
    "statistics": lambda path: save_statistics(path, Statistics(np.zeros(2), np.eye(2))),
    "a weights file in training": lambda path: training.write_whole(path, lambda file: file.write(b"new")),
    "a download": lambda path: fetch_url("http://127.0.0.1:9/never", path, name="never"),
    "what an archive holds": lambda path: unpack(archive_of(path), path.parent),
    "the report": lambda path: render([ROOT / "results"], path),
    "the report's picture": lambda path: render([ROOT / "results"], path.with_name("index.html")),
    "the report as a table": lambda path: export([ROOT / "results"], "csv", path, path),
}


def archive_of(path):
    made = path.parent.parent / "archive.zip"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(path.name, "new")
    return made


@pytest.mark.parametrize("writer", WRITERS)
def test_no_writer_puts_a_file_in_the_place_of_a_pipe_or_leaves_another(tmp_path, writer):
    """As root a rename replaces /dev/null."""
    pipe = tmp_path / "folder" / PICTURE
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    with pytest.raises((UsageError, CheckFailed, CheckpointError), match="regular file"):
        WRITERS[writer](pipe)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert [path.name for path in pipe.parent.iterdir()] == [PICTURE]


def test_a_cache_that_is_a_pipe_is_left_alone(tmp_path):
    os.mkfifo(tmp_path / "root-1.npy")
    keep(tmp_path / "root-1.npy", lambda file: None, "root-*.npy")
    assert stat.S_ISFIFO((tmp_path / "root-1.npy").lstat().st_mode)


@pytest.mark.parametrize("write", [files.write_whole, training.write_whole])
def test_a_checkpoint_that_the_disk_has_no_room_for_is_the_disks_fault_and_leaves_nothing(tmp_path, write):
    """torch.save has its own word for it, which says nothing: RuntimeError, "unexpected pos 64 vs 0"."""

    def onto_a_full_disk(path, fill):
        def filled(file):
            class Full:
                def write(self, content):
                    if file.tell() + len(content) > 1000:
                        raise OSError(28, "No space left on device")
                    return file.write(content)

                def flush(self):
                    pass

            fill(Full())

        write(path, filled)

    with pytest.raises((CheckFailed, OSError), match="No space left on device"):
        training.save_checkpoint({"weights": torch.zeros(1000)}, tmp_path / "m.checkpoint", onto_a_full_disk)
    assert not list(tmp_path.iterdir())
