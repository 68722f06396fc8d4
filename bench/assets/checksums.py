"""Checksums of assets, kept by path, size and time of change: a file of 5 GB is read once, not at every run.

The first checksum of a path stays beside the present one. Where authors publish none, it is the only thing that tells
a file from the one that earlier numbers were measured with.

One small file per path in $ARBITER_CACHE, else $XDG_CACHE_HOME/arbiter, else ~/.cache/arbiter: many processes write
there, and none overwrites what another has learnt. Where the folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import CheckFailed, UsageError
from bench.files import Fill, sweep_temporaries, write_whole
from bench.records.json_files import read_json

FOLDER_VARIABLE = "ARBITER_CACHE"  # an environment variable
CHECK = "check"  # key of an entry: checksum of its other keys, so that a damaged one is not believed


@dataclass(frozen=True)
class Seen:
    """What is known of a file."""

    path: str
    size: int  # bytes when it was last read
    mtime_ns: int
    sha256: str
    first_size: int  # when it was first used here
    first_sha256: str
    first_utc: str  # ISO 8601

    @property
    def changed(self) -> bool:
        return self.sha256 != self.first_sha256

    def is_of(self, stat: os.stat_result) -> bool:
        """Whether the file is, by size and time, the one that was read."""
        return (self.size, self.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def seen(path: Path) -> Seen | None:
    """What is known of the file at `path`, None where it was never read."""
    try:
        said = read_json(_entry(path))
        if said.pop(CHECK, None) not in (None, _check(said)):  # None: written before entries had one
            return None
        return Seen(**said)
    except (OSError, ValueError, TypeError, AttributeError):  # none, half a file, another format
        return None


def checksum(path: Path) -> Seen:
    """What is known of the file at `path` now; it is read unless it was read before and neither size nor time changed.

    Raises OSError where it cannot be read.
    """
    known, before = seen(path), path.stat()
    if known and known.is_of(before):
        return known
    sha256 = digest(path)
    first = known or Seen("", 0, 0, "", before.st_size, sha256, datetime.now(UTC).isoformat(timespec="seconds"))
    found = dataclasses.replace(
        first, path=str(path.resolve()), size=before.st_size, mtime_ns=before.st_mtime_ns, sha256=sha256
    )
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):  # nobody writes it meanwhile
        _keep(found, path)
    return found


def forget(path: Path) -> None:
    """What lies at `path` counts as used for the first time."""
    with contextlib.suppress(OSError):  # a cache that cannot be written
        _entry(path).unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where this project keeps what can be made again."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    return users_cache(FOLDER_VARIABLE) / "arbiter"


def users_cache(variable: str) -> Path:
    """Where programs keep what can be made again. variable: names what is looked for in another way"""
    return Path(os.environ.get("XDG_CACHE_HOME") or at_home("~/.cache", variable))


def at_home(path: str | Path, variable: str) -> Path:
    """`path`, "~" or "~name" at its begin replaced. UsageError where no such home is known, as of a user without a name
    in a container."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path}: no such home folder is known; set HOME, or {variable} to a whole path") from error


def _entry(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode(errors="surrogateescape")).hexdigest()[:32]
    return cache_folder() / "checksums" / f"{name}.json"


def _keep(found: Seen, path: Path) -> None:
    said = dataclasses.asdict(found)
    keep(_entry(path), (json.dumps(said | {CHECK: _check(said)}, indent=1) + "\n").encode())


def keep(path: Path, content: bytes | Fill) -> None:
    """Write a file of the cache folder, whole or not at all; nothing where it cannot be written."""
    with contextlib.suppress(OSError, CheckFailed):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(path.parent)
        write_whole(path, content, sync=False)


def _check(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
