"""How well a FID is known: its interval to first order, and its extrapolation, against other code and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.errors import CheckFailed
from bench.metrics import fid

WIDTHS = np.array([0.1, 0.5, 2.0])


def sample(num, seed=0, widths=WIDTHS, shift=0.7):
    return np.random.default_rng(seed).standard_normal((num, len(widths))) * widths + shift


def reference(dimensions=3):
    """(mean, covariance) with directions that are not those of the samples."""
    mixing = np.random.default_rng(9).standard_normal((dimensions, dimensions))
    return np.linspace(-1, 1, dimensions), mixing @ mixing.T


def influence(features, mu, sigma):
    """FID's derivative by the weight of each image, by moving a little weight onto it."""
    step, found = 1e-5, []
    own_mean, own_covariance = features.mean(0), np.cov(features, rowvar=False, ddof=0)
    before = fid.frechet_distance(mu, sigma, own_mean, own_covariance)
    for image in features:
        off = image - own_mean
        moved = own_covariance + step * (np.outer(off, off) - own_covariance)
        found.append((fid.frechet_distance(mu, sigma, own_mean + step * off, moved) - before) / step)
    return np.array(found)


# -- to first order ----------------------------------------------------------------------------------------------------


def test_the_error_to_first_order_is_that_of_the_numerical_derivative():
    """Each image's influence by finite differences; their deviation over sqrt(N); steps of 1e-5 cost 1e-4."""
    features = sample(300)
    expected = influence(features, *reference()).std(ddof=1) / np.sqrt(300)
    assert fid.standard_error(features, reference()) == pytest.approx(expected, rel=0.01)  # N - 1 beside N


def test_what_the_caller_has_is_taken_as_it_is():
    features, (mu, sigma) = sample(300), reference()
    plain = fid.standard_error(features, (mu, sigma))
    root, statistics = fid.square_root(sigma), fid.compute_statistics(features)
    assert fid.standard_error(features, (mu, sigma), root, statistics=statistics) == pytest.approx(plain, rel=1e-12)
    assert fid.standard_error(features, (mu, sigma), 2 * root) != pytest.approx(plain, rel=0.1)
    wider = statistics[0], 4 * statistics[1]
    assert fid.standard_error(features, (mu, sigma), statistics=wider) != pytest.approx(plain, rel=0.1)


def test_directions_that_no_image_fills_cost_nothing():
    """Two features of three that never change: the error is that of the one that does, however rare its ease."""
    features, diagonal = sample(300, widths=np.array([1.5, 0.0, 0.0])), (np.zeros(3), np.diag([1.0, 2.0, 3.0]))
    alone = fid.standard_error(features[:, :1], (np.zeros(1), np.eye(1)))
    assert fid.standard_error(features, diagonal) == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("count", [100, 400])
def test_beyond_512_features_the_interval_is_the_normal_one_of_the_first_order(count, monkeypatch):
    """Value -+ 1.96 errors, not below 0, with what the caller has and in his strata; up to 512 it is resampled."""
    monkeypatch.setattr(fid, "RESAMPLED_DIMENSIONS", 2)
    features, labels = sample(count), np.arange(count) % 2
    features[labels == 1] += 3
    statistics, root = fid.compute_statistics(features), fid.square_root(reference()[1])
    for strata in (None, labels):
        error = fid.standard_error(features, reference(), strata=strata)
        found = fid.fid_interval(50.0, features, reference(), strata=strata)
        assert found == (pytest.approx(50 - 1.96 * error), pytest.approx(50 + 1.96 * error))
        given = fid.fid_interval(50.0, features, reference(), root=root, strata=strata, statistics=statistics)
        assert given == pytest.approx(found)
    assert fid.fid_interval(error, features, reference(), strata=labels) == (0.0, pytest.approx(2.96 * error))


