"""Frechet distance between two clouds of features (FID, Heusel et al. 2017, arXiv:1706.08500, equation 6)

    FID = |mu1 - mu2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)),    mu, S: mean and covariance of each cloud.

Three engines: torch-fidelity's (`fid`, the number we report), clean-fid's (`fid_clean`) and our own `frechet_distance`,
fast enough for resampling and for 2,048 dimensions; they must agree to 1e-3. Everything is float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.errors import CheckFailed
from bench.records.schema import Metric
from bench.stats import Bounds, normal_interval, resampled_interval, standard_error_of_mean

AGREEMENT = 1e-3  # two engines may differ by this much, relative above 1 and absolute below
RESAMPLED_DIMENSIONS = 512  # beyond, 200 covariances cost hours: the interval comes from the influence function
ROWS_AT_ONCE = 4096  # images whose features are centred at a time: bounds memory
FIT_POINTS = 15  # counts of images through which FID is extrapolated, as its authors take

Statistics = tuple[np.ndarray, np.ndarray]  # mu (D,), sigma (D, D)


def compute_statistics(features: np.ndarray, whose: str = "the images") -> Statistics:
    """Mean and covariance of features (N, D). CheckFailed where N <= D: of rank N - 1 at most, the covariance is
    singular then, and a file of it would be refused (datasets/reference_statistics.py)."""
    num, dimensions = features.shape
    if num <= dimensions:
        raise CheckFailed(f"FID needs at least {dimensions + 1} images for {dimensions} features, {whose} are {num}")
    mu = features.mean(0, dtype=np.float64)
    sigma = np.zeros((dimensions, dimensions))
    for centred in _centred(features, mu):
        sigma += centred.T @ centred
    return mu, sigma / (num - 1)


def _centred(features: np.ndarray, mu: np.ndarray) -> Iterator[np.ndarray]:
    """features - mu in float64, ROWS_AT_ONCE images at a time."""
    return (features[start : start + ROWS_AT_ONCE] - mu for start in range(0, len(features), ROWS_AT_ONCE))


def compute_fid(generated: Statistics, reference: Statistics) -> float:
    """By torch-fidelity (Tr sqrt from the eigenvalues of S1 S2)."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    # Its own mean of float32 features is float32 and it asserts equal dtypes: both sides come as float64.
    sides = [{"mu": mu.astype(np.float64), "sigma": sigma.astype(np.float64)} for mu, sigma in (generated, reference)]
    return _no_less_than_zero(fid_statistics_to_metric(*sides, verbose=False)[KEY_METRIC_FID])


def _no_less_than_zero(fid: float) -> float:
    """0 for the -1e-14 that rounding makes of equal clouds; anything below that is left for `check_agreement`."""
    return 0.0 if -AGREEMENT < fid <= 0 else fid


def compute_fid_clean(generated: Statistics, reference: Statistics) -> float:
    """By clean-fid (Tr sqrt from scipy's sqrtm), on the same features: its resizing is not used."""
    from cleanfid import fid as cleanfid

    with _patched_linalg(cleanfid):
        try:
            return _no_less_than_zero(float(cleanfid.frechet_distance(*generated, *reference)))
        except ValueError as error:  # an imaginary part above 1e-3
            raise CheckFailed(f"clean-fid gives no FID: {error}") from error


class _Linalg:
    """What clean-fid 0.1.35 calls of scipy.linalg: sqrtm(disp=), which SciPy 1.18 removed."""

    @staticmethod
    def sqrtm(matrix: np.ndarray, disp: bool = True) -> Any:
        """The root; with disp=False, as (root, estimate of its error), of which clean-fid drops the second."""
        import scipy.linalg

        root = scipy.linalg.sqrtm(matrix)
        return root if disp else (root, None)


@contextmanager
def _patched_linalg(module: Any) -> Iterator[None]:
    """Let a module of clean-fid see _Linalg in place of scipy.linalg, for one call."""
    before, module.linalg = module.linalg, _Linalg
    try:
        yield
    finally:
        module.linalg = before


