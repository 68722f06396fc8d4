"""Timing of scoring at full size, `pytest --benchmark-only tests/benchmarks/test_time_scoring.py`: 50,000 stored
features of 2,048 dimensions to every score and interval, which two quiet cores should do in three minutes.

`cpu_s`: processor seconds, which other work on the machine disturbs least; `cpu_s_by_score`; `peak_bytes` of memory.
"""

from __future__ import annotations

import resource
import time

import numpy as np
import pytest

from bench.evaluators import feature_scores
from bench.features.extractors import Features
from bench.metrics.fid import compute_statistics

NUM, NUM_REFERENCE, DIMENSIONS, SPATIAL, CLASSES = 50_000, 10_000, 2048, 2023, 1000
SCORES = ("_score_fid", "_score_sfid", "_score_inception", "_score_kid", "_score_precision_recall")


def cloud(num, seed, dimensions=DIMENSIONS):
    """Features of images of 1,000 classes: a centre each, 64 shared directions, noise; none below 0."""
    fixed, drawn = np.random.default_rng(0), np.random.default_rng([1, seed])
    centres = 0.3 * fixed.standard_normal((CLASSES, dimensions), np.float32)
    directions = 0.1 * fixed.standard_normal((64, dimensions), np.float32)
    features = drawn.standard_normal((num, 64), np.float32) @ directions
    features += centres[np.arange(num) % CLASSES]
    features += 0.2 * drawn.standard_normal((num, dimensions), np.float32)
    return np.abs(features, out=features)


def posteriors(num):
    """Nine tenths of each on its class."""
    found = np.full((num, CLASSES), 0.1 / (CLASSES - 1))
    found[np.arange(num), np.arange(num) % CLASSES] = 0.9
    return found


def timed(score, seconds):
    """The function, which notes its processor seconds under its name."""

    def call(*given):
        start = time.process_time()
        score(*given)
        seconds[score.__name__.removeprefix("_score_")] = time.process_time() - start

    return call


@pytest.mark.benchmark(group="50,000 stored features to all scores")
def test_all_scores(benchmark, monkeypatch):
    if not benchmark.enabled:  # under --benchmark-disable
        pytest.skip("minutes and gigabytes")
    reference = cloud(NUM_REFERENCE, 0)
    spatial = compute_statistics(cloud(NUM_REFERENCE, 1, SPATIAL))
    generated = Features(cloud(NUM, 2), posteriors(NUM), cloud(NUM, 3, SPATIAL))
    theirs = Features(reference, np.empty((NUM_REFERENCE, 0)))
    sides = (
        feature_scores.Side(generated, strata=np.arange(NUM) % CLASSES),
        feature_scores.Side(theirs, compute_statistics(reference), None, spatial),
    )
    seconds = {}
    for name in SCORES:
        monkeypatch.setattr(feature_scores, name, timed(getattr(feature_scores, name), seconds))
    names = (*feature_scores.NAMES, *feature_scores.ON_REQUEST)
    start = time.process_time()
    scores = benchmark.pedantic(feature_scores.compute_scores, sides, {"names": names})
    benchmark.extra_info |= {
        "cpu_s": time.process_time() - start,
        "cpu_s_by_score": seconds,
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    assert scores.measurements.keys() == set(names)
