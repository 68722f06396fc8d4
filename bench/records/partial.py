"""Work that a killed run leaves and the same command takes up: lines of JSON, first what is made, then its pieces."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from bench.errors import UsageError
from bench.records.json_files import plain


@dataclass(frozen=True)
class PartialWork:
    """Pieces of JSON by number. What is added is on disk when `add` returns."""

    path: Path
    done: dict[int, Any]
    file: TextIO

    def add(self, pieces: Mapping[int, Any]) -> None:
        self.file.writelines(json.dumps([number, piece]) + "\n" for number, piece in pieces.items())
        self.file.flush()
        self.done.update(pieces)


@contextmanager
def open_partial(path: Path, made_by: Mapping[str, Any]) -> Iterator[PartialWork]:
    """The work in `path`, new or taken up; a line that a kill cut short is dropped.

    made_by: what the pieces depend on. UsageError where the file holds pieces of something else.
    """
    head, done = plain(made_by), {}
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            found, *pieces = map(json.loads, whole.split(b"\n")[:-1]) if whole else [head]
            done = dict(pieces)
        except ValueError as error:
            raise UsageError(
                f"{path}: not the work of an interrupted run; remove it or choose another --out"
            ) from error
        if found != head:
            raise UsageError(f"{path}: work of another run ({_other(found, head)}); remove it or choose another --out")
        os.truncate(path, len(whole))
    with open(path, "a", encoding="utf-8") as file:
        if file.tell() == 0:
            file.write(json.dumps(head) + "\n")
        yield PartialWork(path, done, file)


def _other(found: Any, head: Mapping[str, Any]) -> str:
    keys = [key for key in head if not isinstance(found, dict) or found.get(key) != head[key]]
    return f"another {', '.join(keys) or 'version'}"
