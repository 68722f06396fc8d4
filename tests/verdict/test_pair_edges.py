"""One subject against print or one baseline: units, exact counts, what is missing, the floor of real images."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.records.parts import Measurement
from bench.records.schema import REAL_DATA, Comparison, Record
from bench.stats import Interval
from bench.verdict.pair import against_baseline, against_print, below_floor, counted
from tests.fake_records import ENVIRONMENT, measured, quality, record

PRINTED_4 = replace(next(iter(CLAIMS)), value=4.0, tolerance=0.25, quote="4.0", unit="FID")
FID = Comparison("value", "fid", "transdiff-digits")
FLOPS = replace(FID, metric="flops", units_per_printed=2.0)


# -- against print -----------------------------------------------------------------------------------------------------


def test_a_printed_unit_may_be_many_of_the_metric():
    """Two of the metric make one of print: 8 (7 to 9.5) are 4 (3.5 to 4.75)."""
    made = record("transdiff-digits", "digits-quality", measurements={"fid": Measurement(8.0, "", 7.0, 9.5, 10)})
    found = against_print(PRINTED_4, replace(FID, units_per_printed=2.0), made)
    assert (found.word, found.estimate) == ("reproduced", Interval(4.0, 3.5, 4.75))


def test_of_an_exact_count_the_unit_counts_too():
    made = record("transdiff-digits", "paper-size", measurements={"flops": Measurement(8.0, "FLOP")})
    found = against_print(PRINTED_4, FLOPS, made)
    assert (found.word, found.estimate) == ("reproduced", Interval(4.0, 4.0, 4.0))


def test_what_was_not_measured_is_named():
    found = against_print(PRINTED_4, FID, record("transdiff-digits", "digits-quality"))
    assert (found.word, found.text) == ("inconclusive", "transdiff-digits has no fid.")


@pytest.mark.parametrize(
    ("gpu", "word"),
    [("NVIDIA A100-SXM4-80GB", "reproduced"), ("NVIDIA H200", "not comparable"), (None, "not comparable")],
)
def test_a_number_of_stated_hardware_is_judged_on_it_alone(gpu, word):
    made = quality("transdiff-digits", 4.0, environment=replace(ENVIRONMENT, gpu=gpu))
    found = against_print(PRINTED_4, replace(FID, hardware="A100"), made)
    assert found.word == word
    assert against_print(PRINTED_4, FID, made).word == "reproduced"
    where = gpu or "Acme CPU 9000"
    assert (f"ran on {where}; the printed number is of A100" in found.text) == (word == "not comparable")


@pytest.mark.parametrize(
    ("value", "tolerance", "word"),
    [
        (1025.0, 2**-10, "reproduced"),  # at the edge of the rounding, from either side
        (1023.0, 2**-10, "reproduced"),
        (1025.0, 2**-11, "agrees to 0.1 %"),  # 0.098 %
        (1023.0, 2**-11, "agrees to 0.1 %"),
        (1026.0, 2**-11, "not reproduced"),
        (512.0, 2**-11, "not reproduced"),
    ],
)
def test_a_count_at_the_edge_of_its_rounding_is_within_it(value, tolerance, word):
    found = counted(replace(PRINTED_4, value=1024.0, tolerance=tolerance, unit="M", quote="1024M"), value)
    assert found.word == word
    assert ("within the rounding of 1024M" in found.text) == (word == "reproduced")


def test_a_count_that_is_off_says_by_how_many_percent():
    found = counted(replace(PRINTED_4, value=1000.0, tolerance=0.001, unit="M", quote="1000M"), 750.0)
    assert found.text == "Counted 750 M: 25 % from 1000M."


# -- against a baseline ------------------------------------------------------------------------------------------------

LOWER = Comparison("direction", "fid", "transdiff-digits", ("dit-digits",), better="lower")


def compared(ours: Record, theirs: Record, side: Comparison = LOWER):
    return against_baseline(PRINTED_4, side, ours, theirs, "dit-digits")


@pytest.mark.parametrize("lacking", ["transdiff-digits", "dit-digits"])
def test_the_side_that_lacks_a_number_or_its_interval_is_named(lacking):
    sides = {name: quality(name, 2.0) for name in ("transdiff-digits", "dit-digits")}
    without = {**sides, lacking: replace(sides[lacking], measurements={})}
    assert compared(*without.values()).text == f"{lacking} has no fid."
    bare = {**sides, lacking: replace(sides[lacking], measurements={"fid": Measurement(2.0, "")})}
    found = compared(*bare.values())
    assert (found.word, found.text) == ("inconclusive", f"FID of {lacking} has no interval.")
    neither = [replace(side, measurements={"fid": Measurement(2.0, "")}) for side in sides.values()]
    assert compared(*neither).text == "FID of transdiff-digits has no interval."


def test_a_difference_is_told_with_both_scores_and_as_many_digits_as_its_interval_deserves():
    """4 ± 0.03 less 1 ± 0.04 is 3 ± 0.05."""
    ours, theirs = (quality(name, fid, spread=spread) for name, fid, spread in (("a", 4.0, 0.03), ("b", 1.0, 0.04)))
    found = compared(ours, theirs)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == pytest.approx((3, 2.95, 3.05))
    assert found.text == (
        "FID higher than dit-digits (4.000 against 1.000; difference 3.000, 95 % interval 2.950 to 3.050)."
    )
    assert found.word == "does not hold in small"


def test_the_settings_of_the_subject_are_told_where_the_comparison_names_them():
    ours, theirs = quality("transdiff-digits", 4.0), quality("dit-digits", 9.0)
    assert compared(ours, theirs).text.startswith("FID lower than")
    side = replace(LOWER, settings={"num_steps": 4})
    assert compared(ours, theirs, side).text.startswith("FID of transdiff-digits (num_steps 4) lower than")


# -- the floor of real images ------------------------------------------------------------------------------------------


def said(ours: Measurement | None, floor: Measurement | None, metric: str = "fid") -> bool:
    """Whether a subject with this FID is called suspicious beside real images with that one."""
    real = record(REAL_DATA, "digits-quality", measurements={} if floor is None else {metric: floor})
    subject = record("transdiff-digits", "digits-quality", measurements={} if ours is None else {metric: ours})
    return "Suspiciously good" in below_floor(replace(FID, metric=metric), subject, [real])


@pytest.mark.parametrize(
    ("ours", "floor", "suspicious"),
    [
        ((1.0, 1.5), (2.0, 3.0), True),
        ((1.0, 2.0), (2.0, 3.0), False),  # touches it
        ((1.0, 2.5), (2.0, 3.0), False),
        ((2.0, 2.5), (1.0, 3.0), False),
        ((1.0, 2.25), (None, None), True),  # a floor of 2.5 without an interval
        ((1.0, 2.5), (None, None), False),
        ((1.0, 2.25), (None, 3.0), True),
        ((None, 1.5), (2.0, 3.0), True),
        ((1.0, None), (2.0, 3.0), False),
    ],
)
def test_all_of_the_subjects_interval_must_lie_below_all_of_the_floors(ours, floor, suspicious):
    found = Measurement(1.25, "", *ours, 10), Measurement(2.5, "", *floor, 10)
    assert said(*found) == suspicious


def test_only_a_fid_that_both_have_is_held_against_the_floor():
    low, high = measured(1.0, 0.1), measured(9.0, 0.1)
    assert said(low, high)
    assert not said(low, high, "kid")
    assert not said(low, None)
    assert not said(None, high)
