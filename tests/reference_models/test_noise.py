"""Image i depends on the seed and i alone."""

from __future__ import annotations

import pytest
import torch

from reference_models.noise import CHUNK, GivenNoise, SeededNoise, image_seeds


def draws(seeds):
    noise = SeededNoise(seeds)
    return [noise.normal(3, 2), *noise.normals(CHUNK + 3, 5), noise.uniform(4), noise.permutation(7)]


def test_an_image_draws_the_same_alone_and_in_a_batch():
    together = draws([11, 22, 33])
    for i, seed in enumerate([11, 22, 33]):
        for whole, alone in zip(together, draws([seed]), strict=True):
            assert torch.equal(whole[i : i + 1], alone)


def test_seeds_of_neighbouring_runs_do_not_meet():
    assert not set(image_seeds(0, range(1000))) & set(image_seeds(1, range(1000)))
    assert len(set(image_seeds(0, range(1000)))) == 1000


def test_given_noise_refuses_another_shape():
    with pytest.raises(ValueError, match=r"asked for \(B, 4\)"):
        GivenNoise([torch.zeros(2, 3)]).normal(4)
