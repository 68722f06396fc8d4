"""Seeds of one network, pairs of its images, and the smallest difference that the spread over seeds lets one see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.analysis.seeds import image_pairs, of_one_network, seeds_words
from bench.analysis.studies import smallest_difference, values_of
from bench.studies import STUDIES
from tests.fake_studies import studied

RUNS = {
    (run.settings["num_images"], run.protocol.training_seed, run.protocol.seed): run
    for run in STUDIES["references"].runs
}


def image(k: int, training_seed: int, seed: int, weights: str, minute: int = 0):
    made = studied(RUNS[k, training_seed, seed])
    return replace(
        made,
        inputs=replace(made.inputs, weights_sha256=weights),
        created_utc=f"2026-01-01T00:{minute:02d}:00+00:00",
    )


def test_two_trainings_of_one_seed_are_two_networks_and_the_one_sampled_more_often_speaks():
    old = [image(4, 1, 0, "old"), image(4, 1, 1, "old")]
    new = [image(4, 1, 2, "new", minute=9)]
    assert set(of_one_network([*old, *new])) == {(1, 0), (1, 1)}
    alike = of_one_network([old[0], *new])
    assert {record.inputs.weights_sha256 for record in alike.values()} == {"new"}  # as often: the later one
    assert set(values_of([*old, *new, image(4, 0, 0, "other")], "fid")) == {(0, 0), (1, 0), (1, 1)}


def test_an_image_is_paired_with_the_one_before_it_of_the_same_network_only():
    assert set(image_pairs([image(4, 1, 0, "old"), image(3, 1, 0, "old")], 4, 3, "fid")) == {(1, 0)}
    assert not image_pairs([image(4, 1, 0, "old"), image(3, 1, 0, "new")], 4, 3, "fid")


def test_seeds_are_counted_in_words():
    assert seeds_words([(0, 0), (1, 0)]) == "2 training seeds with 1 sampling seed each"
    assert seeds_words([(0, 0), (0, 1), (1, 0)]) == "2 training seeds with 2 and 1 sampling seeds"


def test_the_smallest_difference_is_half_the_interval_of_the_paired_one():
    """Differences of 0.9, 1.0 and 1.1 over three training runs, sampled twice alike: Student's of their spread. A
    difference that small is just told apart, by the verdict that is given of it."""
    other = {(training, sampling): training + 0.1 * sampling for training in range(3) for sampling in range(2)}
    one = {seeds: value + (0.9, 1.0, 1.1)[seeds[0]] for seeds, value in other.items()}
    assert smallest_difference(one, other) == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / np.sqrt(3))
    assert smallest_difference(one, {(7, 0): 1.0}) is None  # no seed in common
    once = {seeds: value for seeds, value in one.items() if seeds[1] == 0}
    assert smallest_difference(once, other) is None  # no run was sampled twice
