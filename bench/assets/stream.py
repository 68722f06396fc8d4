"""A file at an address, streamed to disk so that it can be resumed.

It grows as `<name>.partial` and is renamed when it is whole; beside it `<name>.partial.json` holds what the server said
of it, so that a download that was cut continues with the same file and never splices two. Free disk is checked before
the first byte, size and checksum after the last.
"""

from __future__ import annotations

import errno
import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from bench.assets.checksums import checksum, forget
from bench.assets.lookup import PARTIAL
from bench.assets.wholeness import why_cut_off
from bench.console import progress
from bench.errors import CheckFailed, UsageError
from bench.files import check_replaceable, write_whole
from bench.formatting import quantity
from bench.records.json_files import read_json

TRIES = 5  # of a connection that breaks
PAUSE_S = 1.0  # before the second try, longer each time
TIMEOUT_S = 60.0
CHUNK = MEBI = 2**20
AGENT = "Wget/1.21 (arbiter-bench)"  # Dropbox gives the file to wget, and a page to look at to a browser
RETRIED = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Served:
    """What the server says of a file: by this a partial download knows whether it continues the same one."""

    url: str
    tag: str  # a strong ETag or Last-Modified, "" where the server gives neither
    size: int | None


class ConnectionCut(Exception):
    """The connection ended before the file did."""


def fetch_url(url: str, target: Path, *, name: str, size: int | None = None, sha256: str | None = None) -> None:
    """The file at `url` as `target`: complete or not at all; what was there before is replaced.

    size, sha256 (or its first digits): as published. Raises CheckFailed in one line; run again, it continues.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + PARTIAL)
    for path in (target, partial, _remark(partial)):
        check_replaceable(path)
    with locked(partial) as file:
        for attempt in range(1, TRIES + 1):
            try:
                _continue(url, file, partial, name, size)
                break
            except (ConnectionCut, OSError, http.client.HTTPException) as error:
                reason = _final(error, url, partial)
                if reason or attempt == TRIES:
                    got = quantity("size_bytes", partial.stat().st_size)
                    raise CheckFailed(
                        reason
                        or f"{name}: {url}: {_words(error)} after {TRIES} tries; {got} are kept in {partial}: "
                        "run the same command again to continue"
                    ) from error
                time.sleep(PAUSE_S * attempt)
        _check(partial, target, url, size, sha256)
        partial.replace(target)
        _remark(partial).unlink(missing_ok=True)
    forget(target)


@contextmanager
def locked(path: Path) -> Iterator[FileIO]:
    """The file at `path` to append to, for one process at a time; the lock ends with the process that holds it."""
    with open(path, "ab", buffering=0) as file:  # unbuffered: a full disk shows at the write, not at the end
        try:
            _lock(file)
        except OSError as error:
            raise UsageError(f"{path}: another process is downloading it") from error
        yield file


def _lock(file: FileIO) -> None:
    """Take the file, or raise OSError where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _continue(url: str, file: FileIO, partial: Path, name: str, size: int | None) -> None:
    """Ask for what `file` lacks and append it. ConnectionCut where less came than was announced."""
    before = _last_served(partial)
    have = partial.stat().st_size if before and before.url == url and before.tag else 0
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if have and before:
        headers |= {"Range": f"bytes={have}-", "If-Range": before.tag}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and before and before.size == have:  # it was whole already
            return
        if error.code == 416:
            _remark(partial).unlink(missing_ok=True)
            raise ConnectionCut("the server has another file now") from error
        raise
    with response:
        if response.headers.get_content_type() == "text/html" and not url.endswith(".html"):
            raise CheckFailed(f"{name}: {url}: answered with a web page instead of the file")
        start, served = _served(response, url)
        if start not in (0, have):
            raise ConnectionCut(f"asked for the bytes from {have:,} on, got those from {start:,} on")
        file.truncate(start)
        if size is not None and served.size is not None and served.size != size:
            raise CheckFailed(f"{name}: {url}: has {served.size:,} bytes; expected {size:,}, as published")
        write_whole(_remark(partial), json.dumps(asdict(served)).encode(), sync=False)
        if served.size is not None:
            check_disk(partial.parent, served.size - start, name)
        _append(response, file, start, served.size, name)


def _served(response: Any, url: str) -> tuple[int, Served]:
    """(offset of the first byte that comes, what the server says of the whole file)."""
    tag = response.headers.get("ETag") or ""
    if not tag or tag.startswith("W/"):  # a weak one does not promise the same bytes
        tag = response.headers.get("Last-Modified") or ""
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if found:
            return int(found[1]), Served(url, tag, None if found[2] == "*" else int(found[2]))
    length = response.headers.get("Content-Length")
    return 0, Served(url, tag, int(length) if length else None)


def _append(response: Any, file: FileIO, start: int, total: int | None, name: str) -> None:
    """Write what comes. ConnectionCut where it is less than `total`, which the standard library does not tell."""
    done = start
    with progress(f"{name} (MiB)", _mebi(total or 0)) as reporter:
        while chunk := response.read(CHUNK):
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]
            done += len(chunk)
            if total is not None:
                reporter.update(_mebi(done))
    if total is not None and done < total:
        raise ConnectionCut(f"cut off at {done:,} of {total:,} bytes")


def _mebi(size: int) -> int:
    return -(-size // MEBI)


def _final(error: Exception, url: str, partial: Path) -> str:
    """The message of an error that no second try mends, "" for others."""
    if isinstance(error, urllib.error.HTTPError):
        return "" if error.code in RETRIED else f"{url}: {error.code} {error.reason}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{partial}: the disk is full; free some and run the same command again to continue"
    return ""


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split()) or type(error).__name__


def _check(partial: Path, target: Path, url: str, size: int | None, sha256: str | None) -> None:
    """CheckFailed where what was downloaded is not what was published; it is removed, for no second try mends it."""
    found, wrong = partial.stat().st_size, ""
    if size is not None and found != size:
        wrong = f"{found:,} bytes; expected {size:,}, as published"
    elif sha256 and not (now := checksum(partial).sha256).startswith(sha256):
        wrong = f"sha256 {now}; expected {sha256}{'...' if len(sha256) < 64 else ''}, as published"
    elif target.suffix != ".safetensors" and (reason := why_cut_off(partial)):
        wrong = reason
    forget(partial)
    if wrong:
        partial.unlink()
        _remark(partial).unlink(missing_ok=True)
        raise CheckFailed(f"{url}: what was downloaded has {wrong}; it was removed")


def _remark(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _last_served(partial: Path) -> Served | None:
    try:
        return Served(**read_json(_remark(partial)))
    except (ValueError, TypeError):
        return None


def check_disk(folder: Path, needed: int, name: str) -> None:
    """CheckFailed where `folder` has no room for `needed` more bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        sizes = f"needs {quantity('size_bytes', needed)}, {quantity('size_bytes', free)} are free"
        raise CheckFailed(f"{name}: {folder}: {sizes}")
