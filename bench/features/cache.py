"""Files kept between runs, by the content that they were made of and never by a name.

They lie in the cache folder (bench.assets.checksums). Written whole or not at all. The folder
can be deleted at any time, and where it cannot be written nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from bench.files import sweep_temporaries, temporary_name

FILES_KEPT = 8  # of each kind


def keep(path: Path, write: Callable[[IO[bytes]], None], kind: str) -> None:
    """Write the file under a temporary name and rename it; forget the oldest of more than FILES_KEPT of this kind.

    kind: a pattern of file names, as "root-*.npy"
    """
    temporary = path.with_name(temporary_name(path.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(path.parent)
        try:
            with open(temporary, "wb") as file:
                write(file)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        for old in sorted(path.parent.glob(kind), key=lambda kept: kept.stat().st_mtime)[:-FILES_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return
