"""Counts against print: parameters and arithmetic are exact, so the rounding of print or a thousandth decides."""

from __future__ import annotations

import pytest

from bench.claims import SIZE_CLAIMS
from bench.records.parts import Measurement
from bench.verdict.judge import judge
from tests.fake_records import record

BY_ID = {claim.id: claim for claim in SIZE_CLAIMS}


def as_printed(claim, *records):
    return judge(claim, records)[0]


def size(model: str, **counts: float):
    """A record under paper-size."""
    return record(model, "paper-size", measurements={name: Measurement(count, "") for name, count in counts.items()})


@pytest.mark.parametrize(
    ("count", "word", "said"),
    [
        (682.52e6, "reproduced", "within the rounding of 683M"),
        (683.49e6, "reproduced", "within the rounding of 683M"),
        (682.48e6, "agrees to 0.1 %", "0.076 % from 683M"),
        (683.51e6, "agrees to 0.1 %", "0.075 % from 683M"),  # two-sided
        (682.33e6, "agrees to 0.1 %", "0.098 % from 683M"),
        (683.67e6, "agrees to 0.1 %", "0.098 % from 683M"),
        (682.31e6, "not reproduced", "0.1 % from 683M"),
        (683.69e6, "not reproduced", "0.1 % from 683M"),
    ],
)
def test_a_count_is_exact_and_judged_by_the_rounding_of_print_or_else_to_a_thousandth(count, word, said):
    """683M stands for 682.5 to 683.5 million; beyond that a count may still agree to 0.1 % (682.317 to 683.683)."""
    verdict = as_printed(BY_ID["transdiff-l-num-params"], size("transdiff-l", num_params=count))
    assert (verdict.word, verdict.value) == (word, count)
    assert "interval" not in verdict.reason
    assert f"Counted {count:,.0f} parameters: {said}" in verdict.reason


def test_of_a_coarse_print_the_rounding_decides_though_it_is_wider_than_a_thousandth():
    """ "33M" stands for 32.5 to 33.5 million: 1 % away is still what was printed."""
    claim = BY_ID["dit-s-8-num-params"]
    assert (claim.quote, claim.tolerance > 0.01) == ("33M", True)
    assert as_printed(claim, size("dit-s-8", num_params=33.33e6)).word == "reproduced"
    assert as_printed(claim, size("dit-s-8", num_params=33.51e6)).word == "not reproduced"


def test_printed_gflops_are_multiply_adds_and_counted_flops_are_two_for_each():
    claim = BY_ID["sit-xl-2-flops"]
    assert as_printed(claim, size("sit-xl-2", flops=2 * 118.6e9)).word == "reproduced"
    assert as_printed(claim, size("sit-xl-2", flops=118.6e9)).word == "not reproduced"
    assert as_printed(claim, size("sit-xl-2", flops=2 * 118.6e9)).value == pytest.approx(118.6)


def test_a_model_that_was_not_counted_is_not_run():
    assert as_printed(BY_ID["mar-l-num-params"], size("mar-b", num_params=208e6)).word == "not run"
