"""Labels, the real-data floor and drawable intervals of records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bench.formatting import as_words
from bench.records.parts import Measurement, Number
from bench.records.schema import REAL_DATA, Record
from bench.stats import Interval, as_interval


def label_by_file(records: Sequence[Record]) -> dict[str, str]:
    """The model's name, with the settings that tell it apart where one protocol has several records of it, and with
    the images of a pilot."""
    labels = {}
    for record in records:
        same = [r for r in records if (r.model, r.protocol.name) == (record.model, record.protocol.name)]
        names = sorted({name for r in same for name in r.settings})
        differing = [name for name in names if len({json.dumps(r.settings.get(name)) for r in same}) > 1]
        told = [f"{name} {as_words(name, record.settings.get(name))}" for name in differing]
        if record.protocol.pilot_of:
            told.append(f"pilot of {record.protocol.num_images:,} images")
        labels[record.file] = f"{record.model} ({', '.join(told)})" if told else record.model
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
