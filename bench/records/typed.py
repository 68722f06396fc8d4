"""Plain JSON as the typed parts of a record: what cannot be read is left out and named, where a record can do without.

Every ValueError is one line that begins with the key.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime
from typing import Any

import msgspec

from bench.console import plain as shown


def printable(data: Any) -> Any:
    """`data` in which what steers a terminal or hides in a page is shown as its escape."""
    if isinstance(data, str):
        return shown(data)
    if isinstance(data, dict):
        return {shown(key): printable(value) for key, value in data.items()}
    return [printable(value) for value in data] if isinstance(data, list) else data


def in_utc(time: str) -> str:
    """A moment as records are sorted by, in UTC where it names no zone; ValueError where it is none, or lies in UTC
    outside the calendar, or in its last year, after which no record could be dated."""
    try:
        moment = datetime.fromisoformat(time)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment.year == MAXYEAR:
            raise ValueError(f"{time!r} is no date of a measurement")
        return moment.isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"created_utc: {' '.join(str(error).split())}") from error


def each(kind: type, data: Mapping[Any, Any], where: str, faults: list[str]) -> dict[Any, Any]:
    """The items that can be read, by key; `faults` names the others."""
    kept = {}
    for name, item in data.items():
        try:
            kept[name] = convert(item, kind, f"{where}.{name}")
        except ValueError as error:
            faults.append(str(error))
    return kept


def lenient(kind: type, data: Mapping[str, Any], where: str, faults: list[str]) -> Any:
    """A part, without the optional fields that cannot be read; `faults` names them. ValueError where it needs one."""
    types = types_of(kind)
    kept = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            try:
                kept[field.name] = convert(data[field.name], types[field.name], f"{where}.{field.name}")
            except ValueError as error:
                if not has_default(field):
                    raise
                faults.append(str(error))
        elif not has_default(field):
            raise ValueError(f"{where}: lacks {field.name}")
    return kind(**kept)


@functools.cache
def types_of(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return typing.get_type_hints(kind, include_extras=True)


def numbered(data: Any, where: str) -> dict[int, Any]:
    """A list's items by their place; ValueError where it is none."""
    if not isinstance(data, list):
        raise ValueError(f"{where} is a {type(data).__name__}, expected a list")
    return dict(enumerate(data))


def mapping(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is a {type(data).__name__}, expected an object")
    return data


def convert(data: Any, kind: Any, where: str) -> Any:
    """`data` as `kind`; ValueError in one line that begins with the key."""
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"{where}: {' '.join(str(error).split())}") from error


def has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
