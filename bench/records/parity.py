"""results/parity.json: our models against numbers of the authors' own code, as `bench parity --save` found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from bench.records.json_files import folded, plain, read_json, write_text
from bench.records.parts import Positive
from bench.records.schema import Environment
from bench.records.store import PARITY_FILE, content_sha256, stored
from bench.records.typed import convert, in_utc, mapping, printable

PARITY_SCHEMA = 1
Error = Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class ParityOutput:
    """One output of a case: ours against theirs."""

    name: str  # as "latents"
    error: Error | None  # norm(ours - theirs) / norm(theirs), of tokens the share that differs; None: not comparable
    tolerance: Error  # the largest error that passes; 0: tokens, which must be equal
    ok: bool


@dataclass(frozen=True)
class ParityCase:
    """One case file: numbers that the authors' own code gave."""

    name: str  # of the file, without its ending
    family: str  # of the models, as "transdiff-mrar"
    sha256: str  # of the case file
    source: str  # the authors' repository on GitHub and its commit, as "LTH14/mar@fe470ac"; without "@": not named
    versions: Mapping[str, int]  # by model of the family: the version of our code that was compared
    num_outputs: Positive  # the case has; that many were compared, unless there is a reason
    outputs: tuple[ParityOutput, ...] = ()
    reason: str = ""  # why nothing could be compared, in one line

    @property
    def ok(self) -> bool:
        return len(self.outputs) == self.num_outputs and all(output.ok for output in self.outputs)

    @property
    def worst(self) -> int | None:
        """Place of the output with the largest error, one that could not be compared before all; None: no outputs."""

        def error(place: int) -> float:
            found = self.outputs[place].error
            return float("inf") if found is None else found

        return max(range(len(self.outputs)), key=error, default=None)


@dataclass(frozen=True)
class Parity:
    """The whole file."""

    cases: tuple[ParityCase, ...]
    environment: Environment  # the machine, the versions, the commit
    created_utc: str
    sha256: str = field(default="", compare=False)  # of the content, known once it is loaded


def save_parity(parity: Parity, path: Path) -> None:
    """Write the file, whole or not at all. CheckFailed where it cannot be written."""
    data = plain(stored({name: getattr(parity, name) for name in ("cases", "environment", "created_utc")}))
    data["schema"] = PARITY_SCHEMA
    write_text(folded(data | {"sha256": content_sha256(data)}) + "\n", path)


def load_parity(folders: Sequence[Path]) -> tuple[Parity | None, list[str]]:
    """(what the first of the results folders that has the file holds, why it could not be read)."""
    path = next((path for folder in folders if (path := folder / PARITY_FILE).exists()), None)
    if path is None:
        return None, []
    try:
        data = mapping(read_json(path), "parity")
        if data.get("schema") != PARITY_SCHEMA:
            raise ValueError(f"schema {data.get('schema')!r}, expected {PARITY_SCHEMA}")
        if data.get("sha256") != content_sha256(data):
            raise ValueError("was edited: its content does not have the checksum it was written with")
        found = convert(printable(data), Parity, "parity")
        in_utc(found.created_utc)
    except ValueError as error:
        return None, [f"{PARITY_FILE}: {error}"]
    return found, []
