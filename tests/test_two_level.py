"""Means over training runs that were sampled several times: closed forms, and coverage on made-up runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.stats import pooled_variance, student_975, two_level_interval, variance_components


@pytest.mark.parametrize("training", [0.0, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("samplings", [1, 3])
def test_the_interval_holds_the_mean_of_all_training_runs_in_95_of_100_studies(training, samplings):
    """Three runs; `training`: their deviation in units of that of sampling. 2,000 studies: one percent is 2 errors."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        runs = generator.normal(0, training, 3)[:, None] + generator.normal(0, 1, (3, samplings))
        found = two_level_interval(runs.tolist())
        held += found.low <= 0 <= found.high
    assert held / 2000 >= 0.94
    if samplings == 1 or training >= 3:
        assert held / 2000 <= 0.965  # exact there: Student's t over the runs


def test_runs_that_agree_by_chance_do_not_make_the_interval_narrow():
    """Three runs whose means are equal to the digit, each scattered by 0.03 from sampling to sampling."""
    runs = [[0.17, 0.20, 0.23], [0.23, 0.17, 0.20], [0.20, 0.23, 0.17]]
    found = two_level_interval(runs)
    half = stats.t.ppf(0.975, 6) * 0.03 / 3  # nine values, six degrees of freedom within the runs
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half))


def test_with_one_sampling_of_each_run_it_is_students_interval():
    values = [0.19, 0.15, 0.26]
    found = two_level_interval([[value] for value in values])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert not two_level_interval([[0.1, 0.2, 0.3]]).is_known
    with pytest.raises(ValueError, match="each training run"):
        two_level_interval([[0.1], []])


def test_the_components_are_those_that_made_the_numbers():
    """2,000 runs of 4 samplings, deviations 2 between runs and 1 within: 2 % is the estimates' own error."""
    generator = np.random.default_rng(1)
    runs = generator.normal(0, 2, 2000)[:, None] + generator.normal(0, 1, (2000, 4))
    assert variance_components(runs.tolist()) == pytest.approx((2, 1), rel=0.06)
    assert variance_components([[1.0], [2.0]]) == (None, None)
    assert variance_components([[1.0, 3.0], [1.0, 3.0]])[0] == 0
    assert pooled_variance([np.array([1.0, 3.0]), np.array([5.0])]) == (2.0, 1)


def test_students_point_of_975_is_scipys_for_every_number_of_degrees_of_freedom_that_seeds_give():
    """Even and odd ones are two formulas, one degree a third."""
    for freedom in (*range(1, 60), 120, 999, 1000):
        assert student_975(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


def test_runs_sampled_unequally_often_are_weighted_alike():
    """Two runs of 1 and 3 samplings, means 1 and 3; within: variance 4 of two degrees of freedom."""
    groups = [[1.0], [1.0, 3.0, 5.0]]
    found = two_level_interval(groups)
    half = max(stats.t.ppf(0.975, 1) * np.sqrt(2 / 2), stats.t.ppf(0.975, 2) * np.sqrt(4 * (1 + 1 / 3)) / 2)
    assert (found.value, found.low, found.high) == pytest.approx((2, 2 - half, 2 + half))
    close = [[2.9], [1.0, 3.0, 5.0]]  # where the runs agree by chance, what is within them alone
    half = stats.t.ppf(0.975, 2) * np.sqrt(4 * (1 + 1 / 3)) / 2
    found = two_level_interval(close)
    assert (found.value, found.low, found.high) == pytest.approx((2.95, 2.95 - half, 2.95 + half))


def test_components_by_hand():
    """Means 1, 3 and 8 of runs of 1, 3 and 2: variance 13 less 7 / 3 times the mean of 1, 1/3 and 1/2."""
    groups = [[1.0], [1.0, 3.0, 5.0], [7.0, 9.0]]
    within = (8 + 2) / 3
    expected = np.sqrt(13 - within * (1 + 1 / 3 + 1 / 2) / 3), np.sqrt(within)
    assert variance_components(groups) == pytest.approx(expected)
    assert variance_components(groups[1:2]) == (None, 2.0)
    assert variance_components(groups[:1]) == (None, None)
    assert pooled_variance([np.array([5.0]), np.array([7.0])]) == (None, 0)
    assert pooled_variance([np.array([1.0, 2.0, 6.0]), np.array([5.0, 5.0])]) == (pytest.approx(14 / 3), 3)


def test_runs_that_agree_to_the_last_digit_show_no_spread():
    found = two_level_interval([[1.0, 1.0], [1.0, 1.0]])
    assert (found.value, found.is_known) == (1.0, False)
    with pytest.raises(ValueError, match="each training run"):
        two_level_interval([])
    assert two_level_interval([[1.0, 3.0], [2.0, 4.0]]).is_known
