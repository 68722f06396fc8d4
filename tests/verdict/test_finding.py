"""An interval as a word: at a border and on either side of it, with numbers that floating point holds exactly."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.records.schema import Comparison
from bench.stats import Interval
from bench.verdict.finding import direction, weigh, within_tolerance

HOLDS, FAILS, OPEN = "holds in small", "does not hold in small", "inconclusive"
PRINTED_4 = replace(next(iter(CLAIMS)), value=4.0, tolerance=0.25)  # 3 to 5
FID = Comparison("value", "fid", "transdiff-l", better="lower")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(1.5, 3, HOLDS), (1, 3, OPEN), (0, 3, OPEN), (0, 1, OPEN), (0, 0.5, FAILS), (1, 1, OPEN)],
)
def test_an_interval_that_touches_the_neutral_point_is_inconclusive(low, high, word):
    assert direction(low, high, neutral=1.0) == word


# -- a difference from a baseline --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "word", "relation"),
    [
        (0.25, 0.5, HOLDS, "higher than other"),
        (0.0, 0.5, OPEN, "not told apart from other"),
        (-0.5, 0.5, OPEN, "not told apart from other"),
        (-0.5, 0.0, OPEN, "not told apart from other"),
        (-0.5, -0.25, FAILS, "lower than other"),
    ],
)
def test_without_a_margin_a_difference_is_held_against_zero(low, high, word, relation):
    """Where less is better the same interval says the opposite, and is named by the same word of order."""
    gap = Interval((low + high) / 2, low, high)
    assert weigh(gap, "higher", "other", 0.0, 8.0) == (word, relation)
    opposite = {HOLDS: FAILS, FAILS: HOLDS}.get(word, word)
    assert weigh(gap, "lower", "other", 0.0, 8.0) == (opposite, relation)


MARGIN = [
    # bounds of what the subject is better by, where it may be 2 worse: 25 % of 8
    (0.5, 1.0, HOLDS, "{better} than other"),
    (-1.0, 1.0, HOLDS, "not told apart from other, surely not {worse} by more than the 25 % allowed"),
    (-1.75, -1.0, HOLDS, "{worse} than other, but not by more than the 25 % allowed"),
    (-2.0, -1.0, OPEN, "{worse} than other, not sure whether {worse} by more than the 25 % allowed"),
    (-3.0, -2.0, OPEN, "{worse} than other, not sure whether {worse} by more than the 25 % allowed"),
    (-3.0, 1.0, OPEN, "not told apart from other, not sure whether {worse} by more than the 25 % allowed"),
    (-3.0, -2.5, FAILS, "{worse} than other, by more than the 25 % allowed"),
]


@pytest.mark.parametrize("theirs", [8.0, -8.0])
@pytest.mark.parametrize(("low", "high", "word", "relation"), MARGIN)
def test_a_margin_is_a_share_of_the_baselines_score_that_may_be_lacking(low, high, word, relation, theirs):
    """Of a score below zero its size counts."""
    gap, mirrored = Interval((low + high) / 2, low, high), Interval(-(low + high) / 2, -high, -low)
    told = relation.format(better="higher", worse="lower")
    assert weigh(gap, "higher", "other", 0.25, theirs) == (word, told)
    told = relation.format(better="lower", worse="higher")
    assert weigh(mirrored, "lower", "other", 0.25, theirs) == (word, told)


# -- a printed number and its tolerance --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (3.0, 5.0, "reproduced"),  # the border belongs to the tolerance
        (3.5, 4.5, "reproduced"),
        (2.75, 3.5, "inconclusive"),
        (4.5, 5.25, "inconclusive"),
        (2.0, 6.0, "inconclusive"),
        (2.0, 3.0, "inconclusive"),  # touches the border
        (5.0, 6.0, "inconclusive"),
        (2.0, 2.75, "not reproduced"),
        (5.25, 6.0, "not reproduced"),
    ],
)
def test_all_of_the_interval_must_lie_within_the_tolerance_and_none_of_it_outside(low, high, word):
    """Printed 4 with 25 % either way: 3 to 5."""
    found = within_tolerance(PRINTED_4, FID, Interval((low + high) / 2, low, high), "it is", "in FID")
    assert found.word == word
    assert "4 ± 25 % (3.0 to 5.0)" in found.text
    assert found.estimate == Interval((low + high) / 2, low, high)


def test_the_number_told_may_be_another_than_the_one_judged():
    """As "4.0 times slower" is told where 0.25 times as fast is judged."""
    judged, told = Interval(0.25, 0.2, 0.3125), Interval(4.0, 3.2, 5.0)
    found = within_tolerance(PRINTED_4, FID, judged, "it is", "times slower", told)
    assert (found.word, found.estimate) == ("not reproduced", judged)
    assert found.text.startswith("it is 4.00 times slower, 95 % interval 3.20 to 5.00: outside")
    found = within_tolerance(PRINTED_4, FID, judged, "it is", "times as fast")
    assert found.text.startswith("it is 0.250 times as fast, 95 % interval 0.200 to 0.312: outside")


@pytest.mark.parametrize("unknown", [(math.nan, 4.5), (3.5, math.nan), (math.nan, math.nan)])
def test_without_both_bounds_nothing_is_told_of_the_tolerance(unknown):
    found = within_tolerance(PRINTED_4, FID, Interval(4.0, *unknown), "it is", "in FID")
    assert found.word == "inconclusive"
    assert (found.estimate.value, found.estimate.known) == (4.0, (None, None))
    assert found.text == "it is 4.00 in FID, interval unknown; printed 4 ± 25 % (3.0 to 5.0)."


RATIO, SHARE = replace(FID, kind="ratio", metric="latency_s"), replace(FID, metric="decoder_time_share")


@pytest.mark.parametrize(
    ("side", "printed", "measured", "suspicious"),
    [
        (FID, 4.0, 2.0, True),  # less is better
        (FID, 4.0, 6.0, False),
        (replace(FID, better="higher"), 4.0, 6.0, True),
        (replace(FID, better="higher"), 4.0, 2.0, False),
        (FID, 0.5, 0.25, True),  # a value below 1 is no ratio
        (RATIO, 4.0, 6.0, True),  # of a ratio of speeds more is better, whatever its metric
        (RATIO, 4.0, 2.0, False),
        (RATIO, 1.0, 2.0, True),
        (RATIO, 0.5, 2.0, False),  # printed as the slower: neither side is the better
        (RATIO, 0.5, 0.25, False),
        (SHARE, 4.0, 2.0, False),
        (SHARE, 4.0, 6.0, False),
    ],
)
def test_better_than_printed_is_as_suspicious_as_worse(side, printed, measured, suspicious):
    claim = replace(PRINTED_4, value=printed)
    found = within_tolerance(claim, side, Interval(measured, 0.99 * measured, 1.01 * measured), "it is", "")
    assert found.word == "not reproduced"
    assert ("as suspicious as worse" in found.text) == suspicious
