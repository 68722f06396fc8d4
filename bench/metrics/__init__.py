"""Metrics: pure functions from raw samples to numbers. METRICS says what each number means.

Importing this imports neither torch nor scipy: the report does it.
"""

from __future__ import annotations

from bench.metrics import (
    captions,
    feature_similarity,
    fid,
    geneval,
    inception_score,
    kid,
    latency,
    precision_recall,
    scene_check,
    second_look,
    size,
    stages,
    vqa,
    yes_no,
)
from bench.records.schema import Metric

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *fid.METRICS,
        kid.METRIC,
        inception_score.METRIC,
        *precision_recall.METRICS,
        *second_look.METRICS,
        feature_similarity.METRIC,
        *latency.METRICS,
        *size.METRICS,
        stages.METRIC,
        *captions.METRICS,
        *vqa.METRICS,
        *yes_no.METRICS,
        *scene_check.METRICS,
        *geneval.METRICS,
    )
}


def title_of(metric: str) -> str:
    """A metric's title; its name where it is none of METRICS, as in a record of a later version."""
    return METRICS[metric].title if metric in METRICS else metric
