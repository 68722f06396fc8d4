"""What is drawn at random is drawn from a seed."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import fid, inception_score, kid, precision_recall

X, Y = (np.random.default_rng(seed).standard_normal((120, 3)) for seed in (1, 2))
Y_STATISTICS, POSTERIORS = fid.compute_statistics(Y), np.abs(X) / np.abs(X).sum(1, keepdims=True)
CLOUDS = precision_recall.meet(X, Y)


@pytest.mark.parametrize(
    "interval",
    [
        lambda **seed: fid.fid_interval(1.0, X, Y_STATISTICS, **seed),
        lambda **seed: fid.compute_fid_infinity(X, Y_STATISTICS, **seed),
        lambda **seed: kid.kid_interval(0.1, X, Y, **seed),
        lambda **seed: kid.standard_error(X, Y, kid.Subsets(np.arange(9.0) / 99, (0.0, 0.0), 9), **seed),
        lambda **seed: inception_score.inception_score_interval(2.0, POSTERIORS, **seed),
        lambda **seed: precision_recall.precision_recall_intervals((0.5, 0.5), CLOUDS, **seed),
    ],
)
def test_what_is_drawn_is_drawn_with_seed_0_unless_said(interval):
    """Asked for again, an interval is the same; another seed gives another."""
    assert interval() == interval(seed=0)
    assert interval() != interval(seed=1)
