"""Frechet distance: closed forms, agreement of three engines, direction, intervals."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from bench.datasets.reference_statistics import load_npz
from bench.errors import CheckFailed
from bench.metrics import fid

ENGINES = {
    "torch-fidelity": fid.compute_fid,
    "clean-fid": fid.compute_fid_clean,
    "ours": lambda generated, reference: fid.frechet_distance(*reference, *generated),
}


def cloud(num, dimensions, seed, shift=0.0, width=1.0):
    """Gaussian features with a covariance of uneven spectrum, the same mixing for every seed."""
    mixing = np.random.default_rng(99).standard_normal((dimensions, dimensions)) * np.linspace(0.1, 1, dimensions)
    return width * np.random.default_rng(seed).standard_normal((num, dimensions)) @ mixing + shift


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_covariances_leave_the_squared_mean_distance(engine):
    """Moving a cloud by m without changing its shape costs |m|^2."""
    features = cloud(500, 12, seed=0)
    move = np.linspace(-1, 2, 12)
    found = ENGINES[engine](fid.compute_statistics(features + move), fid.compute_statistics(features))
    assert found == pytest.approx(move @ move, rel=1e-9)  # float64 eigenvalues of a 12x12 matrix


@pytest.mark.parametrize("engine", ENGINES)
def test_commuting_covariances_leave_the_squared_difference_of_roots(engine):
    """With diagonal covariances and equal means, FID = sum (sqrt(a) - sqrt(b))^2."""
    a, b = np.linspace(0.5, 3, 8), np.linspace(2, 0.1, 8)
    found = ENGINES[engine]((np.zeros(8), np.diag(a)), (np.zeros(8), np.diag(b)))
    assert found == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_identical_images_score_zero(engine):
    """FID of a set against itself is 0."""
    statistics = fid.compute_statistics(cloud(300, 16, seed=0))
    # The difference of traces of about 100 in float64; sqrtm is the least exact of the three.
    assert abs(ENGINES[engine](statistics, statistics)) < 1e-6


@pytest.mark.parametrize(("num", "dimensions"), [(100, 2), (200, 64), (2000, 128)])
def test_three_engines_agree(num, dimensions):
    """torch-fidelity, clean-fid and ours give the same number to 1e-6 relative."""
    generated = fid.compute_statistics(cloud(num, dimensions, seed=1, shift=0.3, width=1.2))
    reference = fid.compute_statistics(cloud(num, dimensions, seed=2))
    found = [engine(generated, reference) for engine in ENGINES.values()]
    assert found == pytest.approx([found[0]] * 3, rel=1e-6)
    fid.check_agreement(found[0], found[1])


def test_order_of_arguments_does_not_matter():
    """The Frechet distance is symmetric, whichever side's Cholesky factor is taken."""
    one, two = fid.compute_statistics(cloud(300, 20, seed=1, shift=1)), fid.compute_statistics(cloud(300, 20, seed=2))
    assert fid.frechet_distance(*one, *two) == pytest.approx(fid.frechet_distance(*two, *one), rel=1e-9)


def test_singular_reference():
    """A covariance without full rank has no Cholesky factor; the distance still agrees with torch-fidelity."""
    features = cloud(300, 20, seed=1)
    flat = features.copy()
    flat[:, :5] = 0
    generated, reference = fid.compute_statistics(features + 1), fid.compute_statistics(flat)
    expected = fid.compute_fid(generated, reference)
    # Eigenvalues that should be 0 come out as 1e-16 of the largest, their roots as 1e-8 of it.
    assert fid.frechet_distance(*reference, *generated) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rank", [20, 12])
def test_square_root(rank):
    """L L^T is the covariance, of full rank or not, L is lower triangular, and a distance given L is the distance."""
    basis = np.random.default_rng(1).standard_normal((20, rank))
    sigma, (mu, other) = basis @ basis.T, fid.compute_statistics(cloud(300, 20, seed=2))
    root = fid.square_root(sigma)
    np.testing.assert_allclose(root @ root.T, sigma, atol=1e-12 * np.abs(sigma).max())  # 20 additions in float64
    assert np.array_equal(root, np.tril(root))
    given = fid.frechet_distance(mu + 1, sigma, mu, other, root)
    assert given == pytest.approx(fid.frechet_distance(mu + 1, sigma, mu, other), rel=1e-12)


