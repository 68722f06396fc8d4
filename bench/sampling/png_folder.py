"""A folder of images as `bench generate` leaves it: one PNG per image, each saying whose it is, and the manifest.

A PNG carries, in a text chunk "arbiter", the hash of what it depends on, its number and the checksum of the rest of its
file, so that one that is cut short, empty, changed or another's is told from the right one without being decoded.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UsageError
from bench.records.json_files import plain
from bench.sampling import files
from bench.sampling.shards import hash_of

MANIFEST = "generated-by.json"  # beside the images: what they are, so that another run does not mix with them
NOTE = "arbiter"  # keyword of the PNG's text chunk
HEAD_BYTES = 33  # of a PNG: signature and IHDR; the note comes next
MAX_BYTES = 2**28  # of a file that is looked at: more than any image here takes


@dataclass
class PngFolder:
    """The images of one run in a folder."""

    path: Path
    identity: Mapping[str, Any]  # what image i depends on, beside i
    option: str = "--out"  # what the user calls the folder
    sound: set[int] = field(default_factory=set)  # images read and found whole here

    @functools.cached_property
    def run(self) -> str:
        return hash_of(self.identity)

    def begin(self) -> None:
        """Make the folder this run's; UsageError where it holds images of another, or such as nobody signed.

        Of two runs that begin at once, one makes the manifest and the other finds it.
        """
        files.make_folder(self.path, self.option)
        manifest, holds_images = self.path / MANIFEST, any(self.path.glob("*.png"))
        if not manifest.exists():
            if holds_images and not manifest.exists():  # asked again: a run beside this one may have begun
                raise UsageError(
                    f"{self.option} {self.path}: holds images that this command did not make; choose another folder"
                )
            files.write_new(manifest, (json.dumps(plain(self.identity), indent=1) + "\n").encode())
        try:
            found = json.loads(files.read_whole(manifest, files.FEW_BYTES))
            if not isinstance(found, dict):
                raise ValueError(f"a JSON {type(found).__name__}, expected an object")
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(
                f"{self.option} {self.path}: {MANIFEST} is damaged ({' '.join(str(error).split())[:80]}); "
                "it says whose images these are: choose another folder"
            ) from error
        if found != plain(self.identity):
            expected = plain(self.identity)
            other = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
            raise UsageError(
                f"{self.option} {self.path}: holds images of another run (another {', '.join(other)[:80]}); "
                "choose another folder"
            )
        files.sweep(self.path)

    def image_path(self, i: int) -> Path:
        return self.path / f"{i:06d}.png"

    def missing(self, indices: Iterable[int], *, whole: bool = True) -> list[int]:
        """Those of the images that are not there; what stands in their place is set aside.

        whole: every image is read, once in a process; else being there is enough.
        """
        return [i for i in indices if not self._has(i, whole)]

    def _has(self, i: int, whole: bool) -> bool:
        path = self.image_path(i)
        if not path.exists():
            return False
        if i not in self.sound and whole:
            fault = self._fault(path, i)
            if fault:
                files.set_aside(path, fault, f"{self.option} {path}")
                return False
            self.sound.add(i)
        return True

    def _fault(self, path: Path, i: int) -> str:
        """What is wrong with an image, "" where nothing is: every byte is as it was written."""
        if not path.is_file():
            return "not a file"
        size = path.stat().st_size
        if not size:
            return "empty"
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES)
        note = self._note(i, content[:HEAD_BYTES] + content[HEAD_BYTES + self._note_bytes(i) :])
        if len(content) == size and content[HEAD_BYTES:].startswith(note):
            return ""
        match = re.match(rb"....tEXtarbiter\x00(\{[^}]*\})", content[HEAD_BYTES : HEAD_BYTES + 1000], re.DOTALL)
        try:
            said = json.loads(match[1]) if match else {}
        except ValueError:
            said = {}
        if said.get("run") != self.run:
            return "foreign: not made by this run"
        if said.get("image") != i:
            return f"misplaced: it is image {str(said.get('image'))[:20]}"
        return "damaged: cut short or changed since it was written"

    def _note(self, i: int, png: bytes) -> bytes:
        """The chunk that tells of image i, and the checksum of the rest of its file."""
        said = {"run": self.run, "image": i, "sha256": hashlib.sha256(png).hexdigest()}
        chunk = b"tEXt" + NOTE.encode() + b"\0" + json.dumps(said).encode()
        return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))

    def _note_bytes(self, i: int) -> int:
        return len(self._note(i, b""))

    def save(self, i: int, image: np.ndarray) -> None:
        """Put image i, uint8 (3, H, W), in its place. CheckFailed where the disk does not take it."""
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(file, format="PNG")
        png = file.getvalue()
        content = png[:HEAD_BYTES] + self._note(i, png) + png[HEAD_BYTES:]
        files.write_whole(self.image_path(i), content, sync=False)  # what a crash leaves is found on resume
        self.sound.add(i)

    def strangers(self) -> list[str]:
        """Names of the PNGs that this command would not write: a scorer would take them for images of the run."""
        return sorted(
            path.name
            for path in self.path.glob("*.png")
            if not (path.stem.isascii() and path.stem.isdecimal() and path.name == f"{int(path.stem):06d}.png")
        )
