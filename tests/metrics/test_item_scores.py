"""Scores over items: of which items, with which interval."""

from __future__ import annotations

import numpy as np
import pytest

from bench import stats
from bench.metrics.item_scores import ItemScore, mean_score, measure


def test_a_mean_is_over_its_items_and_those_that_are_kept():
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert measure(mean_score(values, highest=99)).value == pytest.approx(6.2)
    some = mean_score(values, np.array([1, 3, 4]), unit="%", highest=99)
    assert (measure(some).value, measure(some).n, measure(some).unit) == (pytest.approx(26 / 3), 3, "%")
    kept = measure(some, np.array([True, True, True, False, True]))
    assert (kept.value, kept.n) == (9, 2)
    assert measure(some, np.array([True, False, True, False, False])) is None
    assert (kept.ci_low, kept.ci_high) == (None, None)  # two items


def test_the_interval_is_that_of_resampled_items_with_seed_0_unless_said():
    values = np.random.default_rng(0).random(30)
    score = mean_score(values, np.arange(10, 30), highest=1.0)
    for seed, options in ((0, {}), (3, {"seed": 3})):
        expected = stats.resampled_interval(
            values[10:].mean(), lambda rows: values[10:][rows].mean(), 20, seed=seed, lowest=0.0, highest=1.0
        )
        found = measure(score, **options)
        assert (found.ci_low, found.ci_high) == pytest.approx(expected)


def test_each_stratum_is_resampled_by_itself():
    """Two strata without any spread within, over some of the items only: a mean that no resample moves."""
    labels, values = np.array([9, 0, 1, 0, 1, 0, 1, 9]), np.array([7.0, 0, 1, 0, 1, 0, 1, 7])
    items = np.arange(1, 7)

    def mean(indices):
        return float(values[indices].mean())

    apart = measure(ItemScore(mean, items, highest=1.0, strata=labels))
    assert (apart.value, apart.ci_low) == (0.5, None)
    assert measure(ItemScore(mean, items, highest=1.0)).ci_low is not None


def test_bounds_stay_between_nothing_and_the_most():
    """Rare ones: the low end is 0; common ones: the high end is the most there is."""
    values = np.arange(40) == 0
    low, high = (measure(mean_score(50.0 * share, highest=50.0)) for share in (values, ~values))
    assert low.ci_low == 0
    assert high.ci_high == 50
    assert low.ci_high == pytest.approx(50 - high.ci_low, rel=0.3)


def test_all_right_is_bounded_where_it_is_a_mean_and_unknown_where_it_is_not():
    """Twenty right ones are a binomial's; of a corpus score resamples alone could tell, and they are all alike."""
    mean = measure(mean_score(np.ones(20), highest=1.0))
    assert (mean.ci_low, mean.ci_high) == (pytest.approx(0.025 ** (1 / 20)), 1.0)
    corpus = measure(ItemScore(lambda indices: 1.0, np.arange(20), highest=1.0))
    assert (corpus.value, corpus.ci_low, corpus.ci_high, corpus.n) == (1.0, None, None, 20)
