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


def test_there_are_as_many_draws_as_were_asked_for():
    for count in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 3):
        found = list(SeededNoise([1, 2]).normals(count, 3, 2))
        assert [tuple(draw.shape) for draw in found] == [(2, 3, 2)] * count
        assert len({draw.sum().item() for draw in found}) == count, "no draw is another's"


def test_many_draws_are_made_sixteen_at_a_time():
    """What a generator gives depends on how much is asked of it at once: all records were made so."""
    many, one = list(SeededNoise([1, 2]).normals(19, 5)), SeededNoise([1, 2])
    expected = [*one.normal(16, 5).unbind(1), *one.normal(3, 5).unbind(1)]
    assert all(map(torch.equal, many, expected))


def test_draws_are_normal_or_uniform_and_orders_are_permutations():
    noise = SeededNoise(range(40))
    normal, uniform, order = noise.normal(500), noise.uniform(500), noise.permutation(50)
    assert (normal.mean().item(), normal.std().item()) == pytest.approx((0, 1), abs=0.03)  # 4 sigma of 20,000
    assert (uniform.mean().item(), uniform.std().item()) == pytest.approx((0.5, 12**-0.5), abs=0.01)
    assert (uniform >= 0).all()
    assert (uniform < 1).all()
    assert torch.equal(order.sort(1).values, torch.arange(50).expand(40, 50))
    assert len({tuple(row.tolist()) for row in order}) == 40


def test_seeds_of_any_size_are_taken_modulo_2_to_the_63():
    assert torch.equal(SeededNoise([2**63 + 5]).normal(4), SeededNoise([5]).normal(4))
    assert torch.equal(SeededNoise([-1]).normal(4), SeededNoise([2**63 - 1]).normal(4))


def test_the_seeds_of_images_are_those_that_all_records_were_made_with():
    """By numpy's SeedSequence, whose numbers are the same in every version; each below 2^63."""
    assert image_seeds(0, [0, 1]) == [7_896_617_691_693_857_887, 2_918_264_622_725_855_778]
    assert image_seeds(7, [3]) == [2_530_781_778_362_038_830]


def test_given_noise_replays_its_tensors_in_their_order_and_knows_no_orders_unless_given():
    draws = [torch.full((2, 3), float(i)) for i in range(4)]
    noise = GivenNoise(draws, torch.tensor([[1, 0], [0, 1]]))
    assert torch.equal(noise.normal(3), draws[0])
    assert torch.equal(noise.uniform(3), draws[1])
    assert all(map(torch.equal, noise.normals(2, 3), draws[2:]))
    assert noise.permutation(2).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match="holds no orders"):
        GivenNoise([]).permutation(2)
