"""KID, Inception Score, precision and recall, intervals, latency, sizes: closed forms and directions."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from bench import stats
from bench.errors import CheckFailed
from bench.metrics import METRICS, kid, latency, precision_recall, size
from bench.metrics.inception_score import compute_inception_score, inception_score_interval
from tests.fake_records import latency as latency_record


def cloud(num, seed, dimensions=6, shift=0.0):
    return np.random.default_rng(seed).standard_normal((num, dimensions)) + shift


# -- KID ---------------------------------------------------------------------------------------------------------------


def test_kid_is_the_unbiased_estimate_written_out():
    """On whole sets (no subsets to draw) KID is the double sum of its definition."""
    x, y = cloud(40, 0), cloud(40, 1, shift=0.5)
    k = [[(a @ b / 6 + 1) ** 3 for b in np.concatenate([x, y])] for a in np.concatenate([x, y])]
    k = np.array(k)
    among_x, among_y, across = k[:40, :40], k[40:, 40:], k[:40, 40:]
    off = ~np.eye(40, dtype=bool)
    expected = among_x[off].mean() + among_y[off].mean() - 2 * across.mean()
    assert kid.compute_kid(x, y) == pytest.approx(expected, rel=1e-10)  # float64 sums of 1,600 terms


def test_kid_of_the_same_distribution_is_about_zero_at_any_count():
    """Unbiased: the mean over many pairs of samples is 0 within its standard error, also for 20 images."""
    values = [kid.compute_kid(cloud(20, seed), cloud(20, 1000 + seed)) for seed in range(50)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(50)  # four standard errors of the mean


def test_kid_grows_with_distance():
    """A cloud further away has a larger KID."""
    near, mid, far = (kid.compute_kid(cloud(100, 0, shift=shift), cloud(100, 1)) for shift in (0, 0.5, 1))
    assert near < mid < far


def test_kid_interval_lies_around_the_value():
    """The interval holds the value and is about as wide as the spread over fresh samples."""
    reference = cloud(200, 1)

    def score(x):  # of the terms of KID those that vary with x
        among = kid.kernel(x, x)
        return (among.sum() - np.trace(among)) / (200 * 199) - 2 * kid.kernel(x, reference).mean()

    values = [score(cloud(200, 10 + seed, shift=0.4)) for seed in range(60)]
    found = kid.kid_interval(values[0], cloud(200, 10, shift=0.4), reference)
    assert found is not None
    assert found[0] < values[0] < found[1]
    # the spread of 60 values is known to 9 %, the interval's width to 8 %: 40 % is three times both together
    assert found[1] - found[0] == pytest.approx(2 * 1.96 * np.std(values), rel=0.4)


def test_kid_needs_two_images():
    with pytest.raises(CheckFailed, match="KID needs at least 2 images on each side, got 1 and 9"):
        kid.compute_kid(cloud(1, 0), cloud(9, 1))


# -- Inception Score ---------------------------------------------------------------------------------------------------


def test_sure_and_balanced_posteriors_score_the_number_of_classes():
    """One-hot posteriors, balanced in every split, score K; the mean of ten splits of shuffled images stays below."""
    one_class_each = np.eye(10)[np.zeros(50, int)]
    assert compute_inception_score(one_class_each) == pytest.approx(1, rel=1e-12)  # one class only: exp(0)
    balanced = np.eye(10)[np.arange(50_000) % 10]
    # splits of 5,000 shuffled images are balanced to about 1/sqrt(500): the score lacks (K - 1) / (2 * 5000) of itself
    assert compute_inception_score(balanced) == pytest.approx(10, rel=2e-3)
    assert compute_inception_score(balanced) < 10


def test_undecided_posteriors_score_one():
    """A classifier that never knows gives 1, the least there is."""
    assert compute_inception_score(np.full((100, 7), 1 / 7)) == pytest.approx(1, rel=1e-12)


def test_inception_score_needs_an_image_per_split():
    with pytest.raises(CheckFailed, match="at least 10 images"):
        compute_inception_score(np.eye(9))


def test_inception_score_interval_is_about_the_spread_of_fresh_samples():
    """The interval holds the value; its width is that of scores of fresh samples."""

    def sample(seed):
        logits = 3 * np.random.default_rng(seed).standard_normal((300, 5))
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)

    values = [compute_inception_score(sample(seed)) for seed in range(60)]
    low, high = inception_score_interval(values[0], sample(0))
    assert low < values[0] < high
    assert high - low == pytest.approx(2 * 1.96 * np.std(values), rel=0.4)  # as for KID above


# -- precision and recall ----------------------------------------------------------------------------------------------


def test_identical_sets_have_precision_and_recall_one():
    features = cloud(100, 0)
    assert precision_recall.compute_precision_recall(features, features) == (1, 1)


@pytest.mark.parametrize(("num_generated", "num_reference"), [(10, 7), (101, 99), (250, 130)])
def test_precision_and_recall_are_torch_fidelitys_whatever_the_blocks(num_generated, num_reference, monkeypatch):
    """The same shares to the image, with blocks of 50 that do and do not divide the sets; float32 features too."""
    sides = cloud(num_generated, 0).astype(np.float32), 1.1 * cloud(num_reference, 1, shift=0.1).astype(np.float32)
    tensors = (torch.from_numpy(side.astype(np.float64)) for side in sides)
    found = prc_features_to_metric(*tensors, prc_neighborhood=3, save_cpu_ram=False, verbose=False)
    monkeypatch.setattr(precision_recall, "ROWS_AT_ONCE", 50)
    assert precision_recall.compute_precision_recall(*sides) == (found["precision"], found["recall"])


def test_sets_far_apart_have_precision_and_recall_zero():
    assert precision_recall.compute_precision_recall(cloud(100, 0), cloud(100, 1, shift=50)) == (0, 0)


def test_collapse_keeps_precision_and_loses_recall():
    """Images from the middle of the real cloud look real but cover little; swapped arguments show the reverse."""
    real = cloud(400, 0, dimensions=2)
    generated = 0.1 * cloud(200, 1, dimensions=2)
    precision, recall = precision_recall.compute_precision_recall(generated, real)
    assert precision > 0.95
    assert recall < 0.1
    assert precision_recall.compute_precision_recall(real, generated) == (
        pytest.approx(recall),
        pytest.approx(precision),
    )


def test_precision_recall_intervals_are_about_the_spread_of_fresh_samples():
    """Both intervals hold their value; their widths are those of fresh samples."""
    real = cloud(300, 0, dimensions=3)
    values = [
        precision_recall.compute_precision_recall(0.9 * cloud(200, 10 + seed, dimensions=3, shift=0.4), real)
        for seed in range(60)
    ]
    clouds = precision_recall.meet(0.9 * cloud(200, 10, dimensions=3, shift=0.4), real)
    found = precision_recall.precision_recall_intervals(values[0], clouds)
    for value, bounds, spread in zip(values[0], found, np.std(values, axis=0), strict=True):
        assert bounds is not None
        assert bounds[0] < value < bounds[1]
        # as for KID above, and recall's halves are only asymptotically the same: within a factor of two
        assert 0.5 < (bounds[1] - bounds[0]) / (2 * 1.96 * spread) < 2


def test_recall_of_few_images_has_no_interval():
    """Halves of 40 images say nothing about recall: unknown, not zero; precision keeps its interval."""
    found = precision_recall.precision_recall_intervals((0.5, 0.5), precision_recall.meet(cloud(40, 0), cloud(200, 1)))
    assert found[0] is not None
    assert found[1] is None


def test_precision_recall_need_more_images_than_neighbours():
    with pytest.raises(CheckFailed, match="more than 3 images on each side, got 3 and 50"):
        precision_recall.compute_precision_recall(cloud(3, 0), cloud(50, 1))


# -- intervals ---------------------------------------------------------------------------------------------------------


def test_interval_of_a_mean_is_the_textbook_one():
    """For a mean: value +- 1.96 standard errors, with replacement and by halves."""
    values = np.random.default_rng(0).standard_normal(400)
    for halves in (False, True):
        low, high = stats.resampled_interval(
            values.mean(), lambda rows: values[rows].mean(), 400, halves=halves, resamples=2000
        )
        # 2,000 resamples know the 2.5 % quantile to 3 %; three times that
        assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
        assert low < values.mean() < high


def test_strata_keep_every_resample_balanced():
    """Class-balanced images are resampled class by class."""
    labels = np.arange(60) % 3
    for halves, each in ((False, 20), (True, 10)):
        rows = next(stats.resample(60, seed=0, strata=labels, halves=halves))
        assert np.bincount(labels[rows]).tolist() == [each] * 3


def test_interval_stays_within_what_the_metric_can_be():
    low, high = stats.resampled_interval(0.99, lambda rows: rows.mean() / 10, 20, lowest=0.0, highest=1.0)
    assert 0 <= low < high == 1


# -- latency and size --------------------------------------------------------------------------------------------------


def test_median_of_ten_rounds_lies_between_the_second_and_the_ninth():
    """Order statistics: of ten rounds the 2nd and the 9th bound the median with 97.9 %, whatever the distribution."""
    found = latency.percentile([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], 50)
    assert (found.value, found.ci_low, found.ci_high, found.n, found.unit) == (5.5, 2, 9, 10, "s")


def test_unknown_ends_are_none():
    """Ten rounds say nothing about how slow one call in a hundred is."""
    assert latency.percentile(range(1, 11), 99).ci_high is None


def test_percentile_intervals_cover():
    """The interval of p90 over 100 rounds holds the true p90 in at least 93 % of 400 trials (95 % - 2 sigma)."""
    rounds = np.random.default_rng(0).exponential(size=(400, 100))
    truth = -np.log(0.1)
    found = [latency.percentile(row, 90) for row in rounds]
    assert np.mean([m.ci_low <= truth and (m.ci_high is None or truth <= m.ci_high) for m in found]) >= 0.93


def test_summary_of_raw_timings():
    """Median latency, images per second at the median round, evaluations added up over the parts; nothing made up."""
    timed = latency_record("dit-digits", 0.1).timing
    series = replace(timed.latency, batch_size=64, rounds_s=(2.0,) * 12)
    timed = replace(
        timed,
        latency=replace(timed.latency, batch_size=1, rounds_s=(0.1,) * 12),
        throughput=series,
        nfe={"encoder": 1, "decoder": 100},
        peak_memory_bytes=None,
    )
    found = latency.summarise(timed)
    assert found["latency_s"].value == 0.1
    assert found["throughput_per_s"].value == 32
    assert found["nfe"].value == 101
    assert "peak_memory_bytes" not in found
    assert all(found[name].unit == METRICS[name].unit for name in found)
    assert size.summarise({}) == {}


# -- the registry ------------------------------------------------------------------------------------------------------


def test_registry_names_every_metric_once():
    """Every key is its metric's name, none is missing that others rely on; importing it needs no torch and no scipy."""
    assert all(name == metric.name for name, metric in METRICS.items())
    scores = {"fid", "fid_clean", "kid", "inception_score", "precision", "recall"}
    speeds = {"latency_s", "throughput_per_s", "peak_memory_bytes", "num_params", "flops", "nfe"}
    assert scores | speeds <= METRICS.keys()
    code = "import sys, bench.metrics; sys.exit(bool({'torch', 'scipy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- large sets, and classes -------------------------------------------------------------------------------------------


