"""Closed forms behind every interval: how wide it is, how often it holds the truth, and where it is unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench import formatting, stats
from bench.metrics import fid, inception_score, item_scores, kid, precision_recall
from bench.metrics.feature_similarity import compute_feature_similarity
from bench.records.parts import Measurement

REDRAWS = 500
# 500 redraws know a share of 95 % to 1 %: three of these below, and the 1 % that a small sample's quantiles lack.
LEAST, MOST = 0.91, 0.985


def covers(intervals, truth):
    return np.mean([low <= truth <= high for low, high in intervals])


# -- stats.py ----------------------------------------------------------------------------------------------------------


def test_resampled_intervals_of_a_normal_mean_cover():
    """Mean of 100 draws of deviation 2: 95 % of redraws hold the true mean, with intervals 2 * 1.96 * 0.2 wide."""
    rng = np.random.default_rng(0)
    intervals = []
    for seed in range(REDRAWS):
        values = 5 + 2 * rng.standard_normal(100)
        intervals.append(stats.resampled_interval(values.mean(), lambda rows, v=values: v[rows].mean(), 100, seed=seed))
    assert LEAST < covers(intervals, 5) < MOST
    width = np.mean([high - low for low, high in intervals])
    assert width == pytest.approx(2 * 1.96 * 0.2, rel=0.03)


def test_stratified_intervals_cover_and_are_narrower():
    """Four strata of two items, far apart: only the spread within them counts, and not half of it is lost."""
    rng, labels = np.random.default_rng(1), np.arange(8) % 4
    resampled, normal = [], []
    for seed in range(REDRAWS // 4):
        values = 100.0 * labels + rng.standard_normal(8)
        mean = float(values.mean())
        resampled.append(
            stats.resampled_interval(mean, lambda rows, v=values: v[rows].mean(), 8, seed=seed, strata=labels)
        )
        normal.append(stats.normal_interval(mean, stats.standard_error_of_mean(values, labels)))
    expected = 2 * 1.96 / math.sqrt(8)
    for found in (resampled, normal):
        widths = [high - low for low, high in found]
        # The root of four squares is 6 % low on average, quantiles of few distinct means somewhat more; uncorrected
        # strata of two would be at 0.66.
        assert 0.86 < np.mean(widths) / expected < 1


@pytest.mark.parametrize("num", [1, 2, 5])
def test_few_items_tell_no_interval(num):
    values = np.arange(float(num))
    assert stats.resampled_interval(values.mean(), lambda rows: values[rows].mean(), num) is None
    assert stats.standard_error_of_mean(values) is None


def test_a_stratum_of_one_item_tells_no_interval():
    """It resamples to itself: unknown, not narrow."""
    values, labels = np.arange(10.0), np.array([0, 1, 1, 1, 2, 2, 2, 2, 2, 2])
    assert stats.resampled_interval(4.5, lambda rows: values[rows].mean(), 10, strata=labels) is None
    assert stats.standard_error_of_mean(values, labels) is None
    assert stats.resampled_interval(4.5, lambda rows: values[rows].mean(), 10, strata=np.minimum(labels, 1)) is None
    labels[0] = 1
    assert stats.resampled_interval(4.5, lambda rows: values[rows].mean(), 10, strata=labels) is not None


def test_resamples_that_are_all_equal_tell_no_interval():
    assert stats.resampled_interval(3.0, lambda rows: 3.0, 50) is None
    assert stats.normal_interval(3.0, 0.0) is None
    assert stats.normal_interval(3.0, None) is None


def test_normal_intervals_are_symmetric_and_clipped():
    assert stats.normal_interval(1.0, 0.5) == (pytest.approx(1 - 0.98), pytest.approx(1 + 0.98))
    assert stats.normal_interval(0.1, 0.5, lowest=0.0, highest=0.5) == (0.0, 0.5)


def test_all_right_is_not_surely_all_right():
    """Of 20 items all right: 20 draws at the low end would be all right with a chance of 2.5 %; all wrong alike."""
    low, high = stats.extreme_interval(100.0, 20, 100.0)
    assert high == 100
    assert (low / 100) ** 20 == pytest.approx(0.025)
    low, high = stats.extreme_interval(0.0, 20, 1.0)
    assert low == 0
    assert (1 - high) ** 20 == pytest.approx(0.025)
    assert stats.extreme_interval(0.5, 20, 1.0) is None
    assert stats.extreme_interval(1.0, 5, 1.0) is None
    assert stats.extreme_interval(0.0, 20, np.inf) is None


def test_differences_and_ratios_of_intervals():
    """MOVER adds the sides that pull apart; of two equal sides the interval is sqrt 2 as wide."""
    a, b = stats.Interval(5.0, 4.0, 7.0), stats.Interval(2.0, 1.5, 4.0)
    found = stats.difference(a, b)
    assert found.value == 3
    assert found.low == pytest.approx(3 - math.hypot(1, 2))
    assert found.high == pytest.approx(3 + math.hypot(2, 0.5))
    ratio = stats.quotient(a, b)
    assert (ratio.value, ratio.low, ratio.high) == (2.5, 1.0, 7 / 1.5)


def test_ratio_of_medians_covers():
    """Rounds of one machine, the first model twice as slow: pairs cover the ratio 2, and too few pairs are unknown."""
    rng = np.random.default_rng(2)
    found = []
    for seed in range(REDRAWS // 2):
        load = rng.lognormal(sigma=0.3, size=30)
        found.append(
            stats.ratio_of_medians(
                2 * load * rng.lognormal(sigma=0.05, size=30), load * rng.lognormal(sigma=0.05, size=30), seed=seed
            )
        )
    assert covers([(one.ci_low, one.ci_high) for one in found], 2) > LEAST - 0.02  # half the redraws
    assert stats.ratio_of_medians([2.0] * 5, [1.0] * 5).ci_low is None


def test_ratios_of_unpaired_rounds_cover():
    """Normal rounds: a median of 41 has the deviation 1.2533 s / sqrt(41), and both sides' errors add in squares."""
    rng = np.random.default_rng(0)
    found = [
        stats.ratio_of_medians(10 + rng.normal(0, 0.5, 41), 5 + rng.normal(0, 0.5, 41), paired=False, seed=seed)
        for seed in range(300)
    ]
    held = np.mean([one.ci_low <= 2 <= one.ci_high for one in found])
    assert 0.91 < held <= 0.99  # 300 draws know 95 % to 1.3 %; a bootstrapped median is a little cautious
    error = 2 * 1.2533 / math.sqrt(41) * math.hypot(0.5 / 10, 0.5 / 5)
    assert np.mean([one.ci_high - one.ci_low for one in found]) == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_an_interval_of_no_width_is_unknown():
    """Whatever was resampled was all equal: "500 to 500" would claim that the number is exact."""
    for found in (Measurement(500.0, "", 500.0, 500.0, 7), Measurement(500.0, ""), Measurement(500.0, "", None, 501.0)):
        assert not stats.as_interval(found).is_known
        assert stats.as_interval(found).known == (None, None)
        assert formatting.interval(found.value, found.ci_low, found.ci_high) == ""
    assert formatting.interval(1.0, math.nan, math.nan) == ""
    assert formatting.number(1.5, math.nan, math.nan) == "1.50"
    assert formatting.interval_words(1.5, math.nan, math.nan) == "interval unknown"
    assert formatting.interval_words(1.5, 1.4, 1.6, "over seeds") == "95 % interval over seeds 1.40 to 1.60"


