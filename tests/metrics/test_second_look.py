"""The second look at digits: closed forms, and what it sees that one network's features might not."""

from __future__ import annotations

import numpy as np
import pytest

from bench.datasets import digits
from bench.evaluators.second_look import look_again
from bench.features.fixed_filters import SPACES, extract_fixed
from bench.metrics.second_look import (
    compute_by_class,
    compute_distance,
    mean_distance,
    mean_over_classes,
    nearest_distances,
)


def test_the_distance_of_shifted_clouds_is_the_squared_shift_and_classes_that_swap_show_only_by_class():
    generator = np.random.default_rng(0)
    cloud = generator.normal(size=(400, 5))
    labels = np.arange(400) % 2
    cloud[labels == 1, 0] += 10
    assert compute_distance(cloud + 2.0, cloud)[0] == pytest.approx(4 * 5)
    swapped = compute_by_class(cloud, 1 - labels, cloud, labels)
    assert compute_distance(cloud, cloud)[0] == pytest.approx(0, abs=1e-9)
    assert mean_over_classes(swapped)[0] == pytest.approx(100, rel=0.05)


def test_the_mean_over_classes_has_the_interval_of_independent_classes():
    assert mean_over_classes([(1.0, (0.7, 1.3)), (3.0, (2.6, 3.4))]) == (
        2.0,
        (pytest.approx(1.75), pytest.approx(2.25)),
    )
    assert mean_over_classes([(1.0, (0.7, 1.3)), (3.0, None)]) == (2.0, None)


def test_a_copy_lies_at_distance_0_and_one_grey_level_everywhere_at_1():
    images = digits.load("train")[0][:3]
    assert nearest_distances(images, images).tolist() == [0, 0, 0]
    darker = np.full((1, 3, 8, 8), 7, np.uint8)
    assert nearest_distances(darker, np.full((1, 3, 8, 8), 8, np.uint8)).tolist() == [1]
    pair = np.array([[[[0, 0]]], [[[30, 40]]]], np.uint8)  # of two pixels: 50 over the root of 2
    assert nearest_distances(pair[1:], np.concatenate([pair[:1], pair[:1] + 255])) == pytest.approx([50 / 2**0.5])


def test_the_mean_distance_has_the_normal_interval_within_classes_and_is_not_below_0():
    distances, labels = np.array([1.0, 3.0, 11.0, 13.0, 21.0, 23.0]), np.array([0, 0, 1, 1, 2, 2])
    value, (low, high) = mean_distance(distances, labels)
    error = 1.96 * np.sqrt(6 * 2.0) / 6  # each class has the variance 2
    assert (value, low, high) == (12, pytest.approx(12 - error), pytest.approx(12 + error))
    value, (low, high) = mean_distance(np.array([0.0] * 5 + [6.0]))
    assert (value, low, high) == (1, 0, pytest.approx(1 + 1.96))


def test_each_class_is_compared_with_the_same_class():
    """Three classes, each moved by its own step, listed by label."""
    generator = np.random.default_rng(1)
    labels, features = np.arange(90) % 3, generator.normal(size=(90, 2))
    found = compute_by_class(features + labels[:, None], labels, features, labels)
    assert [value for value, _ in found] == pytest.approx([0, 2, 8], abs=1e-9)


def test_unequal_classes_have_unequal_sides():
    """Below 1 and 2 away, above 3 and 4: the roots of 5 and 25 over two."""
    value, (low, high) = mean_over_classes([(10.0, (9.0, 13.0)), (20.0, (18.0, 24.0))])
    assert (value, low, high) == (15, pytest.approx(15 - 5**0.5 / 2), pytest.approx(15 + 5 / 2))


@pytest.mark.parametrize("space", SPACES)
def test_fixed_features_depend_on_the_image_alone_and_have_a_scale(space):
    images = digits.load("train")[0]
    features = extract_fixed(images, space)
    assert features.std(0) == pytest.approx(1)
    assert extract_fixed(images[5:6], space)[0] == pytest.approx(features[5])
    assert np.linalg.matrix_rank(np.cov(features.T)) == features.shape[1]


def test_too_few_images_are_refused_and_the_rest_is_measured():
    found = look_again(digits.load("heldout")[0][:40])
    assert set(found["refused"]) == {"fid_per_class"}
    assert set(found["measurements"]) == {"nearest_train", "fid_fixed"}
