"""The second look at digits: closed forms, and what it sees that one network's features might not."""

from __future__ import annotations

import numpy as np
import pytest

from bench.datasets import digits
from bench.evaluators.second_look import look_again
from bench.features.fixed_filters import SPACES, extract_fixed
from bench.metrics.second_look import compute_by_class, compute_distance, mean_over_classes, nearest_distances


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
