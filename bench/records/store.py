"""Records on disk: results/<machine>/<model>--<protocol>--<UTC date-time>.json. Every key: results/README.md.

A file is written under a temporary name and renamed, so that a reader sees all of it or none. Nothing is ever changed
or removed: a later record of the same run supersedes the earlier one. Each record carries a checksum of its content
(and of its samples file), so that a record that was edited, or lost a key, is known and rests under no verdict.
"""

from __future__ import annotations

import dataclasses
import glob
import gzip
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from bench.errors import UsageError
from bench.files import make_folder, sweep_temporaries, write_new
from bench.records.json_files import folded, plain, read_json, write_text
from bench.records.parts import (
    Counts,
    Elsewhere,
    Images,
    Measurement,
    Paintings,
    Samples,
    Speedup,
    Texts,
    Timing,
)
from bench.records.samples import SAMPLES_FOLDER, load_samples, orphans, write_both
from bench.records.schema import MACHINE_FACTS, SCHEMA, Environment, Inputs, Protocol, Record
from bench.records.typed import convert, each, has_default, in_utc, lenient, mapping, numbered, printable

WORK = ".work"  # inside the results folder, ignored by git: unfinished samples
GENEVAL = "geneval"  # inside that: images in the layout that GenEval's evaluator reads, and its results
RETRAINED = "retrained"  # folder inside the results folder for what retrained weights give
QUICK = "quick"  # folder inside the results folder for smoke runs, which no full report shows
MACHINE_FILE = "machine.json"
PARITY_FILE = "parity.json"  # in the results folder itself, and no record: see parity.py
STEM_TIME = "%Y%m%dT%H%M%SZ"  # in the names of files
READABLE, UNREADABLE = os.R_OK | os.X_OK, "cannot be read: Permission denied"  # of a folder
NOT_STORED = ("file", "sha256", "samples")
REQUIRED = ("model", "protocol", "settings", "measurements", "inputs", "environment", "created_utc")
PARTS: dict[str, type] = {  # each is left out by itself where it cannot be read
    "images": Images,
    "texts": Texts,
    "paintings": Paintings,
    "timing": Timing,
    "counts": Counts,
}
PLAIN_FIELDS: dict[str, Any] = {  # without these a record is none
    "model": str,
    "protocol": Protocol,
    "settings": dict[str, Any],
    "inputs": Inputs,
    "created_utc": str,
    "status": Literal["ok", "failed"],
    "reason": str,
    "family": str,
    "wall_s": float | None,
    "elsewhere": Elsewhere | None,  # else a record would pass for one that was measured here
}


# -- writing -----------------------------------------------------------------------------------------------------------


def save_record(record: Record, folder: Path) -> Path:
    """Write `record` under `folder`, complete or not at all; returns its path.

    Raises CheckFailed where a number is NaN or infinite: what could not be measured is None or left out.
    """
    directory = folder / record.environment.machine
    directory.mkdir(parents=True, exist_ok=True)
    kept = {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name not in NOT_STORED}
    data = plain({name: stored(value) for name, value in kept.items() if name in REQUIRED or not is_empty(value)})
    data["environment"] = without_machine_facts(data["environment"], directory)
    samples = gzip.compress(lines.encode(), mtime=0) if (lines := sample_lines(record.samples)) else b""
    if samples:
        make_folder(directory / SAMPLES_FOLDER, "folder")
        data["samples_sha256"] = hashlib.sha256(samples).hexdigest()
    data["schema"] = SCHEMA
    data["sha256"] = content_sha256(data)
    content = (folded(data) + "\n").encode()
    for path in free_paths(directory, file_stem(record)):  # of two processes that end in one second each has its own
        if write_new(path, content) if not samples else write_both(path, content, samples):
            return path
    raise AssertionError("there is always one more name")


def is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, list | tuple | Mapping) and not value)


