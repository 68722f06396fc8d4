"""The audit: what no score should be made of is refused, with a sentence that says what and where."""

from __future__ import annotations

import numpy as np
import pytest

from bench.datasets import digits
from bench.metrics.audit import audit, audit_classes, audit_facts, copies_share, facts_of

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


def test_duplicates_are_counted_and_are_a_share_of_all_images():
    """The second and third of three equal ones; an image that is not finite is no duplicate, nor is it constant."""
    images = scans()[:20].astype(np.float32)
    images[[4, 9]] = images[1]
    images[[12, 13]] = np.nan
    found = audit(images)
    assert (found["num_images"], found["nonfinite"], found["constant"]) == (20, 2, 0)
    assert (found["duplicates"], found["duplicates_share"]) == (2, 0.1)
    assert audit(images[:0])["num_images"] == 0


def test_the_checksum_of_the_content_is_of_finite_images_in_their_order():
    images = scans()[:6].astype(np.float32)
    checksum = audit(images)["content_sha256"]
    assert audit(images.copy())["content_sha256"] == checksum
    assert audit(images[::-1])["content_sha256"] != checksum
    images[0, 0, 0, 0] = np.inf
    assert "content_sha256" not in audit(images)


def test_a_share_of_constant_images_may_be_allowed():
    images = scans()[:100]
    images[:2] = 255
    assert audit(images, constant_allowed=0.02)["failures"] == []
    assert len(audit(images, constant_allowed=0.019)["failures"]) == 1
    assert len(audit_facts(facts_of(images), (8, 8))["failures"]) == 1  # none, unless it is said


def test_asked_classes_may_differ_by_one_image():
    assert audit(scans()[:21], np.arange(21) % 10)["failures"] == []
    (failure,) = audit(scans()[:22], np.minimum(np.arange(22) % 11, 9))["failures"]
    assert failure == "the classes asked for are not balanced: 2 to 4 images each"


def classes(*counts):
    """The failures of images that a classifier finds to be so many of each class."""
    return audit_classes(np.eye(len(counts))[np.repeat(np.arange(len(counts)), counts)])["failures"]


def test_a_class_may_hold_a_quarter_of_its_due_or_three_times_it():
    """Of 1,000 due: 250 may be, 249 not. Of 100 due, among four: 300 may be, 301 not."""
    assert classes(250, 1750) == []
    (failure,) = classes(249, 1751)
    assert failure == "a classifier finds 1 of 2 classes far from their due 1000 images (class 0: 249)"
    assert classes(300, 34, 33, 33) == []
    (failure,) = classes(301, 33, 33, 33)
    assert failure.endswith("1 of 4 classes far from their due 100 images (class 0: 301)")


def test_few_images_may_lack_a_class_by_chance():
    """Of 16 due none is four Poisson deviations off, and passes; of 17 it is more."""
    assert classes(0, 32) == []
    assert classes(7, 2, 2, 2, 2, 1, 1, 1, 1, 1) == []
    assert len(classes(0, 34)) == 1


def test_three_classes_at_most_are_named():
    (failure,) = classes(*(0,) * 4, *(100,) * 6)
    assert failure.endswith("4 of 10 classes far from their due 60 images (class 0: 0, class 1: 0, class 2: 0)")


def test_a_copy_is_nearer_than_two_training_images_that_differ():
    """Training images at distances 0 (one is there twice), 1 and far: nearer than 1 is a copy."""
    train = np.zeros((4, 1, 2, 2))
    train[1, 0, 0, 0], train[2:] = 1, 100
    images = np.stack([train[2], train[0]])
    images[0, 0, 0, 0] += 0.99
    assert copies_share(images, train) == 1
    images[0, 0, 0, 0] += 0.01
    assert copies_share(images, train) == 0.5