def check_agreement(fid: float, other: float, engine: str = "clean-fid") -> None:
    """CheckFailed where another engine differs from torch-fidelity."""
    if not abs(fid - other) <= AGREEMENT * max(1.0, abs(fid)):
        raise CheckFailed(f"FID: torch-fidelity gives {fid:.6f}, {engine} {other:.6f}; expected within {AGREEMENT}")


def frechet_distance(
    mu1: np.ndarray, sigma1: np.ndarray, mu2: np.ndarray, sigma2: np.ndarray, sqrt1: np.ndarray | None = None
) -> float:
    """The same number in under a second at 2,048 dimensions on two cores (scipy's sqrtm: 9-14 s).  1: the reference.

    tr((S1 S2)^(1/2)) is the sum of the roots of the eigenvalues of S1 S2, which with S1 = L L^T are those of the
    symmetric L^T S2 L.  sqrt1: L where the caller has it (`square_root`).
    """
    import scipy.linalg

    symmetric = _between(square_root(sigma1) if sqrt1 is None else sqrt1, sigma2)
    eigenvalues = scipy.linalg.eigvalsh(symmetric, lower=True, driver="evd", check_finite=False)
    trace_of_root = np.sqrt(eigenvalues.clip(min=0)).sum()
    difference = mu1 - mu2
    return float(difference @ difference + np.trace(sigma1) + np.trace(sigma2) - 2 * trace_of_root)


def square_root(sigma: np.ndarray) -> np.ndarray:
    """A square root L of a covariance S (D, D): lower triangular, S = L L^T.

    The Cholesky factor; where S is singular and has none, from S = V w V^T and w^(1/2) V^T = Q R it is R^T.
    """
    try:
        return np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        eigenvalues, vectors = np.linalg.eigh(sigma)
        return np.linalg.qr((vectors * np.sqrt(eigenvalues.clip(min=0))).T).R.T


