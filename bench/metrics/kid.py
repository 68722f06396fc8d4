"""Kernel distance (KID, Binkowski et al. 2018, arXiv:1801.01401): the squared maximum mean discrepancy

    KID = E k(x, x') + E k(y, y') - 2 E k(x, y),    k(x, y) = (x . y / D + 1)^3,    x generated, y real,

as torch-fidelity has it: the mean over 100 subsets of 1,000 images, or of as many as the smaller side has. Unbiased for
independent images, so it may come out negative.

Class-balanced images are not independent: of n images with n_k of class k, two different ones are of one class with
probability sum n_k (n_k - 1) / (n (n - 1)), where two independent ones are with sum (n_k / n)^2. Images of one class
are the likest, so E k(x, x') comes out too low: real scans, 50 of each of ten classes, scored -0.013 that way. Where
the classes of a side are known its pairs within a class are weighted as independent draws would weight them:

    E k(x, x') = A (n - 1) / n + sum_k W_k / ((n_k - 1) n^2),

A the mean over all pairs of different images, W_k the sum over those of class k. At 50,000 images the two differ by
1 / 50,000 of a kernel value; without classes the number is torch-fidelity's to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.errors import CheckFailed
from bench.records.schema import Metric
from bench.stats import Bounds, can_resample, normal_interval, resampled_interval

SUBSETS, SUBSET_SIZE = 100, 1000
SUBSET_SEED = 2020  # torch-fidelity's
LARGEST_RESAMPLED = 5000  # images; beyond, their whole kernel matrix is too large, and the interval is of first order
LANDMARKS = 500  # images that stand for all, twice on each side, where the interval is of first order


@dataclass(frozen=True)
class Subsets:
    """KID over subsets, and the mean kernel of pairs within each side."""

    values: np.ndarray  # (SUBSETS,), or (1,) where a subset is all there is
    among: tuple[float, float]  # generated, reference: mean over subsets
    size: int


def subset_size(num_generated: int, num_reference: int) -> int:
    """Images of each side in a subset."""
    return min(SUBSET_SIZE, num_generated, num_reference)


def compute_subsets(generated: np.ndarray, reference: np.ndarray) -> Subsets:
    """KID of torch-fidelity's subsets of features (N, D) against (M, D), in float64."""
    size = subset_size(len(generated), len(reference))
    if size < 2:
        raise CheckFailed(f"KID needs at least 2 images on each side, got {len(generated)} and {len(reference)}")
    # The same subsets as torch-fidelity's:
    rng = np.random.RandomState(SUBSET_SEED)
    whole = size == len(generated) == len(reference)  # then every subset is the same
    rows = []
    for _ in range(1 if whole else SUBSETS):
        x, y = (side[rng.choice(len(side), size, replace=False)].astype(np.float64) for side in (generated, reference))
        rows.append((_mean_of_pairs(kernel(x, x)), _mean_of_pairs(kernel(y, y)), kernel(x, y).mean()))
    table = np.array(rows)
    return Subsets(table[:, 0] + table[:, 1] - 2 * table[:, 2], (table[:, 0].mean(), table[:, 1].mean()), size)


def compute_kid(
    generated: np.ndarray,
    reference: np.ndarray,
    *,
    strata: np.ndarray | None = None,
    reference_strata: np.ndarray | None = None,
    subsets: Subsets | None = None,
) -> float:
    """KID of features (N, D) against (M, D).

    strata, reference_strata: (N,), (M,) classes of a side that was drawn so many of each; None: drawn independently
    subsets: `compute_subsets`, where the caller has it.
    """
    subsets = subsets or compute_subsets(generated, reference)
    value = float(subsets.values.mean())
    for side, among, labels in zip((generated, reference), subsets.among, (strata, reference_strata), strict=True):
        if labels is not None:
            value += _class_correction(side, labels, among)
    return value


def _class_correction(features: np.ndarray, strata: np.ndarray, among: float) -> float:
    """What is added to the mean kernel of pairs of a class-balanced side; 0 where a class has one image."""
    num = len(features)
    classes = [np.flatnonzero(strata == label) for label in np.unique(strata)]
    if min(map(len, classes)) < 2:
        return 0.0
    within = sum(_mean_of_pairs(kernel(part, part)) * len(part) for part in (features[rows] for rows in classes))
    return float(within / num - among) / num


