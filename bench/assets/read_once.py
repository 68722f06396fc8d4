"""Files that were read to their end and found whole: kept by path, size and time of change, as checksums are, so that
a captions file of 30 MB is parsed once and not by every `plan`.

One small file per set of files in `checksums.cache_folder()`. Where the folder cannot be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.assets.checksums import cache_folder, keep
from bench.records.json_files import read_json


def read_once(files: Sequence[Path], version: int, read: Callable[[], None]) -> None:
    """Call `read`, unless it ended without an error before on these files at their sizes and times.

    version: of `read`; a change to it counts as files that were never read
    """
    now = [version, *([str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files)]
    named = json.dumps([str(path.resolve()) for path in files])
    name = hashlib.sha256(named.encode(errors="surrogateescape")).hexdigest()[:32]
    entry = cache_folder() / "whole" / f"{name}.json"
    with contextlib.suppress(OSError, ValueError):  # none, half a file
        if read_json(entry) == now:
            return
    read()
    keep(entry, (json.dumps(now, indent=1) + "\n").encode())
