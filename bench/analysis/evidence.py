"""Where a number stands in the records, and the records' measurements as they travel inside a page.

A page holds one JSON object (`<script type="application/json" id="evidence">`): the files behind it with the checksum
of each, every measurement of theirs by key, what else its numbers were computed from (rounds, calls, counts), and the
verdicts that it prints. `python -m bench verify` reads it back.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from bench.analysis.formulas import UNFIT, at_path, paths_in
from bench.errors import UsageError
from bench.files import FEW_BYTES, read_text
from bench.records.json_files import plain, read_json
from bench.records.parity import Parity
from bench.records.parts import Measurement
from bench.records.schema import Record, Verdict
from bench.records.store import PARITY_FILE
from bench.stats import Interval, as_interval

OPENING, CLOSING = '<script type="application/json" id="evidence">', "</script>"
ROW = ("file", "key", "value", "low", "high", "n", "unit", "what")


@dataclass(frozen=True)
class Trace:
    """Where a number stands: its value, the record files, and the formula of keys that gives it (formulas.py)."""

    value: float
    files: tuple[str, ...]
    key: str  # as "measurements.fid", "1 / speedups.0.ratio"; of a verdict's own number "verdict <claim> <scale>"

    @property
    def place(self) -> str:
        """The files as an attribute of the page: parted by spaces, those in their names, and all that is odd, as in an
        address (%20)."""
        return " ".join(quote(file, errors="surrogateescape") for file in self.files)

    @property
    def of_verdict(self) -> bool:
        """Whether the verdict itself computed it, from all of the files: `verify` judges again."""
        return self.key.startswith("verdict ")

    @property
    def inverted(self) -> Trace:
        """One over the number."""
        if plain_key := re.fullmatch(r"1 / (\S+)", self.key):
            return Trace(1 / self.value, self.files, plain_key[1])
        return Trace(1 / self.value, self.files, f"1 / ({self.key})" if " " in self.key else f"1 / {self.key}")


def in_record(record: Record, key: str, value: float) -> Trace:
    """Of what stands in one record, or follows from it."""
    return Trace(float(value), (record.file,), key)


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
    return Traced(as_interval(measured), in_record(record, f"measurements.{metric}", measured.value))


# -- what travels ------------------------------------------------------------------------------------------------------


def evidence(records: Sequence[Record], verdicts: Mapping[str, Iterable[Verdict]], parity: Parity | None = None) -> Any:
    """The JSON object of a page; verdicts: by machine."""
    beside = [{"file": PARITY_FILE, "sha256": parity.sha256, "kind": "parity"}] if parity else []
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
                "sha256": record.sha256,
                "model": record.model,
                "protocol": record.protocol.name,
                "settings": plain(record.settings),
                "training_seed": record.protocol.training_seed,
                "seed": record.protocol.seed,
                "commit": record.environment.commit,
                "elsewhere": record.elsewhere.words if record.elsewhere else "",
            }
            for record in records
        ]
        + beside,
        "verdicts": [[machine, *said(verdict)] for machine, found in verdicts.items() for verdict in found],
    }


def inputs_of(found: Any, traces: Iterable[Trace]) -> list[tuple[str, str]]:
    """(file, path) of everything else that these numbers are computed from."""
    names = [entry["file"] for entry in found["files"]]
    there, known = set(names), {(names[row[0]], row[1]) for row in found["rows"]}
    read = (each for trace in traces if not trace.of_verdict for each in paths_in(trace.key, trace.files))
    return [each for each in dict.fromkeys(read) if each not in known and each[0] in there]


def with_inputs(found: Any, inputs: Iterable[tuple[str, str]], stored: Mapping[str, Any]) -> Any:
    """The same object with a row for each of these: a number or a list.  stored: see `read_stored`."""
    places = {entry["file"]: place for place, entry in enumerate(found["files"])}
    rows = list(found["rows"])
    for file, path in inputs:
        with suppress(*UNFIT):  # a path that leads nowhere has no row, nor has a file that lies in no folder
            rows.append([places[file], path, at_path(stored[file], path), None, None, None, "", ""])
    return {**found, "rows": rows}


def numbers_of(record: Record) -> Iterable[tuple[str, Measurement, str]]:
    """(key, number, what it is of) of every measurement and every ratio of a record."""
    for metric, measured in record.measurements.items():
        yield f"measurements.{metric}", measured, ""
    for place, entry in enumerate(record.speedups):
        if entry.ratio:
            yield f"speedups.{place}.ratio", entry.ratio, f"against {entry.baseline}, {entry.mode_in_words}"


def bounds(measured: Measurement) -> tuple[Any, ...]:
    return measured.value, measured.ci_low, measured.ci_high, measured.n, measured.unit


def said(verdict: Verdict) -> tuple[Any, ...]:
    return verdict.claim_id, verdict.scale, verdict.word, verdict.value


def read_stored(files: Iterable[str], folders: Sequence[Path]) -> dict[str, Any]:
    """What record files hold, by file, of those that lie in a folder."""
    found = {}
    for file in files:
        paths = (path for folder in folders for path in (folder / file, folder.parent / file))
        if path := next(filter(Path.is_file, paths), None):
            found[file] = read_json(path)
    return found


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
    """Every number of a page that says where it stands: in its text, in its charts."""
    found = re.findall(r'(?:<data |data-)value="([^"]*)" data-record="([^"]*)" data-key="([^"]*)"[^>]*>([^<]*)</', page)
    return [
        Shown(html.unescape(text), Trace(_number(value), files_at(place), html.unescape(key)))
        for value, place, key, text in found
    ]


def files_at(place: str) -> tuple[str, ...]:
    """The reverse of `Trace.place`, also of pages of before, whose odd letters are as in HTML."""
    return tuple(unquote(file, errors="surrogateescape") for file in html.unescape(place).split())


def _number(text: str) -> float:
    """NaN, which no record gives, where somebody has put something else in its place."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def page_text(page: Path) -> str:
    """The text of a page, whatever its bytes. UsageError where it does not exist or cannot be read."""
    try:
        return read_text(page, FEW_BYTES, errors="replace")
    except FileNotFoundError as error:
        raise UsageError(f"report {str(page)!r} does not exist; `python -m bench report` writes one") from error
    except OSError as error:
        raise UsageError(f"report {str(page)!r} cannot be read: {error.strerror or error}") from error


def read_evidence(page: Path) -> Any:
    """The object inside a page. UsageError where the file does not exist or holds none."""
    data = evidence_in(page_text(page))
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
    return data if is_evidence(data) else None


def is_evidence(data: Any) -> bool:
    """Whether an object has the shape that `evidence` gives: files, rows that name one of them, verdicts."""
    lists = [data.get(name) if isinstance(data, dict) else None for name in ("files", "rows", "verdicts")]
    if not all(isinstance(found, list) for found in lists):
        return False
    files, rows, verdicts = (found or [] for found in lists)
    return (
        all(isinstance(one, dict) and all(isinstance(one.get(key), str) for key in ("file", "sha256")) for one in files)
        and all(isinstance(row, list) and len(row) == len(ROW) for row in rows)
        and all(type(row[0]) is int and 0 <= row[0] < len(files) and isinstance(row[1], str) for row in rows)
        and all(isinstance(row, list) and len(row) == 5 and isinstance(row[4], float | int | None) for row in verdicts)
        and all(isinstance(text, str) for row in verdicts for text in row[:4])
    )