def _between(root: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """L^T S L, of which the lower triangle holds; half the arithmetic of two matrix products."""
    from scipy.linalg.lapack import dsygst

    return dsygst(sigma, root, itype=2, lower=1)[0]


def fid_interval(
    value: float,
    features: np.ndarray,
    reference: Statistics,
    *,
    root: np.ndarray | None = None,
    seed: int = 0,
    strata: np.ndarray | None = None,
    statistics: Statistics | None = None,
) -> Bounds | None:
    """95 % interval of a FID whose generated features (N, D) are given, None where it is unknown; see stats.py.

    root: `square_root` of the reference's covariance, statistics: those of the features, where the caller has them
    strata: (N,) classes drawn so many of each
    Measured on scans drawn afresh, D = 64: too wide by half at N = 200, right at N = 400 and more.
    """
    if features.shape[1] > RESAMPLED_DIMENSIONS:
        return normal_interval(
            value, standard_error(features, reference, root, strata=strata, statistics=statistics), lowest=0.0
        )
    root = square_root(reference[1]) if root is None else root

    def statistic(indices: np.ndarray) -> float:
        return frechet_distance(*reference, *compute_statistics(features[indices]), root)

    return resampled_interval(value, statistic, len(features), seed=seed, strata=strata, lowest=0.0)


def standard_error(
    features: np.ndarray,
    reference: Statistics,
    root: np.ndarray | None = None,
    *,
    strata: np.ndarray | None = None,
    statistics: Statistics | None = None,
) -> float | None:
    """Standard error of FID over the generated images, to first order, without resampling: O(N D^2) once.

    With S1 = L L^T, d = mu2 - mu1 and the optimal map T = L (L^T S2 L)^(-1/2) L^T, FID's derivative by mu2 is 2 d and
    by S2 is I - T, so image x moves it by h(x) / N, where up to a constant
    h(x) = 2 d (x - mu2) + (x - mu2)^T (I - T) (x - mu2); the standard error is that of the mean of h, in strata where
    the images were drawn so. None where it is unknown.
    """
    mu1, sigma1 = reference
    mu2, sigma2 = statistics or compute_statistics(features)
    root = square_root(sigma1) if root is None else root
    eigenvalues, vectors = np.linalg.eigh(_between(root, sigma2))  # reads the lower triangle
    eigenvalues = eigenvalues.clip(min=eigenvalues[-1] * 1e-12)  # directions the images do not fill
    half = root @ (vectors * eigenvalues**-0.25)  # T = half half^T
    slope = (np.eye(len(half)) - half @ half.T).astype(np.float32)
    moves = [2 * x @ (mu2 - mu1) + _quadratic(x.astype(np.float32), slope) for x in _centred(features, mu2)]
    return standard_error_of_mean(np.concatenate(moves), strata)


def _quadratic(x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """x^T slope x of each row, (N,), in float32, half the time of float64: its rounding, 1e-6 of a move, averages out
    over the images."""
    return np.asarray(np.einsum("nd,nd->n", x @ slope, x), np.float64)


def compute_fid_infinity(
    features: np.ndarray, reference: Statistics, *, root: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float]:
    """(FID extrapolated to infinitely many images, standard error of the fit) (Chong & Forsyth 2020, arXiv:1911.07023).

    FID falls as a + b / N; a is the intercept of the line through FIDs of the first 1/15, 2/15, ... of the images in a
    random order, by which the statistics need one pass. CheckFailed where the smallest part has fewer images than
    features twice over.
    """
    num, dimensions = features.shape
    counts = np.unique(np.linspace(max(num // FIT_POINTS, 2 * dimensions), num, FIT_POINTS).astype(int))
    if counts[0] * 2 > num:
        raise CheckFailed(
            f"extrapolating FID needs at least {4 * dimensions} images for {dimensions} features, got {num}"
        )
    root = square_root(reference[1]) if root is None else root
    order = np.random.default_rng([seed, 2]).permutation(num)
    shift = reference[0]  # any point near the cloud: keeps the sums of squares small
    total, squares, done = np.zeros(dimensions), np.zeros((dimensions, dimensions)), 0
    distances = []
    for count in counts:
        for start in range(done, count, ROWS_AT_ONCE):
            part = features[np.sort(order[start : min(start + ROWS_AT_ONCE, count)])] - shift
            total += part.sum(0)
            squares += part.T @ part
        done = count
        mean = total / count
        sigma = (squares - count * np.outer(mean, mean)) / (count - 1)
        distances.append(frechet_distance(*reference, shift + mean, sigma, root))
    design = np.stack([np.ones(len(counts)), 1 / counts], 1)
    fitted, residual, *_ = np.linalg.lstsq(design, np.array(distances), rcond=None)
    variance = float(residual[0]) / (len(counts) - 2)  # of three counts at least: from 2 D to 4 D images or more
    return float(fitted[0]), math.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])


METRICS = (
    Metric(
        name="fid",
        unit="",
        higher_is_better=False,
        title="FID",
        what="Frechet distance between generated and real features, by torch-fidelity; real data scores above 0 too",
    ),
    Metric(
        name="fid_clean",
        unit="",
        higher_is_better=False,
        title="FID (clean-fid)",
        what="the same Frechet distance by a second engine, clean-fid, on the same features; must agree to 1e-3",
    ),
    Metric(
        name="sfid",
        unit="",
        higher_is_better=False,
        title="sFID",
        what="the same Frechet distance over 2,023 spatial Inception features (arXiv:2103.03841), as ADM's evaluator",
    ),
    Metric(
        name="fid_infinity",
        unit="",
        higher_is_better=False,
        title="FID, infinite N",
        what="FID extrapolated to infinitely many generated images (arXiv:1911.07023): no bias by their count",
    ),
)
