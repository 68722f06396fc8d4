"""Downloads from a server of our own: cut connections, changed files, wrong sizes and checksums, a full disk."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections import namedtuple

import pytest

from bench.assets import stream
from bench.errors import CheckFailed, UsageError
from tests.file_server import serving

CONTENT = os.urandom(3 * 2**20 + 17)  # several pieces of stream.CHUNK
DiskUsage = namedtuple("DiskUsage", "total used free")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(stream, "PAUSE_S", 0.0)
    with serving({"/weights.pth": CONTENT}) as served:
        yield served


@pytest.fixture
def target(tmp_path):
    return tmp_path / "folder" / "weights.pth"


def left(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole_and_alone(server, target):
    """No partial file and no remark stay beside it."""
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT
    assert left(target) == ["weights.pth"]


def test_a_cut_connection_continues_where_it_broke(server, target):
    """Within one call: the second request asks for the rest alone."""
    server.cut_after = [2_000_000]
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=2000000-"]


def test_a_second_call_continues_the_first(server, target, monkeypatch):
    """What arrived before the process gave up is kept and used."""
    monkeypatch.setattr(stream, "TRIES", 1)
    server.cut_after = [1_234_567]
    with pytest.raises(CheckFailed, match=r"cut off at 1,234,567 of 3,145,745 bytes.*same command again to continue"):
        stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert not target.exists()
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT
    assert server.asked[-1] == ("/weights.pth", "bytes=1234567-")


def test_a_file_that_changed_meanwhile_is_not_spliced(server, target, monkeypatch):
    """Half of the old and half of the new file would have the right size and be neither."""
    monkeypatch.setattr(stream, "TRIES", 1)
    server.cut_after = [1_000_000]
    with pytest.raises(CheckFailed):
        stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    server.files["/weights.pth"] = new = bytes(reversed(CONTENT))
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == new


def test_without_a_tag_a_download_starts_anew(server, target):
    """A server that names no version cannot promise that the rest belongs to the same file."""
    server.tags, server.cut_after = False, [1_000_000]
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, None]


def test_a_process_killed_after_the_last_byte_loses_nothing(server, target, monkeypatch):
    """All bytes are there, the rename is not: the server answers 416, and the file is taken."""
    renamed = stream._check
    monkeypatch.setattr(stream, "_check", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    monkeypatch.setattr(stream, "_check", renamed)
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={len(CONTENT)}-"


def test_a_wrong_checksum_leaves_nothing(server, target):
    """The message names both; the file is removed, because it would never become right."""
    right = hashlib.sha256(CONTENT).hexdigest()
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights", sha256=right[:8])
    target.unlink()
    with pytest.raises(CheckFailed, match=f"sha256 {right}; expected 0123abcd..., as published"):
        stream.fetch_url(f"{server.url}/weights.pth", target, name="weights", sha256="0123abcd")
    assert left(target) == []


def test_a_wrong_size_is_seen_before_the_first_byte(server, target):
    with pytest.raises(CheckFailed, match="has 3,145,745 bytes; expected 7, as published"):
        stream.fetch_url(f"{server.url}/weights.pth", target, name="weights", size=7)
    assert not target.exists()


def test_what_is_not_there_is_asked_for_once(server, target):
    with pytest.raises(CheckFailed, match=r"/other\.pth: 404 Not Found"):
        stream.fetch_url(f"{server.url}/other.pth", target, name="weights")
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server, target):
    server.status = [503, 429]
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT


def test_a_server_that_is_away_is_an_error_of_one_line(target, monkeypatch):
    monkeypatch.setattr(stream, "PAUSE_S", 0.0)
    with serving({}) as served:
        url = served.url
    with pytest.raises(CheckFailed, match=r"refused after 5 tries"):
        stream.fetch_url(f"{url}/weights.pth", target, name="weights")


def test_a_web_page_is_not_a_file(server, target):
    """A login or a consent page comes with status 200."""
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(CheckFailed, match="a web page instead of the file"):
        stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert not target.exists()


def test_too_small_a_disk_is_seen_before_the_first_byte(server, target, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: DiskUsage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(CheckFailed, match=r"needs 3.00 MiB, 1,000 B are free"):
        stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert (target.parent / "weights.pth.partial").stat().st_size == 0


def test_a_disk_that_fills_up_keeps_what_arrived(server, target, monkeypatch):
    """Others write too: the check before the first byte is no promise."""

    class Full(stream.FileIO):
        def write(self, data):
            if self.tell() >= 2**20:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", lambda path, *_, **__: Full(path, "ab"))
        with pytest.raises(CheckFailed, match="the disk is full; free some and run the same command again"):
            stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert (target.parent / "weights.pth.partial").stat().st_size == 2**20
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT
    assert server.asked[-1][1] == "bytes=1048576-"


def test_one_process_downloads_a_file(server, target):
    """A second one is told so; the lock goes with the process that holds it."""
    target.parent.mkdir()
    with open(target.with_name("weights.pth.partial"), "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process is downloading it"):
            stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    stream.fetch_url(f"{server.url}/weights.pth", target, name="weights")
    assert target.read_bytes() == CONTENT
