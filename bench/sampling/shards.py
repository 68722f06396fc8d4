"""The store: what a model generated, in shards that name themselves and carry their own checksum.

Shard k of a set holds the items [size k, size k + size), the last one those that a run asks for. What the items depend
on is the set's identity, and its hash the folder's name: another model, seed or setting is another folder, and a run of
more items takes up the shards of one of fewer. A shard is made by whoever comes first and is the same whoever makes it:
files have no date, no host and no batch size in them.

    <root>/transdiff-h-3f2a90bb81c4d7e6/images-500/identity.json       what the items depend on, to be read by people
    <root>/transdiff-h-3f2a90bb81c4d7e6/images-500/000000.safetensors  arrays; under "shard" the header below, as JSON
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.errors import CheckFailed
from bench.protocols import shard_size as shard_size
from bench.records.json_files import plain
from bench.sampling import files

Found = TypeVar("Found")

FORMAT = 1  # of a shard's file; part of every identity
STORE = "store"  # folder inside the work folder of a results folder
IDENTITY = "identity.json"
SUFFIX = ".safetensors"


def hash_of(identity: Mapping[str, Any]) -> str:
    """SHA-256 of an identity, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(plain(identity), sort_keys=True, allow_nan=False).encode()).hexdigest()


def rows_of(shard: int, size: int, num_items: int) -> range:
    """The items of a shard in a run of `num_items`."""
    return range(min(shard * size, num_items), min((shard + 1) * size, num_items))


class Damaged(Exception):
    """A shard's file is not what it should be: why, in one line, the kind before the first colon."""


@dataclass(frozen=True)
class Shard:
    """The items of one shard."""

    number: int
    first: int  # number of its first item
    count: int
    arrays: Mapping[str, np.ndarray]  # by name; of most, row i belongs to item first + i
    sha256: str  # of names, types, shapes and contents, and of what the shard says of itself


