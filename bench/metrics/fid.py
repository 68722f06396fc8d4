"""Frechet distance between two clouds of features (FID, Heusel et al. 2017, arXiv:1706.08500, equation 6)

    FID = |mu1 - mu2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)),    mu, S: mean and covariance of each cloud.

Three engines: torch-fidelity's (`fid`, the number we report), clean-fid's (`fid_clean`, which must agree to 1e-3), and
our own `frechet_distance`, fast enough for resampling and for 2,048 dimensions. Everything is float64.
"""

from __future__ import annotations

import hashlib
import warnings

import numpy as np

from bench.metrics.intervals import Interval, interval
from bench.records import CheckFailed, Metric

AGREEMENT = 1e-3  # torch-fidelity and clean-fid may differ by this much, relative above 1 and absolute below
RESAMPLED_DIMENSIONS = 512  # beyond, 200 covariances cost hours: the interval comes from the influence function
ROOTS_KEPT = 2

Statistics = tuple[np.ndarray, np.ndarray]  # mu (D,), sigma (D, D)


def compute_statistics(features: np.ndarray, whose: str = "the images") -> Statistics:
    """Mean and covariance of features (N, D). CheckFailed where N < D: the covariance is singular then."""
    num, dimensions = features.shape
    if num < dimensions:
        raise CheckFailed(f"FID needs at least {dimensions} images for {dimensions} features, {whose} are {num}")
    features = features.astype(np.float64, copy=False)
    return features.mean(0), np.cov(features, rowvar=False)


def compute_fid(generated: Statistics, reference: Statistics) -> float:
    """By torch-fidelity (Tr sqrt from the eigenvalues of S1 S2)."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    # Its own mean of float32 features is float32 and it asserts equal dtypes: both sides come as float64.
    sides = [{"mu": mu.astype(np.float64), "sigma": sigma.astype(np.float64)} for mu, sigma in (generated, reference)]
    return fid_statistics_to_metric(*sides, verbose=False)[KEY_METRIC_FID]


def compute_fid_clean(generated: Statistics, reference: Statistics) -> float:
    """By clean-fid (Tr sqrt from scipy's sqrtm), on the same features: its resizing is not used."""
    from cleanfid.fid import frechet_distance as cleanfid_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it calls scipy.linalg.sqrtm(disp=)
        try:
            return float(cleanfid_distance(*generated, *reference))
        except ValueError as error:  # an imaginary part above 1e-3
            raise CheckFailed(f"clean-fid gives no FID: {error}") from error


def check_agreement(fid: float, fid_clean: float) -> None:
    """CheckFailed where the two engines differ."""
    if not abs(fid - fid_clean) <= AGREEMENT * max(1.0, abs(fid)):
        raise CheckFailed(
            f"FID: torch-fidelity gives {fid:.6f}, clean-fid {fid_clean:.6f}; expected within {AGREEMENT}"
        )


def frechet_distance(
    mu1: np.ndarray, sigma1: np.ndarray, mu2: np.ndarray, sigma2: np.ndarray, sqrt1: np.ndarray | None = None
) -> float:
    """The same number in under a second at 2,048 dimensions on two cores (scipy's sqrtm: 9-14 s).  1: the reference.

    tr((S1 S2)^(1/2)) is the sum of the roots of the eigenvalues of S1 S2, which a symmetric solver finds: with
    S1 = L L^T they are those of L^T S2 L (LAPACK's generalised problem of type 2, Cholesky inside, 0.75 s). A singular
    S1 has no L: its symmetric root does the same. sqrt1: that root where the caller has it (`square_root`).
    """
    import scipy.linalg

    if sqrt1 is None:
        try:
            eigenvalues = scipy.linalg.eigh(sigma2, sigma1, type=2, eigvals_only=True, driver="gv", check_finite=False)
        except np.linalg.LinAlgError:
            sqrt1 = square_root(sigma1)
    if sqrt1 is not None:
        eigenvalues = scipy.linalg.eigvalsh(sqrt1 @ sigma2 @ sqrt1, driver="evd", check_finite=False)
    trace_of_root = np.sqrt(eigenvalues.clip(min=0)).sum()
    difference = mu1 - mu2
    return float(difference @ difference + np.trace(sigma1) + np.trace(sigma2) - 2 * trace_of_root)


_ROOTS: dict[str, np.ndarray] = {}  # by the SHA-256 of the matrix, never by a name, which may come to mean another


def square_root(sigma: np.ndarray) -> np.ndarray:
    """Symmetric square root of a covariance (D, D). The last ones are kept, keyed by content (1.2 s for D = 2,048)."""
    key = hashlib.sha256(sigma.tobytes()).hexdigest()
    if key not in _ROOTS:
        eigenvalues, vectors = np.linalg.eigh(sigma)
        while len(_ROOTS) >= ROOTS_KEPT:
            del _ROOTS[next(iter(_ROOTS))]
        _ROOTS[key] = (vectors * np.sqrt(eigenvalues.clip(min=0))) @ vectors.T
    return _ROOTS[key]


def fid_interval(
    value: float, features: np.ndarray, reference: Statistics, *, seed: int = 0, strata: np.ndarray | None = None
) -> Interval:
    """95 % interval of a FID whose generated features (N, D) are given; see intervals.py for what it covers.

    Measured on scans drawn afresh, D = 64: too wide by half at N = 200, right at N = 400 and more.
    """
    if features.shape[1] > RESAMPLED_DIMENSIONS:
        low, high = (value + sign * 1.96 * standard_error(features, reference) for sign in (-1, 1))
        return max(0.0, low), high

    def statistic(indices: np.ndarray) -> float:
        chosen = features[indices]
        return frechet_distance(*reference, chosen.mean(0), np.cov(chosen, rowvar=False))

    return interval(value, statistic, len(features), seed=seed, strata=strata, lowest=0.0)


def standard_error(features: np.ndarray, reference: Statistics) -> float:
    """Standard error of FID over the generated images, to first order, without resampling: O(N D^2) once.

    With d = mu2 - mu1 and the optimal map T = S1^(1/2) (S1^(1/2) S2 S1^(1/2))^(-1/2) S1^(1/2), FID's derivative by
    mu2 is 2 d and by S2 is I - T, so image x moves it by h(x) / N, where up to a constant
    h(x) = 2 d (x - mu2) + (x - mu2)^T (I - T) (x - mu2); the standard error is std(h) / sqrt(N).
    """
    mu1, sigma1 = reference
    centred = features - features.mean(0)
    root = square_root(sigma1)
    eigenvalues, vectors = np.linalg.eigh(root @ np.cov(features, rowvar=False) @ root)
    eigenvalues = eigenvalues.clip(min=eigenvalues[-1] * 1e-12)  # directions the images do not fill
    map_ = root @ (vectors / np.sqrt(eigenvalues)) @ vectors.T @ root
    slope = np.eye(len(map_)) - map_
    moves = 2 * centred @ (features.mean(0) - mu1) + np.einsum("nd,nd->n", centred @ slope, centred)
    return float(moves.std(ddof=1) / np.sqrt(len(features)))


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
)
