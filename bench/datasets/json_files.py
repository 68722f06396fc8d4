"""JSON files as users hand them over: whatever is wrong with one is a single line that names the file and the place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.files import check_regular, read_text
from bench.records.json_files import check_size

Id = int | str  # of an image or a question, as the file has it

SHOWN_IDS = 5  # in a message


def load_json(path: Path, role: str) -> Any:
    """The content of a JSON file. A file of one JSON object per line (POPE's, though named .json) comes as a list.

    role: what the file is to the caller, as "annotations"; it opens every message. Raises UsageError.
    """
    check_regular(path, role)
    try:
        text = read_text(path)
    except UnicodeDecodeError as error:
        raise UsageError(f"{role} {path}: not UTF-8 text, so not JSON (byte {error.start})") from error
    except OSError as error:
        raise UsageError(f"{role} {path}: {error.strerror or error}") from error
    try:
        return _parse(text)
    except json.JSONDecodeError as error:
        lines = text.split("\n")
        if error.msg == "Extra data" and error.lineno > 1 and _is_object(lines[0]):
            return [_load_line(line, number, path, role) for number, line in enumerate(lines, 1) if line.strip()]
        raise UsageError(f"{role} {path}: not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except ValueError as error:
        raise UsageError(f"{role} {path}: {error}") from error


def _parse(text: str) -> Any:
    """json.loads for what JSON allows and later work can take; ValueError in words for the rest.

    Python's reader also takes NaN, 1e999 and a key twice, and ends in RecursionError or, at a number of 4,300 digits,
    in a ValueError of its own.
    """
    try:
        data = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_twins)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except (json.JSONDecodeError, Refused):
        raise
    except ValueError as error:
        raise ValueError("holds a number of more digits than any id or score has") from error
    check_size(data)
    return data


class Refused(ValueError):
    """What JSON allows, or Python's reader takes, and no number should rest on."""


def _refuse(name: str) -> float:
    raise Refused(f"holds {name[:20]}, which is no finite number")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; Refused where it has a key twice, of which Python's reader keeps the last without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twin = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Refused(f"an object in it has the key {twin!r:.40} twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _is_object(line: str) -> bool:
    try:
        return isinstance(_parse(line), dict)
    except ValueError:
        return False


def _load_line(line: str, number: int, path: Path, role: str) -> Any:
    try:
        return _parse(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{role} {path}: not JSON: {error.msg} at line {number} column {error.colno}") from error
    except ValueError as error:
        raise UsageError(f"{role} {path}: line {number}: {error}") from error


def check_list(data: Any, path: Path, role: str, expected: str) -> list[dict[str, Any]]:
    """`data` as a list of objects; UsageError where it is something else or empty. expected: one entry, in words."""
    if isinstance(data, dict):
        held = ", ".join(list(data)[:SHOWN_IDS])
        raise UsageError(f"{role} {path}: an object that holds {held or 'nothing'}; expected a list of {expected}")
    if not isinstance(data, list):
        raise UsageError(f"{role} {path}: a JSON {type(data).__name__}; expected a list of {expected}")
    if not data:
        raise UsageError(f"{role} {path}: an empty list; expected a list of {expected}")
    for number, entry in enumerate(data):
        if not isinstance(entry, dict):
            raise UsageError(f"{role} {path}: entry {number} is a {type(entry).__name__}; expected {expected}")
    return data


def check_part(data: Any, part: str, path: Path, role: str, expected: str) -> list[dict[str, Any]]:
    """The list `data[part]` of a file that is an object, as COCO's and VQA's are."""
    if not isinstance(data, dict) or part not in data:
        held = ", ".join(map(str, list(data)[:SHOWN_IDS])) if isinstance(data, dict) else f"a {type(data).__name__}"
        raise UsageError(
            f"{role} {path}: holds {held or 'nothing'}; expected an object with '{part}', a list of {expected}; "
            "were two files swapped?"
        )
    return check_list(data[part], path, f"{role} ('{part}')", expected)


def value(entry: dict[str, Any], key: str, kind: type | tuple[type, ...], number: Id, path: Path, role: str) -> Any:
    """`entry[key]`, of this type; UsageError otherwise. number: of the entry, as messages name it."""
    if key not in entry:
        raise UsageError(f"{role} {path}: entry {number} lacks '{key}'; it holds {', '.join(map(str, entry))}")
    found = entry[key]
    if not isinstance(found, kind) or isinstance(found, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise UsageError(
            f"{role} {path}: entry {number}: '{key}' is {_brief(found)}; "
            f"expected {' or '.join(NAME_BY_TYPE[k] for k in kinds)}"
        )
    return found


def _brief(found: Any) -> str:
    """A value as a message shows it; of a list or an object, which may be deep, its kind alone."""
    return json.dumps(found)[:40] if not isinstance(found, list | dict) else f"a {type(found).__name__}"


NAME_BY_TYPE: dict[type, str] = {
    int: "an integer",
    str: "a string",
    list: "a list",
    dict: "an object",
    float: "a number",
}


def shown(ids: Iterable[Id]) -> str:
    """The first ids, as a message lists them."""
    ids = list(ids)
    more = f", ... {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    return ", ".join(f"{one!r:.60}" if isinstance(one, str) else repr(one) for one in ids[:SHOWN_IDS]) + more


def check_unique(ids: Iterable[Id], path: Path, role: str, what: str) -> None:
    """UsageError where an id comes twice."""
    seen: set[Id] = set()
    twice: dict[Id, None] = {}
    for one in ids:
        if one in seen:
            twice[one] = None
        seen.add(one)
    if twice:
        raise UsageError(f"{role} {path}: {len(twice)} {what} ids come more than once (first: {shown(twice)})")
