"""Composed times and limits, by hand."""

from __future__ import annotations

import math

import pytest

from bench.metrics import stages
from bench.records.parts import Part, Roofline, Stages


def part(stage, num_calls=1, flops=1, weight_bytes=1):
    return Part(
        stage=stage,
        num_calls=num_calls,
        num_timed=num_calls,
        flops=flops,
        weight_bytes=weight_bytes,
        num_kernels=1,
        call_s=1.0,
    )


def of(rounds_s, **changes):
    return Stages(rounds_s=rounds_s, whole_s=(), parts={name: part(name) for name in rounds_s}, **changes)


def test_sampled_calls_span_the_operations():
    """Evenly spaced among the calls ordered by operations, the cheapest and the dearest included."""
    flops = [50.0, 10.0, 40.0, 20.0, 30.0]
    assert stages.sampled_calls(flops, 3) == [0, 1, 4]  # 50, 10, 30
    assert stages.sampled_calls(flops, 5) == stages.sampled_calls(flops, 9) == [0, 1, 2, 3, 4]
    assert stages.sampled_calls([7.0] * 9, 3) == [0, 4, 8]


def test_what_did_not_run_is_read_off_between_its_neighbours():
    """Calls of 10, 20 and 40 operations of which the first and the last ran: 1 + 2 + 4 seconds."""
    assert stages.composed_s([10.0, 20.0, 40.0], {0: 1.0, 2: 4.0}) == (pytest.approx(7.0), 0.0)
    assert stages.composed_s([10.0, 20.0], {0: 1.0, 1: 5.0}) == (6.0, 0.0)
    assert stages.composed_s([5.0] * 4, {0: 1.0, 1: 3.0}) == (pytest.approx(8.0), pytest.approx(0.0))
    with pytest.raises(ValueError, match="1 of 2 calls were timed: at least 2"):
        stages.composed_s([10.0, 20.0], {0: 1.0})


def test_the_error_of_a_composition_is_half_the_difference_of_two_estimates():
    """Calls of 0, 1, 2, 3, 4, 5 operations, of which 0 to 3 and 5 ran; each estimate has the ends and every other one.

    With calls 0, 2 and 5: 0 + 5 + 10 + 10 + 10 + 10 = 45 s; with 0, 1, 3 and 5: 0 + 0 + 0 + 0 + 5 + 10 = 15 s.
    """
    seconds = {0: 0.0, 1: 0.0, 2: 10.0, 3: 0.0, 5: 10.0}
    value, error = stages.composed_s([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], seconds)
    assert value == pytest.approx(0 + 0 + 10 + 0 + 5 + 10)
    assert error == pytest.approx((45 - 15) / 2)


def test_the_decoders_share_is_of_each_round():
    """Shares 1/4 in every round, though the rounds differ; None where a model has no decoder."""
    found = stages.decoder_time_share(of({"encoder": (3.0, 6.0) * 10, "decoder": (1.0, 2.0) * 10}))
    assert (found.value, found.ci_low, found.ci_high, found.n, found.unit) == (0.25, 0.25, 0.25, 20, "")
    assert stages.decoder_time_share(of({"encoder": (3.0,)})) is None


def test_an_estimated_share_holds_the_error_of_its_composition():
    """Three equal rounds of 4 s, known to 0.1 s: 1.96 * 0.1 / 4 to either side."""
    found = stages.decoder_time_share(of({"encoder": (3.0,) * 3, "decoder": (1.0,) * 3}, estimated=True, error_s=0.1))
    assert found.value == 0.25
    assert (found.ci_low, found.ci_high) == (pytest.approx(0.25 - 0.049), pytest.approx(0.25 + 0.049))


def test_amdahl():
    assert stages.amdahl_bound(0.75) == 4
    assert stages.amdahl_bound(1.0) == math.inf


def test_a_call_ends_no_sooner_than_the_slower_of_two_limits():
    roofline = Roofline(matmul_flop_per_s=100.0, copy_bytes_per_s=10.0, dtype="float32", num_threads=1)
    assert stages.least_s(200.0, 10.0, roofline) == 2.0
    assert stages.least_s(100.0, 50.0, roofline) == 5.0


def test_a_stage_is_summed_over_its_parts():
    """Two parts of a decoder: 4 calls of 50 operations, and 2 of 30 bytes: bound to 2 + 6 of 16 s."""
    roofline = Roofline(matmul_flop_per_s=100.0, copy_bytes_per_s=10.0, dtype="float32", num_threads=1)

    made = Stages(
        rounds_s={"decoder": (16.0, 15.0, 30.0), "rest": (4.0, 4.0, 4.0)},
        whole_s=(),
        parts={"a": part("decoder", 4, 200, 4), "b": part("decoder", 2, 20, 60)},
    )
    found = stages.summarise_stages(made, roofline)
    assert list(found) == ["decoder", "rest"]
    decoder, rest = found["decoder"], found["rest"]
    assert (decoder.seconds, decoder.share, decoder.amdahl_bound) == (16.0, 0.8, pytest.approx(5.0))
    assert (decoder.num_calls, decoder.flops, decoder.weight_bytes) == (6, 220, 64)
    assert decoder.roofline_share == pytest.approx(8 / 16)
    assert (rest.seconds, rest.num_calls, rest.roofline_share) == (4.0, 0, None)
    assert rest.amdahl_bound == pytest.approx(1.25)
    assert stages.summarise_stages(made)["decoder"].roofline_share is None
    assert stages.summarise_stages(of({"network": (2.0,)}))["network"].amdahl_bound is None


def test_the_share_is_the_median_rounds_whether_whole_or_estimated():
    """Shares 1/10 to 5/10 of five rounds; their error is that of the median whole, and may be unknown."""
    rounds = {"encoder": (9.0, 8.0, 7.0, 6.0, 5.0), "decoder": (1.0, 2.0, 3.0, 4.0, 5.0)}
    found = stages.decoder_time_share(of(rounds))
    assert (found.value, found.ci_low, found.ci_high) == (0.3, None, None)
    for error_s, error in ((None, 0.0), (0.5, 1.96 * 0.05)):
        found = stages.decoder_time_share(of(rounds, estimated=True, error_s=error_s))
        assert (found.value, found.unit) == (0.3, "")
        assert (found.ci_low, found.ci_high) == (pytest.approx(0.1 - error), pytest.approx(0.5 + error))


def test_stages_that_took_no_time_have_no_share_of_it():
    roofline = Roofline(matmul_flop_per_s=100.0, copy_bytes_per_s=10.0, dtype="float32", num_threads=1)
    found = stages.summarise_stages(of({"network": (0.0,), "rest": (0.0,)}), roofline)
    assert [summary.share for summary in found.values()] == [0, 0]
    assert found["network"].roofline_share is None
    assert (found["rest"].num_calls, found["rest"].flops, found["rest"].weight_bytes) == (0, 0, 0)


def test_weights_that_nobody_counted_cost_no_time():
    """Half a second; 20 operations at 100 a second: 0.4 of it, and 0 bytes."""
    roofline = Roofline(matmul_flop_per_s=100.0, copy_bytes_per_s=0.5, dtype="float32", num_threads=1)
    made = Stages(rounds_s={"network": (0.5,)}, whole_s=(), parts={"a": part("network", 1, 20, None)})
    found = stages.summarise_stages(made, roofline)["network"]
    assert (found.roofline_share, found.weight_bytes, found.num_calls) == (pytest.approx(0.4), 0, 1)