def test_inception_score_is_torch_fidelitys():
    """Its shuffle, its splits, also where ten does not divide the images."""
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = 2 * np.random.default_rng(0).standard_normal((207, 9))
    posteriors = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = isc_features_to_metric(torch.from_numpy(np.log(posteriors)))["inception_score_mean"]
    assert compute_inception_score(posteriors) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("num", "size"), [(30, 30), (70, 30)])
def test_kid_is_torch_fidelitys(num, size, monkeypatch):
    """Its subsets too; on whole sets, of which all subsets are one, and without classes."""
    from torch_fidelity.metric_kid import kid_features_to_metric

    monkeypatch.setattr(kid, "SUBSET_SIZE", size)
    x, y = cloud(num, 0), cloud(num, 1, shift=0.5)
    tensors = (torch.from_numpy(side) for side in (x, y))
    expected = kid_features_to_metric(*tensors, kid_subset_size=size, verbose=False)["kernel_inception_distance_mean"]
    assert kid.compute_kid(x, y) == pytest.approx(expected, rel=1e-10)
    assert kid.subset_size(num, 10 * num) == size


def balanced(num_each, seed):
    """(features, classes) of five classes far apart, so many of each."""
    labels = np.repeat(np.arange(5), num_each)
    centres = 2 * np.random.default_rng(99).standard_normal((5, 6))
    return centres[labels] + cloud(len(labels), seed), labels


