"""Which records answer a study, and what a section of the report's part "Studies" holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bench.analysis.records import floor_of, label_by_file, whiskers
from bench.analysis.studies import find_record
from bench.formatting import as_words, interval_words, listed, number
from bench.records.schema import Record, RunSpec
from bench.report.families import place_of
from bench.report.tables import NONE, Cell, Table, derived
from bench.stats import Interval
from bench.studies import Settings, Study


@dataclass(frozen=True)
class Answers:
    """The records that answer one study, all of one machine."""

    study: Study
    records: tuple[Record, ...]  # of the runs that were made, in the study's order
    failed: Mapping[str, str]  # runs that failed, in words: why
    lacking: tuple[str, ...]  # models of the runs that were not made
    in_use: Mapping[str, Settings]  # by model: its own sampling settings
    counted: tuple[Record, ...]  # runs that counted what a point costs
    labels: Mapping[str, str]  # by file: the model with the settings that the study varies
    machine_records: tuple[Record, ...]  # of all studies on that machine, for what stands beside
    floor: Interval | None  # FID of real held-out scans
    id: str  # of the section

    def of(self, model: str) -> list[Record]:
        return [record for record in self.records if record.model == model]

    @property
    def models(self) -> list[str]:
        return sorted({record.model for record in self.records}, key=lambda model: (place_of(model), model))


@dataclass(frozen=True)
class Section:
    """One study as the page sets it."""

    findings: Sequence[str] = ()  # sentences
    verdict: Mapping[str, Any] | None = None  # as a claim's verdict: word, style, sign, reason
    claim: Mapping[str, str] | None = None  # of the paper, that `verdict` judges: headline, quote, source
    charts: Sequence[tuple[Markup, str]] = ()  # SVG, caption
    tables: Sequence[Table] = ()
    folded: Sequence[tuple[str, Table]] = ()  # summary, table
    samples: Sequence[Mapping[str, Any]] = ()  # grids of images (sections/quality.py)
    samples_note: str = ""  # what they show


def answers_of(study: Study, records: Sequence[Record], in_use: Mapping[str, Settings], prefix: str) -> Answers:
    """The records among those of one machine that answer a study."""
    studied = [record for record in records if record.protocol.study]
    found = [(run, find_record(run, studied, in_use)) for run in study.runs]
    answered = {record.file: record for _, record in found if record and record.status == "ok"}.values()
    kept = tuple(record for record in answered if record.protocol.collects != "costs")
    scored = [run.protocol for run in study.runs if run.protocol.collects != "costs"]
    floor = floor_of(records, scored[0])
    return Answers(
        study=study,
        records=kept,
        failed={run_words(run): record.reason for run, record in found if record and record.status != "ok"},
        lacking=tuple(run.model for run, record in found if record is None),
        in_use=in_use,
        counted=tuple(record for record in studied if record.protocol.collects == "costs" and record.status == "ok"),
        labels=label_by_file(kept),
        machine_records=tuple(record for record in studied if record.status == "ok"),
        floor=whiskers(floor["fid"]) if "fid" in floor else None,
        id=f"{prefix}-{study.name}",
    )


def run_words(run: RunSpec) -> str:
    """As "sit-digits (num_steps 5)"."""
    seeds = {"training seed": run.protocol.training_seed, "sampling seed": run.protocol.seed}
    told = [f"{name} {as_words(name, value)}" for name, value in run.settings.items()]
    told += [f"{name} {seed}" for name, seed in seeds.items() if seed]
    return f"{run.model} ({', '.join(told)})" if told else run.model


def lacking_words(answers: Answers) -> list[str]:
    """What failed, what was not run, and the command that would run it; empty where nothing is missing."""
    command = f"`python -m bench study {answers.study.name}`"
    if not answers.records and not answers.failed:
        return [f"Not run: {command} would run it."]
    sentences = [f"Failed: {run}: {reason.rstrip('.')}." for run, reason in answers.failed.items()]
    if answers.lacking:
        total = len(answers.study.runs)
        models = listed(list(dict.fromkeys(answers.lacking)))
        sentences.append(f"{len(answers.lacking)} of {total} runs are missing, of {models}: {command} would run them.")
    return sentences


def recognised(record: Record) -> Cell:
    share = record.images.audit.recognised_share if record.images else None
    key = "images.audit.recognised_share"
    return NONE if share is None else derived(record, key, share, lambda value: as_words("recognised_share", value))


def differing(settings: Mapping[str, Any], in_use: Mapping[str, Any], ignoring: Sequence[str]) -> str:
    """The settings that are not those in use, in words; "" where all are."""
    return listed(
        [
            f"{name} {as_words(name, value)} instead of {as_words(name, in_use[name])}"
            for name, value in settings.items()
            if name not in ignoring and name in in_use and json.dumps(value) != json.dumps(in_use[name])
        ]
    )


def fid_of(record: Record) -> str:
    fid = record.measurements["fid"]
    return number(fid.value, fid.ci_low, fid.ci_high)


def gap_words(gap: Interval) -> str:
    """As "difference −0.03, 95 % interval −0.07 to 0.01"."""
    bounds = (gap.value, gap.low, gap.high)
    return f"difference {number(*bounds)}, {interval_words(*bounds)}"
