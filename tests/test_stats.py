"""Intervals by their closed forms: every bound from a formula written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench import stats
from bench.records.parts import Measurement


def test_an_interval_is_known_where_both_ends_are():
    assert stats.as_interval(Measurement(2.0, "", 1.0, 3.0)).is_known
    for low, high in ((None, 3.0), (1.0, None), (None, None)):
        found = stats.as_interval(Measurement(2.0, "", low, high))
        assert (found.value, found.is_known) == (2.0, False)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert not stats.Interval(1.0, math.nan, 2.0).is_known
    assert not stats.Interval(1.0, 0.0, math.nan).is_known


def test_an_interval_holds_its_value():
    """A percentile bootstrap may leave it out; drawn and compared it is widened to the value, and no further."""
    assert stats.as_interval(Measurement(2.0, "", 2.5, 3.0)) == stats.Interval(2.0, 2.0, 3.0)
    assert stats.as_interval(Measurement(2.0, "", 1.0, 1.5)) == stats.Interval(2.0, 1.0, 2.0)
    assert stats.as_interval(Measurement(2.0, "", 1.0, 2.5)) == stats.Interval(2.0, 1.0, 2.5)


# -- ratios ------------------------------------------------------------------------------------------------------------


def test_a_ratio_is_of_medians_and_its_direction_is_numerator_over_denominator():
    found = stats.ratio_of_medians([6.0, 4.0, 100.0] * 4, [2.0, 2.0, 1.0] * 4)
    assert found.value == 3.0
    assert (found.unit, found.n) == ("", 12)


def test_pairs_take_out_what_both_sides_share():
    """A load that doubles some rounds of both leaves the paired ratio exactly 3; unpaired it cannot be told."""
    load = np.array([1.0, 2.0] * 10)
    paired = stats.ratio_of_medians(3 * load, load)
    assert (paired.ci_low, paired.ci_high) == (pytest.approx(3.0), pytest.approx(3.0))
    alone = stats.ratio_of_medians(3 * load, load, paired=False)
    assert alone.ci_low < 2.1
    assert alone.ci_high > 4


def test_six_pairs_bound_a_ratio_and_five_do_not():
    six, five = (stats.ratio_of_medians(np.arange(1.0, n + 1), np.ones(n)) for n in (6, 5))
    assert six.ci_low is not None
    assert six.ci_low < six.value < six.ci_high
    assert (five.value, five.ci_low, five.ci_high, five.n) == (3.0, None, None, 5)
    assert stats.ratio_of_medians(np.arange(1.0, 6), np.ones(9), paired=False).ci_low is None
    unpaired = stats.ratio_of_medians(np.arange(1.0, 7), np.ones(9), paired=False)
    assert unpaired.ci_low is not None
    assert unpaired.n == 6
    with pytest.raises(ValueError, match="expected pairs, got 6 and 5 rounds"):
        stats.ratio_of_medians([1.0] * 6, [1.0] * 5)


def test_another_error_widens_in_squares():
    found = stats.widened(Measurement(10.0, "", 9.7, 10.4, 8), 0.4 / 1.96 / 10)
    assert (found.value, found.n) == (10.0, 8)
    assert found.ci_low == pytest.approx(10 - math.hypot(0.3, 0.4))
    assert found.ci_high == pytest.approx(10 + math.hypot(0.4, 0.4))
    for low, high in ((None, 2.0), (1.0, None)):
        unknown = Measurement(1.5, "", low, high)
        assert stats.widened(unknown, 0.1) == unknown


def test_the_bounds_are_percentiles_of_2000_ratios_of_medians_drawn_with_seed_0_unless_said():
    """Written out: pairs share their draws, unpaired sides have draws of their own, of as many rounds as they have."""
    rng = np.random.default_rng(4)
    a, b, few = rng.random(9) + 1, rng.random(9) + 1, rng.random(7) + 1

    def medians(side, draws):
        return np.array([np.median(side[draw]) for draw in draws])

    for seed, options in ((0, {}), (5, {"seed": 5})):
        draws = np.random.default_rng(seed).integers(9, size=(2000, 9))
        expected = np.percentile(medians(a, draws) / medians(b, draws), [2.5, 97.5])
        found = stats.ratio_of_medians(a, b, **options)
        assert (found.ci_low, found.ci_high) == pytest.approx(tuple(expected))
        generator = np.random.default_rng(seed)
        sides = [medians(side, generator.integers(0, len(side), (2000, len(side)))) for side in (a, few)]
        found = stats.ratio_of_medians(a, few, paired=False, **options)
        assert (found.ci_low, found.ci_high) == pytest.approx(tuple(np.percentile(sides[0] / sides[1], [2.5, 97.5])))


# -- resampling --------------------------------------------------------------------------------------------------------


def test_a_resample_draws_as_many_of_each_stratum_with_repeats():
    labels = np.array([0] * 4 + [7] * 6)
    draws = stats.resample(10, seed=0, strata=labels)
    for _ in range(20):
        assert np.bincount(labels[next(draws)], minlength=8).tolist() == [4, 0, 0, 0, 0, 0, 0, 6]
    rows = next(stats.resample(1000, seed=0))
    assert len(rows) == 1000
    assert 600 < len(np.unique(rows)) < 665  # 1 - 1/e of them


def test_halves_are_half_of_each_stratum_without_repeats():
    labels = np.array([0] * 1 + [1] * 5 + [2] * 8)
    for _, rows in zip(range(20), stats.resample(14, seed=1, strata=labels, halves=True), strict=False):
        assert len(np.unique(rows)) == len(rows)
        assert np.bincount(labels[rows]).tolist() == [1, 2, 4]

    assert len(next(stats.resample(3, seed=0, halves=True))) == 1
    assert len(next(stats.resample(8, seed=0, halves=True))) == 4


def test_an_interval_is_of_200_resamples_with_replacement_with_seed_0_unless_said():
    values, calls = np.random.default_rng(3).normal(-5, 1, 20), []

    def mean(rows):
        calls.append(rows)
        return values[rows].mean()

    low, high = stats.resampled_interval(values.mean(), mean, 20)
    assert len(calls) == 200
    draws = stats.resample(20, seed=0)
    assert all(np.array_equal(rows, next(draws)) for rows in calls)
    replicates = np.array([values[rows].mean() for rows in calls])
    assert (low, high) == stats.replicated_interval(values.mean(), replicates, 20)
    assert low < high < 0
    halved = stats.resampled_interval(values.mean(), mean, 20, halves=True, seed=9, resamples=30)
    draws = stats.resample(20, seed=9, halves=True)
    replicates = np.array([values[next(draws)].mean() for _ in range(30)])
    assert halved == stats.replicated_interval(values.mean(), replicates, 20, halves=True)


def test_the_least_that_tells_an_interval():
    assert stats.can_resample(6)
    assert not stats.can_resample(5)
    assert stats.can_resample(6, np.array([0, 0, 1, 1, 2, 2]))
    assert not stats.can_resample(6, np.array([0, 0, 1, 1, 1, 2]))


def test_replicates_are_recentred_and_widened():
    """Replicates 0..200 about 100: their 2.5 % and 97.5 % quantiles are 95 away, by sqrt(n / (n - groups)) more."""
    replicates = np.arange(201.0)
    low, high = stats.replicated_interval(7.0, replicates, 10)
    assert (low, high) == (pytest.approx(7 - 95 * math.sqrt(10 / 9)), pytest.approx(7 + 95 * math.sqrt(10 / 9)))
    low, high = stats.replicated_interval(7.0, replicates, 10, strata=np.arange(10) % 5)
    assert (low, high) == (pytest.approx(7 - 95 * math.sqrt(2)), pytest.approx(7 + 95 * math.sqrt(2)))
    assert stats.replicated_interval(7.0, replicates, 10, halves=True) == (pytest.approx(-88), pytest.approx(102))
    assert stats.replicated_interval(7.0, replicates, 10, halves=True, lowest=0.0, highest=100.0) == (0.0, 100.0)


def test_replicates_that_differ_by_rounding_tell_nothing():
    assert stats.replicated_interval(1e6, 1e6 + 1e-9 * np.arange(200.0), 50) is None
    assert stats.replicated_interval(0.0, 1e-14 * np.arange(50.0), 50) is None
    assert stats.replicated_interval(1.0, 1 + 1e-9 * np.arange(200.0), 50) is not None
    assert stats.replicated_interval(0.0, np.array([0.0, 1e-12]), 50) is None
    assert stats.replicated_interval(0.0, np.array([0.0, 1.5e-12]), 50) is not None


def test_the_standard_error_of_a_mean():
    """s / sqrt(n); in strata of n_k items the root of sum n_k s_k^2, over n."""
    rng = np.random.default_rng(2)
    values = rng.normal(0, 3, 40)
    assert stats.standard_error_of_mean(values) == pytest.approx(scipy_stats.sem(values))
    labels = np.array([3] * 10 + [8] * 30)
    variances = [values[labels == label].var(ddof=1) for label in (3, 8)]
    expected = math.sqrt(10 * variances[0] + 30 * variances[1]) / 40
    assert stats.standard_error_of_mean(values, labels) == pytest.approx(expected)


def test_all_of_one_kind_needs_six_items_and_a_highest():
    assert stats.extreme_interval(0.0, 6, 1.0) == (0.0, pytest.approx(1 - 0.025 ** (1 / 6)))
    assert stats.extreme_interval(50.0, 6, 50.0) == (pytest.approx(50 * 0.025 ** (1 / 6)), 50.0)
    assert stats.extreme_interval(0.0, 5, 1.0) is None
    assert stats.extreme_interval(math.inf, 6, math.inf) is None


# -- differences and ratios, by what they must cover -------------------------------------------------------------------


def test_the_interval_of_a_difference_of_symmetric_intervals_adds_in_quadrature():
    assert stats.difference(stats.Interval(5, 2, 8), stats.Interval(1, -3, 5)) == stats.Interval(4, 4 - 5, 4 + 5)


def test_the_interval_of_a_difference_keeps_asymmetry():
    """Of a - b the low end is made by a's low and b's high end."""
    found = stats.difference(stats.Interval(5, 4, 5), stats.Interval(1, 1, 1))
    assert (found.low, found.high) == (3, 4)


def test_the_interval_of_a_difference_covers_at_its_nominal_rate():
    """4000 pairs of normal estimates with their 95 % intervals: between 94 and 96 % cover (4 sigma = 1.4 points)."""
    generator = np.random.default_rng(0)
    a, b = generator.normal(3, 0.5, 4000), generator.normal(1, 0.2, 4000)
    found = [
        stats.difference(stats.Interval(x, x - 0.98, x + 0.98), stats.Interval(y, y - 0.392, y + 0.392))
        for x, y in zip(a, b, strict=True)
    ]
    assert 0.936 < np.mean([interval.low < 2 < interval.high for interval in found]) < 0.964


def independent(above, below):
    """The ratio of medians of two runs that shared no rounds."""
    return stats.as_interval(stats.ratio_of_medians(above, below, paired=False))


def test_the_interval_of_a_ratio_of_medians_covers(monkeypatch):
    """True ratio 2; 100 repeats of 30 rounds each: at least 88 cover (nominal 95, less 3 binomial sigma)."""
    monkeypatch.setattr("bench.stats.NUM_RESAMPLES", 300)
    generator = np.random.default_rng(0)
    pairs = [(2 * generator.lognormal(0, 0.1, 30), generator.lognormal(0, 0.1, 30)) for _ in range(100)]
    found = [independent(slow, fast) for slow, fast in pairs]
    assert sum(interval.low < 2 < interval.high for interval in found) >= 88


def test_a_ratio_is_the_same_every_time_and_unknown_for_equal_rounds():
    """Rounds that are all equal, as of a coarse clock, show no spread: nothing bounds their ratio."""
    assert independent([2.0] * 10, [1.0] * 10).value == 2
    assert not independent([2.0] * 10, [1.0] * 10).is_known
    rounds = np.random.default_rng(1).lognormal(0, 0.2, 50)
    assert independent(rounds, rounds[:20]) == independent(rounds, rounds[:20])


def test_one_stalled_round_does_not_move_a_ratio():
    steady = [1.0, 1.01, 0.99] * 10
    assert independent([*steady, 60.0], steady).value == pytest.approx(1.0, abs=0.02)


def test_an_interval_that_leaves_out_its_value_is_widened_to_it():
    assert stats.as_interval(Measurement(1.0, "", 1.1, 1.3)) == stats.Interval(1.0, 1.0, 1.3)
    assert math.isnan(stats.as_interval(Measurement(1.0, "", None, 1.3)).low)