def test_kid_of_balanced_classes_is_about_zero():
    """Ten of each of five classes against twenty of each: without the correction far below 0, with it 0."""
    plain, corrected = [], []
    for seed in range(60):
        (x, of_x), (y, of_y) = balanced(10, seed), balanced(20, 1000 + seed)
        plain.append(kid.compute_kid(x, y))
        corrected.append(kid.compute_kid(x, y, strata=of_x, reference_strata=of_y))
    error = np.std(corrected) / np.sqrt(60)
    assert np.mean(plain) < -10 * error
    assert abs(np.mean(corrected)) < 4 * error


def test_kid_with_a_class_of_one_image_is_left_as_it_is():
    x, y = cloud(30, 0), cloud(40, 1)
    assert kid.compute_kid(x, y, strata=np.arange(30)) == kid.compute_kid(x, y)


def test_kid_interval_of_many_images_is_about_the_spread_of_fresh_samples(monkeypatch):
    """To first order, beyond the largest count that is resampled; the subsets' own chance is in it."""
    monkeypatch.setattr(kid, "LARGEST_RESAMPLED", 100)
    monkeypatch.setattr(kid, "SUBSET_SIZE", 200)
    reference = cloud(400, 1)
    values, widths = [], []
    for seed in range(40):
        sample = cloud(800, 10 + seed, shift=0.4)
        values.append(kid.compute_kid(sample, reference))
        low, high = kid.kid_interval(values[-1], sample, reference, seed=seed)
        assert low < values[-1] < high
        widths.append(high - low)
    # the spread of 40 values is known to 11 %; three times that
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(values), rel=0.35)


