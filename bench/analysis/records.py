"""Labels, the real-data floor and drawable intervals of records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.formatting import as_words
from bench.records.parts import Measurement, Number
from bench.records.schema import REAL_DATA, Record
from bench.stats import Interval, as_interval

LONGEST_WHY = 200  # characters


def label_by_file(records: Sequence[Record]) -> dict[str, str]:
    """The model's name, with the settings that tell it apart where one protocol has several records of it."""
    labels = {}
    for record in records:
        same = [r for r in records if (r.model, r.protocol.name) == (record.model, record.protocol.name)]
        names = sorted({name for r in same for name in r.settings})
        differing = [name for name in names if len({json.dumps(r.settings.get(name)) for r in same}) > 1]
        settings = ", ".join(f"{name} {as_words(name, record.settings.get(name))}" for name in differing)
        labels[record.file] = f"{record.model} ({settings})" if settings else record.model
    return labels


def floor_of(images: Sequence[Record]) -> dict[str, Measurement]:
    """What real held-out images score: the record of real data."""
    for record in images:
        if record.model == REAL_DATA and record.status == "ok" and record.measurements:
            return dict(record.measurements)
    return {}


def whiskers(measured: Measurement) -> Interval:
    """The interval for drawing: of no length where it is unknown."""
    known = as_interval(measured)
    return known if known.is_known else Interval(measured.value, measured.value, measured.value)


def nfe_of(record: Record) -> Mapping[str, Number]:
    """Network evaluations of one image or text, by part of the network; {} where none were counted."""
    part = record.images or record.texts or record.paintings or record.timing
    return (part.nfe or {}) if part else {}


def fit_for(work: Callable[[list[Record]], Any], records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The records that `work` can be done with, and a line on each of the others: "<file>: left out: <why>".

    What another program wrote under a right checksum may be odd in ways that no schema knows. The records are halved
    until those that `work` stumbles over are found, so that sound ones cost a single call.
    """
    try:
        work(list(records))
        return list(records), []
    except Exception as error:
        if len(records) < 2:
            why = " ".join([f"{type(error).__name__}:", *str(error).split()])[:LONGEST_WHY]
            return [], [f"{record.file}: left out: {why}" for record in records]
    middle = len(records) // 2
    fit: list[Record] = []
    faults: list[str] = []
    for half in (records[:middle], records[middle:]):
        kept, odd = fit_for(lambda chosen, before=tuple(fit): work([*before, *chosen]), half)  # type: ignore[misc]
        fit, faults = fit + kept, faults + odd
    return fit, faults
