"""KID against sums written out, its interval against resamples scored alone, its error against the exact one."""

from __future__ import annotations

import numpy as np
import pytest
from torch_fidelity.defaults import DEFAULTS

from bench import stats
from bench.metrics import kid


def cloud(num, seed, dimensions=3, shift=0.0):
    return np.random.default_rng(seed).standard_normal((num, dimensions)) + shift


def k(x, y):
    return (x @ y / len(x) + 1) ** 3


def mean_of_pairs(side, labels, weight_within):
    """Sum over pairs of different images, those of one class of size n_k weighted, as the module's head has it."""
    num, everything, within = len(side), 0.0, 0.0
    for i in range(num):
        for j in range(num):
            if i != j:
                value = k(side[i], side[j])
                everything += value
                if labels[i] == labels[j]:
                    within += value / (np.sum(labels == labels[i]) - 1)
    found = everything / (num * (num - 1))
    return found * (num - 1) / num + within / num**2 if weight_within else found


@pytest.mark.parametrize("sides", [(True, False), (False, True), (True, True)])
def test_pairs_of_one_class_are_weighted_as_independent_draws_would_weight_them(sides):
    """E k(x, x') = A (n - 1) / n + sum_k W_k / ((n_k - 1) n^2), on whichever side has classes."""
    x, y = cloud(9, 0), cloud(9, 1, shift=0.5)
    of_x, of_y = np.array([3, 3, 5, 5, 5, 7, 7, 7, 7]), np.arange(9) % 3
    across = np.mean([[k(a, b) for b in y] for a in x])
    expected = mean_of_pairs(x, of_x, sides[0]) + mean_of_pairs(y, of_y, sides[1]) - 2 * across
    given = {"strata": of_x if sides[0] else None, "reference_strata": of_y if sides[1] else None}
    assert kid.compute_kid(x, y, **given) == pytest.approx(expected, rel=1e-10)
    assert kid.compute_kid(x, y, **given, subsets=kid.compute_subsets(x, y)) == pytest.approx(expected, rel=1e-10)


def test_a_class_of_one_image_leaves_its_side_as_it_is():
    x, y, alone = cloud(9, 0), cloud(9, 1), np.array([0, 1, 1, 1, 1, 2, 2, 2, 2])
    assert kid.compute_kid(x, y, strata=alone) == kid.compute_kid(x, y)
    pairs = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    assert kid.compute_kid(x, y, strata=pairs) != kid.compute_kid(x, y)


@pytest.mark.parametrize(("num", "others", "values"), [(30, 30, 1), (30, 70, 100), (70, 30, 100), (40, 40, 100)])
def test_there_are_100_subsets_unless_all_are_the_same(num, others, values, monkeypatch):
    monkeypatch.setattr(kid, "SUBSET_SIZE", 30)
    found = kid.compute_subsets(cloud(num, 0), cloud(others, 1))
    assert (found.values.shape, found.size) == ((values,), 30)


def test_subsets_hold_the_mean_over_pairs_of_each_side(monkeypatch):
    """KID of a subset is both means less twice that across: of equal clouds of one point each mean is k itself."""
    monkeypatch.setattr(kid, "SUBSET_SIZE", 4)
    found = kid.compute_subsets(np.full((9, 2), 2.0), np.full((7, 2), 3.0))
    assert found.among == (pytest.approx(5.0**3), pytest.approx(10.0**3))
    assert found.values == pytest.approx(np.full(100, 5.0**3 + 10.0**3 - 2 * 7.0**3))


def test_subsets_are_as_large_as_torch_fidelitys_and_two_images_are_enough():
    assert kid.subset_size(5000, 6000) == DEFAULTS["kid_subset_size"]
    assert kid.subset_size(300, 200) == 200
    x, y = cloud(2, 0), cloud(2, 1)
    across = np.mean([[k(a, b) for b in y] for a in x])
    assert kid.compute_kid(x, y) == pytest.approx(k(x[0], x[1]) + k(y[0], y[1]) - 2 * across)


# -- the interval ------------------------------------------------------------------------------------------------------


