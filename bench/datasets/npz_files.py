"""Arrays of an .npz file, checked before they take memory; images are read as they are asked for.

An .npz is a zip of .npy files. Whatever is wrong with one (cut short, damaged, encrypted, packed by an unknown method,
a header that claims more than the file holds, a member that is no array) is one line that names the file.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.errors import CheckFailed
from bench.files import check_regular

LONGEST_TEXT = 200  # characters of a name or a checksum in a file
LARGEST_WHOLE = 2 << 30  # bytes of an array that is read whole: statistics of 16,000 dimensions
# What zipfile and numpy raise at a file that is not what it says: among them NotImplementedError (packing),
# RuntimeError (encrypted), SyntaxError and tokenize.TokenError (a header that is no Python literal), OverflowError.
BROKEN = Exception


class NpzFile:
    """The members of an .npz, by name without ".npy". CheckFailed where it is no whole .npz."""

    def __init__(self, path: Path, role: str):
        self.path, self.role = path, role
        check_regular(path, role)
        try:
            if not zipfile.is_zipfile(path):
                raise ValueError("no zip archive" if path.stat().st_size else "empty")
            self.archive = zipfile.ZipFile(path)
        except BROKEN as error:
            raise self.broken(error) from error
        self.infos: dict[str, zipfile.ZipInfo] = {}
        for info in self.archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in self.infos:  # readers differ in which of the two they take
                raise self.broken(ValueError(f"holds {name} twice"))
            self.infos[name] = info

    def __contains__(self, name: str) -> bool:
        return name in self.infos

    def __iter__(self):
        return iter(self.infos)

    def broken(self, error: Exception) -> CheckFailed:
        """The line that says so."""
        said = " ".join(str(error).split())[:160] or type(error).__name__
        return CheckFailed(f"{self.role} {self.path}: not a whole .npz file ({said})")

    def check_whole(self) -> None:
        """Read every member to its end. CheckFailed where one does not have the checksum that the archive says."""
        try:
            damaged = self.archive.testzip()
        except BROKEN as error:
            raise self.broken(error) from error
        if damaged is not None:
            raise self.broken(ValueError(f"{damaged} does not have its checksum"))

    def open(self, name: str) -> tuple[IO[bytes], tuple[int, ...], bool, np.dtype]:
        """(the member after its header, shape, Fortran order, dtype); the header agrees with the member's size."""
        try:
            member = self.archive.open(self.infos[name])
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(member)
            if dtype.hasobject:
                raise ValueError(f"{name} holds Python objects")
            expected, found = math.prod(shape) * dtype.itemsize, self.infos[name].file_size - member.tell()
            if expected != found or min(shape, default=0) < 0:
                raise ValueError(f"{name} says {dtype} {shape}, {expected} bytes, and holds {found}")
        except BROKEN as error:
            raise self.broken(error) from error
        return member, shape, fortran, dtype

    def read(self, name: str) -> np.ndarray:
        """A whole array, of at most LARGEST_WHOLE bytes."""
        member, shape, fortran, dtype = self.open(name)
        num_bytes = math.prod(shape) * dtype.itemsize
        if num_bytes > LARGEST_WHOLE:
            raise CheckFailed(
                f"{self.role} {self.path}: {name} is {dtype} {shape}, {num_bytes / 2**30:.1f} GiB; at most "
                f"{LARGEST_WHOLE >> 30} GiB are read at once"
            )
        try:
            data = read_exactly(member, num_bytes)
            if member.read(1):
                raise ValueError(f"{name} holds more than its header says")
            return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
        except BROKEN as error:
            raise self.broken(error) from error
        finally:
            member.close()


def read_exactly(member: IO[bytes], num_bytes: int) -> bytearray:
    """So many bytes of an open member. ValueError where it ends before."""
    data = bytearray(num_bytes)
    view, done = memoryview(data), 0
    while done < num_bytes:
        part = member.read(min(num_bytes - done, 1 << 24))
        if not part:
            raise ValueError(f"ends after {done} of {num_bytes} bytes")
        view[done : done + len(part)] = part
        done += len(part)
    return data


class NpzImages:
    """An image array of an .npz, uint8 (N, H, W, 3), as images (N, 3, H, W): read in slices, forward at best.

    50,000 images of 256 x 256 are 9.8 GB: never whole in memory.
    """

    def __init__(self, file: NpzFile, name: str):
        self.file, self.name = file, name
        self.member, stored, _, self.dtype = file.open(name)
        num, height, width, channels = stored
        self.shape = (num, channels, height, width)
        self.row_bytes = height * width * channels * self.dtype.itemsize
        self.next_row = 0  # the row that the open member stands at

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError("images of a file are read in order")
        stop = max(start, stop)
        try:
            if start < self.next_row:
                self.member.close()
                self.member, self.next_row = self.file.open(self.name)[0], 0
            while self.next_row < start:  # skipped, but read: only so does a damaged byte show
                step_rows = min(start - self.next_row, max(1, (1 << 24) // self.row_bytes))
                read_exactly(self.member, step_rows * self.row_bytes)
                self.next_row += step_rows
            data = read_exactly(self.member, (stop - start) * self.row_bytes)
            self.next_row = stop
            if stop == len(self):
                self.member.read(1)  # past the last byte the archive's checksum is compared
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise self.file.broken(error) from error
        _, channels, height, width = self.shape
        return np.frombuffer(data, self.dtype).reshape(stop - start, height, width, channels).transpose(0, 3, 1, 2)


def as_text(array: Any) -> str:
    """A string that was saved as an array; of anything else the beginning of what it looks like."""
    return str(array.item() if array.size == 1 else array.tolist())[:LONGEST_TEXT]
