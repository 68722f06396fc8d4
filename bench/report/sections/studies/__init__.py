"""Questions that take many runs: per machine a part for each study that has one.

The study "text-steps" stands where its models do, in the part "Dual Diffusion" (dual.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.analysis.studies import Answers, answers_of, settings_in_use
from bench.records.schema import Record
from bench.report.sections.studies.common import Section, lacking_words
from bench.report.sections.studies.kernels import kernels
from bench.report.sections.studies.quality import quality
from bench.report.sections.studies.references import references
from bench.report.sections.studies.speed_conditions import speed_conditions
from bench.report.sections.studies.sweeps import guidance, scales
from bench.report.sections.studies.trade_off import trade_off
from bench.report.sections.studies.training_seeds import training_seeds
from bench.report.words import anchor
from bench.studies import STUDIES

SECTIONS: dict[str, Callable[[Answers], Section]] = {
    "trade-off": trade_off,
    "guidance": guidance,
    "scales": scales,
    "references": references,
    "training-seeds": training_seeds,
    "quality": quality,
    "kernels": kernels,
    "speed-conditions": speed_conditions,
}


def studies_view(machine: str, records: Sequence[Record]) -> dict[str, Any]:
    """By name every study with what the records of one machine say of it; also those that were not run."""
    prefix = anchor(f"{machine} study")
    in_use = settings_in_use(records)
    found = {}
    for study in (study for study in STUDIES.values() if study.name in SECTIONS):
        answers = answers_of(study, records, in_use)
        section = SECTIONS[study.name](answers) if answers.records else Section()
        found[study.name] = {
            "id": f"{prefix}-{study.name}",
            "title": study.title,
            "question": study.question,
            "made": bool(answers.records or answers.failed),
            "lacking": lacking_words(answers),
            "section": section,
        }
    return found