def test_few_images_or_a_class_of_one_tell_no_interval_of_any_score():
    """KID of five images, and of more where a class has one, resampled or not."""
    rng = np.random.default_rng(9)
    sample, reference = rng.standard_normal((30, 3)), rng.standard_normal((40, 3))
    assert kid.kid_interval(0.1, sample[:5], reference) is None
    alone = np.minimum(np.arange(30), 1)
    assert kid.kid_interval(0.1, sample, reference, strata=alone) is None
    many = rng.standard_normal((kid.LARGEST_RESAMPLED + 1, 3))
    assert kid.kid_interval(0.1, many, many, strata=np.minimum(np.arange(len(many)), 1)) is None
    assert compute_feature_similarity(rng.standard_normal((stats.SMALLEST_RESAMPLED - 1, 3, 8))).ci_low is None
    assert compute_feature_similarity(rng.standard_normal((stats.SMALLEST_RESAMPLED, 3, 8))).ci_low is not None


# -- metrics -----------------------------------------------------------------------------------------------------------


def test_item_scores_cover():
    """Accuracy of 60 questions of which 70 % are right."""
    rng = np.random.default_rng(3)
    found = []
    for seed in range(REDRAWS):
        score = item_scores.mean_score(100.0 * (rng.random(60) < 0.7), unit="%", highest=100.0)
        measured = item_scores.measure(score, seed=seed)
        found.append((measured.ci_low, measured.ci_high))
    assert LEAST < covers(found, 70) < MOST


def test_feature_similarity_covers():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(REDRAWS):
        features = rng.standard_normal((40, 3, 8)) + 0.7
        measured = compute_feature_similarity(features)
        found.append((measured.value, measured.ci_low, measured.ci_high))
    truth = np.mean([value for value, *_ in found])
    assert LEAST < covers([bounds for _, *bounds in found], truth) < MOST


