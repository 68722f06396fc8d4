"""Verdicts on estimated latencies: counted on a CPU they reproduce nothing, and contradict print only from afar."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.formatting import number
from bench.records.schema import Record, Verdict
from bench.verdict.judge import judge
from tests.fake_records import ENVIRONMENT, ROOFLINE, composed, ratios, with_timing

BY_ID = {claim.id: claim for claim in CLAIMS}
DIFFUSION, DECODER = BY_ID["transdiff-latency-diffusion"], BY_ID["transdiff-decoder-time-share"]
GPU = replace(ENVIRONMENT, device="cuda", machine="nvidia-a100", gpu="NVIDIA A100-SXM4-80GB")
UNSETTLED = "That does not settle what a GPU would measure."


def judged(claim, *records) -> Verdict:
    """At the paper's scale."""
    verdict = judge(claim, records)[0]
    assert verdict.scale == "imagenet-256"
    return verdict


def on_a_cpu(transdiff_s: float, dit_s: float, *, work: float = 4.0, calls: float = 4.0, decoder: float = 0.96):
    """DiT and SiT do `work` times the arithmetic of TransDiff, in `calls` times as many calls of as many kernels.

    `decoder`: its share of TransDiff's time and arithmetic; of its three parts of 100 equal calls it is one.
    """
    rest = (1 - decoder) / 2
    stages = {"encoder": rest * transdiff_s, "decoder": decoder * transdiff_s, "autoencoder": rest * transdiff_s}
    more = {"flops": work * 29e12, "num_calls": round(150 * calls)}
    return [
        composed("transdiff-l", stages, 29e12),
        composed("dit-xl-2", {"network": 0.99 * dit_s, "autoencoder": 0.01 * dit_s}, **more),
        composed("sit-xl-2", {"network": 0.99 * dit_s, "autoencoder": 0.01 * dit_s}, **more),
    ]


@pytest.mark.parametrize("times", [4.0, 84.0, 112.0, 140.0, 600.0])
def test_every_verdict_says_that_it_counts_and_under_which_conditions(times):
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, times, work=times, calls=times))
    assert (verdict.value, verdict.marker) == (pytest.approx(times), "by counting, on a CPU")
    assert verdict.reason.startswith(
        "Estimated latency (Acme CPU 9000, 2 threads, float32, batch 1, random weights; "
        "300 of 300 calls of transdiff-l were timed, the rest counted). "
    )


def test_counted_on_a_gpu_the_marker_names_no_cpu():
    records = [replace(made, environment=GPU) for made in on_a_cpu(1.0, 4.0)]
    assert judged(DIFFUSION, *records).marker == "by counting"


@pytest.mark.parametrize(
    ("times", "work", "calls", "word"),
    [
        (112.0, 112.0, 112.0, "inconclusive"),  # all agree with print, and still nothing is reproduced
        (4.0, 4.0, 4.0, "not reproduced"),
        (4.0, 4.5, 2.5, "not reproduced"),  # no way of counting comes near
        (41.0, 4.0, 4.0, "not reproduced"),  # up to 41.8 times: 84 is 2.01 times as much
        (42.0, 4.0, 4.0, "inconclusive"),  # up to 42.8 times: 84 is 1.96 times as much
        (286.0, 286.0, 286.0, "not reproduced"),  # at least 280.3 times: twice 140
        (282.0, 282.0, 282.0, "inconclusive"),  # at least 276.4 times
        (4.0, 42.0, 4.0, "not reproduced"),  # each count alone keeps print twice away ...
        (4.0, 43.0, 4.0, "inconclusive"),  # ... or stands for it
        (4.0, 4.0, 42.0, "not reproduced"),
        (4.0, 4.0, 43.0, "inconclusive"),
        (4.0, 4.0, 112.0, "inconclusive"),  # where launches rule it would be x112
        (4.0, 112.0, 4.0, "inconclusive"),
        (112.0, 4.0, 112.0, "inconclusive"),
        (300.0, 300.0, 400.0, "not reproduced"),
        (300.0, 4.0, 400.0, "inconclusive"),  # the printed number lies between
    ],
)
def test_an_estimate_contradicts_print_only_from_twice_beyond_its_interval_and_every_count_alone(
    times, work, calls, word
):
    """Printed are 84 to 140 times (x112 with its tolerance). Measured, interval, FLOPs alone, bytes of weights alone
    and kernels alone: print must lie twice above the largest or below half the smallest of them."""
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, times, work=work, calls=calls))
    assert (verdict.word, verdict.value) == (word, pytest.approx(times))
    alone = f"{number(work)} (FLOPs), {number(calls)} (bytes of weights), {number(calls)} (kernels)."
    assert f"Counts alone give {alone}" in verdict.reason
    assert (UNSETTLED in verdict.reason) == (word == "inconclusive")
    assert ("The printed 112 lies" in verdict.reason) == (word == "not reproduced")


@pytest.mark.parametrize("key", ["weight_bytes", "num_kernels"])
@pytest.mark.parametrize("alone", [4.0, 112.0])
def test_bytes_and_kernels_count_each_by_itself(key, alone):
    """One of the two explains print, the other does not."""
    fast, *slow = on_a_cpu(1.0, 4.0)
    slow = [with_parts(made, key, lambda count: round(count * alone / 4)) for made in slow]
    assert judged(DIFFUSION, fast, *slow).word == ("inconclusive" if alone == 112.0 else "not reproduced")


