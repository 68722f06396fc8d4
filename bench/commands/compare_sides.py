"""The records on either side of `bench compare`: of one machine each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.analysis.records import by_machine
from bench.console import say
from bench.errors import UsageError
from bench.formatting import listed
from bench.records.latest import latest
from bench.records.schema import Record
from bench.records.store import load_record, load_records


def load_side(path: Path) -> tuple[dict[str, list[Record]], list[str]]:
    """(the latest records of a results folder, of a machine's folder or in a record file, by machine; what of them
    could not be read)."""
    faults: list[str] = []
    if path.is_file():
        try:
            record, odd = load_record(path)
            records, faults = [record], [f"{path.name}: {why}" for why in odd]
        except ValueError as error:
            raise UsageError(f"{path} is no record: {error}") from error
    elif path.is_dir():
        loaded = load_records([path])
        records, faults = latest(loaded.records), loaded.faults
    else:
        what = "is no regular file" if os.path.lexists(path) else "does not exist"
        raise UsageError(f"{path} {what}; expected a results folder or a record file")
    if not records:
        why = f" ({len(faults)} not read, first {faults[0]})" if faults else ""
        raise UsageError(f"{path} holds no records that can be read{why}; `python -m bench reproduce` makes them")
    return by_machine(records), faults


def same_machine(a: Path, b: Path) -> tuple[list[Record], list[Record], list[str]]:
    """The records of either side on the machine that both know, or on the one machine of each.

    Of several that both know, the one whose records are not the same ones; where all are, the one that measured last.
    """
    (ours, our_faults), (theirs, their_faults) = load_side(a), load_side(b)
    sides, faults = (ours, theirs), [*our_faults, *their_faults]
    common = sorted(sides[0].keys() & sides[1].keys())
    if len(common) > 1:
        others = [name for name in common if files_of(ours[name]) != files_of(theirs[name])]
        common = others or [max(common, key=lambda name: max(record.created_utc for record in ours[name]))]
    if len(common) == 1:
        names = sorted((ours.keys() | theirs.keys()) - {*common})
        if left_out := [left_out_words(name, ours, theirs) for name in names]:
            say(f"compared on {common[0]} alone; left out: {listed(left_out)}")
        return sides[0][common[0]], sides[1][common[0]], faults
    if not common and len(sides[0]) == len(sides[1]) == 1:
        return next(iter(sides[0].values())), next(iter(sides[1].values())), faults
    machines = " and ".join(f"{path}: {', '.join(sorted(side))}" for path, side in zip((a, b), sides, strict=True))
    raise UsageError(f"more than one machine ({machines}); name the folder of one machine on either side")


def files_of(records: Iterable[Record]) -> set[tuple[str, str]]:
    """Each record by its file and what is in it."""
    return {(record.file, record.sha256) for record in records}


def left_out_words(machine: str, ours: Mapping[str, object], theirs: Mapping[str, object]) -> str:
    """Of a machine on which nothing was compared, as "amd-epyc-2c (the same records in both)"."""
    places = [name for name, side in (("A", ours), ("B", theirs)) if machine in side]
    return f"{machine} ({'the same records in both' if len(places) == 2 else f'in {places[0]} alone'})"