@dataclass(frozen=True)
class ShardSet:
    """The shards of one identity in one folder."""

    folder: Path
    identity: Mapping[str, Any]  # what the items depend on; JSON
    size: int  # items per shard
    key: str = ""  # hash of identity, size and format; "": worked out
    sound: set[tuple[int, int]] = field(default_factory=set, repr=False)  # (shard, count) read and found whole here

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", hash_of({"identity": self.identity, "size": self.size, "format": FORMAT}))

    @classmethod
    def in_store(cls, root: Path, model: str, part: str, identity: Mapping[str, Any], size: int) -> ShardSet:
        """The set of this identity below a store: <root>/<model>-<hash>/<part>-<size>.

        A part whose identity adds to that of the images (features: their extractor) has `part_identity` in it, and lies
        in the same folder.
        """
        common = {key: value for key, value in identity.items() if key != "part_identity"}
        own = f"-{hash_of(identity)[:8]}" if "part_identity" in identity else ""
        return cls(root / f"{model}-{hash_of(common)[:16]}" / f"{part}{own}-{size}", identity, size)

    @property
    def name(self) -> str:
        """What people call the set: its model's folder in a store, its own where it lies alone."""
        return self.folder.name if self.folder.name.endswith(".partial") else self.folder.parent.name

    def begin(self) -> None:
        """Make the folder, say in it what it holds, remove what killed processes left."""
        files.make_folder(self.folder, "store")
        files.sweep(self.folder)
        files.write_new(self.folder / IDENTITY, (json.dumps(plain(self.identity), indent=1) + "\n").encode())

    def path(self, shard: int) -> Path:
        return self.folder / f"{shard:06d}{SUFFIX}"

    def num_shards(self, num_items: int) -> int:
        return -(-num_items // self.size)

    def rows(self, shard: int, num_items: int) -> range:
        return rows_of(shard, self.size, num_items)

    def write(self, shard: int, arrays: Mapping[str, np.ndarray], count: int) -> None:
        """Put a shard in its place. Raises CheckFailed where the disk does not take it."""
        from safetensors.numpy import save

        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        head = {"format": FORMAT, "set": self.key, "shard": shard, "first": shard * self.size, "count": count}
        head["sha256"] = _digest(head, contiguous)
        files.write_whole(self.path(shard), save(contiguous, {"shard": json.dumps(head, sort_keys=True)}))
        self.sound.add((shard, count))

    def has(self, shard: int, num_items: int, *, whole: bool = True) -> bool:
        """Whether a shard is there with all its items of a run; one that is damaged is set aside.

        whole: read it and compare its checksum, once in a process; else its header alone.
        """
        count = len(self.rows(shard, num_items))
        if (shard, count) in self.sound:
            return self.path(shard).exists()
        if not whole:
            return self._checked(lambda: self._head(shard, count), shard) is not None
        return self.load(shard, num_items) is not None

    def load(self, shard: int, num_items: int) -> Shard | None:
        """A shard, whole and checked; None where there is none, or where it was damaged and has been set aside."""
        count = len(self.rows(shard, num_items))
        found = self._checked(lambda: self._read(shard, count), shard)
        if found is not None:
            self.sound.add((shard, count))
        return found

    def stream(self, num_items: int) -> Iterator[Shard]:
        """The shards of a run in order, one in memory at a time. CheckFailed where one is missing or damaged."""
        for shard in range(self.num_shards(num_items)):
            found = self.load(shard, num_items)
            if found is None:
                raise CheckFailed(f"{self.path(shard)}: missing or damaged; run the same command again to make it")
            yield found

    def missing(self, num_items: int) -> list[int]:
        """The shards of a run that are not there, by their headers."""
        return [k for k in range(self.num_shards(num_items)) if not self.has(k, num_items, whole=False)]

    def num_present(self, num_items: int, also: Callable[[int], bool] = lambda shard: True) -> int:
        """Items of a run whose shards are there, by their headers. Looked at only: a damaged one is not set aside.

        also: what else must hold of a shard
        """
        return sum(
            len(self.rows(k, num_items))
            for k in range(self.num_shards(num_items))
            if also(k) and self.seems(k, num_items)
        )

    def seems(self, shard: int, num_items: int) -> bool:
        """Whether a shard is there with all its items, by its header."""
        try:
            self._open(shard, len(self.rows(shard, num_items)))
        except (Damaged, OSError):
            return False
        return True

    def discard(self) -> None:
        """Remove the folder and all that is in it, and the folder above where nothing else is."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()

    def _checked(self, read: Callable[[], Found], shard: int) -> Found | None:
        try:
            return read()
        except FileNotFoundError:
            return None
        except Damaged as damage:
            files.set_aside(self.path(shard), str(damage), f"shard {shard} of {self.name}")
            return None
        except OSError as error:
            raise CheckFailed(f"{self.path(shard)}: cannot be read: {error.strerror or error}") from error

    def _head(self, shard: int, count: int) -> dict[str, Any]:
        return self._open(shard, count)[0]

    def _read(self, shard: int, count: int) -> Shard:
        head, arrays = self._open(shard, count, with_arrays=True)
        digest = _digest({key: value for key, value in head.items() if key != "sha256"}, arrays)
        if digest != head["sha256"]:
            raise Damaged("checksum: its content has changed since it was written")
        return Shard(shard, shard * self.size, count, arrays, digest)

    def _open(
        self, shard: int, count: int, *, with_arrays: bool = False
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        from safetensors import SafetensorError, safe_open

        path = self.path(shard)
        if path.is_dir():
            raise Damaged("folder: where a shard is expected")
        if not path.stat().st_size:
            raise Damaged("empty: no bytes in it")
        try:
            with safe_open(path, "numpy") as file:
                head = json.loads((file.metadata() or {})["shard"])
                arrays = {name: file.get_tensor(name) for name in file.keys()} if with_arrays else {}  # noqa: SIM118
            said = {name: head[name] for name in ("format", "set", "shard", "first", "count", "sha256")}
        except FileNotFoundError:
            raise
        except (SafetensorError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Damaged(f"unreadable: cut off, or no shard ({' '.join(str(error).split())[:80]})") from error
        if said["set"] != self.key:
            raise Damaged("foreign: made by another model, seed or setting")
        if (said["shard"], said["first"]) != (shard, shard * self.size):
            raise Damaged(f"misplaced: it is shard {str(said['shard'])[:20]}")
        if not isinstance(said["count"], int):
            raise Damaged("unreadable: its count is no number")
        if said["count"] < count:
            raise FileNotFoundError(path)  # the last shard of a run of fewer items: this run makes it anew
        return said, arrays


def _digest(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.data if array.flags.c_contiguous else array.tobytes())
    return digest.hexdigest()