def with_parts(made: Record, key: str, change) -> Record:
    """The record with other counts of its parts."""
    stages = made.timing.stages
    parts = {name: replace(part, **{key: change(getattr(part, key))}) for name, part in stages.parts.items()}
    return with_timing(made, stages=replace(stages, parts=parts))


@pytest.mark.parametrize("key", ["weight_bytes", "num_kernels"])
def test_without_one_of_the_three_counts_nothing_is_contradicted(key):
    """What was not counted could explain the printed number."""
    records = on_a_cpu(1.0, 4.0)
    assert judged(DIFFUSION, *records).word == "not reproduced"
    verdict = judged(DIFFUSION, *(with_parts(made, key, lambda _: None) for made in records))
    assert verdict.word == "inconclusive"
    assert UNSETTLED in verdict.reason
    lost = {"weight_bytes": "bytes of weights", "num_kernels": "kernels"}[key]
    assert f"({lost})" not in verdict.reason


def test_estimates_of_two_paces_of_a_machine_are_not_compared():
    fast, *slow = on_a_cpu(1.0, 4.0)
    quicker = with_timing(fast, roofline=replace(ROOFLINE, matmul_flop_per_s=1.16 * ROOFLINE.matmul_flop_per_s))
    verdict = judged(DIFFUSION, quicker, *slow)
    assert (verdict.word, verdict.marker) == ("not comparable", "by counting, on a CPU")


@pytest.mark.parametrize("measured", [0, 1, 2])
def test_one_estimate_among_measured_runs_is_enough_for_nothing_to_be_reproduced(measured):
    """All calls of one of the three were timed: with the others' estimated, x112 still is an estimate."""
    records = on_a_cpu(1.0, 112.0, work=112.0, calls=112.0)
    records[measured] = replace(records[measured], protocol=replace(records[measured].protocol, sampled_calls=0))
    verdict = judged(DIFFUSION, *records)
    assert (verdict.word, verdict.value) == ("inconclusive", pytest.approx(112.0))
    assert UNSETTLED in verdict.reason


# -- pairs -------------------------------------------------------------------------------------------------------------


def estimated_pairs(times: float) -> Record:
    by_baseline = {"dit-xl-2": times, "sit-xl-2": times}
    return ratios("transdiff-l", by_baseline, protocol_name="imagenet-256-composed-ratios")


def test_estimated_pairs_speak_before_estimated_runs_which_count_for_them():
    pairs = estimated_pairs(3.9)
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, 9.0), pairs)
    assert (verdict.word, verdict.value, verdict.records) == ("not reproduced", 3.9, (pairs.file,))
    assert verdict.marker == "by counting, on a CPU"
    assert "Counts alone give 4.00 (FLOPs), 4.00 (bytes of weights), 4.00 (kernels)." in verdict.reason


@pytest.mark.parametrize("times", [3.9, 112.0])
def test_estimated_pairs_whose_calls_no_run_counted_settle_nothing(times):
    """Neither do they reproduce x112 where they say x112."""
    verdict = judged(DIFFUSION, estimated_pairs(times))
    assert (verdict.word, verdict.value) == ("inconclusive", times)
    assert (verdict.marker, "Its calls were not counted." in verdict.reason) == ("by counting, on a CPU", True)


def test_whole_images_on_a_gpu_speak_before_estimates_and_bear_no_marker():
    whole = {"dit-xl-2": 110.0, "sit-xl-2": 112.0}
    gpu = ratios("transdiff-l", whole, protocol_name="imagenet-256-ratios", environment=GPU)
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, 4.0), gpu)
    assert (verdict.word, verdict.records, verdict.marker) == ("reproduced", (gpu.file,), "")
    assert "CPU" not in verdict.reason


def test_the_interval_of_an_estimated_ratio_is_all_that_both_times_allow():
    """1 % either way on each side: 4 * 0.99 / 1.01 to 4 * 1.01 / 0.99."""
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, 4.0))
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((4 * 0.99 / 1.01, 4 * 1.01 / 0.99))


# -- the decoder's share -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "word"), [(0.96, "inconclusive"), (0.99, "inconclusive"), (0.5, "inconclusive"), (0.4, "not reproduced")]
)
def test_the_decoders_share_is_judged_in_percent_by_its_counts_too(share, word):
    """Printed are 98 to 100 %. The decoder makes 100 of 300 equal calls: by kernels or weights alone it is 33.3 %; a
    share of 50 % is not twice away."""
    verdict = judged(DECODER, on_a_cpu(1.0, 4.0, decoder=share)[0])
    assert (verdict.word, verdict.value, verdict.unit) == (word, pytest.approx(100 * share), "% of the time")
    assert f"{number(100 * share)} (FLOPs), 33.3 (bytes of weights), 33.3 (kernels)" in verdict.reason
    assert "Better than printed" not in verdict.reason  # neither more nor less is better
    assert verdict.marker == "by counting, on a CPU"