def test_a_resample_is_scored_as_images_of_their_own(monkeypatch):
    """Up to the term of real pairs, which is the same in every resample: KID of the images drawn, doubles and all."""
    taken = []
    monkeypatch.setattr(
        kid, "resampled_interval", lambda value, of, num, **options: taken.append((value, of, num, options))
    )
    x, y, labels = cloud(40, 0), cloud(30, 1, shift=0.5), np.arange(40) % 4
    kid.kid_interval(0.3, x, y, seed=7, strata=labels)
    ((value, statistic, num, options),) = taken
    assert (value, num, options["seed"], options["strata"].tolist()) == (0.3, 40, 7, labels.tolist())
    among_real = (kid.kernel(y, y).sum() - np.trace(kid.kernel(y, y))) / (30 * 29)
    for rows in (np.arange(40), np.random.default_rng(2).integers(0, 40, 40)):
        kernel = kid.kernel(x[rows], x[rows])
        alone = (kernel.sum() - np.trace(kernel)) / (40 * 39) + among_real - 2 * kid.kernel(x[rows], y).mean()
        assert statistic(rows) + among_real == pytest.approx(alone, rel=1e-10)


def test_what_is_too_many_to_resample_has_a_normal_interval(monkeypatch):
    """Up to LARGEST_RESAMPLED images are resampled; beyond, value -+ 1.96 errors, which may reach below 0."""
    monkeypatch.setattr(kid, "LARGEST_RESAMPLED", 200)
    monkeypatch.setattr(kid, "resampled_interval", lambda *parts, **options: "resampled")
    y, labels = cloud(100, 1), np.arange(201) % 3
    assert kid.kid_interval(0.3, cloud(200, 0), y) == "resampled"
    x = cloud(201, 0) + labels[:, None]
    subsets = kid.compute_subsets(x, y)
    for strata, given in ((None, None), (labels, subsets)):
        error = kid.standard_error(x, y, subsets, seed=4, strata=strata)
        found = kid.kid_interval(0.01, x, y, seed=4, strata=strata, subsets=given)
        assert found == (pytest.approx(0.01 - 1.96 * error), pytest.approx(0.01 + 1.96 * error))
    other = kid.Subsets(np.array([0.0, 9.0]), subsets.among, subsets.size)
    assert kid.kid_interval(0.01, x, y, seed=4, subsets=other)[1] > found[1] + 1


STILL = kid.Subsets(np.array([0.5, 0.5]), (0.0, 0.0), 2)  # subsets that all say the same add no chance of their own


def exact_error(x, mean, labels=None):
    """Of one feature against a normal one around `mean` with deviation 1: h by the moments of (x y + 1)^3."""

    def expected(first, second, third):
        return 1 + 3 * x * first + 3 * x**2 * second + x**3 * third

    x = x.ravel()
    h = 2 * (expected(x.mean(), (x**2).mean(), (x**3).mean()) - expected(mean, mean**2 + 1, mean**3 + 3 * mean))
    return stats.standard_error_of_mean(h, labels)


@pytest.mark.parametrize("landmarks", [4, 60])
def test_the_error_to_first_order_is_the_exact_one_however_few_landmarks_there_are(landmarks, monkeypatch):
    """The two halves of landmarks make their errors apart, so that the square of the error is unbiased."""
    monkeypatch.setattr(kid, "LANDMARKS", landmarks)
    labels = np.arange(1500) % 3  # three classes, all together around 0 with deviation 1
    x = cloud(1500, 0, dimensions=1) + labels[:, None]
    x = (x - x.mean()) / x.std()
    for strata in (None, labels):
        squares = [
            kid.standard_error(x, cloud(400, seed, 1, 0.6), STILL, seed=seed, strata=strata) ** 2 for seed in range(150)
        ]
        chance = np.std(squares) / np.sqrt(150)
        assert chance < 0.2 * np.mean(squares)
        exact = exact_error(x, 0.6, strata) ** 2
        assert np.mean(squares) == pytest.approx(exact, abs=4 * chance + 0.03 * exact)


def test_the_chance_of_the_subsets_is_in_the_error():
    """Of images that are all alike nothing else is left: the variance of the subsets over their number."""
    values = np.random.default_rng(0).standard_normal(20)
    subsets = kid.Subsets(values, (1.0, 1.0), 2)
    found = kid.standard_error(np.ones((50, 2)), cloud(40, 0, 2), subsets)
    assert found == pytest.approx(values.std(ddof=1) / np.sqrt(20), rel=1e-9)


@pytest.mark.parametrize(("num", "others"), [(1000, 4), (8, 1000), (8, 4)])
def test_few_images_on_a_side_have_few_landmarks(num, others):
    """Two halves of a quarter of the images each, and of half of the reference."""
    assert kid.standard_error(cloud(num, 0, shift=1.0), cloud(others, 1), STILL) >= 0
