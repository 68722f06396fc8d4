"""What a study's section of the page holds, and the words that several of them share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from bench.analysis.speed import Paired
from bench.analysis.speedups import ratio_of
from bench.analysis.studies import Answers
from bench.formatting import as_words, interval_words, listed, number
from bench.records.parts import Speedup
from bench.records.schema import Record, RunSpec
from bench.report.families import place_of
from bench.report.sections.answers import ratio_cell
from bench.report.tables import NONE, Cell, Table, derived
from bench.stats import Interval


@dataclass(frozen=True)
class Section:
    """One study as the page sets it."""

    findings: Sequence[str] = ()  # sentences
    verdict: Mapping[str, Any] | None = None  # as a claim's verdict: word, style, sign, reason
    claim: Mapping[str, str] | None = None  # of the paper, that `verdict` judges: quote, source
    charts: Sequence[tuple[Markup, str]] = ()  # SVG, caption
    tables: Sequence[Table] = ()
    folded: Sequence[tuple[str, Table]] = ()  # summary, table
    samples: Sequence[Mapping[str, Any]] = ()  # grids of images (sections/quality.py)
    samples_note: str = ""  # what they show


def models_of(answers: Answers) -> list[str]:
    return sorted({record.model for record in answers.records}, key=lambda model: (place_of(model), model))


def run_words(run: RunSpec) -> str:
    """As "sit-digits (num_steps 5)"; of models timed side by side the protocol, for these runs differ in no setting."""
    seeds = {"training seed": run.protocol.training_seed, "sampling seed": run.protocol.seed}
    told = [run.protocol.name] if run.baselines else []
    told += [f"{name} {as_words(name, value)}" for name, value in run.settings.items()]
    told += [f"{name} {seed}" for name, seed in seeds.items() if seed]
    return f"{run.model} ({', '.join(told)})" if told else run.model


def lacking_words(answers: Answers) -> list[str]:
    """What failed, what was not run, and the command that would run it; empty where nothing is missing."""
    command = f"`python -m bench study {answers.study.name}`"
    if not answers.records and not answers.failed:
        return [f"Not run: {command} would run it."]
    sentences = [f"Failed: {run_words(run)}: {record.reason.rstrip('.')}." for run, record in answers.failed]
    if answers.lacking:
        total = len(answers.study.runs)
        models = listed(list(dict.fromkeys(run.model for run in answers.lacking)))
        sentences.append(f"{len(answers.lacking)} of {total} runs are missing, of {models}: {command} would run them.")
    return sentences


def said(record: Record, entry: Speedup) -> Cell:
    """As "3.28 times faster"."""
    ratio = ratio_of(Paired(record, entry))
    if ratio is None:
        return NONE
    shown = ratio_cell(ratio)
    return replace(shown, text=f"{shown.text} {shown.mark}", mark="")


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
