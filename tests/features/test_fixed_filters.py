"""Fixed filters tell sets apart that are known to differ, each by more than chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from bench.datasets import digits
from bench.features.fixed_filters import SPACES, extract_fixed
from bench.metrics.fid import compute_statistics, frechet_distance


def as_images(grey: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(np.round(grey), 0, 255).astype(np.uint8)[:, None], 3, axis=1)


def replaced(grey: np.ndarray) -> np.ndarray:
    return np.where((np.arange(len(grey)) % 10 == 3)[:, None, None], np.roll(grey, -5, axis=0), grey)


CHANGES = {
    "blurred": lambda grey: gaussian_filter(grey, (0, 0.5, 0.5)),
    "noise": lambda grey: grey + np.random.default_rng(0).normal(0, 20, grey.shape),
    "shifted": lambda grey: shift(grey, (0, 0, 0.4), order=1),
    "contrast": lambda grey: grey * 1.15 - 20,
    "3 replaced by 8": replaced,
}


@pytest.mark.parametrize("space", SPACES)
def test_scans_changed_a_little_are_told_apart_from_untouched_ones(space):
    """By two standard errors of a difference of two sets of 500 scans, drawn class by class."""
    images = digits.load("heldout")[0]
    reference = compute_statistics(extract_fixed(digits.load("train")[0], space))
    untouched, generator = extract_fixed(images, space), np.random.default_rng(0)

    def distance(features: np.ndarray) -> float:
        return frechet_distance(*compute_statistics(features), *reference)

    drawn = [10 * generator.integers(0, 50, 500) + np.arange(500) % 10 for _ in range(60)]
    spread = np.sqrt(2) * np.std([distance(untouched[rows]) for rows in drawn])
    for name, change in CHANGES.items():
        changed = extract_fixed(as_images(change(images[:, 0].astype(float))), space)
        assert distance(changed) - distance(untouched) > 2 * spread, name