def stored(value: Any) -> Any:
    """A value as it is stored: parts without the fields that have their defaults; a protocol whole."""
    if isinstance(value, Mapping):
        return {key: stored(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [stored(item) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, Protocol):
        return value
    found = {f.name: (f, getattr(value, f.name)) for f in dataclasses.fields(value)}
    return {name: stored(item) for name, (f, item) in found.items() if not (has_default(f) and item == default_of(f))}


def default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def without_machine_facts(environment: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The environment without what machine.json says; that file is written where there is none.

    What it says and this environment does not know stays as None.
    """
    path = directory / MACHINE_FILE
    known, _ = load_machine(directory)
    if not known and not os.path.lexists(path):
        known = {name: environment[name] for name in MACHINE_FACTS if name in environment}
        write_text(folded(known | {"sha256": content_sha256(known)}) + "\n", path)
    unknown = {name: None for name, value in known.items() if value is not None and name not in environment}
    return unknown | {name: value for name, value in environment.items() if name not in known or known[name] != value}


def sample_lines(samples: Samples) -> str:
    """One JSON object per line; "" where there are none."""
    rows = [
        *({"scene_scores": plain(stored(row))} for row in samples.scenes),
        *({"example": plain(stored(one))} for one in samples.examples),
    ]
    return "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in rows)


def content_sha256(data: Mapping[str, Any]) -> str:
    """Checksum of the content of a record, or of a machine's facts, however it is laid out."""
    return sha256_of(content_of(data))


def sha256_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def content_of(data: Mapping[str, Any]) -> str:
    """What the checksum is of."""
    return json.dumps({key: value for key, value in data.items() if key != "sha256"}, sort_keys=True)


def file_stem(record: Record) -> str:
    """<model>--<protocol>--<UTC date-time>, as "dit-digits--digits-quality--20260131T142530Z"."""
    created = datetime.fromisoformat(record.created_utc).astimezone(UTC)
    return f"{record.model}--{record.protocol.name}--{created.strftime(STEM_TIME)}"


def after_earlier(record: Record, folder: Path) -> Record:
    """`record`, dated after every record of its model and protocol that is in `folder` already.

    What was measured last supersedes what came before, also where the clock was set back in between.
    """
    stem = file_stem(record)
    prefix = stem[: -len(stem.rsplit("--", 1)[1])]
    earlier = []
    for path in (folder / record.environment.machine).glob(f"{glob.escape(prefix)}*.json"):
        with suppress(ValueError):
            earlier.append(datetime.strptime(path.stem[len(prefix) :][:16], STEM_TIME).replace(tzinfo=UTC))
    last = max((date for date in earlier if date.year < MAXYEAR), default=None)  # as `in_utc` takes them
    now = datetime.fromisoformat(record.created_utc)
    if last is None or last < now.replace(microsecond=0):
        return record
    return dataclasses.replace(record, created_utc=(last + timedelta(seconds=1)).isoformat(timespec="seconds"))


def free_paths(directory: Path, stem: str) -> Iterator[Path]:
    """`stem`.json, then `stem`_2.json where two runs ended within one second: names that sort after the first."""
    names = chain([stem], (f"{stem}_{number}" for number in count(2)))
    return (path for name in names if not (path := directory / f"{name}.json").exists())


def sweep(folder: Path) -> None:
    """Remove the temporary files, and samples without a record, that killed processes have left in a results folder and
    its machines' folders."""
    machines = list(folder.glob("[!.]*/"))
    for machine in machines:
        for path in orphans(machine, of_killed=True):
            with suppress(OSError):
                path.unlink(missing_ok=True)
    for place in (folder, folder / WORK, *machines, *(machine / SAMPLES_FOLDER for machine in machines)):
        sweep_temporaries(place)


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """What results folders hold."""

    records: list[Record]  # those that can be read and were not changed since they were written, oldest first
    faults: list[str]  # one line per file that is no record, was edited, or lacks a part: "<file>: <why>"


def load_record(path: Path, machine: Mapping[str, Any] | None = None) -> tuple[Record, list[str]]:
    """(the record in `path`, what of it could not be read); ValueError, in one line, where it is none or was edited.

    machine: the facts of its machine where they are known already; None: they are read, and are part of it.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise ValueError(f"a JSON {type(data).__name__}, expected an object")
    if data.get("schema") != SCHEMA:
        raise ValueError(f"schema {data.get('schema')!r}, expected {SCHEMA}")
    if missing := [name for name in REQUIRED if name not in data]:
        raise ValueError(f"lacks {', '.join(missing)}")
    content = content_of(data)
    if data.get("sha256") != sha256_of(content):
        raise ValueError("was edited: its content does not have the checksum it was written with")
    if "\\u" in content:
        data = printable(data)
    faults: list[str] = []
    if machine is None:
        machine, odd = load_machine(path.parent)
        faults += [f"{MACHINE_FILE}: {fault}" for fault in odd]
    samples, sample_faults = load_samples(path, data)
    faults += sample_faults
    found: dict[str, Any] = {
        "file": file_name(path),
        "sha256": data["sha256"],
        "samples": samples,
        "measurements": measurements_of(data["measurements"], faults),
        "environment": lenient(
            Environment, {**machine, **mapping(data["environment"], "environment")}, "environment", faults
        ),
        "speedups": tuple(each(Speedup, numbered(data.get("speedups", []), "speedups"), "speedups", faults).values()),
    }
    for name, kind in PARTS.items():
        if name in data:
            try:
                found[name] = lenient(kind, mapping(data[name], name), name, faults)
            except ValueError as error:
                faults.append(str(error))
    for name, kind in PLAIN_FIELDS.items():
        if name in data:
            found[name] = convert(data[name], kind, name)
    found["created_utc"] = in_utc(found["created_utc"])
    return Record(**found), faults


def file_name(path: Path) -> str:
    """ "<machine>/<file name>", by which a record is known; of a link, and of one in a circle, its own."""
    return f"{folder_name(path.parent)}/{path.name}"


def folder_name(folder: Path) -> str:
    return Path(os.path.realpath(folder)).name


def measurements_of(data: Any, faults: list[str]) -> dict[str, Measurement]:
    """Those that can be read; of seconds and rates ("..._s") those that there can be."""
    found = each(Measurement, mapping(data, "measurements"), "measurements", faults)
    odd = [name for name, measured in found.items() if name.endswith("_s") and not measured.is_above_0]
    faults += [f"measurements.{name}: a time or a rate, or a bound of it, is not above 0" for name in odd]
    return {name: measured for name, measured in found.items() if name not in odd}


def load_machine(directory: Path) -> tuple[dict[str, Any], list[str]]:
    """(facts of the machine whose records lie in a folder, what of them could not be read)."""
    path = directory / MACHINE_FILE
    if not os.path.lexists(path):  # a link that leads nowhere is a fault
        return {}, []
    try:
        facts = convert(read_json(path), dict[str, Any], "facts")
        if "sha256" in facts and facts["sha256"] != content_sha256(facts):  # files of earlier versions have none
            raise ValueError("was edited: its content does not have the checksum it was written with")
        convert({"machine": directory.name, **facts}, Environment, "facts")
    except ValueError as error:
        return {}, [str(error)]
    return {name: value for name, value in facts.items() if name in MACHINE_FACTS}, []


def check_there(folder: Path) -> None:
    """UsageError where a results folder does not exist, or cannot be read."""
    if not folder.is_dir():
        raise UsageError(f"results folder {str(folder)!r} does not exist; `python -m bench reproduce` makes one")
    if not os.access(folder, READABLE):
        raise UsageError(f"results folder {str(folder)!r}: {UNREADABLE}")


def load_records(folders: Iterable[Path]) -> Loaded:
    """The records of results folders or single machine folders.

    A folder that does not exist holds none. Of two files of one name (copies of one run) the first is taken. A file of
    a machine's facts that cannot be read is one fault, however many records are the machine's.
    """
    records: dict[str, Record] = {}
    faults: dict[str, list[str]] = {}
    machines: dict[Path, Mapping[str, Any]] = {}
    for folder in folders:
        for place in (folder, *folder.glob("[!.]*/")):  # a search passes over what it may not look into
            if place.is_dir() and not os.access(place, READABLE):
                faults[folder_name(place)] = [UNREADABLE]
        places: dict[Path, str] = {}
        for path in sorted([*folder.glob("[!.]*.json"), *folder.glob("[!.]*/[!.]*.json")]):
            if path.parent not in places:
                places[path.parent] = folder_name(path.parent)
            name = f"{places[path.parent]}/{path.name}"
            if path.name in (MACHINE_FILE, PARITY_FILE) or name in records:
                continue
            if path.parent not in machines:
                machines[path.parent], odd = load_machine(path.parent)
                if odd:
                    faults.setdefault(file_name(path.parent / MACHINE_FILE), odd)
            try:
                records[name], odd = load_record(path, machines[path.parent])
            except ValueError as error:
                odd = [str(error)]
            if odd:
                faults.setdefault(name, odd)
    ordered = sorted(records.values(), key=lambda record: (record.created_utc, record.file))
    return Loaded(ordered, [f"{name}: {'; '.join(odd)}" for name, odd in faults.items()])
