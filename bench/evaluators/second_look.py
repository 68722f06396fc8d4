"""The second look at images of digits: fixed features, each class by itself, the nearest training scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.datasets import digits
from bench.errors import CheckFailed
from bench.features.fixed_filters import extract_fixed
from bench.metrics import METRICS
from bench.metrics.second_look import (
    compute_by_class,
    compute_distance,
    mean_distance,
    mean_over_classes,
    nearest_distances,
)
from bench.records.parts import Measurement


def look_again(images: np.ndarray) -> dict[str, Any]:
    """{"measurements", "refused", "class_distances"} of class-balanced images uint8 (N, 3, 8, 8); image i is of class
    i mod 10. Refused: where there are fewer images, of a class or in all, than features."""
    train, train_labels = digits.load("train")
    labels = np.arange(len(images)) % digits.NUM_CLASSES
    ours, theirs = extract_fixed(images), extract_fixed(train)
    found: dict[str, tuple[float, Any]] = {
        "nearest_train": mean_distance(nearest_distances(images, train), labels),
    }
    refused: dict[str, str] = {}
    by_class: list[tuple[float, Any]] = []
    try:
        found["fid_fixed"] = compute_distance(ours, theirs, labels)
    except CheckFailed as error:
        refused["fid_fixed"] = str(error)
    try:
        by_class = compute_by_class(ours, labels, theirs, train_labels)
        found["fid_per_class"] = mean_over_classes(by_class)
    except CheckFailed as error:
        refused["fid_per_class"] = str(error)
    measurements = {}
    for name, (value, bounds) in found.items():
        low, high = bounds or (None, None)
        measurements[name] = Measurement(value, METRICS[name].unit, low, high, len(images))
    return {
        "measurements": measurements,
        "refused": refused,
        "class_distances": tuple(value for value, _ in by_class),
    }
