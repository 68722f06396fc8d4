"""Who is at work in a folder that many processes write into; how each file is written is `bench.files`.

A claim is an empty file whose name carries host, process and a random part, so that what a killed process left can be
told from what a living one is making.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.files import (
    FEW_BYTES,
    FOREIGN_AGE_S,
    HOST,
    check_writable,
    is_own,
    is_temporary,
    kept_fresh,
    make_folder,
    read_whole,
    set_aside,
    sweep_temporaries,
    temporaries,
    temporary,
    temporary_name,
    write_new,
    write_whole,
)

__all__ = [
    "CLAIMS",
    "FEW_BYTES",
    "FOREIGN_AGE_S",
    "HOST",
    "at_work",
    "check_writable",
    "claim",
    "claimed",
    "end_claims",
    "in_use",
    "is_temporary",
    "make_folder",
    "read_whole",
    "set_aside",
    "sweep",
    "sweep_below",
    "temporary_name",
    "write_new",
    "write_whole",
]

CLAIMS = ".claims"  # folder beside the files, gone when nobody works


@contextmanager
def claim(folder: Path, name: str) -> Iterator[Path]:
    """Within the block, tell the other workers that this process makes `name`. They leave it for last: no lock.

    `end_claims` removes the folder.
    """
    place = folder / CLAIMS
    with temporary(place / name, "claim") as path:
        for _ in range(3):
            try:
                place.mkdir(exist_ok=True)
                path.touch()
                break
            except OSError:  # another worker has just removed the empty folder; and a claim is a courtesy
                continue
        yield path


@contextmanager
def at_work(folder: Path, what: str) -> Iterator[None]:
    """Within the block, say in a work folder that this process needs what lies there: `bench clean` leaves it.

    What killed processes left anywhere below is removed before and after: this process may have killed some itself, and
    where another has made what they were at, nobody else looks there again.
    """
    make_folder(folder, "--results")
    sweep_below(folder)
    try:
        with claim(folder, what) as path, kept_fresh(path):
            yield
    finally:
        sweep_below(folder)


def end_claims(folder: Path) -> None:
    """Remove this process's claims, those that an interruption left too, and the folder if it is empty."""
    for match, entry in temporaries(folder / CLAIMS):
        if is_own(match):
            with suppress(OSError):
                os.unlink(entry.path)
    with suppress(OSError):
        (folder / CLAIMS).rmdir()


def claimed(folder: Path) -> set[str]:
    """What other living processes say they are making in a folder."""
    found = (match["name"] for match, _ in temporaries(folder / CLAIMS) if not is_own(match))
    return set(found)


def in_use(folder: Path) -> bool:
    """Whether a living process is at work in a folder."""
    return any(True for place in (folder, folder / CLAIMS) for _ in temporaries(place))


def sweep(folder: Path) -> None:
    """Remove what killed processes have left in a folder: temporary files and claims."""
    for place in (folder, folder / CLAIMS):
        sweep_temporaries(place)
    with suppress(OSError):
        (folder / CLAIMS).rmdir()


def sweep_below(folder: Path) -> None:
    """`sweep` of a folder and of all that are in it."""
    for place, below, _ in os.walk(folder):
        if CLAIMS in below:
            below.remove(CLAIMS)
        below[:] = [name for name in below if not is_temporary(name)]
        sweep(Path(place))
