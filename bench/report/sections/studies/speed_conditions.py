"""The study "speed-conditions": one model's ratios of speed under conditions that no paper states."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.studies import Answers
from bench.records.parts import Speedup
from bench.records.schema import Record
from bench.report.sections.studies.common import Section, said
from bench.report.tables import NONE, Cell, plain_table


def speed_conditions(answers: Answers) -> Section:
    names = list(dict.fromkeys(entry.baseline for record in answers.records for entry in record.speedups))
    rows = [(row_name(record), [cell_of(record, name) for name in names]) for record in answers.records]
    (model,) = {record.model for record in answers.records}
    caption = f"Times per image of {model} against each model, timed in the same rounds; 95 % intervals."
    sentences = [found for name in names if (found := range_of(answers.records, name))]
    return Section(findings=sentences, tables=[plain_table(caption, names, rows, "Conditions")])


def conditions_of(record: Record) -> str:
    """As "bfloat16, compiled, batch 16"."""
    protocol = record.protocol
    steps = "compiled" if protocol.compiled else "not compiled"
    return f"{protocol.dtype}, {steps}, batch {protocol.latency_batch_size}"


def row_name(record: Record) -> str:
    """The conditions, and whether the times are disturbed."""
    disturbed = any(entry.disturbed for entry in record.speedups)
    return f"{conditions_of(record)}{' (other work ran meanwhile)' if disturbed else ''}"


def entry_of(record: Record, baseline: str) -> Speedup | None:
    return next((entry for entry in record.speedups if entry.baseline == baseline), None)


def cell_of(record: Record, baseline: str) -> Cell:
    entry = entry_of(record, baseline)
    if entry is None:
        return NONE
    return Cell("not comparable", entry.not_comparable) if entry.not_comparable else said(record, entry)


def range_of(records: Sequence[Record], baseline: str) -> str:
    """The conditions under which a ratio is lowest and highest; "" where fewer than two were timed."""
    found = [(entry.ratio.value, record) for record in records if (entry := entry_of(record, baseline)) and entry.ratio]
    if len(found) < 2:
        return ""
    low, high = (choose(found, key=lambda one: one[0])[1] for choose in (min, max))
    told = [f"{cell_of(record, baseline).text} with {conditions_of(record)}" for record in (low, high)]
    return f"Against {baseline}: from {told[0]} to {told[1]}."
