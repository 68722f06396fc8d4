"""Which record counts: the latest of each run, and whether it answers for what is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from bench.records.json_files import plain
from bench.records.schema import Record


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