def test_statistics_in_chunks(monkeypatch):
    """Mean and covariance are numpy's in float64, whatever the chunks and for float32 features too."""
    features = cloud(1000, 7, seed=0, shift=1e3).astype(np.float32)
    expected = np.cov(features.astype(np.float64), rowvar=False)
    for rows in (1, 7, 999, 4096):
        monkeypatch.setattr(fid, "ROWS_AT_ONCE", rows)
        mu, sigma = fid.compute_statistics(features)
        np.testing.assert_allclose(mu, features.astype(np.float64).mean(0), rtol=1e-12)
        np.testing.assert_allclose(sigma, expected, atol=1e-12 * np.abs(expected).max())


def test_no_more_images_than_features_is_refused():
    """Twenty images span 19 dimensions around their mean, as 21 span 20: one line that says how many are needed."""
    _, sigma = fid.compute_statistics(cloud(21, 20, seed=0))
    assert np.linalg.matrix_rank(sigma) == 20
    with pytest.raises(CheckFailed, match="FID needs at least 21 images for 20 features, the generated images are 20"):
        fid.compute_statistics(cloud(20, 20, seed=0), "the generated images")
    assert np.linalg.matrix_rank(np.cov(cloud(20, 20, seed=0), rowvar=False)) == 19


def test_images_and_their_statistics_are_refused_alike(tmp_path):
    """Where images of a count are scored, a file of their statistics is read; where not, it is refused."""
    for num, is_enough in ((20, False), (21, True)):
        sample, path = cloud(num, 20, seed=0), tmp_path / f"{num}.npz"
        np.savez(path, mu=sample.mean(0), sigma=np.cov(sample, rowvar=False))
        for read in (lambda path=path: load_npz(path), lambda sample=sample: fid.compute_statistics(sample)):
            with nullcontext() if is_enough else pytest.raises(CheckFailed):
                read()


def test_engines_that_disagree_are_refused():
    """A difference above 1e-3 is no rounding: no FID is reported. So is a NaN."""
    fid.check_agreement(2.0, 2.0019)  # relative above 1
    fid.check_agreement(0.1, 0.1009)  # absolute below
    for wrong in (2.0021, float("nan")):
        with pytest.raises(CheckFailed, match="torch-fidelity gives 2"):
            fid.check_agreement(2.0, wrong)


def test_collapse_and_distance_worsen_fid():
    """Fewer distinct images, a narrower cloud and a cloud further away each raise FID."""
    reference = fid.compute_statistics(cloud(2000, 16, seed=0))

    def score(features):
        return fid.compute_fid(fid.compute_statistics(features), reference)

    good = cloud(500, 16, seed=1)
    assert score(good) < score(np.tile(good[:25], (20, 1))) < score(np.tile(good[:3], (167, 1)))
    assert score(good) < score(0.8 * good) < score(0.5 * good)
    assert score(good) < score(good + 0.5) < score(good + 1)


def test_interval_covers_what_other_samples_score():
    """95 % intervals hold the expected FID at their count in about 95 % of samplings (recentred; 60 tried)."""
    reference = fid.compute_statistics(cloud(4000, 4, seed=0, shift=0.2))
    samples = [cloud(150, 4, seed=100 + k, width=1.1) for k in range(300)]
    scores = [fid.frechet_distance(*reference, *fid.compute_statistics(sample)) for sample in samples]
    expected = np.mean(scores)
    held = 0
    for sample, score in zip(samples[:60], scores[:60], strict=True):
        low, high = fid.fid_interval(score, sample, reference)
        assert low < score < high
        held += low <= expected <= high
    assert held >= 51  # 57 expected; fewer than 51 has probability 0.01 at 95 %, and 85 % is what few images may cost


def test_plain_percentiles_would_be_biased():
    """Resampling with replacement raises FID: hence the recentring."""
    reference = fid.compute_statistics(cloud(4000, 16, seed=0))
    sample = cloud(100, 16, seed=1)
    score = fid.compute_fid(fid.compute_statistics(sample), reference)
    draws = np.random.default_rng(0).integers(0, 100, (50, 100))
    replicates = [fid.compute_fid(fid.compute_statistics(sample[draw]), reference) for draw in draws]
    assert np.quantile(replicates, 0.025) > score