def test_512_features_are_resampled_and_513_are_not(monkeypatch):
    asked = []
    monkeypatch.setattr(fid, "resampled_interval", lambda *parts, **options: asked.append((parts, options)))
    for dimensions in (512, 513):
        flat = np.zeros(dimensions), np.eye(dimensions)
        features = np.random.default_rng(0).standard_normal((dimensions + 1, dimensions))
        found = fid.fid_interval(1e4, features, flat, root=flat[1], statistics=(flat[0], 4 * flat[1]))
        assert (found is None) is (dimensions == 512)
    ((value, _, num), options), *others = asked
    assert not others
    assert (value, num, options["lowest"]) == (1e4, 513, 0.0)


def test_a_resample_is_scored_as_images_of_their_own(monkeypatch):
    features, rows = sample(60), np.random.default_rng(1).integers(0, 60, 60)
    taken = []
    monkeypatch.setattr(fid, "resampled_interval", lambda value, statistic, *rest, **options: taken.append(statistic))
    fid.fid_interval(1.0, features, reference())
    fid.fid_interval(1.0, features, reference(), root=fid.square_root(reference()[1]))
    alone = fid.frechet_distance(*reference(), *fid.compute_statistics(features[rows]))
    assert [statistic(rows) for statistic in taken] == pytest.approx([alone, alone], rel=1e-12)


# -- extrapolated ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("num", "dimensions", "first"), [(300, 3, 20), (300, 15, 30), (12, 3, 6), (4, 1, 2)])
def test_fid_infinity_is_scipys_line_through_fids_of_growing_parts(num, dimensions, first, monkeypatch):
    """Fifteen counts from a fifteenth, or twice the features, to all; intercept and its error are linregress's."""
    monkeypatch.setattr(fid, "ROWS_AT_ONCE", 13)
    features, (mu, sigma) = sample(num, widths=np.linspace(0.5, 2, dimensions)), reference(dimensions)
    order = np.random.default_rng([5, 2]).permutation(num)
    counts = sorted({int(first + step * (num - first) / 14) for step in range(15)} | {num})
    parts = [np.atleast_2d(np.cov(features[order[:count]], rowvar=False)) for count in counts]
    values = [
        fid.frechet_distance(mu, sigma, features[order[:count]].mean(0), part)
        for count, part in zip(counts, parts, strict=True)
    ]
    line = scipy_stats.linregress(1 / np.array(counts), values)
    for root in (None, fid.square_root(sigma)):
        found = fid.compute_fid_infinity(features, (mu, sigma), root=root, seed=5)
        assert found == (pytest.approx(line.intercept, rel=1e-6), pytest.approx(line.intercept_stderr, rel=1e-6))


# -- engines -----------------------------------------------------------------------------------------------------------


def test_a_thousandth_below_zero_is_no_rounding_and_engines_print_nothing(capsys):
    assert fid._no_less_than_zero(-0.00099) == 0
    assert fid._no_less_than_zero(-0.001) == -0.001
    assert fid._no_less_than_zero(0.001) == 0.001
    statistics = fid.compute_statistics(sample(20))
    fid.compute_fid(statistics, reference())
    fid.compute_fid_clean(statistics, reference())
    assert capsys.readouterr().out == ""


def test_clean_fids_two_calls_of_a_root():
    """As a pair with disp=False, alone without: clean-fid asks again so where a product is nearly singular."""
    matrix = np.diag([4.0, 9.0])
    root, error = fid._Linalg.sqrtm(matrix, disp=False)
    assert error is None
    for found in (root, fid._Linalg.sqrtm(matrix)):
        np.testing.assert_allclose(found, np.diag([2.0, 3.0]))


def test_engines_agree_to_a_thousandth_below_1_and_of_the_number_above():
    for fid_value, fits, differs in ((0.1, 0.1009, 0.1011), (0.1, 0.0991, 0.0989), (5.0, 5.0049, 5.0051)):
        fid.check_agreement(fid_value, fits)
        with pytest.raises(CheckFailed, match="expected within"):
            fid.check_agreement(fid_value, differs)
