"""Precision and recall of generators (Kynkaanniemi et al. 2019, arXiv:1904.06991), k = 3, as torch-fidelity has them.

A cloud's manifold is the union of balls around its points, each reaching to the third nearest point of the same cloud.
Precision: the share of generated images inside the real manifold (fidelity). Recall: the share of real images inside
the generated manifold (variety). The generated side comes first everywhere; torch-fidelity before 0.4 had it swapped.

Every pair of images is met once, in blocks: half of torch-fidelity's time, and no matrix of distances is ever whole.
Large sets are met in float32, half the time again, and whatever rounding could decide is decided in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.errors import CheckFailed
from bench.records.schema import Metric
from bench.stats import Bounds, extreme_interval, resampled_interval

NEIGHBOURS = 3
SMALLEST_HALVED = 100  # images; in halves of fewer, balls of the third neighbour reach over everything
ROWS_AT_ONCE = 2000  # a block of distances has so many rows and columns: bounds memory, changes no number
LARGEST_FLOAT64 = 5000  # images on either side; beyond, distances are first taken in float32
ROUNDING = 1e-5  # of the squared lengths of both: far above what float32 rounds away of a squared distance
# Nearest neighbours kept of each image, so that a half of the images still knows its third nearest: of 32, fewer than
# three survive with a chance of 1e-7; of 16, which large sets keep, of 0.2 %, and the sixteenth stands in.
KEPT, KEPT_OF_MANY = 32, 16
BALLS_KEPT = (
    64  # generated balls kept for each real image, those that hold it best: it lies outside all of a half never
)


@dataclass(frozen=True)
class Clouds:
    """What precision, recall and their intervals rest on.  N generated images, M real ones."""

    inside: np.ndarray  # (N,) bool: lies in the real manifold
    covered: np.ndarray  # (M,) bool: lies in the generated manifold
    nearest: np.ndarray  # (N, kept) squared distances to the nearest other generated images, ascending
    nearest_idx: np.ndarray  # (N, kept) which those are
    # Pairs of a real image and a generated one that could hold it in a half: indices and squared distances, (pairs,).
    pair_real: np.ndarray
    pair_generated: np.ndarray
    pair_squared: np.ndarray


def compute_precision_recall(generated: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """(precision, recall) of features (N, D) against (M, D)."""
    return shares(meet(generated, reference))


def shares(clouds: Clouds) -> tuple[float, float]:
    """(precision, recall) of clouds that have met; torch-fidelity's shares are float32."""
    precision, recall = (float(np.float32(share.mean())) for share in (clouds.inside, clouds.covered))
    return precision, recall


def meet(generated: np.ndarray, reference: np.ndarray) -> Clouds:
    """All distances of features (N, D) against (M, D), and what is kept of them."""
    if min(len(generated), len(reference)) <= NEIGHBOURS:
        raise CheckFailed(
            f"precision and recall need more than {NEIGHBOURS} images on each side, "
            f"got {len(generated)} and {len(reference)}"
        )
    many = max(len(generated), len(reference)) > LARGEST_FLOAT64
    centre = reference.mean(0, dtype=np.float64)  # short vectors lose less to rounding
    x, y = (_Cloud(side, centre, np.float32 if many else np.float64) for side in (generated, reference))
    nearest, nearest_idx = _nearest(x, KEPT_OF_MANY if many else KEPT)
    of_generated = nearest[:, NEIGHBOURS - 1]
    of_reference = _nearest(y, NEIGHBOURS)[0][:, NEIGHBOURS - 1]
    inside, covered = np.zeros(len(generated), bool), np.zeros(len(reference), bool)
    pairs = []
    for columns in _blocks(len(reference)):
        found = []
        for rows in _blocks(len(generated)):
            squared = x.squared_distances(rows, y, columns)
            inside[rows] |= _reached(squared, of_reference[None, columns], x, rows, y, columns).any(1)
            covered[columns] |= _reached(squared, of_generated[rows, None], x, rows, y, columns).any(0)
            row, column = np.nonzero(squared <= nearest[rows, -1:])
            found.append((columns.start + column, rows.start + row, squared[row, column].astype(np.float64)))
        real, held_by, distances = (np.concatenate(part) for part in zip(*found, strict=True))
        pairs.append(_best_balls(real, held_by, distances, of_generated))
    return Clouds(inside, covered, nearest, nearest_idx, *(np.concatenate(part) for part in zip(*pairs, strict=True)))


def _blocks(num: int) -> Iterator[slice]:
    return (slice(start, min(num, start + ROWS_AT_ONCE)) for start in range(0, num, ROWS_AT_ONCE))