def test_first_order_error_agrees_with_resampling():
    """The influence function, used at 2,048 dimensions, gives the spread that resampling gives."""
    reference = fid.compute_statistics(cloud(4000, 8, seed=0))
    sample = cloud(2000, 8, seed=1, shift=0.3, width=1.2)
    score = fid.compute_fid(fid.compute_statistics(sample), reference)
    low, high = fid.fid_interval(score, sample, reference)
    # 200 resamples know a 95 % width to about 8 % (one standard error); three of them
    assert 2 * 1.96 * fid.standard_error(sample, reference) == pytest.approx(high - low, rel=0.25)


def test_interval_is_reproducible():
    """The same seed gives the same interval, another seed another."""
    reference, sample = fid.compute_statistics(cloud(500, 6, seed=0)), cloud(200, 6, seed=1)
    assert fid.fid_interval(1.0, sample, reference, seed=3) == fid.fid_interval(1.0, sample, reference, seed=3)
    assert fid.fid_interval(1.0, sample, reference, seed=3) != fid.fid_interval(1.0, sample, reference, seed=4)


def test_frechet_distance_at_2048_dimensions():
    """At Inception's 2,048 dimensions ours equals torch-fidelity to 1e-6 relative."""
    widths = np.linspace(0.05, 1, 2048)
    reference, generated = (
        fid.compute_statistics(np.random.default_rng(seed).standard_normal((2500, 2048)) * widths + 0.05 * seed)
        for seed in range(2)
    )
    found = fid.frechet_distance(*reference, *generated)
    assert found == pytest.approx(fid.compute_fid(generated, reference), rel=1e-6)


def test_scipy_without_disp_is_enough(monkeypatch):
    """SciPy 1.18 and later: sqrtm(matrix) alone, which refuses disp=; clean-fid's number is the same."""
    import scipy.linalg

    generated, reference = (fid.compute_statistics(cloud(100, 5, seed=seed, shift=seed)) for seed in range(2))
    expected = fid.frechet_distance(*reference, *generated)
    whole = scipy.linalg.sqrtm

    def strict(A):
        return whole(A)

    monkeypatch.setattr(scipy.linalg, "sqrtm", strict)
    assert fid.compute_fid_clean(generated, reference) == pytest.approx(expected, rel=1e-9)
    from cleanfid import fid as cleanfid

    assert cleanfid.linalg is scipy.linalg  # as it was


def test_equal_clouds_are_at_distance_zero_not_below():
    """Rounding makes -1e-15 of it: printed as 0."""
    statistics = fid.compute_statistics(cloud(300, 8, seed=0, shift=3.0, width=2.0))
    for engine in (fid.compute_fid, fid.compute_fid_clean):
        found = engine(statistics, statistics)
        assert 0 <= found < 1e-6
        assert not np.signbit(found)
    assert not np.signbit(fid._no_less_than_zero(-0.0))
    assert fid._no_less_than_zero(-1.0) == -1.0  # no rounding: left for the other engines to contradict


def test_fid_infinity_takes_the_bias_of_the_count_away():
    """FID of 400 images of the reference's own distribution is far above 0, extrapolated it is near 0."""
    reference = np.zeros(10), np.eye(10)
    samples = [np.random.default_rng(seed).standard_normal((400, 10)) for seed in range(20)]
    found = [fid.compute_fid_infinity(sample, reference)[0] for sample in samples]
    plain = [fid.frechet_distance(*reference, *fid.compute_statistics(sample)) for sample in samples]
    assert np.mean(plain) > 0.05
    assert abs(np.mean(found)) < 0.2 * np.mean(plain)


def test_fid_infinity_needs_images():
    with pytest.raises(CheckFailed, match="extrapolating FID needs at least 40 images for 10 features, got 39"):
        fid.compute_fid_infinity(cloud(39, 10, seed=0), (np.zeros(10), np.eye(10)))


def test_the_standard_error_in_float32_is_that_of_float64(monkeypatch):
    """To 1e-6 of itself: 20,000 images of a mixture, far from the origin as Inception's features are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(3, 1, (50, 32))
    sample = centres[np.arange(20_000) % 50] + rng.normal(size=(20_000, 32))
    reference = fid.compute_statistics(centres[np.arange(9_000) % 50] + 1.1 * rng.normal(size=(9_000, 32)))
    single = fid.standard_error(sample, reference)
    exact = np.float64
    monkeypatch.setattr(fid, "_quadratic", lambda x, slope: np.einsum("nd,nd->n", exact(x) @ exact(slope), exact(x)))
    assert single == pytest.approx(fid.standard_error(sample, reference), rel=1e-6)