def test_fid_intervals_of_first_order_cover_at_known_variance():
    """Known means and covariances: the standard error has its right sign of margin, width and share of coverage."""
    rng = np.random.default_rng(5)
    reference = np.zeros(4), np.eye(4)
    values, intervals = [], []
    for _ in range(REDRAWS):
        sample = 1.0 + 1.5 * rng.standard_normal((400, 4))
        statistics = fid.compute_statistics(sample)
        values.append(fid.frechet_distance(*reference, *statistics))
        error = fid.standard_error(sample, reference, statistics=statistics)
        intervals.append(stats.normal_interval(values[-1], error, lowest=0.0))
    truth = 4 + 4 * 0.25  # |m|^2 + sum (1.5 - 1)^2; of 400 images FID is 0.01 higher, far inside the interval
    assert LEAST < covers(intervals, truth) < MOST
    assert np.mean([high - low for low, high in intervals]) == pytest.approx(2 * 1.96 * np.std(values), rel=0.1)


def test_fid_intervals_know_the_classes():
    """Two classes far apart, so many of each: the spread between them is none of the interval's."""
    rng = np.random.default_rng(6)
    labels = np.arange(400) % 2
    reference = np.zeros(3), np.eye(3)
    sample = rng.standard_normal((400, 3)) + 10 * labels[:, None]
    apart = fid.standard_error(sample, reference)
    within = fid.standard_error(sample, reference, strata=labels)
    assert within < 0.5 * apart
    values = [
        fid.frechet_distance(*reference, *fid.compute_statistics(rng.standard_normal((400, 3)) + 10 * labels[:, None]))
        for _ in range(150)
    ]
    assert within == pytest.approx(np.std(values), rel=0.25)  # of 150 values the deviation is known to 6 %


def test_inception_score_intervals_know_the_classes():
    """Sure posteriors, so many of each class: resampled class by class the score hardly moves."""
    labels = np.arange(500) % 5
    posteriors = np.full((500, 5), 0.01)
    posteriors[np.arange(500), labels] = 0.96
    value = inception_score.compute_inception_score(posteriors)
    low, high = inception_score.inception_score_interval(value, posteriors)
    low_within, high_within = inception_score.inception_score_interval(value, posteriors, strata=labels)
    assert low < value < high
    assert high_within - low_within <= high - low


@pytest.mark.slow
def test_kid_intervals_cover():
    """KID against a fixed reference, its truth the mean over redraws; resampled, 150 images."""
    rng = np.random.default_rng(7)
    reference = rng.standard_normal((150, 4))
    values, intervals = [], []
    for seed in range(200):
        sample = rng.standard_normal((150, 4)) + 0.5
        values.append(kid.compute_kid(sample, reference))
        intervals.append(kid.kid_interval(values[-1], sample, reference, seed=seed))
    assert covers(intervals, np.mean(values)) > LEAST - 0.03  # 200 redraws
    assert np.mean([high - low for low, high in intervals]) == pytest.approx(2 * 1.96 * np.std(values), rel=0.12)


def test_precision_interval_is_the_binomial_one():
    """A share p of N independent images: 2 * 1.96 * sqrt(p (1 - p) / N)."""
    rng = np.random.default_rng(8)
    clouds = precision_recall.meet(1.5 * rng.standard_normal((300, 3)), rng.standard_normal((300, 3)))
    precision, recall = precision_recall.shares(clouds)
    (low, high), _ = precision_recall.precision_recall_intervals((precision, recall), clouds)
    assert 0.1 < precision < 0.95
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(precision * (1 - precision) / 300), rel=0.2)
    assert low < precision < high


def test_inception_score_intervals_cover():
    """Of 120 images, its truth the mean over redraws; as wide as the scores scatter."""
    rng = np.random.default_rng(10)
    values, intervals = [], []
    for seed in range(150):
        logits = 2 * rng.standard_normal((120, 4))
        posteriors = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        values.append(inception_score.compute_inception_score(posteriors))
        intervals.append(inception_score.inception_score_interval(values[-1], posteriors, seed=seed))
    assert covers(intervals, np.mean(values)) > LEAST - 0.04  # 150 redraws know the share to 1.8 %
    assert np.mean([high - low for low, high in intervals]) == pytest.approx(2 * 1.96 * np.std(values), rel=0.15)


def test_precision_and_recall_intervals_cover():
    """Of 120 images against a fixed reference; recall by halves."""
    rng = np.random.default_rng(11)
    real, values, intervals = rng.standard_normal((150, 3)), [], []
    for seed in range(100):
        clouds = precision_recall.meet(1.5 * rng.standard_normal((120, 3)), real)
        values.append(precision_recall.shares(clouds))
        intervals.append(precision_recall.precision_recall_intervals(values[-1], clouds, seed=seed))
    for of_one, scores in zip(zip(*intervals, strict=True), zip(*values, strict=True), strict=True):
        assert covers(of_one, np.mean(scores)) > 0.85  # 100 redraws know the share to 2.2 %
        assert np.mean([high - low for low, high in of_one]) == pytest.approx(2 * 1.96 * np.std(scores), rel=0.2)
