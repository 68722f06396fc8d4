"""What holds of a verdict whatever was measured: by the bounds alone, in any unit, and never surer for knowing less."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.claims import CLAIMS
from bench.stats import Interval, difference, quotient, ratio_of_medians, two_level_interval
from bench.verdict.finding import direction, weigh, within_tolerance
from tests.properties import drawn

FID = next(claim for claim in CLAIMS if claim.id == "transdiff-fid")
POSITIVE = st.floats(1e-3, 1e3)
NUMBERS = st.integers(-8000, 8000).map(lambda number: number / 8)
TIMES = st.lists(st.floats(1e-4, 1e3), min_size=6, max_size=12)


@st.composite
def intervals(draw: Any, numbers: st.SearchStrategy[float] = POSITIVE) -> Interval:
    low, value, high = sorted(draw(st.lists(numbers, min_size=3, max_size=3)))
    return Interval(value, low, high)


def word(value: float, tolerance: float, found: Interval) -> str:
    claim = replace(FID, value=value, tolerance=tolerance)
    return within_tolerance(claim, claim.paper_scale, found, "FID is", "").word


@drawn
@given(POSITIVE, st.floats(0.001, 0.9), intervals())
def test_a_number_is_reproduced_where_its_whole_interval_is_within_the_tolerance(printed, tolerance, found) -> None:
    low, high = printed * (1 - tolerance), printed * (1 + tolerance)
    inside, outside = low <= found.low and found.high <= high, found.high < low or found.low > high
    expected = "reproduced" if inside else "not reproduced" if outside else "inconclusive"
    assert word(printed, tolerance, found) == expected
    assert word(printed, tolerance, Interval(found.value, math.nan, math.nan)) == "inconclusive"


@drawn
@given(POSITIVE, st.floats(0.001, 0.9), intervals(), st.floats(1.0, 3.0))
def test_who_knows_less_is_never_surer(printed, tolerance, found, factor) -> None:
    """A wider interval keeps the word or takes it back."""
    wider = Interval(found.value, found.low / factor, found.high * factor)
    before, after = word(printed, tolerance, found), word(printed, tolerance, wider)
    assert after in (before, "inconclusive")


@drawn
@given(POSITIVE, st.floats(0.01, 0.9), intervals(), st.integers(-10, 10))
def test_a_verdict_is_the_same_in_any_unit(printed, tolerance, found, power) -> None:
    unit = 2.0**power  # exact
    scaled = Interval(found.value * unit, found.low * unit, found.high * unit)
    assert word(printed * unit, tolerance, scaled) == word(printed, tolerance, found)


OPPOSITE = {
    "holds in small": "does not hold in small",
    "does not hold in small": "holds in small",
    "inconclusive": "inconclusive",
}


@drawn
@given(intervals(NUMBERS), NUMBERS)
def test_a_direction_is_the_opposite_one_from_the_other_side(found: Interval, neutral: float) -> None:
    here = direction(found.low, found.high, neutral=neutral)
    assert direction(-found.high, -found.low, neutral=-neutral) == OPPOSITE[here]
    assert (here == "inconclusive") == (found.low <= neutral <= found.high)


@drawn
@given(intervals(NUMBERS), st.sampled_from(["lower", "higher"]))
def test_what_beats_a_baseline_is_beaten_by_none_of_its_own_terms(gap: Interval, better: str) -> None:
    """The gap told from the baseline's side gives the opposite word; a margin only helps the subject."""
    mirrored = Interval(-gap.value, -gap.high, -gap.low)
    here, _ = weigh(gap, better, "b", 0.0, 1.0)
    assert weigh(mirrored, better, "a", 0.0, 1.0)[0] == OPPOSITE[here]
    forgiving, _ = weigh(gap, better, "b", 0.1, 100.0)
    assert here != "holds in small" or forgiving == "holds in small"


# -- what verdicts rest on ---------------------------------------------------------------------------------------------


@drawn
@given(TIMES, st.floats(0.1, 10))
def test_a_ratio_of_medians_is_one_over_that_of_the_other_side(times, factor) -> None:
    other = [factor * seconds for seconds in times]
    found, back = ratio_of_medians(other, times), ratio_of_medians(times, other)
    assert found.value == pytest.approx(factor)
    assert back.value == pytest.approx(1 / factor)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low <= found.value * (1 + 1e-12)
    assert found.value <= found.ci_high * (1 + 1e-12)


@drawn
@given(intervals(), intervals())
def test_differences_and_quotients_turn_with_their_sides(a: Interval, b: Interval) -> None:
    gap, back = difference(a, b), difference(b, a)
    assert (gap.value, gap.low, gap.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert gap.low <= gap.value <= gap.high
    over, under = quotient(a, b), quotient(b, a)
    assert (over.value, over.low, over.high) == pytest.approx((1 / under.value, 1 / under.high, 1 / under.low))


@drawn
@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=4), min_size=2, max_size=4), NUMBERS)
def test_an_interval_over_training_runs_moves_with_the_numbers(groups, shift) -> None:
    """Whatever the order of runs and seeds; unknown where all are equal."""
    found = two_level_interval(groups)
    assume(found.is_known)
    size = 1 + max(abs(each) for group in groups for each in group) + abs(shift)
    moved = two_level_interval([[each + shift for each in reversed(group)] for group in reversed(groups)])
    assert (moved.value, moved.low, moved.high) == pytest.approx(
        (found.value + shift, found.low + shift, found.high + shift), abs=1e-9 * size * 15
    )
