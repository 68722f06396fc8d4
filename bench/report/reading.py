"""Records as every form of the report reads them: the latest of each run, by machine, each claim judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bench.analysis.records import Made, by_machine, made_of
from bench.analysis.speed import at_the_machines_roofline
from bench.console import say
from bench.records.latest import latest
from bench.records.parity import Parity, load_parity
from bench.records.schema import REAL_DATA, Record
from bench.records.store import check_there, load_records
from bench.report.families import place_of
from bench.verdict.judged import Judged, Records, judge_all


@dataclass(frozen=True)
class Found:
    """What was found in the folders of results."""

    by_machine: dict[str, list[Record]]  # the machine that measured last first: its numbers answer the questions
    faults: tuple[str, ...]  # what could not be read
    parity: Parity | None = None  # our models against their authors' code

    @property
    def records(self) -> list[Record]:
        return [record for group in self.by_machine.values() for record in group]

    @cached_property
    def shown(self) -> Records:
        """The same with each machine's roofline: for display only."""
        return {machine: at_the_machines_roofline(group) for machine, group in self.by_machine.items()}

    @cached_property
    def judged(self) -> dict[str, Judged]:
        """By id, every claim in use."""
        return judge_all(self.by_machine, self.shown)


def read(results_dirs: Sequence[Path]) -> Found:
    """UsageError where a folder does not exist. Files that are not records are among the faults."""
    for folder in results_dirs:
        check_there(folder)
    loaded = load_records(results_dirs)
    parity, odd = load_parity(results_dirs)
    return Found(by_machines(latest(loaded.records)), (*loaded.faults, *odd), parity)


def made_of_all(found: Found, make: Callable[[Found], Made]) -> Made:
    """What `make` gives of the records that it can be done with; prints a line on each file that is left out."""
    made, odd = made_of(lambda records: make(replace(found, by_machine=by_machines(records))), found.records)
    for fault in (*found.faults, *odd):
        say(f"not read: {fault}")
    return made


def by_machines(records: Iterable[Record]) -> dict[str, list[Record]]:
    """By machine, the one that measured last first; within each real data first, then family by family."""
    found = by_machine(sorted(records, key=lambda record: record.created_utc, reverse=True))

    def place(record: Record) -> tuple[bool, int, str]:
        return record.model != REAL_DATA, place_of(record.model), record.file

    return {machine: sorted(group, key=place) for machine, group in found.items()}


def by_scale(records: Sequence[Record], *, without: str) -> dict[str, list[Record]]:
    """What stands under quality and method: scales never share a table; `without` and sizes have parts of their own."""
    found: dict[str, list[Record]] = {}
    for record in records:
        protocol = record.protocol
        if not protocol.study and protocol.scale != without and protocol.collects != "sizes":
            found.setdefault(protocol.scale, []).append(record)
    return dict(sorted(found.items()))
