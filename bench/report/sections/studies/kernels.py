"""The study "kernels": each ratio of speed with and without this suite's own CPU kernels, all in the same rounds."""

from __future__ import annotations

from bench.analysis.speed import Kernels, kernels_of
from bench.analysis.studies import Answers
from bench.formatting import interval, listed, number
from bench.records.parts import BASELINE, SUBJECT
from bench.records.schema import Record
from bench.report.sections.studies.common import Section, said
from bench.report.tables import NONE, Cell, plain_table

COLUMNS = ("With own kernels", "By torch's alone", ("Own kernels of it", "its speed with them, of that without"))


def kernels(answers: Answers) -> Section:
    (record,) = answers.records
    found = kernels_of(record)
    timed = {name: both for name, both in found.items() if both.has_ratios}
    if not timed:
        return Section(findings=[f"{name}: {both.own.not_comparable}." for name, both in found.items()])
    rows = [(record.model, (NONE, NONE, gain_cell(next(iter(timed.values())), SUBJECT)))]
    rows += [
        (name, (said(record, both.own), said(record, both.torchs), gain_cell(both, BASELINE)))
        for name, both in timed.items()
    ]
    caption = f"Times per image of {record.model} against each model; every round timed each both ways."
    return Section(findings=findings(record, timed), tables=[plain_table(caption, COLUMNS, rows, "Against")])


def findings(record: Record, timed: dict[str, Kernels]) -> list[str]:
    """Where the ratio moves most, and whether the machine was alone."""
    moved = {name: both.moved for name, both in timed.items() if both.names}
    sentences = []
    if moved:
        name = max(moved, key=lambda each: abs(moved[each] - 1))
        own, torchs = (said(record, entry).text for entry in (timed[name].own, timed[name].torchs))
        sentences.append(
            f"Own kernels move the ratio against {name} most: with them {record.model} is {own}, without {torchs}."
        )
    else:
        sentences.append("No model timed here has kernels of its own.")
    slowed = [name for name, both in timed.items() if both.slow_down(BASELINE)]
    if slowed:
        sentences.append(f"At this size they slow {listed(slowed)} down.")
    if any(entry.disturbed for both in timed.values() for entry in (both.own, both.torchs)):
        sentences.append("Other work ran on the machine meanwhile.")
    return sentences


def gain_cell(both: Kernels, role: str) -> Cell:
    """Of one side: its kernels, and its time without them over that with them."""
    names = both.own.conditions[role].own_kernels  # type: ignore[index]
    if not names:
        return Cell("none")
    gain = both.gain(role)
    bounds = interval(gain.value, gain.ci_low, gain.ci_high)
    return Cell(f"{listed(names)}: {number(gain.value)} times", bounds)
