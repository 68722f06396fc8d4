"""Files kept between runs, by the content that they were made of and never by a name.

They lie in the cache folder (bench.assets.checksums). The folder can be deleted at any time, and where it cannot be
written nothing is kept.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bench.assets import checksums
from bench.files import Fill

FILES_KEPT = 8  # of each kind


def keep(path: Path, write: Fill, kind: str) -> None:
    """Write the file, whole or not at all; forget the oldest of more than FILES_KEPT of this kind.

    kind: a pattern of file names, as "root-*.npy"
    """
    checksums.keep(path, write)
    with suppress(OSError):
        for old in sorted(path.parent.glob(kind), key=lambda kept: kept.stat().st_mtime)[:-FILES_KEPT]:
            old.unlink(missing_ok=True)
