"""Where a number stands in the records, and the records' measurements as they travel inside a page.

A page holds one JSON object (`<script type="application/json" id="evidence">`): the files behind it with the checksum
of each, every measurement of theirs by key, and the verdicts that it prints. `python -m bench verify` reads it back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.records.json_files import plain, read_json
from bench.records.parts import Measurement
from bench.records.schema import Record, Verdict
from bench.stats import Interval, as_interval

OPENING, CLOSING = '<script type="application/json" id="evidence">', "</script>"
ROW = ("file", "key", "value", "low", "high", "n", "unit", "what")


@dataclass(frozen=True)
class Trace:
    """Where a number stands: its value as stored, the record files, and a key of dots and places in each.

    Of two files the number is the first over the second; `inverse`: one over that.
    """

    value: float
    files: tuple[str, ...]
    keys: tuple[str, ...]
    inverse: bool = False

    @property
    def key(self) -> str:
        """As "measurements.fid", "1 / speedups.0.ratio", "measurements.flops / measurements.flops"."""
        return ("1 / " if self.inverse else "") + " / ".join(self.keys)


@dataclass(frozen=True)
class Traced:
    """A number with its interval (NaN: unknown) and where it stands."""

    found: Interval
    trace: Trace


def traced(record: Record, metric: str) -> Traced | None:
    """A measurement of a record; None where there is none."""
    measured = record.measurements.get(metric)
    if measured is None:
        return None
    return Traced(as_interval(measured), Trace(measured.value, (record.file,), (f"measurements.{metric}",)))


def evaluate(files: Sequence[str], key: str, data: Mapping[str, Any]) -> float:
    """The number of a `Trace` from the JSON of its files, by file. KeyError or IndexError where a key leads nowhere."""
    inverse = key.startswith("1 / ")
    values = []
    for file, path in zip(files, key.removeprefix("1 / ").split(" / "), strict=True):
        found = data[file]
        for name in path.split("."):
            found = found[int(name)] if isinstance(found, list) else found[name]
        values.append(float(found["value"] if isinstance(found, Mapping) else found))
    number = values[0] / values[1] if len(values) > 1 else values[0]
    return 1 / number if inverse else number


# -- what travels ------------------------------------------------------------------------------------------------------


def evidence(records: Sequence[Record], verdicts: Mapping[str, Iterable[Verdict]], folders: Sequence[Path]) -> Any:
    """The JSON object of a page; verdicts: by machine."""
    files = {record.file: place for place, record in enumerate(records)}
    return {
        "columns": ROW,
        "rows": [
            [files[record.file], key, *bounds(measured), what]
            for record in records
            for key, measured, what in numbers_of(record)
        ],
        "files": [
            {
                "file": record.file,
                "sha256": checksum(record.file, folders),
                "model": record.model,
                "protocol": record.protocol.name,
                "settings": plain(record.settings),
                "training_seed": record.protocol.training_seed,
                "seed": record.protocol.seed,
                "commit": record.environment.commit,
                "elsewhere": record.elsewhere.words if record.elsewhere else "",
            }
            for record in records
        ],
        "verdicts": [[machine, *said(verdict)] for machine, found in verdicts.items() for verdict in found],
    }


def numbers_of(record: Record) -> Iterable[tuple[str, Measurement, str]]:
    """(key, number, what it is of) of every measurement and every ratio of a record."""
    for metric, measured in record.measurements.items():
        yield f"measurements.{metric}", measured, ""
    for place, entry in enumerate(record.speedups):
        if entry.ratio:
            told = ", without own kernels" if entry.without_own_kernels else ""
            yield f"speedups.{place}.ratio", entry.ratio, f"against {entry.baseline}, {entry.mode}{told}"


def bounds(measured: Measurement) -> tuple[Any, ...]:
    return measured.value, measured.ci_low, measured.ci_high, measured.n, measured.unit


def said(verdict: Verdict) -> tuple[Any, ...]:
    return verdict.claim_id, verdict.scale, verdict.word, verdict.value


def checksum(file: str, folders: Sequence[Path]) -> str:
    """The checksum that a record file was written with; "" where the file is in none of the folders."""
    for folder in folders:
        for path in (folder / file, folder.parent / file):
            if path.is_file():
                return str(read_json(path).get("sha256", ""))
    return ""


def as_script(found: Any) -> str:
    """The element that holds it; what could end the element early is escaped."""
    text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    return OPENING + text.replace("<", "\\u003c") + CLOSING


@dataclass(frozen=True)
class Shown:
    """A number as a page prints it."""

    text: str
    trace: Trace


def traces_in(page: str) -> list[Shown]:
    """Every number of a page that says where it stands."""
    found = re.findall(r'<data value="([^"]*)" data-record="([^"]*)" data-key="([^"]*)">([^<]*)</data>', page)
    shown = []
    for value, files, key, text in found:
        inverse = key.startswith("1 / ")
        keys = tuple(key.removeprefix("1 / ").split(" / "))
        shown.append(Shown(text, Trace(float(value), tuple(files.split()), keys, inverse)))
    return shown


def read_evidence(page: Path) -> Any:
    """The object inside a page. UsageError where the file does not exist or holds none."""
    if not page.is_file():
        raise UsageError(f"report {str(page)!r} does not exist; `python -m bench report` writes one")
    data = evidence_in(page.read_text(encoding="utf-8", errors="replace"))
    if data is None:
        raise UsageError(f"{page}: holds no evidence to check; is it a report of this version?")
    return data


def evidence_in(page: str) -> Any:
    """The object inside the text of a page; None where it holds none."""
    found = re.search(re.escape(OPENING) + "(.*?)" + CLOSING, page, re.DOTALL)
    try:
        data = json.loads(found[1]) if found else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and {"rows", "files", "verdicts"} <= data.keys() else None
