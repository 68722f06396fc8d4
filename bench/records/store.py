"""Records on disk: results/<machine>/<model>--<protocol>--<UTC date-time>.json. Every key: results/README.md.

A file is written under a temporary name and renamed, so that a reader sees all of it or none. Nothing is ever changed
or removed: a later record of the same run supersedes the earlier one.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import CheckFailed, UsageError
from bench.records.schema import SCHEMA, Measurement, Record

WORK = ".work"  # inside the results folder, ignored by git: unfinished samples, and the list of records measured here
RETRAINED = "retrained"  # folder inside the results folder for what retrained weights give
QUICK = "quick"  # folder inside the results folder for smoke runs, which no full report shows

FIELDS = {field.name: field for field in dataclasses.fields(Record) if field.name != "file"}
REQUIRED = [name for name, f in FIELDS.items() if f.default is f.default_factory is dataclasses.MISSING]
OBJECTS = ("protocol", "settings", "measurements", "inputs", "environment", "raw")


# -- writing -----------------------------------------------------------------------------------------------------------


def save_record(record: Record, folder: Path) -> Path:
    """Write `record` under `folder`, complete or not at all; returns its path.

    Raises CheckFailed where a number is NaN or infinite: what could not be measured is None or left out.
    """
    data = plain({name: getattr(record, name) for name in FIELDS})
    data["measurements"] = {name: dataclasses.asdict(m) for name, m in record.measurements.items()}
    text = json.dumps(plain(data), indent=2, sort_keys=True, allow_nan=False) + "\n"
    directory = folder / str(record.environment["machine"])
    directory.mkdir(parents=True, exist_ok=True)
    path = free_path(directory, file_stem(record))
    write_text(text, path)
    return path


def file_stem(record: Record) -> str:
    """<model>--<protocol>--<UTC date-time>, as "dit-digits--digits-quality--20260131T142530Z"."""
    created = datetime.fromisoformat(record.created_utc).astimezone(UTC)
    return f"{record.model}--{record.protocol['name']}--{created:%Y%m%dT%H%M%SZ}"


def free_path(directory: Path, stem: str) -> Path:
    """`stem`.json, or `stem`-2.json where two runs ended within one second."""
    path, count = directory / f"{stem}.json", 1
    while path.exists():
        count += 1
        path = directory / f"{stem}-{count}.json"
    return path


def plain(value: Any, where: str = "record") -> Any:
    """`value` as JSON types; CheckFailed where a number is not finite, naming the key."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if hasattr(value, "tolist"):  # numpy
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise CheckFailed(f"{where} is {value}: a record holds finite numbers; what could not be measured is left out")
    return value


def check_json_path(path: Path | None) -> None:
    """UsageError where a file named with --json cannot be written; to be asked before anything is measured."""
    if path is not None and not path.absolute().parent.is_dir():
        raise UsageError(f"--json {path}: its folder does not exist")


def write_json(content: Any, path: Path) -> None:
    """Write `content` as JSON, whole or not at all."""
    write_text(json.dumps(plain(content), indent=1, allow_nan=False) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write under a temporary name, then rename: a reader never sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


# -- reading -----------------------------------------------------------------------------------------------------------


def load_record(path: Path) -> Record:
    """The record in `path`; ValueError, in one line, where it is not one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not JSON: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ValueError(f"a JSON {type(data).__name__}, expected an object")
    if data.get("schema", SCHEMA) != SCHEMA:
        raise ValueError(f"schema {data['schema']!r}, expected {SCHEMA}")
    if missing := [name for name in REQUIRED if name not in data]:
        raise ValueError(f"lacks {', '.join(missing)}")
    if unknown := sorted(set(data) - set(FIELDS)):
        raise ValueError(f"unknown keys {', '.join(unknown)}")
    if wrong := [name for name in OBJECTS if not isinstance(data.get(name, {}), dict)]:
        raise ValueError(f"{wrong[0]} is a {type(data[wrong[0]]).__name__}, expected an object")
    if not isinstance(data["protocol"].get("name"), str):
        raise ValueError("lacks protocol.name")
    try:
        datetime.fromisoformat(data["created_utc"])
        measurements = {name: Measurement(**fields) for name, fields in data["measurements"].items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"created_utc or measurements: {error}") from error
    if wrong := [name for name, measured in measurements.items() if not isinstance(measured.value, int | float)]:
        raise ValueError(f"measurements.{wrong[0]}.value is no number")
    return Record(**{**data, "measurements": measurements, "file": f"{path.resolve().parent.name}/{path.name}"})


def refuse_constant(name: str) -> None:
    raise ValueError(f"holds {name}, which is no JSON number")


def load_records(folders: Iterable[Path]) -> tuple[list[Record], list[str]]:
    """(the records of results folders or single machine folders, oldest first; one line per file that is unreadable).

    A folder that does not exist holds none. Of two files of one name (copies of one run) the first is taken.
    """
    records: dict[str, Record] = {}
    unreadable: dict[str, str] = {}
    for folder in folders:
        for path in sorted([*folder.glob("[!.]*.json"), *folder.glob("[!.]*/[!.]*.json")]):
            name = f"{path.resolve().parent.name}/{path.name}"
            try:
                records.setdefault(name, load_record(path))
            except ValueError as error:
                unreadable.setdefault(name, f"{name}: {error}")
    return sorted(records.values(), key=lambda record: (record.created_utc, record.file)), list(unreadable.values())


def latest(records: Iterable[Record]) -> list[Record]:
    """The latest record of each run (machine, model, protocol, settings): what a report shows and a verdict rests on.

    A smoke run gives way to a full one. A run that failed last stands for its model, whatever was measured before; in a
    study, where each setting may fail by itself, for the model at that setting.
    """
    by_run: dict[tuple[str, ...], list[Record]] = {}
    for record in sorted(records, key=lambda record: (record.created_utc, record.file)):
        seeds = (str(record.protocol.get(name, 0)) for name in ("seed", "training_seed"))
        study = json.dumps(plain(record.settings), sort_keys=True) if record.protocol.get("study") else ""
        run = (str(record.environment.get("machine")), record.model, record.protocol["name"], *seeds, study)
        by_run.setdefault(run, []).append(record)
    kept: list[Record] = []
    for history in by_run.values():
        full = [record for record in history if not record.protocol.get("quick")] or history
        if full[-1].status != "ok":
            kept.append(full[-1])
        else:
            kept += {
                json.dumps(plain(record.settings), sort_keys=True): record for record in full if record.status == "ok"
            }.values()
    return kept


def is_current(record: Record, inputs: Mapping[str, Any]) -> bool:
    """Whether `record` answers for these inputs (weights, metric versions, protocol, ...): it is not measured again."""
    return record.status == "ok" and plain(record.inputs) == plain(inputs)