def test_large_sets_score_as_small_ones_do(monkeypatch):
    """float32 first, float64 where it must decide: the same shares, third neighbours and, nearly, intervals."""
    x = (cloud(400, 0, dimensions=12) + 30).astype(np.float32)
    y = (1.1 * cloud(300, 1, dimensions=12, shift=0.1) + 30).astype(np.float32)
    x[7] = y[5]  # at distance 0
    exact = precision_recall.meet(x, y)
    monkeypatch.setattr(precision_recall, "LARGEST_FLOAT64", 10)
    monkeypatch.setattr(precision_recall, "ROWS_AT_ONCE", 64)
    large = precision_recall.meet(x, y)
    assert np.array_equal(large.inside, exact.inside)
    assert np.array_equal(large.covered, exact.covered)
    np.testing.assert_allclose(large.nearest[:, 2], exact.nearest[:, 2], rtol=1e-12)
    intervals = [precision_recall.precision_recall_intervals(precision_recall.shares(c), c) for c in (exact, large)]
    np.testing.assert_allclose(intervals[1], intervals[0], atol=0.005)


def test_recall_of_halves_is_that_of_the_halves_themselves():
    """What is kept of the distances gives the recall of any half as if it were scored alone."""
    x, y = cloud(200, 0, dimensions=3), cloud(150, 1, dimensions=3)
    found = []
    precision_recall_halves = precision_recall.resampled_interval

    def record(value, statistic, num, **options):
        if options.get("halves"):
            for seed in range(5):
                rows = np.random.default_rng(seed).permutation(200)[:100]
                found.append((statistic(rows), precision_recall.compute_precision_recall(x[rows], y)[1]))
        return precision_recall_halves(value, statistic, num, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision_recall, "resampled_interval", record)
        precision_recall.precision_recall_intervals((0.5, 0.5), precision_recall.meet(x, y))
    assert len(found) == 5
    for ours, alone in found:
        assert ours == pytest.approx(alone, abs=1e-7)
