"""How alike the semantic features of one image are: the mean cosine similarity of two different positions.

TransDiff's loss can press on this number (arXiv:2506.09482; there the pairs of a position with itself count too), and
its multi-reference variant is meant to lower it: features that repeat one another tell the decoder less.
"""

from __future__ import annotations

import numpy as np

from bench.records.parts import Measurement
from bench.records.schema import Metric
from bench.stats import normal_interval, standard_error_of_mean


def compute_feature_similarity(features: np.ndarray) -> Measurement:
    """Mean over images, with a normal 95 % interval over them, unknown for a few.  features: (B, M, D), M >= 2."""
    num, positions, _ = features.shape
    unit = features.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    total = np.square(unit.sum(1)).sum(-1)  # of all pairs, M of them a position with itself
    per_image = (total - positions) / (positions * (positions - 1))
    value = float(per_image.mean())
    low, high = normal_interval(value, standard_error_of_mean(per_image), lowest=-1.0, highest=1.0) or (None, None)
    return Measurement(value, "", low, high, num)


METRIC = Metric(
    name="feature_similarity",
    unit="",
    higher_is_better=None,
    title="Feature similarity",
    what="mean cosine similarity of two positions of an image's semantic features; 1: all positions say the same",
)
