"""Sides timed pair by pair."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from bench.records.parts import Measurement
from bench.stats import MIN_PAIRS, ratio_of_medians, widened
from bench.timing import interleaved
from bench.timing.settings import TimingSettings

time_pairs = partial(interleaved.time_pairs, timing=TimingSettings(min_warmup=2, window=1))


def test_every_round_times_every_side_once_on_the_same_inputs_in_random_order():
    seen = []

    def side(name, seconds):
        return lambda round_idx: seen.append((round_idx, name)) or seconds

    found = time_pairs(
        {"a": side("a", 1.0), "b": side("b", 2.0), "c": side("c", 3.0)},
        device="cpu",
        min_rounds=30,
        min_duration_s=0.0,
    )
    assert found["rounds_s"] == {"a": (1.0,) * 30, "b": (2.0,) * 30, "c": (3.0,) * 30}
    timed = seen[-90:]
    for i, order in enumerate(found["orders"]):
        assert sorted(order) == ["a", "b", "c"]
        rounds = timed[3 * i : 3 * i + 3]
        assert tuple(name for _, name in rounds) == order
        assert len({round_idx for round_idx, _ in rounds}) == 1
    assert len({round_idx for round_idx, _ in timed}) == 30
    assert {order[0] for order in found["orders"]} == {"a", "b", "c"}


def test_durations_count_all_sides_together():
    """Pairs of 1 s and 3 s, 12 s in all: three pairs."""
    found = time_pairs({"a": lambda _: 1.0, "b": lambda _: 3.0}, device="cpu", min_rounds=1, min_duration_s=12.0)
    assert len(found["orders"]) == 3


def test_rounds_are_numbered_on_from_the_longest_warm_up_and_their_orders_depend_on_the_seed():
    """A side settles after 2 rounds of warm-up, the other after 4: the rounds of both begin at 5."""
    asked = {"steady": [], "late": []}

    def steady(round_idx: int) -> float:
        asked["steady"].append(round_idx)
        return 1.0

    def late(round_idx: int) -> float:
        asked["late"].append(round_idx)
        return max(1.0, 4.0 - round_idx)

    timing = TimingSettings(min_warmup=2, window=1, shortest_warmup_s=100.0)
    settings = {"device": "cpu", "min_rounds": 12, "min_duration_s": 0.0, "timing": timing}
    found = time_pairs({"steady": steady, "late": late}, **settings)
    assert {name: len(seconds) for name, seconds in found["warmup_s"].items()} == {"steady": 2, "late": 4}
    assert found["first_call_s"] == {"steady": 1.0, "late": 4.0}
    assert found["warmup_ended_by"] == {"steady": "stable", "late": "stable"}
    assert asked == {"steady": [0, 1, 2, *range(5, 17)], "late": [*range(5), *range(5, 17)]}
    orders = {seed: time_pairs({"a": steady, "b": late}, seed=seed, **settings)["orders"] for seed in (0, 1)}
    assert time_pairs({"a": steady, "b": late}, **settings)["orders"] == orders[0] != orders[1]


def test_what_was_timed_just_before_is_called_once_and_is_warm():
    found = time_pairs(
        {"a": lambda _: 1.0, "b": lambda _: 2.0}, device="cpu", min_rounds=2, min_duration_s=0.0, is_warm=True
    )
    assert (found["warmup_s"], found["first_call_s"]) == ({"a": (), "b": ()}, {"a": 1.0, "b": 2.0})
    assert (len(found["orders"]), found["rounds_ended_by"]) == (2, "enough")
    found = time_pairs({"a": lambda _: 4.0}, device="cpu", min_rounds=9, min_duration_s=0.0, max_duration_s=8.0)
    assert (len(found["orders"]), found["rounds_ended_by"]) == (2, "time")


# -- ratios ------------------------------------------------------------------------------------------------------------


def test_what_slows_both_sides_of_a_pair_leaves_their_ratio_alone():
    """A machine that gets four times slower meanwhile: the interval of the ratio 2 is the point 2."""
    pace = np.geomspace(1, 4, 21)
    found = ratio_of_medians(2 * pace, pace)
    assert (found.value, found.ci_low, found.ci_high, found.n) == (2.0, 2.0, 2.0, 21)


def test_intervals_of_ratios_cover():
    """True ratio 1.5, lognormal rounds with a pace in common: of 150 intervals 90 % or more hold it.

    (95 % less 3 standard errors of 150 trials are 89.7 %; a percentile bootstrap of medians is a little wide.)
    """
    generator = np.random.default_rng(0)
    pace = np.exp(generator.normal(0, 0.3, (150, 25)))
    one, other = (np.exp(generator.normal(0, 0.1, (150, 25))) * pace for _ in range(2))
    found = [ratio_of_medians(1.5 * a, b, seed=i) for i, (a, b) in enumerate(zip(one, other, strict=True))]
    assert np.mean([m.ci_low <= 1.5 <= m.ci_high for m in found]) >= 0.9


def test_pairing_narrows_the_interval():
    """Rounds of one pace, paired, tell more than the same rounds shuffled."""
    generator = np.random.default_rng(0)
    pace = np.exp(generator.normal(0, 0.3, 50))
    one, other = (np.exp(generator.normal(0, 0.05, 50)) * pace for _ in range(2))
    paired, shuffled = ratio_of_medians(one, other), ratio_of_medians(one, generator.permutation(other))
    assert paired.ci_high - paired.ci_low < 0.6 * (shuffled.ci_high - shuffled.ci_low)


def test_too_few_pairs_have_no_interval():
    few = [1.0] * (MIN_PAIRS - 1)
    assert ratio_of_medians(few, few) == Measurement(1.0, "", n=len(few))
    many = [1.0, 1.1] * MIN_PAIRS
    for sides in ((few, many), (many, few)):
        assert ratio_of_medians(*sides, paired=False).ci_low is None
    assert ratio_of_medians(many, many[:MIN_PAIRS], paired=False).ci_low is not None
    assert 2 * 0.5 ** (MIN_PAIRS - 1) > 0.05 >= 2 * 0.5**MIN_PAIRS  # P(the median lies outside the range of n rounds)


def test_unpaired_rounds_are_refused():
    with pytest.raises(ValueError, match="3 and 2"):
        ratio_of_medians([1, 1, 1], [1, 1])


def test_another_error_widens_a_ratio_in_quadrature():
    """1.96 standard errors of 2 % of 2 are 0.0784; with 0.0588 beside it, 0.098."""
    found = widened(Measurement(2.0, "", 2 - 0.0588, 2 + 0.0588, 9), 0.02)
    assert (found.ci_low, found.ci_high) == pytest.approx((1.902, 2.098))
