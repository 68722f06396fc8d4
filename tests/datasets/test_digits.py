"""The digits data set: real scans, a split that never moves."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bench.datasets import digits

# SHA-256 of the images' bytes followed by the labels' bytes. A new value means another split: every trained model, the
# feature extractor and every record of the digits scale would have to be made again.
CHECKSUM_BY_SPLIT = {
    "train": "92b62f74cc927dad59ca384a4916453ff878ef967f56ba16f7de01e5e8a0a7b8",
    "heldout": "0671f70ed3b029f62defea96b72a788137eb61c5dd1d920d5eb94d301a5ed933",
}


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_split_never_moves(split):
    """The scans and labels of a split, and their order, are those that everything was trained and measured on."""
    images, labels = digits.load(split)
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == CHECKSUM_BY_SPLIT[split]


def test_split_is_a_partition_of_the_real_scans():
    """1,297 + 500 scans, all different, are the 1,797 of scikit-learn; the two sides share none."""
    from sklearn.datasets import load_digits

    both = np.concatenate([digits.load("train")[0], digits.load("heldout")[0]])
    assert both.shape == (1797, 3, 8, 8)
    assert both.dtype == np.uint8
    assert len({image.tobytes() for image in both}) == 1797
    levels = {np.round(scan * 255 / 16).astype(np.uint8).tobytes() for scan in load_digits().images}
    assert {image[0].tobytes() for image in both} == levels


def test_held_out_scans_are_balanced_in_any_first_part():
    """Held-out scan i is of class i mod 10, as generated image i is; 50 scans of each class."""
    _, labels = digits.load("heldout")
    assert (labels == np.arange(500) % 10).all()


def test_labels_name_what_is_drawn():
    """A nearest-mean classifier fitted on the training scans reads the held-out ones: labels belong to their images."""
    train, train_labels = digits.load("train")
    held_out, labels = digits.load("heldout")
    means = np.stack([train[train_labels == label].mean(0).ravel() for label in range(10)])
    distances = ((held_out.reshape(500, 1, -1).astype(float) - means) ** 2).sum(2)
    assert (distances.argmin(1) == labels).mean() > 0.85  # this classifier is known to reach about 0.9; chance is 0.1


def test_caller_may_write_to_what_is_loaded():
    """Changing loaded arrays does not change what the next caller gets."""
    images, labels = digits.load("train")
    images[:], labels[:] = 0, 0
    again, labels_again = digits.load("train")
    assert again.any()
    assert labels_again.any()
