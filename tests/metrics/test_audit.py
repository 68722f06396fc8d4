"""The audit: what no score should be made of is refused, with a sentence that says what and where."""

from __future__ import annotations

import numpy as np
import pytest

from bench.datasets import digits
from bench.metrics.audit import audit, audit_classes, copies_share

LABELS = np.arange(500) % 10


def scans():
    return digits.load("heldout")[0]


def test_real_scans_pass():
    """500 real scans: no failure, nothing odd counted."""
    found = audit(scans(), LABELS, image_size=(8, 8))
    assert found["failures"] == []
    assert (found["nonfinite"], found["constant"], found["duplicates"]) == (0, 0, 0)
    assert found["labels_asked"] == [50] * 10
    assert audit_classes(np.eye(10)[LABELS], LABELS) == {
        "class_counts": [50] * 10,
        "recognised_share": 1.0,
        "failures": [],
    }


def test_black_image_fails():
    """One constant image among 500 is found and numbered."""
    images = scans()
    images[123] = 0
    assert audit(images)["failures"] == ["1 of 500 images are constant (first: image 123)"]


def test_constant_colour_counts_as_constant():
    """A single colour is constant too, though its channels differ."""
    images = scans()
    images[0] = np.array([10, 200, 30])[:, None, None]
    assert audit(images)["constant"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_fails(value):
    images = scans().astype(np.float32) / 127.5 - 1
    images[400, 2, 3, 3] = value
    assert audit(images)["failures"] == ["1 of 500 images hold NaN or infinite values (first: image 400)"]


def test_duplicates_fail_above_one_percent():
    """Five repeated images of 500 may pass, six may not; duplicates are counted across the chunks of a long set."""
    images = scans()
    images[495:] = images[:5]
    found = audit(images)
    assert (found["duplicates"], found["failures"]) == (5, [])
    images[300] = images[299]
    (failure,) = audit(images)["failures"]
    assert failure == "6 of 500 images equal an earlier one (first: image 300); at most 1% may"


def test_other_size_than_the_reference_fails():
    assert audit(scans(), image_size=(16, 12))["failures"] == ["images are 8x8, the reference is 12x16"]


def test_no_images_fail():
    assert audit(scans()[:0])["failures"] == ["there are no images"]


def test_unbalanced_request_fails():
    assert "not balanced" in audit(scans(), np.minimum(LABELS, 8))["failures"][0]


def test_collapsed_classes_fail():
    """A class that a classifier finds in no image, and one that took its place, are named."""
    (failure,) = audit_classes(np.eye(10)[np.where(LABELS == 3, 4, LABELS)])["failures"]
    assert failure.startswith("a classifier finds 1 of 10 classes far from their due 50 images (class 3: 0)")
    assert audit_classes(np.eye(10)[np.zeros(100, int)])["failures"]


def test_chance_imbalance_passes():
    """Random labels, few or many, are no failure: 200 draws of 20 to 200 images."""
    generator = np.random.default_rng(0)
    for draw in range(200):
        labels = generator.integers(0, 10, 20 + draw)
        assert audit_classes(np.eye(10)[labels])["failures"] == []


def test_copies_are_counted():
    """Training scans, even one grey level off, count as copies; held-out scans and noise do not."""
    train = digits.load("train")[0]
    images = scans()
    assert copies_share(images, train) == 0
    images[:50] = train[:50]
    images[50:60] = np.where(train[50:60] > 0, train[50:60] - 1, 0)
    assert copies_share(images, train) == pytest.approx(60 / 500)
    noise = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8)).astype(np.uint8)
    assert copies_share(noise, train) == 0
