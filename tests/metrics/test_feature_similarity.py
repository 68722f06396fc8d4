"""Feature similarity against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.feature_similarity import compute_feature_similarity


def test_equal_positions_are_alike_orthogonal_ones_are_not_and_length_does_not_matter():
    same = np.ones((3, 4, 5)) * np.array([1.0, 2.0, 3.0, 4.0])[:, None]
    assert compute_feature_similarity(same).value == pytest.approx(1.0)
    assert compute_feature_similarity(np.eye(4)[None] * 7.0).value == pytest.approx(0.0)
    assert compute_feature_similarity(np.eye(4)[None]).ci_low is None  # one image has no spread


def test_it_is_the_mean_over_all_pairs_of_two_different_positions():
    features = np.random.default_rng(0).normal(size=(6, 5, 8)).astype(np.float32)
    found = compute_feature_similarity(features)
    values = []
    for image in features.astype(np.float64):
        for i in range(5):
            for j in range(5):
                if i != j:
                    values.append(image[i] @ image[j] / np.linalg.norm(image[i]) / np.linalg.norm(image[j]))
    assert found.value == pytest.approx(np.mean(values))
    assert found.ci_low < found.value < found.ci_high


def test_it_stays_between_minus_one_and_one_and_has_the_normal_interval():
    """Most images at an end, one away from it: the bound beyond the end is cut off, the other is 1.96 errors away."""
    for sign in (1.0, -1.0):
        features = np.tile(np.array([[1.0, 0.0], [sign, 0.0]]), (10, 1, 1))
        features[0] = np.eye(2)  # at 0
        found = compute_feature_similarity(features)
        error = 1.96 * np.std([0.0, *[sign] * 9], ddof=1) / np.sqrt(10)
        assert found.value == pytest.approx(0.9 * sign)
        assert sorted([abs(found.ci_low), abs(found.ci_high)]) == [pytest.approx(0.9 - error), 1.0]
        assert (found.n, found.unit) == (10, "")
