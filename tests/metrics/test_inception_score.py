"""Inception Score: its formula split by split, and its interval against scores of resamples one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from torch_fidelity.defaults import DEFAULTS

from bench import stats
from bench.metrics import inception_score
from bench.metrics.inception_score import compute_inception_score, inception_score_interval


def posteriors(num, num_classes=4, seed=0, sharpness=2.0):
    found = np.exp(sharpness * np.random.default_rng(seed).standard_normal((num, num_classes)))
    return found / found.sum(1, keepdims=True)


def score(rows):
    """exp of the mean divergence of the rows from their mean."""
    return np.exp((rows * np.log(rows / rows.mean(0))).sum(1).mean())


def test_it_is_the_mean_over_ten_splits_of_images_shuffled_as_torch_fidelity_does():
    rows = posteriors(57)
    order = np.random.RandomState(DEFAULTS["rng_seed"]).permutation(57)
    edges = [57 * split // 10 for split in range(11)]
    parts = [order[start:end] for start, end in pairwise(edges)]
    assert compute_inception_score(rows) == pytest.approx(np.mean([score(rows[part]) for part in parts]), rel=1e-12)
    assert compute_inception_score(3 * rows) == pytest.approx(compute_inception_score(rows), rel=1e-12)


def test_ten_images_are_enough():
    """One image a split is its own mean: 1."""
    assert compute_inception_score(posteriors(10)) == pytest.approx(1)


def test_the_interval_is_of_resamples_that_are_split_and_scored_like_the_images(monkeypatch):
    """200 replicates; each the mean over ten splits of a shuffled resample, by a plain loop."""
    taken = []
    monkeypatch.setattr(
        inception_score,
        "replicated_interval",
        lambda value, replicates, num, **options: taken.append((value, replicates, num, options)),
    )
    rows, labels = posteriors(43), np.arange(43) % 2
    inception_score_interval(2.5, rows, seed=3, strata=labels)
    ((value, replicates, num, options),) = taken
    assert (value, num, options) == (2.5, 43, {"strata": labels, "lowest": 1.0, "highest": 4})
    draws, shuffle = stats.resample(43, seed=3, strata=labels), np.random.default_rng([3, 1])
    split = np.arange(43) * 10 // 43
    expected = []
    for _ in range(200):
        drawn = shuffle.permutation(next(draws))
        expected.append(np.mean([score(rows[drawn[split == part]]) for part in range(10)]))
    np.testing.assert_allclose(replicates, expected, rtol=1e-10)


def test_sure_posteriors_have_no_logarithm_of_zero():
    sure = np.eye(3)[np.arange(60) % 3]
    low, high = inception_score_interval(compute_inception_score(sure), sure)
    assert 1 < low < high <= 3


def test_few_images_have_no_interval():
    assert inception_score_interval(1.0, posteriors(5)) is None
    assert inception_score_interval(1.0, posteriors(40), strata=np.minimum(np.arange(40), 1)) is None
