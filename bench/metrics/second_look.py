"""A second look at small images: distances that do not rest on the one network that gives the other scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.metrics.fid import compute_statistics, fid_interval, frechet_distance
from bench.records.schema import Metric
from bench.stats import Bounds, normal_interval, standard_error_of_mean

METRICS = (
    Metric(
        name="fid_fixed",
        unit="",
        higher_is_better=False,
        title="Fixed-filter distance",
        what="Frechet distance in wavelet features that nothing was trained for (bench/features/fixed_filters.py)",
    ),
    Metric(
        name="fid_per_class",
        unit="",
        higher_is_better=False,
        title="Distance per class",
        what="the same distance within each class, mean over the classes: classes that swap show",
    ),
    Metric(
        name="nearest_train",
        unit="",
        higher_is_better=None,
        title="Nearest training scan",
        what="root mean square difference of pixels (0 to 255) to the nearest training scan, mean over images; well "
        "below that of held-out scans are copies",
    ),
)


def compute_distance(
    features: np.ndarray, reference: np.ndarray, strata: np.ndarray | None = None
) -> tuple[float, Bounds | None]:
    """(Frechet distance, its interval) of features (N, D) from reference (M, D); strata: (N,) classes drawn equally.

    CheckFailed where either side has fewer images than features.
    """
    ours, theirs = compute_statistics(features), compute_statistics(reference, "the reference images")
    value = frechet_distance(*ours, *theirs)
    return value, fid_interval(value, features, theirs, strata=strata, statistics=ours)


def compute_by_class(
    features: np.ndarray, labels: np.ndarray, reference: np.ndarray, reference_labels: np.ndarray
) -> list[tuple[float, Bounds | None]]:
    """The distance of each class from the same class of the reference, by label."""
    return [
        compute_distance(features[labels == label], reference[reference_labels == label])
        for label in np.unique(reference_labels)
    ]


def mean_over_classes(found: Sequence[tuple[float, Bounds | None]]) -> tuple[float, Bounds | None]:
    """The mean, its interval by the classes' own, which were drawn independently of each other."""
    value = float(np.mean([one for one, _ in found]))
    known = [(one - bounds[0], bounds[1] - one) for one, bounds in found if bounds is not None]
    if len(known) < len(found):
        return value, None
    below, above = (math.hypot(*side) / len(found) for side in zip(*known, strict=True))
    return value, (value - below, value + above)


def nearest_distances(images: np.ndarray, train_images: np.ndarray) -> np.ndarray:
    """Root mean square difference of pixels from each image to the nearest training image, (N,)."""
    from scipy.spatial.distance import cdist

    rows, train_rows = (side.reshape(len(side), -1).astype(np.float64) for side in (images, train_images))
    return cdist(rows, train_rows).min(1) / math.sqrt(rows.shape[1])


def mean_distance(distances: np.ndarray, strata: np.ndarray | None = None) -> tuple[float, Bounds | None]:
    """Their mean and its interval."""
    value = float(distances.mean())
    return value, normal_interval(value, standard_error_of_mean(distances, strata), lowest=0.0)
