"""JSON files as the bench writes and reads them: finite numbers, whole or not at all, a fault in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import CheckFailed, UsageError
from bench.files import FEW_BYTES, check_target, make_folder, read_whole, write_whole

LINE = 120  # columns: what fits stands on one line
DEEPEST, LARGEST = 64, 2**63  # nesting and integers of a JSON file that is read; a record has ten levels


def plain(value: Any, where: str = "record") -> Any:
    """`value` as JSON types; CheckFailed where a number is not finite, naming the key."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {readable(str(key)): plain(item, f"{where}.{key}") for key, item in value.items()}
    if hasattr(value, "tolist"):  # numpy
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise CheckFailed(f"{where} is {value}: a record holds finite numbers; what could not be measured is left out")
    return value


def readable(text: str) -> str:
    """`text` without lone surrogates (of a file name that is no UTF-8), which no reader of JSON takes."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def folded(value: Any, indent: int = 0, before: int = 0) -> str:
    """JSON in which whatever fits on a line stands on one, and numbers and words fill their lines.

    indent: columns of the line that `value` begins on    before: columns that stand on it already
    """
    flat = json.dumps(value, sort_keys=True, allow_nan=False)
    if not isinstance(value, list | dict) or not value or before + len(flat) < LINE:
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        opening, closing = "{", "}"
        keys = {key: f"{json.dumps(key)}: " for key in sorted(value)}
        items = [start + folded(value[key], indent + 1, indent + 1 + len(start)) for key, start in keys.items()]
    else:
        opening, closing = "[", "]"
        items = [folded(item, indent + 1, indent + 1) for item in value]
    lines = [items[0]]
    for item in items[1:]:
        both = len(pad) + len(lines[-1]) + len(item) + 3
        if both > LINE or "\n" in lines[-1] + item or item[-1] in "}]" or lines[-1][-1] in "}]":
            lines.append(item)
        else:
            lines[-1] += f", {item}"
    body = f",\n{pad}".join(lines)
    return f"{opening}\n{pad}{body}\n{' ' * indent}{closing}"


def check_json_path(path: Path | None) -> None:
    """UsageError where a file named with --json cannot be written; to be asked before anything is measured."""
    if path is None:
        return
    if not os.path.lexists(path.absolute().parent):
        raise UsageError(f"--json {path}: its folder does not exist")
    check_target(path, "--json")


def write_json(content: Any, path: Path) -> None:
    """Write `content` as JSON, whole or not at all."""
    write_text(json.dumps(plain(content), indent=1, allow_nan=False) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write under a temporary name, then rename: a reader never sees half a file. CheckFailed where it cannot be.

    Of a name that is no UTF-8, as file systems allow, the odd bytes are written as their escapes.
    """
    write_bytes(readable(text).encode(), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write under a temporary name, then rename: a reader never sees half a file."""
    make_folder(path.parent, "folder")
    write_whole(path, content)


def read_json(path: Path) -> Any:
    """The content of a JSON file; ValueError, in one line, where it is none or not whole."""
    try:
        return decoded(read_whole(path, FEW_BYTES))
    except OSError as error:  # whose own words hold the path
        raise ValueError(f"cannot be read: {error.strerror}") from error


def decoded(content: bytes) -> Any:
    """What JSON holds; ValueError, in one line, where it is none or more than a record can be."""
    try:
        data = msgspec.json.decode(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {' '.join(str(error).split())}") from error
    check_size(data)
    return data


def check_size(data: Any) -> None:
    """ValueError where JSON is nested deeper, or holds larger integers, than whatever reads it next can take."""
    level: list[Any] = [[data]]  # in a list of its own: a number alone is JSON, too
    depth = -1
    while level:
        if (depth := depth + 1) > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        items = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        if any(type(item) is int and not -LARGEST <= item < LARGEST for item in items):
            raise ValueError("holds an integer of more than 64 bits")
        level = [item for item in items if isinstance(item, dict | list)]
