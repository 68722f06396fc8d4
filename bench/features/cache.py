"""Files kept between runs, by the content that they were made of and never by a name.

They lie in the cache folder (bench.assets.checksums). Written whole or not at all. The folder
can be deleted at any time, and where it cannot be written nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from bench.errors import CheckFailed
from bench.files import sweep_temporaries, write_whole

FILES_KEPT = 8  # of each kind


def keep(path: Path, write: Callable[[IO[bytes]], None], kind: str) -> None:
    """Write the file under a temporary name and rename it; forget the oldest of more than FILES_KEPT of this kind.

    kind: a pattern of file names, as "root-*.npy"
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(path.parent)
        write_whole(path, write, sync=False)
        for old in sorted(path.parent.glob(kind), key=lambda kept: kept.stat().st_mtime)[:-FILES_KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, CheckFailed):
        return
