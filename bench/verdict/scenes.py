"""Two models that read the same scenes: the difference of their scores, scene by scene."""

from __future__ import annotations

import numpy as np

from bench.records import Record
from bench.verdict.intervals import COVERAGE, NUM_RESAMPLES, Interval


def paired_over_scenes(metric: str, a: Record, b: Record) -> Interval | None:
    """a - b with a percentile bootstrap over scenes, both models' texts of a scene drawn together, from a fixed seed.

    The scene is the unit: the texts of one scene are wrong together, and a scene that is hard is hard for both.
    None where the records do not keep the metric by scene, or not of the same scenes.
    """
    ours, theirs = (record.raw.get("by_scene") or {} for record in (a, b))
    if any(metric not in kept.get("totals", {}) for kept in (ours, theirs)):
        return None
    if any(ours[key] != theirs[key] for key in ("scenes", "num")):
        return None
    num = np.asarray(ours["num"], np.float64)
    gaps = np.asarray(ours["totals"][metric]) - np.asarray(theirs["totals"][metric])
    drawn = np.random.default_rng(0).integers(0, len(num), (NUM_RESAMPLES, len(num)))
    low, high = np.percentile(gaps[drawn].sum(axis=1) / num[drawn].sum(axis=1), COVERAGE)
    return Interval(float(gaps.sum() / num.sum()), float(low), float(high))
