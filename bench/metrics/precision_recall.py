"""Precision and recall of generators (Kynkaanniemi et al. 2019, arXiv:1904.06991), k = 3, as torch-fidelity has them.

A cloud's manifold is the union of balls around its points, each reaching to the third nearest point of the same cloud.
Precision: the share of generated images inside the real manifold (fidelity). Recall: the share of real images inside
the generated manifold (variety). The generated side comes first everywhere; torch-fidelity before 0.4 had it swapped.

Every pair of images is met once, in blocks: half of torch-fidelity's time, and no matrix of distances is ever whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.errors import CheckFailed
from bench.records.schema import Metric
from bench.stats import Bounds, resampled_interval

NEIGHBOURS = 3
SMALLEST_HALVED = 100  # images; in halves of fewer, balls of the third neighbour reach over everything
LARGEST_RESAMPLED = 5000  # images on either side; the intervals need whole distance matrices
ROWS_AT_ONCE = 1000  # a block of distances has so many rows and columns: bounds memory, changes no number


def compute_precision_recall(generated: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """(precision, recall) of features (N, D) against (M, D), in float64."""
    if min(len(generated), len(reference)) <= NEIGHBOURS:
        raise CheckFailed(
            f"precision and recall need more than {NEIGHBOURS} images on each side, "
            f"got {len(generated)} and {len(reference)}"
        )
    of_generated, of_reference = _squared_radii(generated), _squared_radii(reference)
    inside, covered = np.zeros(len(generated), bool), np.zeros(len(reference), bool)
    for rows in _blocks(len(generated)):
        for columns in _blocks(len(reference)):
            squared = _squared_distances(generated[rows], reference[columns])
            inside[rows] |= (squared <= of_reference[columns]).any(1)
            covered[columns] |= (squared <= of_generated[rows, None]).any(0)
    precision, recall = (float(np.float32(share.mean())) for share in (inside, covered))  # its shares are float32
    return precision, recall


def _blocks(num: int) -> Iterator[slice]:
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, num, ROWS_AT_ONCE))


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of every pair, (n, m).  x: (n, D)  y: (m, D)."""
    x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
    squared = x @ (-2 * y.T)
    squared += np.einsum("nd,nd->n", x, x)[:, None]
    squared += np.einsum("md,md->m", y, y)
    return squared.clip(min=0, out=squared)


def _squared_radii(cloud: np.ndarray) -> np.ndarray:
    """Squared distance of each point (N, D) to its third nearest other point, (N,)."""
    nearest = np.full((len(cloud), NEIGHBOURS), np.inf)

    def meet(rows: slice, squared: np.ndarray) -> None:
        candidates = np.concatenate([nearest[rows], squared], axis=1)
        nearest[rows] = np.partition(candidates, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]

    for rows in _blocks(len(cloud)):
        for columns in _blocks(rows.stop):  # this block and those before it
            squared = _squared_distances(cloud[rows], cloud[columns])
            if rows == columns:
                np.fill_diagonal(squared, np.inf)  # not itself
            else:
                meet(columns, squared.T)
            meet(rows, squared)
    return nearest.max(1)


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
) -> tuple[Bounds | None, Bounds | None]:
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

    of_precision = resampled_interval(
        values[0], lambda indices: float(inside[indices].mean()), num, seed=seed, strata=strata, lowest=0.0, highest=1.0
    )
    if num < SMALLEST_HALVED:
        return of_precision, None
    return of_precision, resampled_interval(
        values[1], recall, num, seed=seed, strata=strata, halves=True, lowest=0.0, highest=1.0
    )


METRICS = (
    Metric(
        name="precision",
        unit="",
        higher_is_better=True,
        title="Precision",
        what="share of generated images that lie among the real ones (k = 3), as torch-fidelity has it",
    ),
    Metric(
        name="recall",
        unit="",
        higher_is_better=True,
        title="Recall",
        what="share of real images that lie among the generated ones (k = 3), as torch-fidelity has it",
    ),
)
