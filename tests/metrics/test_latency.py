"""Percentiles by order statistics, rates and estimates by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from bench.metrics import latency
from bench.records.parts import Measurement
from tests.fake_records import composed
from tests.fake_records import latency as latency_record


def ends(num, share):
    """(j, k), places from 1, None where open: the j-th of num rounds lies above the quantile, and the k-th below it,
    with 2.5 % at most."""
    below = [place for place in range(1, num + 1) if binom.cdf(place - 1, num, share) <= 0.025]
    above = [place for place in range(1, num + 1) if binom.sf(place - 1, num, share) <= 0.025]
    return (max(below) if below else None), (min(above) if above else None)


@pytest.mark.parametrize("num", [5, 6, 10, 36, 37, 100, 400])
@pytest.mark.parametrize("percent", [50, 90, 99])
def test_a_percentile_is_bounded_by_order_statistics_of_the_binomial_law(num, percent):
    """Rounds 1 to num: their values are their places. Of five rounds not even the median is bounded."""
    found = latency.percentile(np.random.default_rng(0).permutation(np.arange(1.0, num + 1)), percent)
    assert (found.ci_low, found.ci_high) == ends(num, percent / 100)
    assert found.value == pytest.approx(1 + (num - 1) * percent / 100)
    assert (found.unit, found.n) == ("s", num)
    assert latency.is_open(found) is (None in (found.ci_low, found.ci_high))


def test_a_percentile_is_open_where_one_side_is():
    for low, high, is_open in ((1.0, 3.0, False), (None, 3.0, True), (1.0, None, True), (None, None, True)):
        assert latency.is_open(Measurement(2.0, "s", low, high)) is is_open


def test_the_slow_end_of_a_time_is_the_low_end_of_a_rate():
    """Ten rounds of 1 to 10 s, the median between 2 and 9: of 36 images 4 to 18 a second."""
    found = latency.compute_throughput(range(1, 11), 36)
    assert (found.value, found.ci_low, found.ci_high, found.n) == (36 / 5.5, 4.0, 18.0, 10)
    assert found.unit == "images/s"
    few = latency.compute_throughput([2.0, 4.0], 8, "texts/s")
    assert (few.value, few.ci_low, few.ci_high, few.unit) == (8 / 3, None, None, "texts/s")


def test_an_estimate_holds_its_rounds_and_its_error():
    """The median's interval, or the range of a few rounds, and 1.96 errors more; no time is below 0."""
    many = latency.estimated_latency(range(1, 11), 0.5)
    assert (many.value, many.n, many.unit) == (5.5, 10, "s")
    assert (many.ci_low, many.ci_high) == (pytest.approx(2 - 0.98), pytest.approx(9 + 0.98))
    few = latency.estimated_latency([5.0, 4.0, 7.0], 0.5)
    assert (few.value, few.ci_low, few.ci_high) == (5.0, pytest.approx(4 - 0.98), pytest.approx(7 + 0.98))
    assert latency.estimated_latency([5.0, 4.0, 7.0], 10).ci_low == 0


def test_every_percentile_of_whole_rounds_is_kept_and_of_estimated_ones_the_median():
    whole = latency_record("dit-digits", 0.1).timing
    rounds = tuple(float(place) for place in range(1, 101))
    found = latency.summarise(replace(whole, latency=replace(whole.latency, rounds_s=rounds)))
    values = {name: measured.value for name, measured in found.items() if name.startswith("latency")}
    expected = {"latency_s": 50.5, "latency_p90_s": 90.1, "latency_p95_s": 95.05, "latency_p99_s": 99.01}
    assert values == pytest.approx(expected)
    assert latency.PERCENTILES[0] == 50  # the median, latency_s itself
    assert found["nfe"].value == 201
    assert "throughput_per_s" not in found
    timed = composed("dit-xl-2", {"network": 3.0, "rest": 1.0}, 1e9).timing
    found = latency.summarise(timed)
    assert found.keys() == {"latency_s", "flops", "nfe"}
    error = 1.96 * timed.latency.error_s
    assert (found["latency_s"].ci_low, found["latency_s"].ci_high) == (
        pytest.approx(4 - error),
        pytest.approx(4 + error),
    )
    unknown = latency.summarise(replace(timed, latency=replace(timed.latency, error_s=None), nfe={}))
    assert (unknown["latency_s"].ci_low, unknown["latency_s"].ci_high) == (4.0, 4.0)
    assert "nfe" not in unknown
