"""The weights of the small models: where they lie, and whether a file is still the one that this package was made with.

They ship in the folder `weights`, with their checksums in `weights/SHA256SUMS` (the format of `sha256sum -c`).
Where the environment variable ARBITER_WEIGHTS names a folder, that folder takes the package's place for all of them.

    python -m reference_models.shipped      write SHA256SUMS again, after a shipped file was trained anew
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

from reference_models.errors import CheckpointError

SHIPPED = Path(__file__).parent / "weights"
CHECKSUMS = SHIPPED / "SHA256SUMS"
FOLDER_VARIABLE = "ARBITER_WEIGHTS"


def shipped_weights(name: str) -> Path | None:
    """The weights of a small model or tokenizer, None where there are none."""
    path = Path(os.environ.get(FOLDER_VARIABLE) or SHIPPED) / f"{name}.safetensors"
    return path if path.is_file() else None


@functools.cache
def checksums() -> dict[str, str]:
    """sha256 of every shipped file, by file name."""
    try:
        lines = CHECKSUMS.read_text().splitlines()
        return {name: digest for digest, name in (line.split() for line in lines)}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{CHECKSUMS}: cannot be read, so no shipped weights can be checked") from error


def check_shipped(path: Path) -> None:
    """CheckpointError where `path` lies in the package and is not the file that the package was made with."""
    if path.resolve().parent != SHIPPED.resolve():
        return
    with open(path, "rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != checksums().get(path.name):
        raise CheckpointError(
            f"weights {path}: not the file that came with this package (its sha256 begins with {found[:12]}): damaged, "
            "install the package again; trained anew, run `python -m reference_models.shipped`"
        )


def write_checksums() -> None:
    from reference_models.training import write_whole  # here: it imports torch

    files = sorted(SHIPPED.glob("*.safetensors"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    write_whole(CHECKSUMS, lambda file: file.writelines(line.encode() for line in lines))
    print(f"{CHECKSUMS}: {len(lines)} files")


if __name__ == "__main__":
    write_checksums()
