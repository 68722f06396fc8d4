"""Kernel distance (KID, Binkowski et al. 2018, arXiv:1801.01401): the squared maximum mean discrepancy

    KID = E k(x, x') + E k(y, y') - 2 E k(x, y),    k(x, y) = (x . y / D + 1)^3,    x generated, y real,

by torch-fidelity: the mean over 100 subsets of 1,000 images, or of as many as the smaller side has. Unbiased at any
count for independent images, so it may come out negative; class-balanced images are a little more varied than
independent ones and come out lower (the real-data floor shows by how much).
"""

from __future__ import annotations

import numpy as np

from bench.errors import CheckFailed
from bench.records.schema import Metric
from bench.stats import Bounds, resampled_interval

SUBSET_SIZE = 1000
LARGEST_RESAMPLED = 5000  # images; the interval needs their whole kernel matrix


def compute_kid(generated: np.ndarray, reference: np.ndarray) -> float:
    """KID of features (N, D) against (M, D), by torch-fidelity in float64."""
    import torch
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    size = min(SUBSET_SIZE, len(generated), len(reference))
    if size < 2:
        raise CheckFailed(f"KID needs at least 2 images on each side, got {len(generated)} and {len(reference)}")
    sides = (torch.from_numpy(np.ascontiguousarray(side, np.float64)) for side in (generated, reference))
    return kid_features_to_metric(*sides, kid_subset_size=size, verbose=False)[KEY_METRIC_KID_MEAN]


def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """k of every pair, (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kid_interval(
    value: float, generated: np.ndarray, reference: np.ndarray, *, seed: int = 0, strata: np.ndarray | None = None
) -> Bounds | None:
    """95 % interval over the generated images; None (unknown) above LARGEST_RESAMPLED images."""
    num = len(generated)
    if num > LARGEST_RESAMPLED:
        return None
    among = kernel(generated, generated)  # (N, N)
    itself = np.diagonal(among)
    across = np.concatenate([kernel(reference, part).mean(0) for part in np.array_split(generated, 1 + num // 500)])

    def statistic(indices: np.ndarray) -> float:
        # k of real pairs is the same in every resample: left out, the interval is recentred anyway.
        weights = np.bincount(indices, minlength=num)
        pairs = weights @ among @ weights - weights @ itself
        return float(pairs / (num * (num - 1)) - 2 * (weights @ across) / num)

    return resampled_interval(value, statistic, num, seed=seed, strata=strata)


METRIC = Metric(
    name="kid",
    unit="",
    higher_is_better=False,
    title="KID",
    what="kernel distance between generated and real features, unbiased, by torch-fidelity; not multiplied by 1,000",
)