def _mean_of_pairs(among: np.ndarray) -> float:
    """Mean of a kernel matrix (n, n) off its diagonal."""
    num = len(among)
    return float(among.sum() - np.trace(among)) / (num * (num - 1))


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """k of every pair, (N, M)."""
    scaled = x @ y.T
    scaled /= x.shape[1]
    scaled += 1
    return scaled * scaled * scaled


def kid_interval(
    value: float,
    generated: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int = 0,
    strata: np.ndarray | None = None,
    subsets: Subsets | None = None,
) -> Bounds | None:
    """95 % interval over the generated images; None where it is unknown.

    Resampled up to LARGEST_RESAMPLED images; beyond, by `standard_error`, which also holds the chance of the subsets.
    """
    num = len(generated)
    if not can_resample(num, strata):
        return None
    if num > LARGEST_RESAMPLED:
        subsets = subsets or compute_subsets(generated, reference)
        return normal_interval(value, standard_error(generated, reference, subsets, seed=seed, strata=strata))
    generated = generated.astype(np.float64, copy=False)
    among = kernel(generated, generated)  # (N, N)
    itself = np.diagonal(among)
    across = np.concatenate([kernel(reference, part).mean(0) for part in np.array_split(generated, 1 + num // 500)])

    def statistic(indices: np.ndarray) -> float:
        # k of real pairs is the same in every resample: left out, the interval is recentred anyway.
        weights = np.bincount(indices, minlength=num)
        pairs = weights @ among @ weights - weights @ itself
        return float(pairs / (num * (num - 1)) - 2 * (weights @ across) / num)

    return resampled_interval(value, statistic, num, seed=seed, strata=strata)


def standard_error(
    generated: np.ndarray,
    reference: np.ndarray,
    subsets: Subsets,
    *,
    seed: int = 0,
    strata: np.ndarray | None = None,
) -> float:
    """Standard error of KID over many generated images.

    To first order image x moves KID by h(x) / N, h(x) = 2 (E k(x, x') - E k(x, y)). Both means are taken over LANDMARKS
    images in place of all, twice over with other ones: the covariance of the two h is free of the landmarks' chance. To
    it comes that of the subsets, their variance over their number.
    """
    rng = np.random.default_rng([seed, 3])
    count = min(LANDMARKS, len(generated) // 4, len(reference) // 2)
    mine = rng.choice(len(generated), 2 * count, replace=False)
    theirs = rng.choice(len(reference), 2 * count, replace=False)
    rest = np.setdiff1d(np.arange(len(generated)), mine)  # a landmark is like itself
    sides = [
        (generated[mine[half::2]].astype(np.float32), reference[theirs[half::2]].astype(np.float32)) for half in (0, 1)
    ]
    moves = np.empty((2, len(rest)))
    for part in np.array_split(np.arange(len(rest)), 1 + len(rest) // 2000):
        x = generated[rest[part]].astype(np.float32)
        for half, (near, far) in enumerate(sides):
            moves[half, part] = 2 * (
                kernel(x, near).mean(1, dtype=np.float64) - kernel(x, far).mean(1, dtype=np.float64)
            )
    label = np.zeros(len(rest), int) if strata is None else np.unique(strata[rest], return_inverse=True)[1]
    counts = np.bincount(label)
    centred = [one - (np.bincount(label, one) / counts)[label] for one in moves]
    covariance = float(centred[0] @ centred[1]) / max(1, len(rest) - len(counts))
    of_subsets = float(subsets.values.var(ddof=1)) / len(subsets.values)
    return float(np.sqrt(max(0.0, covariance) / len(generated) + of_subsets))


METRIC = Metric(
    name="kid",
    unit="",
    higher_is_better=False,
    title="KID",
    what="kernel distance between generated and real features, as torch-fidelity has it, corrected for class-balanced "
    "images (see metrics/kid.py); may be negative; not multiplied by 1,000",
    version=2,
    earlier="not corrected, so that class-balanced images score too low, real ones below 0",
)
