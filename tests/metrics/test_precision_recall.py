"""Precision and recall against every distance taken one by one."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import CheckFailed
from bench.metrics import precision_recall
from bench.metrics.precision_recall import Clouds, meet, precision_recall_intervals


def cloud(num, seed, dimensions=3, shift=0.0):
    return np.random.default_rng(seed).standard_normal((num, dimensions)) + shift


def squared(x, y):
    """Of every pair, one by one in float64."""
    return np.array([[((a - b) ** 2).sum() for b in y.astype(np.float64)] for a in x.astype(np.float64)])


def others(x):
    """Squared distances and indices of all other points of each point, the nearest first."""
    found = squared(x, x)
    np.fill_diagonal(found, np.inf)
    order = np.argsort(found, 1, kind="stable")[:, :-1]
    return np.take_along_axis(found, order, 1), order


@pytest.fixture(params=[(False, 2000), (False, 20), (True, 2000), (True, 20)], ids=lambda param: str(param))
def as_many(request, monkeypatch):
    """Whether a set counts as large, and the rows of a block."""
    large, rows = request.param
    monkeypatch.setattr(precision_recall, "LARGEST_FLOAT64", 3 if large else 5000)
    monkeypatch.setattr(precision_recall, "ROWS_AT_ONCE", rows)
    return large


def test_what_is_kept_is_what_all_distances_say(as_many):
    """Inside, covered, the nearest neighbours in their order, and the pairs that can hold a real image."""
    x, y = cloud(83, 0), cloud(61, 1, shift=0.4)
    found, across = meet(x, y), squared(x, y)
    (nearest, nearest_idx), of_real = others(x), others(y)[0][:, 2]
    assert found.inside.tolist() == (across <= of_real).any(1).tolist()
    assert found.covered.tolist() == (across <= nearest[:, 2:3]).any(0).tolist()
    assert 0 < found.inside.sum() < 83
    assert 0 < found.covered.sum() < 61
    kept = 16 if as_many else 32
    assert found.nearest.shape == found.nearest_idx.shape == (83, kept)
    exact = 6 if as_many else kept  # beyond, as float32 has them
    np.testing.assert_allclose(found.nearest, nearest[:, :kept], rtol=1e-4)
    np.testing.assert_allclose(found.nearest[:, :exact], nearest[:, :exact], rtol=1e-12)
    assert found.nearest_idx[:, :exact].tolist() == nearest_idx[:, :exact].tolist()
    held = {(j, i) for i, j in zip(*np.nonzero(across <= nearest[:, kept - 1 : kept]), strict=True)}
    pairs = list(zip(found.pair_real.tolist(), found.pair_generated.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    np.testing.assert_allclose(found.pair_squared, [across[i, j] for j, i in pairs], rtol=1e-4, atol=1e-4)
    depth = across / nearest[:, 2:3]  # in parts of the ball's squared radius
    for j in range(61):
        mine = [i for real, i in pairs if real == j]
        assert {(j, i) for i in mine} <= held
        assert len(mine) == min(64, sum(real == j for real, _ in held))
        left_out = {i for real, i in held if real == j} - set(mine)
        assert not left_out or max(depth[mine, j]) <= min(depth[list(left_out), j])


def test_as_few_images_as_there_can_be(as_many):
    """Four images: the third neighbour is the last; five have one more."""
    for num in (4, 5):
        x, y = cloud(num, 0), cloud(num, 1)
        found = meet(x, y)
        np.testing.assert_allclose(found.nearest, others(x)[0], rtol=1e-4)
        assert found.inside.tolist() == (squared(x, y) <= others(y)[0][:, 2]).any(1).tolist()
    for few, many in ((3, 9), (9, 3)):
        with pytest.raises(CheckFailed, match=f"more than 3 images on each side, got {few} and {many}"):
            meet(cloud(few, 0), cloud(many, 1))


def test_a_point_on_the_edge_of_a_ball_is_inside_it(as_many):
    """Whole numbers, no rounding: the ball around 0 of (0, 1, 2, 3) reaches to 3 and no further."""
    line = np.array([[0.0], [1], [2], [3]])
    on, off = (np.array([[edge], [50], [60], [70]]) for edge in (-3.0, -3.0009765625))
    assert meet(on, line).inside.tolist() == [True, False, False, False]
    assert meet(off, line).inside.tolist() == [False] * 4
    assert meet(line, on).covered.tolist() == [True, False, False, False]
    assert meet(line, off).covered.tolist() == [False] * 4
    pairs = [(found.pair_real.tolist(), found.pair_generated.tolist()) for found in (meet(line, on), meet(line, off))]
    assert pairs == [([0], [0]), ([], [])]  # the farthest neighbour that is kept is the third


@pytest.mark.parametrize(("of_x", "of_y"), [(1.0, 1.0), (100.0, 100.0), (0.01, 0.01), (100.0, 0.01), (0.01, 100.0)])
def test_what_float32_cannot_tell_is_decided_in_float64(of_x, of_y):
    """Radii a billionth beside the distance of a pair, one a column; the longest point of a side is so long."""
    rng = np.random.default_rng(3)
    sides = [rng.standard_normal((num, 4)) * 0.01 for num in (60, 60)]
    for side, length in zip(sides, (of_x, of_y), strict=True):
        side[0] = length / 2
    exact, every = squared(*sides), slice(0, 60)
    pair = np.where(np.arange(60) % 2, 0, np.arange(60))  # every other one with the longest
    radii = exact[pair, np.arange(60)] * (1 + 1e-9 * rng.choice([-1, 1], 60))
    x, y = (precision_recall._Cloud(side, np.zeros(4), np.float32) for side in sides)
    found = precision_recall._reached(x.squared_distances(every, y, every), radii[None], x, every, y, every)
    assert found.tolist() == (exact <= radii).tolist()
    radii = exact[0] * (1 + 1e-9 * rng.choice([-1, 1], 60))  # ... and of the other side's longest, one a row
    turned = precision_recall._reached(y.squared_distances(every, x, every), radii[:, None], y, every, x, every)
    assert turned.tolist() == (radii[:, None] >= exact.T).tolist()


def test_large_sets_score_as_float64_does(monkeypatch):
    """Every point within 1e-7 of the edge of many balls: the same shares."""
    rng = np.random.default_rng(3)
    x, y = (0.1 * rng.integers(-2, 3, (num, 4)) + 1e-7 * rng.standard_normal((num, 4)) for num in (90, 70))
    found = []
    for largest in (5000, 89):
        monkeypatch.setattr(precision_recall, "LARGEST_FLOAT64", largest)
        found.append(meet(x, y))
    for name in ("inside", "covered"):
        assert getattr(found[0], name).tolist() == getattr(found[1], name).tolist()
    np.testing.assert_allclose(found[1].nearest[:, 2], found[0].nearest[:, 2], rtol=1e-12)


@pytest.mark.parametrize("sides", [(90, 70), (70, 90)])
def test_a_set_is_large_beyond_its_largest_on_either_side(sides, monkeypatch):
    """Large sets keep sixteen neighbours of an image instead of thirty-two."""
    for largest, kept in ((90, 32), (89, 16)):
        monkeypatch.setattr(precision_recall, "LARGEST_FLOAT64", largest)
        assert meet(cloud(sides[0], 0), cloud(sides[1], 1)).nearest.shape == (sides[0], kept)


# -- intervals ---------------------------------------------------------------------------------------------------------


def halves_of(clouds, monkeypatch, **options):
    """What the intervals resample: (value, statistic, number of images, options) of precision and of recall."""
    taken = []
    monkeypatch.setattr(
        precision_recall,
        "resampled_interval",
        lambda value, of, num, **given: taken.append((value, of, num, given)) or (0.25, 0.75),
    )
    return precision_recall_intervals((0.5, 0.625), clouds, **options), taken


def test_precision_is_resampled_and_recall_is_scored_anew_on_halves(monkeypatch):
    x, y, labels = cloud(120, 0), cloud(70, 1, shift=0.4), np.arange(120) % 3
    clouds = meet(x, y)
    found, ((of_precision, precise, num, options), (of_recall, recall, num_halved, halved)) = halves_of(
        clouds, monkeypatch, seed=5, strata=labels
    )
    assert found == ((0.25, 0.75), (0.25, 0.75))
    assert (of_precision, of_recall, num, num_halved) == (0.5, 0.625, 120, 120)
    alike = {"seed": 5, "strata": labels, "lowest": 0.0, "highest": 1.0}
    assert (options, halved) == (alike, alike | {"halves": True})
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(120)[:60]
        assert precise(rows) == pytest.approx(clouds.inside[rows].mean())
        assert recall(rows) == pytest.approx(meet(x[rows], y).covered.mean())


def test_an_image_whose_neighbours_are_not_in_a_half_reaches_to_the_last_that_is_known(monkeypatch):
    """Image 0 knows three neighbours at 1, 2 and 5; where image 1 is not in the half, 5 stands in, not 1."""
    num = 100
    nearest, nearest_idx = np.full((num, 4), 9.0), np.tile(np.array([1, 2, 3, 4]), (num, 1))
    nearest[0] = 1, 2, 5, 8
    clouds = Clouds(
        np.ones(num, bool),
        np.ones(3, bool),
        nearest,
        nearest_idx,
        pair_real=np.array([0, 1, 2]),
        pair_generated=np.array([0, 0, 0]),
        pair_squared=np.array([5.0, 8.0, 8.5]),
    )
    _, (_, (_, recall, *_)) = halves_of(clouds, monkeypatch)
    assert recall(np.arange(num)) == pytest.approx(1 / 3)  # to the third, 5, which is just reached
    assert recall(np.setdiff1d(np.arange(num), 4)) == pytest.approx(1 / 3)  # no matter whether it knows more
    assert recall(np.setdiff1d(np.arange(num), 1)) == pytest.approx(2 / 3)  # the third of those left is at 8
    assert recall(np.setdiff1d(np.arange(num), [1, 2])) == pytest.approx(2 / 3)  # two left: the last stands in
    assert recall(np.arange(1, num)) == 0  # nothing left that could hold them


def test_a_hundred_images_are_halved_and_fewer_are_not(monkeypatch):
    for num, known in ((100, True), (99, False)):
        (precision, recall), taken = halves_of(meet(cloud(num, 0), cloud(50, 1)), monkeypatch)
        assert precision == (0.25, 0.75)
        assert (recall is not None) is known
        assert len(taken) == 1 + known


def test_a_precision_of_one_has_the_interval_of_so_many_images_all_inside():
    clouds = meet(cloud(60, 0) * 0.01, cloud(200, 1))
    (low, high), _ = precision_recall_intervals(precision_recall.shares(clouds), clouds)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 60)), 1.0)
