"""The digits scale's data: the 1,797 real 8x8 handwritten digit scans that ship inside scikit-learn, no download.

They are the test set of "Optical Recognition of Handwritten Digits" (UCI, Alpaydin & Kaynak 1998), grey levels 0..16.

The split never changes and needs no random numbers: within each class the scans are ordered by the SHA-256 of their
64 pixel bytes; the first 50 are held out, the rest is for training. 500 held out (50 per class), 1,297 for training.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Literal

import numpy as np

CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NUM_CLASSES = len(CLASS_NAMES)
IMAGE_SIZE = 8
HELD_OUT_PER_CLASS = 50

Split = Literal["train", "heldout"]


@functools.cache
def _splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    from sklearn.datasets import load_digits

    scans = load_digits()
    levels = scans.images.astype(np.uint8)  # (1797, 8, 8), 0..16
    labels = scans.target.astype(np.int64)
    digests = [hashlib.sha256(level.tobytes()).digest() for level in levels]
    by_class = [sorted(np.flatnonzero(labels == label), key=digests.__getitem__) for label in range(NUM_CLASSES)]
    # Held out: class after class in turn, so that scan i is of class i mod 10, as generated image i is.
    held_out = [by_class[label][k] for k in range(HELD_OUT_PER_CLASS) for label in range(NUM_CLASSES)]
    train = sorted(set(range(len(labels))) - set(held_out))

    grey = np.round(levels * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey[:, None], 3, axis=1)  # (1797, 3, 8, 8)
    return {"train": (images[train], labels[train]), "heldout": (images[held_out], labels[held_out])}


def load(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """(images, labels) of "train" (1,297 scans, in scikit-learn's order) or "heldout" (500; scan i has class i mod 10).

    images: uint8 (N, 3, 8, 8), grey = round(level * 255 / 16)  labels: int64 (N,), 0..9. Fresh arrays, free to change.
    """
    images, labels = _splits()[split]
    return images.copy(), labels.copy()
