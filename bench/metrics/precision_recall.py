"""Precision and recall of generators (Kynkaanniemi et al. 2019, arXiv:1904.06991), by torch-fidelity, k = 3.

A cloud's manifold is the union of balls around its points, each reaching to the third nearest point of the same cloud.
Precision: the share of generated images inside the real manifold (fidelity). Recall: the share of real images inside
the generated manifold (variety). The generated side comes first everywhere; torch-fidelity before 0.4 had it swapped.
"""

from __future__ import annotations

import numpy as np

from bench.metrics.intervals import Interval, interval
from bench.records import CheckFailed, Metric

NEIGHBOURS = 3
SMALLEST_HALVED = 100  # images; in halves of fewer, balls of the third neighbour reach over everything
LARGEST_RESAMPLED = 5000  # images on either side; the intervals need whole distance matrices
ROWS_AT_ONCE = 1000  # bounds memory; changes no number


def compute_precision_recall(generated: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """(precision, recall) of features (N, D) against (M, D), by torch-fidelity in float64."""
    import torch
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

    if min(len(generated), len(reference)) <= NEIGHBOURS:
        raise CheckFailed(
            f"precision and recall need more than {NEIGHBOURS} images on each side, "
            f"got {len(generated)} and {len(reference)}"
        )
    sides = (torch.from_numpy(np.ascontiguousarray(side, np.float64)) for side in (generated, reference))
    found = prc_features_to_metric(
        *sides, prc_neighborhood=NEIGHBOURS, prc_batch_size=ROWS_AT_ONCE, save_cpu_ram=True, verbose=False
    )
    return found[KEY_METRIC_PRECISION], found[KEY_METRIC_RECALL]


def _radii(among: np.ndarray) -> np.ndarray:
    """Distance of each point to its third nearest other point; among: (N, N) distances within the cloud."""
    return np.partition(among, NEIGHBOURS, axis=1)[:, NEIGHBOURS]  # place 0 is the point itself


def precision_recall_intervals(
    values: tuple[float, float],
    generated: np.ndarray,
    reference: np.ndarray,
    *,
    seed: int = 0,
    strata: np.ndarray | None = None,
) -> tuple[Interval | None, Interval | None]:
    """95 % intervals of (precision, recall) over the generated images; None: unknown, for too few or too many images.

    Precision is a mean over generated images: bootstrap. Recall depends on distances between generated images, which a
    bootstrap would set to zero by drawing an image twice: random halves instead.
    """
    from scipy.spatial.distance import cdist

    num = len(generated)
    if max(num, len(reference)) > LARGEST_RESAMPLED:
        return None, None
    among, across = cdist(generated, generated), cdist(reference, generated)  # (N, N), (M, N)
    inside = (across <= _radii(cdist(reference, reference))[:, None]).any(0)  # (N,)

    def recall(indices: np.ndarray) -> float:
        radii = _radii(among[np.ix_(indices, indices)])
        return float((across[:, indices] <= radii).any(1).mean())

    of_precision = interval(
        values[0], lambda indices: float(inside[indices].mean()), num, seed=seed, strata=strata, lowest=0.0, highest=1.0
    )
    if num < SMALLEST_HALVED:
        return of_precision, None
    return of_precision, interval(
        values[1], recall, num, seed=seed, strata=strata, halves=True, lowest=0.0, highest=1.0
    )


METRICS = (
    Metric(
        name="precision",
        unit="",
        higher_is_better=True,
        title="Precision",
        what="share of generated images that lie among the real ones (k = 3), by torch-fidelity",
    ),
    Metric(
        name="recall",
        unit="",
        higher_is_better=True,
        title="Recall",
        what="share of real images that lie among the generated ones (k = 3), by torch-fidelity",
    ),
)