class _Cloud:
    """Features about a centre, as the distances are first taken, and in float64 where that does not decide."""

    def __init__(self, features: np.ndarray, centre: np.ndarray, dtype: type):
        self.features, self.centre = features, centre
        self.rows = np.concatenate([(features[rows] - centre).astype(dtype) for rows in _blocks(len(features))])
        self.lengths = np.einsum("nd,nd->n", self.rows, self.rows)
        self.exact = dtype is np.float64

    def __len__(self) -> int:
        return len(self.rows)

    def squared_distances(self, rows: slice, other: _Cloud, columns: slice) -> np.ndarray:
        """Of every pair, (n, m), not yet decided where it is float32."""
        squared = self.rows[rows] @ other.rows[columns].T
        squared *= -2
        squared += self.lengths[rows, None]
        squared += other.lengths[columns]
        return squared.clip(min=0, out=squared)

    def exact_squared(self, rows: np.ndarray, other: _Cloud, columns: np.ndarray) -> np.ndarray:
        """Of some pairs, (pairs,), in float64."""
        found = []
        for part in np.array_split(np.arange(len(rows)), 1 + len(rows) // ROWS_AT_ONCE):
            step = self.features[rows[part]].astype(np.float64) - other.features[columns[part]].astype(np.float64)
            found.append(np.einsum("pd,pd->p", step, step))
        return np.concatenate(found)


def _reached(squared: np.ndarray, radii: np.ndarray, x: _Cloud, rows: slice, y: _Cloud, columns: slice) -> np.ndarray:
    """Whether squared <= radii, (n, m); pairs that rounding could decide are taken in float64. radii: broadcast."""
    reached = squared <= radii
    if x.exact:
        return reached
    # Only pairs close to a radius are looked at again: a margin of the longest vectors is at most a few of them.
    margin = ROUNDING * float(x.lengths[rows].max() + y.lengths[columns].max())
    row, column = np.nonzero(np.abs(squared - radii) <= margin)
    if len(row):
        exact = x.exact_squared(rows.start + row, y, columns.start + column)
        reached[row, column] = exact <= np.broadcast_to(radii, squared.shape)[row, column]
    return reached


def _nearest(cloud: _Cloud, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """(squared distances, indices) of the `kept` nearest other points of each point, (N, kept), ascending.

    The third is exact; those beyond are as the distances were taken.
    """
    num = len(cloud)
    kept = min(kept, num - 1)
    extra = min(num - 1, kept + (0 if cloud.exact else NEIGHBOURS))  # spares, for rounding may swap neighbours
    squared_kept = np.full((num, extra), np.inf, cloud.rows.dtype)
    idx_kept = np.zeros((num, extra), np.int32)

    def keep(rows: slice, squared: np.ndarray, first_column: int) -> None:
        """Take in a block of distances (n, m) of these rows."""
        hit = np.flatnonzero(squared.min(1) < squared_kept[rows, -1])
        if not len(hit):
            return
        below = squared[hit] < squared_kept[rows, -1][hit, None]
        row, column = np.nonzero(below)
        counts = np.bincount(row, minlength=len(hit))
        new = np.full((len(hit), counts.max()), np.inf, squared.dtype)
        new_idx = np.zeros(new.shape, np.int32)
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        new[row, place] = squared[hit][below]
        new_idx[row, place] = first_column + column
        there = rows.start + hit
        both = np.concatenate([squared_kept[there], new], axis=1)
        both_idx = np.concatenate([idx_kept[there], new_idx], axis=1)
        order = np.argpartition(both, extra - 1, axis=1)[:, :extra]  # of one more at least
        best = np.take_along_axis(both, order, 1)
        ascending = np.argsort(best, 1)
        squared_kept[there] = np.take_along_axis(best, ascending, 1)
        idx_kept[there] = np.take_along_axis(np.take_along_axis(both_idx, order, 1), ascending, 1)

    blocks = list(_blocks(num))
    for rows in blocks:  # first among themselves, so that later blocks bring little news
        squared = cloud.squared_distances(rows, cloud, rows)
        np.fill_diagonal(squared, np.inf)  # not itself
        keep(rows, squared, rows.start)
    for i, rows in enumerate(blocks):
        for columns in blocks[:i]:
            squared = cloud.squared_distances(rows, cloud, columns)
            keep(rows, squared, columns.start)
            keep(columns, squared.T, rows.start)
    nearest = squared_kept.astype(np.float64)
    if not cloud.exact:
        few = min(extra, 2 * NEIGHBOURS)
        points = np.repeat(np.arange(num), few)
        exact = cloud.exact_squared(points, cloud, idx_kept[:, :few].ravel()).reshape(num, few)
        order = np.argsort(exact, 1)
        nearest[:, :few] = np.take_along_axis(exact, order, 1)
        idx_kept[:, :few] = np.take_along_axis(idx_kept[:, :few], order, 1)
    return nearest[:, :kept], idx_kept[:, :kept]


def _best_balls(
    real: np.ndarray, generated: np.ndarray, squared: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of pairs (pairs,) the BALLS_KEPT of each real image that lie deepest in their ball."""
    order = np.lexsort([squared / np.maximum(radii[generated], 1e-300), real])
    real, generated, squared = real[order], generated[order], squared[order]
    first = np.searchsorted(real, real)  # where the pairs of this real image begin
    kept = np.arange(len(real)) - first < BALLS_KEPT
    return real[kept], generated[kept], squared[kept]


def precision_recall_intervals(
    values: tuple[float, float],
    clouds: Clouds,
    *,
    seed: int = 0,
    strata: np.ndarray | None = None,
) -> tuple[Bounds | None, Bounds | None]:
    """95 % intervals of (precision, recall) over the generated images; None: unknown.

    Precision is a mean over generated images: bootstrap. Recall depends on distances between generated images, which a
    bootstrap would set to zero by drawing an image twice: random halves instead.
    """
    num, num_real = len(clouds.inside), len(clouds.covered)
    inside = clouds.inside

    def recall(indices: np.ndarray) -> float:
        alive = np.zeros(num, bool)
        alive[indices] = True
        rank = alive[clouds.nearest_idx].cumsum(1)
        third = np.where(rank[:, -1] >= NEIGHBOURS, (rank >= NEIGHBOURS).argmax(1), rank.shape[1] - 1)
        radii = np.take_along_axis(clouds.nearest, third[:, None], 1)[:, 0]
        holds = alive[clouds.pair_generated] & (clouds.pair_squared <= radii[clouds.pair_generated])
        return float((np.bincount(clouds.pair_real[holds], minlength=num_real) > 0).mean())

    of_precision = extreme_interval(values[0], num, 1.0) or resampled_interval(
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
