"""Which class each generated image is of, where that is known: so many of each class vary less than any so many.

Intervals resample class by class only where the classes are known and balanced; else the images count as drawn
independently, which is the wider interval. Said in the protocol either way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.datasets import Source
from bench.datasets.image_folder import ImageFolder

SIGMAS = 4  # above chance, that a classifier must recognise the classes before they are believed


@dataclass(frozen=True)
class Classes:
    """The classes of the images, or why they are not known."""

    strata: np.ndarray | None  # (N,) class of each image; None: unknown or not balanced
    how: str  # in words, for the protocol
    numbered: bool = False  # whether class k is the classifier's class k


def find_classes(source: Source, num_classes: int | None) -> Classes:
    """The classes of a source's images. num_classes: how many there are, where that is known.

    A folder tells them by its class folders, or by names numbered in turn; an .npz by its arr_1; an array has image i
    of class i mod num_classes.
    """
    assert source.images is not None
    num = len(source.images)
    labels, how, numbered = source.labels, "told by the source", True
    if isinstance(source.images, ImageFolder):
        labels, how, numbered = source.images.labels(num_classes), "by the class folders", False
        if labels is not None and source.labels is None:
            how, numbered = f"{num_classes} classes in turn, by the numbers of the files", True
        if labels is None and num_classes is None and source.images.labels(len(source.images)) is not None:
            return Classes(
                None, "unknown: no class folders; of files numbered in turn --classes says how many there are"
            )
        if labels is None:
            return Classes(None, "unknown: neither class folders nor files numbered from 0 or 1 without a gap")
    elif labels is None:
        if num_classes is None:
            return Classes(None, "unknown")
        labels, how = np.arange(num) % num_classes, f"{num_classes} classes in turn"
    counts = np.bincount(labels, minlength=num_classes or 0)
    if num_classes is not None and len(counts) > num_classes:
        return Classes(None, f"do not fit: {len(counts)} classes where there are {num_classes}")
    if counts.max() - counts.min() > 1:
        return Classes(None, f"not drawn so many of each: {counts.min()} to {counts.max()} images a class")
    return Classes(labels, how, numbered)


def check_fit(classes: Classes, posteriors: np.ndarray) -> Classes:
    """The classes, unless a classifier recognises no more of them than by chance: then they do not fit the images."""
    if classes.strata is None or not classes.numbered:
        return classes
    num, num_classes = posteriors.shape
    share = float((posteriors.argmax(1) == classes.strata).mean())
    chance = 1 / num_classes
    if share > chance + SIGMAS * np.sqrt(chance * (1 - chance) / num):
        return classes
    how = f"do not fit: a classifier recognises {share:.0%} of the images as what they should be ({classes.how})"
    return replace(classes, strata=None, how=how, numbered=False)
