"""What `score captions` and `score vqa` share: scores with and without the degenerate texts, and the audit in words.

Keys of either result, ready for JSON:

    metrics             {name: {value, unit, ci_low, ci_high, n}}; the interval is over the images or questions
    without_degenerate  the same without the texts that the audit calls degenerate; {} where there are none
    not_run             {name: reason}
    warnings            what a reader must know before believing a number, one sentence each
    audit               see metrics/text_audit.py
    per_image (captions) or per_question (vqa): {id, text, score by metric, faults} of each
    breakdown           (vqa) {kind: {value of the kind: {metric: {value, ...}}}}, as {"question_type": {"is the": ...}}
    protocol            how it was measured
    environment         the machine and its versions
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.formatting import number
from bench.metrics import METRICS
from bench.metrics.intervals import RESAMPLES
from bench.metrics.item_scores import ItemScore, measure
from bench.metrics.text_audit import CLASSES
from bench.score_output import score_table

if TYPE_CHECKING:
    from rich.console import Console

WORD_BY_CLASS = dict(zip(CLASSES, ("empty", "end token first", "truncated", "repeated"), strict=True))
SHOWN_CHARACTERS = 60  # of an example


def measure_both(
    scores: Mapping[str, ItemScore], degenerate: np.ndarray, *, seed: int
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Measurements by metric name: (of all items, of those that are not degenerate; empty where none are)."""
    every = {name: measure(score, seed=seed) for name, score in scores.items()}
    rest = {name: measure(score, ~degenerate, seed=seed) for name, score in scores.items() if degenerate.any()}
    return tuple({name: asdict(m) for name, m in found.items() if m is not None} for found in (every, rest))  # type: ignore[return-value]


def text_protocol(names: Sequence[str], *, over: str, seed: int) -> dict[str, Any]:
    """The part of a protocol that every text score has. over: what is resampled, as "images"."""
    return {
        "interval": f"95 %, {over} resampled {RESAMPLES} times, references fixed, recentred percentile",
        "resampling_seed": seed,
        "metric_versions": {name: METRICS[name].version for name in names},
    }


def file_protocol(**files: Path | None) -> dict[str, Any]:
    """Name and SHA-256 of each file by its role; of a folder, its name alone."""
    found: dict[str, Any] = {}
    for role, path in files.items():
        if path is not None:
            found[role] = path.resolve().name
            if path.is_file():
                found[f"{role}_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def print_scores(console: Console, title: str, result: Mapping[str, Any], *, counted: str) -> None:
    """The table with both numbers, then the audit and the warnings."""
    rest = {
        name: number(found["value"], found["ci_low"], found["ci_high"])
        for name, found in result["without_degenerate"].items()
    }
    names = [name for name in METRICS if name in result["metrics"] or name in result["not_run"]]
    console.print(score_table(title, names, result, counted=counted, beside_title="without degenerate", beside=rest))
    for line in audit_lines(result["audit"]):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for warning in result["warnings"]:
        console.print(f"warning: {warning}", highlight=False, markup=False, soft_wrap=True)


def audit_lines(audit: Mapping[str, Any]) -> list[str]:
    """The audit in words, one line per class of degenerate texts, with examples."""
    total = audit["num_texts"]
    if audit["num_degenerate"]:
        lines = [f"degenerate: {audit['num_degenerate']} of {total} texts ({audit['degenerate_share']:.1%})"]
    else:
        lines = [f"no text of {total} is degenerate"]
    if audit["num_with_finish"] < total:
        lines[0] += f"; {total - audit['num_with_finish']} do not say how they ended (key 'finish')"
    for name in CLASSES:
        if audit[f"num_{name}"]:
            examples = ", ".join(f"{e['id']}: {e['text'][:SHOWN_CHARACTERS]!r}" for e in audit["examples"][name])
            lines.append(f"  {WORD_BY_CLASS[name]}: {audit[f'num_{name}']} ({examples})")
    lines.append(
        f"{audit['num_distinct']} different texts; the most common, {audit['most_common_text'][:SHOWN_CHARACTERS]!r}, "
        f"is {audit['most_common_share']:.1%}"
    )
    return lines
