"""Labels, the real-data floor and drawable intervals of records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from bench.formatting import as_words
from bench.records.parts import Measurement, Number
from bench.records.schema import REAL_DATA, Protocol, Record
from bench.stats import Interval, as_interval

Made = TypeVar("Made")

LONGEST_WHY = 200  # characters


def label_by_file(records: Sequence[Record]) -> dict[str, str]:
    """The model's name, with the settings that tell it apart where one protocol has several records of it, with the
    images of a pilot, and whether what was scored was made elsewhere."""
    alike: dict[tuple[str, str], list[Record]] = {}  # by model and protocol
    for record in records:
        alike.setdefault((record.model, record.protocol.name), []).append(record)
    differing = {run: differing_settings(same) for run, same in alike.items()}
    labels = {}
    for record in records:
        told_apart = differing[record.model, record.protocol.name]
        own = [name for name in told_apart if name in record.settings]  # of one made after the record nothing is known
        settings = ", ".join(f"{name} {as_words(name, record.settings[name])}" for name in own)
        told = [settings] if settings else []
        if record.protocol.pilot_of:
            told.append(f"pilot of {record.protocol.num_images:,} images")
        if record.elsewhere:
            told.append("made elsewhere")
        labels[record.file] = f"{record.model} ({'; '.join(told)})" if told else record.model
    return labels


def differing_settings(records: Sequence[Record]) -> list[str]:
    """The settings in which some of the records differ, by name; one that a record lacks is as None."""
    names = sorted({name for record in records for name in record.settings})
    return [name for name in names if len({json.dumps(record.settings.get(name)) for record in records}) > 1]


# Of a protocol, what the scores of real images depend on; its name, batches and seeds are those of generating.
FLOOR_FIELDS = ("scale", "collects", "num_images", "features", "reference", "quick")


def floor_of(records: Iterable[Record], protocol: Protocol) -> dict[str, Measurement]:
    """What real held-out images score, as `protocol` scores images: the record of real data; {} where there is none."""
    wanted = [getattr(protocol, name) for name in FLOOR_FIELDS]
    for record in records:
        alike = [getattr(record.protocol, name) for name in FLOOR_FIELDS] == wanted
        if alike and record.model == REAL_DATA and record.status == "ok" and record.measurements:
            return dict(record.measurements)
    return {}


def by_machine(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each machine, in their order."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.environment.machine, []).append(record)
    return found


def whiskers(measured: Measurement) -> Interval:
    """The interval for drawing: of no length where it is unknown."""
    known = as_interval(measured)
    return known if known.is_known else Interval(measured.value, measured.value, measured.value)


def nfe_of(record: Record) -> Mapping[str, Number]:
    """Network evaluations of one image or text, by part of the network; {} where none were counted."""
    part = record.images or record.texts or record.paintings or record.timing
    return (part.nfe or {}) if part else {}


def made_of(make: Callable[[list[Record]], Made], records: Sequence[Record]) -> tuple[Made, list[str]]:
    """(what `make` gives of the records that it can be done with, a line on each of the others)."""
    try:
        return make(list(records)), []
    except Exception:
        fit, faults = fit_for(make, records)
        return make(fit), faults


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
