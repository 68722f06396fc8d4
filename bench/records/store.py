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
import typing
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.console import plain as shown
from bench.files import make_folder, sweep_temporaries, write_new
from bench.records.json_files import decoded, folded, plain, read_json, write_text
from bench.records.parts import (
    Counts,
    Elsewhere,
    Example,
    Images,
    Measurement,
    Paintings,
    Samples,
    SceneScores,
    Speedup,
    Texts,
    Timing,
)
from bench.records.schema import MACHINE_FACTS, SCHEMA, Environment, Inputs, Protocol, Record

WORK = ".work"  # inside the results folder, ignored by git: unfinished samples
GENEVAL = "geneval"  # inside that: images in the layout that GenEval's evaluator reads, and its results
RETRAINED = "retrained"  # folder inside the results folder for what retrained weights give
QUICK = "quick"  # folder inside the results folder for smoke runs, which no full report shows
MACHINE_FILE, SAMPLES_FOLDER = "machine.json", "samples"
STEM_TIME = "%Y%m%dT%H%M%SZ"  # in the names of files
NOT_STORED = ("file", "samples")
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
        beside = directory / SAMPLES_FOLDER / f"{path.stem}.jsonl.gz"
        if (not samples or write_new(beside, samples)) and write_new(path, content):
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


