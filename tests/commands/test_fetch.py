"""`bench fetch` and `bench doctor` as a user calls them, with a table of toy assets on a server of our own."""

from __future__ import annotations

import hashlib
import os

import pytest

from bench import assets
from bench.assets import checksums, stream
from bench.assets.asset import Asset, Url
from tests.command_line import bench, complains
from tests.file_server import serving

CONTENT = os.urandom(100_000)


def toy(server, name, file, **fields):
    url = Url(f"{server.url}/{file}", file)
    return Asset(name, "model", "127.0.0.1/toys", file, "CC BY 4.0", ("toys",), downloads=(url,), **fields)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("ARBITER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stream, "PAUSE_S", 0.0)
    real = assets.table()
    with serving({"/a.pth": CONTENT, "/b.pth": CONTENT[:10]}) as served:
        toys = {
            "toy-a": toy(served, "toy-a", "a.pth", needs=("toy-b",), size=len(CONTENT)),
            "toy-b": toy(served, "toy-b", "b.pth", sha256="0123abcd"),
            "toy-c": toy(served, "toy-c", "c.pth"),
            "imagenet-train": real["imagenet-train"],
        }
        monkeypatch.setattr(assets, "table", lambda: toys)
        monkeypatch.setattr("bench.commands.asset_tables.table", lambda: toys)
        yield served


def test_fetch_prints_licence_path_and_checksum_and_does_nothing_twice(server, capsys, tmp_path):
    path = tmp_path / "assets/127.0.0.1/toys/a.pth"
    status, out, _ = bench(capsys, "fetch", "toy-a")
    assert status == 0
    assert path.read_bytes() == CONTENT
    assert "toy-a: licence: CC BY 4.0" in out
    assert f"sha256 {hashlib.sha256(CONTENT).hexdigest()[:16]}" in out
    assert f"    {path}\n" in out
    assert "also needed: python -m bench fetch toy-b" in out
    server.asked.clear()
    status, out, _ = bench(capsys, "fetch", "toy-a")
    assert (status, server.asked) == (0, [])
    assert f"toy-a is there already: {path}" in out


def test_a_cut_download_continues_with_the_same_command(server, capsys, monkeypatch):
    monkeypatch.setattr(stream, "TRIES", 1)
    server.cut_after = [60_000]
    status, _, err = bench(capsys, "fetch", "toy-a")
    assert (status, err.count("\n")) == (1, 1)
    assert "run the same command again to continue" in err
    assert bench(capsys, "fetch", "toy-a")[0] == 0
    assert server.asked[-1] == ("/a.pth", "bytes=60000-")


def test_a_wrong_checksum_and_a_missing_file_are_one_line_each(server, capsys, tmp_path):
    status, _, err = bench(capsys, "fetch", "toy-b")
    assert (status, err.count("\n")) == (1, 1)
    assert "expected 0123abcd..., as published; it was removed" in err
    status, _, err = bench(capsys, "fetch", "toy-c")
    assert (status, err.count("\n")) == (1, 1)
    assert "c.pth: 404 Not Found" in err
    assert not list((tmp_path / "assets").rglob("b.pth*"))


def test_what_only_a_person_can_get_is_said_before_anything_is_downloaded(server, capsys, tmp_path):
    err = complains(capsys, "fetch", "toy-a", "imagenet-train")
    assert "register at image-net.org" in err
    assert f"into {tmp_path / 'assets/imagenet/train'}" in err
    assert server.asked == []


def test_wrong_calls(server, capsys):
    assert "fetch: no asset named; `python -m bench fetch --list`" in complains(capsys, "fetch")
    assert "unknown asset 'toy-d'; did you mean toy-" in complains(capsys, "fetch", "toy-a", "toy-d")
    assert server.asked == []


def test_a_replaced_file_is_refused_until_it_is_accepted(server, capsys, tmp_path):
    """fetch would get the published one again; --accept keeps what lies there."""
    bench(capsys, "fetch", "toy-a")
    path = tmp_path / "assets/127.0.0.1/toys/a.pth"
    path.write_bytes(bytes(len(CONTENT)))
    with pytest.raises(Exception, match="toy-a is changed"):
        assets.checksum(assets.find("toy-a"))
    status, out, _ = bench(capsys, "fetch", "toy-a", "--accept")
    assert status == 0
    assert f"sha256 {hashlib.sha256(bytes(len(CONTENT))).hexdigest()[:16]}" in out
    assert assets.checksum(assets.find("toy-a"))
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(Exception, match="toy-a is changed"):
        assets.checksum(assets.find("toy-a"))
    assert bench(capsys, "fetch", "toy-a")[0] == 0
    assert path.read_bytes() == CONTENT


def test_the_list_says_path_state_size_licence_and_use_of_each(server, capsys, tmp_path):
    bench(capsys, "fetch", "toy-a")
    status, out, _ = bench(capsys, "fetch", "--list")
    assert status == 0
    assert f"Assets in {tmp_path / 'assets'} ($ARBITER_ASSETS): 1 of 4 there" in out
    assert "toy-a                  there, 97.7 KiB, sha256" in out
    assert "toy-c                  missing; licence: CC BY 4.0; unlocks toys" in out
    assert f"    {tmp_path / 'assets/127.0.0.1/toys/c.pth'}\n" in out
    assert f"    {tmp_path / 'assets/imagenet/train'}\n" in out


def test_doctor_reads_content_under_checksums_alone(server, capsys, tmp_path, monkeypatch):
    """Without it a folder of a hundred gigabytes is looked through in a moment."""
    bench(capsys, "fetch", "toy-a")
    path = tmp_path / "assets/127.0.0.1/toys/a.pth"
    path.write_bytes(bytes(len(CONTENT)))
    reads, digest = [], checksums.digest
    monkeypatch.setattr(checksums, "digest", lambda file: reads.append(file) or digest(file))
    status, out, _ = bench(capsys, "doctor")
    assert (status, reads) == (0, [])
    assert "This machine" in out
    assert "toy-a                  there, 97.7 KiB;" in out
    status, out, _ = bench(capsys, "doctor", "--checksums")
    assert (status, reads) == (0, [path])
    assert "toy-a                  changed, 97.7 KiB" in out


def test_doctor_names_extras_with_their_brackets(server, capsys, monkeypatch):
    """Taken for markup, "arbiter-bench[official]" was printed as "arbiter-bench"."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'arbiter-bench[official]'" in bench(capsys, "doctor")[1]
