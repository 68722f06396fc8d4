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

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.assets.checksums import digest
from bench.metrics import METRICS
from bench.metrics.item_scores import ItemScore, measure
from bench.stats import IMAGE_RESAMPLES

LONGEST = 2000  # characters of a text that is scored: a caption has 60; of 10 MB each tool would make minutes and GiB


def measure_both(
    scores: Mapping[str, ItemScore], degenerate: np.ndarray, *, seed: int
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Measurements by metric name: (of all items, of those that are not degenerate; empty where none are)."""
    every = {name: measure(score, seed=seed) for name, score in scores.items()}
    rest = {name: measure(score, ~degenerate, seed=seed) for name, score in scores.items() if degenerate.any()}
    return tuple({name: asdict(m) for name, m in found.items() if m is not None} for found in (every, rest))  # type: ignore[return-value]


def bounded(texts: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """(texts of at most LONGEST characters, a warning where some were cut). what: the texts' noun, as "captions"."""
    long = [i for i, text in enumerate(texts) if len(text) > LONGEST]
    if not long:
        return list(texts), []
    longest = max(len(texts[i]) for i in long)
    warning = (
        f"{len(long)} of {len(texts)} {what} are longer than {LONGEST:,} characters (the longest: {longest:,}): what "
        "comes after is not scored"
    )
    return [text[:LONGEST] for text in texts], [warning]


def text_protocol(names: Sequence[str], *, over: str, seed: int) -> dict[str, Any]:
    """The part of a protocol that every text score has. over: what is resampled, as "images"."""
    return {
        "interval": f"95 %, {over} resampled {IMAGE_RESAMPLES} times, references fixed, recentred percentile",
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
                found[f"{role}_sha256"] = digest(path)
    return found