def has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def without_machine_facts(environment: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The environment without what machine.json says; that file is written where there is none.

    What it says and this environment does not know stays as None.
    """
    path = directory / MACHINE_FILE
    known, _ = load_machine(directory)
    if not known and not path.exists():
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
    content = {key: value for key, value in data.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
    last, now = max(earlier, default=None), datetime.fromisoformat(record.created_utc)
    if last is None or last < now.replace(microsecond=0):
        return record
    return dataclasses.replace(record, created_utc=(last + timedelta(seconds=1)).isoformat(timespec="seconds"))


def free_paths(directory: Path, stem: str) -> Iterator[Path]:
    """`stem`.json, then `stem`_2.json where two runs ended within one second: names that sort after the first."""
    names = chain([stem], (f"{stem}_{number}" for number in count(2)))
    return (path for name in names if not (path := directory / f"{name}.json").exists())


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes have left in a results folder and its machines' folders."""
    for place in (folder, folder / WORK, *folder.glob("[!.]*/"), *folder.glob(f"[!.]*/{SAMPLES_FOLDER}/")):
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
    if data.get("sha256") != content_sha256(data):
        raise ValueError("was edited: its content does not have the checksum it was written with")
    if "\\u" in json.dumps(data):
        data = printable(data)
    faults: list[str] = []
    if machine is None:
        machine, odd = load_machine(path.parent)
        faults += [f"{MACHINE_FILE}: {fault}" for fault in odd]
    samples, sample_faults = load_samples(path, data)
    faults += sample_faults
    found: dict[str, Any] = {
        "file": f"{path.resolve().parent.name}/{path.name}",
        "samples": samples,
        "measurements": each(Measurement, mapping(data["measurements"], "measurements"), "measurements", faults),
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


def printable(data: Any) -> Any:
    """`data` in which what steers a terminal or hides in a page is shown as its escape."""
    if isinstance(data, str):
        return shown(data)
    if isinstance(data, dict):
        return {shown(key): printable(value) for key, value in data.items()}
    return [printable(value) for value in data] if isinstance(data, list) else data


def in_utc(time: str) -> str:
    """A moment as records are sorted by; ValueError where it is none, or lies outside the calendar in UTC."""
    try:
        return datetime.fromisoformat(time).astimezone(UTC).isoformat(timespec="seconds")
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
    types = typing.get_type_hints(kind, include_extras=True)
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


def load_machine(directory: Path) -> tuple[dict[str, Any], list[str]]:
    """(facts of the machine whose records lie in a folder, what of them could not be read)."""
    path = directory / MACHINE_FILE
    if not path.exists():
        return {}, []
    try:
        facts = convert(read_json(path), dict[str, Any], "facts")
        if "sha256" in facts and facts["sha256"] != content_sha256(facts):  # files of earlier versions have none
            raise ValueError("was edited: its content does not have the checksum it was written with")
        convert({"machine": directory.name, **facts}, Environment, "facts")
    except ValueError as error:
        return {}, [str(error)]
    return {name: value for name, value in facts.items() if name in MACHINE_FACTS}, []


def load_samples(path: Path, data: Mapping[str, Any]) -> tuple[Samples, list[str]]:
    """(per-item results of the record in `path`, what of them could not be read)."""
    if "samples_sha256" not in data:
        return Samples(), []
    file = path.parent / SAMPLES_FOLDER / f"{path.stem}.jsonl.gz"
    name = f"{SAMPLES_FOLDER}/{file.name}"
    try:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != data["samples_sha256"]:
            raise ValueError("was edited: it does not have the checksum in its record")
        rows = [mapping(decoded(line), "a line") for line in gzip.decompress(content).splitlines()]
        scenes = convert([r["scene_scores"] for r in rows if "scene_scores" in r], tuple[SceneScores, ...], "scenes")
        examples = convert([r["example"] for r in rows if "example" in r], tuple[Example, ...], "examples")
    except FileNotFoundError:
        return Samples(), [f"{name}: no such file"]
    except (OSError, EOFError, zlib.error) as error:
        return Samples(), [f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}"]
    except ValueError as error:
        return Samples(), [f"{name}: {error}"]
    return Samples(scenes=scenes, examples=examples), []


def load_records(folders: Iterable[Path]) -> Loaded:
    """The records of results folders or single machine folders.

    A folder that does not exist holds none. Of two files of one name (copies of one run) the first is taken. A file of
    a machine's facts that cannot be read is one fault, however many records are the machine's.
    """
    records: dict[str, Record] = {}
    faults: dict[str, list[str]] = {}
    machines: dict[Path, Mapping[str, Any]] = {}
    for folder in folders:
        for path in sorted([*folder.glob("[!.]*.json"), *folder.glob("[!.]*/[!.]*.json")]):
            name = f"{path.resolve().parent.name}/{path.name}"
            if path.name == MACHINE_FILE or name in records:
                continue
            if path.parent not in machines:
                machines[path.parent], odd = load_machine(path.parent)
                if odd:
                    faults.setdefault(f"{path.resolve().parent.name}/{MACHINE_FILE}", odd)
            try:
                records[name], odd = load_record(path, machines[path.parent])
            except ValueError as error:
                odd = [str(error)]
            if odd:
                faults.setdefault(name, odd)
    ordered = sorted(records.values(), key=lambda record: (record.created_utc, record.file))
    return Loaded(ordered, [f"{name}: {'; '.join(odd)}" for name, odd in faults.items()])


def latest(records: Iterable[Record]) -> list[Record]:
    """The latest record of each run (machine, model, protocol, settings): what a report shows and a verdict rests on.

    What was made elsewhere supersedes no run of this suite, nor the other way round. A smoke run gives way to a pilot,
    and that to a full run; of pilots the largest stands. A run that failed last stands for its model, whatever was
    measured before; in a study, where each setting may fail by itself, for the model at that setting.
    """
    by_run: dict[tuple[Any, ...], list[Record]] = {}
    for record in sorted(records, key=lambda record: (record.created_utc, record.file)):
        protocol = record.protocol
        study = settings_key(record) if protocol.study else ""
        seeds = (protocol.seed, protocol.training_seed)
        run = (record.environment.machine, record.model, protocol.name, *seeds, study, record.elsewhere is None)
        by_run.setdefault(run, []).append(record)
    kept: list[Record] = []
    for history in by_run.values():
        full = fullest(history)
        if full[-1].status != "ok":
            kept.append(full[-1])
        else:
            kept += {settings_key(record): record for record in full if record.status == "ok"}.values()
    return kept


def fullest(history: Sequence[Record]) -> list[Record]:
    """Of the records of one run those that measured most."""

    def extent(record: Record) -> tuple[bool, bool, int]:
        protocol = record.protocol
        return not protocol.quick, not protocol.pilot_of, protocol.num_images if protocol.pilot_of else 0

    most = max(map(extent, history))
    return [record for record in history if extent(record) == most]


def settings_key(record: Record) -> str:
    return json.dumps(plain(record.settings), sort_keys=True)


def is_current(record: Record, protocol: Any, inputs: Any) -> bool:
    """Whether `record` answers for this protocol and these inputs: the run is not measured again."""
    if record.status != "ok" or record.elsewhere:
        return False
    return bool(plain(record.protocol) == plain(protocol) and plain(record.inputs) == plain(inputs))
