"""Verdicts of speed: ratios of rounds that both sides shared, composed times, printed speeds of stated hardware."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.formatting import number
from bench.records.schema import Record, Verdict
from bench.verdict.judge import judge
from tests.fake_records import ENVIRONMENT, composed, latency, measured, protocol, ratios, record, with_timing

BY_ID = {claim.id: claim for claim in CLAIMS}
DIFFUSION, AR = BY_ID["transdiff-latency-diffusion"], BY_ID["transdiff-latency-ar"]
DECODER, RAR = BY_ID["transdiff-decoder-time-share"], BY_ID["dit-xl-2-images-per-second"]
GPU = replace(ENVIRONMENT, device="cuda", machine="nvidia-a100", gpu="NVIDIA A100-SXM4-80GB")


def judged(claim, *records) -> dict[str, Verdict]:
    return {verdict.scale: verdict for verdict in judge(claim, records)}


# -- pairs -------------------------------------------------------------------------------------------------------------


def test_shared_rounds_speak_before_a_run_of_each():
    """The runs of each say 4 times as fast, on a machine whose pace had changed between them; the pairs say 2 and 3."""
    alone = [latency("transdiff-digits", 0.1), latency("dit-digits", 0.4), latency("sit-digits", 0.4)]
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0})
    verdict = judged(DIFFUSION, *alone, pairs)["digits"]
    assert (verdict.word, verdict.value, verdict.ci_low) == ("holds in small", 2.0, pytest.approx(1.96))
    assert verdict.records == (pairs.file,)
    assert "Faster than dit-digits (median 100 ms against 300 ms; 3.000 times" in verdict.reason


def test_a_baseline_without_pairs_is_judged_by_its_own_run():
    alone = [latency("transdiff-digits", 0.4), latency("sit-digits", 0.1)]
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0})
    verdict = judged(DIFFUSION, *alone, pairs)["digits"]
    assert verdict.word == "does not hold in small"
    assert set(verdict.records) == {pairs.file, *(r.file for r in alone)}


def test_pairs_alone_suffice_and_what_is_missing_is_named():
    verdict = judged(DIFFUSION, ratios("transdiff-digits", {"dit-digits": 3.0}))["digits"]
    assert verdict.word == "holds in small"
    assert "Not judged against every baseline: no record of transdiff-digits and sit-digits." in verdict.reason


def test_sides_under_unlike_conditions_are_not_compared_and_the_field_is_named():
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0})
    entry = replace(pairs.speedups[0], not_comparable="compiled: True against False", ratio=None, rounds_s={})
    verdict = judged(DIFFUSION, replace(pairs, speedups=(entry, pairs.speedups[1])))["digits"]
    assert verdict.word == "not comparable"
    assert "differ in compiled: True against False" in verdict.reason


def test_too_few_pairs_conclude_nothing():
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0})
    few = {"ci_low": None, "ci_high": None, "n": 3}
    entries = tuple(replace(entry, ratio=replace(entry.ratio, **few)) for entry in pairs.speedups)
    assert judged(DIFFUSION, replace(pairs, speedups=entries))["digits"].word == "inconclusive"


def test_ratios_of_each_at_its_best_are_another_question():
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0})
    entries = tuple(replace(entry, mode="each at its best") for entry in pairs.speedups)
    assert judged(DIFFUSION, replace(pairs, speedups=entries))["digits"].word == "not run"


def test_a_smoke_run_of_pairs_is_not_judged():
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0}, quick=True)
    assert judged(DIFFUSION, pairs)["digits"].word == "inconclusive"


# -- composed times ----------------------------------------------------------------------------------------------------


def on_a_cpu(transdiff_s: float, dit_s: float, *, work: float = 4.0, calls: float = 4.0):
    """DiT and SiT do `work` times the arithmetic of TransDiff, in `calls` times as many calls of as many kernels."""
    stages = {"encoder": 0.02 * transdiff_s, "decoder": 0.96 * transdiff_s, "autoencoder": 0.02 * transdiff_s}
    more = {"flops": work * 29e12, "num_calls": round(150 * calls)}
    return [
        composed("transdiff-l", stages, 29e12),  # three parts of 100 calls
        composed("dit-xl-2", {"network": 0.99 * dit_s, "autoencoder": 0.01 * dit_s}, **more),
        composed("sit-xl-2", {"network": 0.99 * dit_s, "autoencoder": 0.01 * dit_s}, **more),
    ]


@pytest.mark.parametrize(("times", "word"), [(4.0, "not reproduced"), (112.0, "reproduced"), (140.0, "inconclusive")])
def test_composed_times_on_a_cpu_are_judged_and_never_without_saying_so(times, word):
    """Intervals of 1 % on each side: 4 lies outside of 84 to 140, 112 inside, 140 across."""
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, times, work=times, calls=times))["imagenet-256"]
    assert (verdict.word, verdict.value) == (word, pytest.approx(times))
    assert verdict.reason.startswith("Judged on a CPU, not on a GPU (Acme CPU 9000, 2 threads, float32, batch 1; ")
    assert "composed" in verdict.reason


@pytest.mark.parametrize(
    ("times", "work", "calls", "word"),
    [
        (4.0, 4.0, 112.0, "inconclusive"),  # where launches rule it would be x112
        (4.0, 112.0, 4.0, "inconclusive"),  # this machine is slow at one of the two
        (4.0, 4.5, 2.5, "not reproduced"),  # no way of counting comes near
        (112.0, 4.0, 112.0, "inconclusive"),  # right, but a machine bound by operations would say x4
        (300.0, 200.0, 400.0, "not reproduced"),
        (300.0, 4.0, 400.0, "inconclusive"),  # the printed number lies between
    ],
)
def test_a_cpu_decides_only_what_a_gpu_cannot_turn(times, work, calls, word):
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, times, work=work, calls=calls))["imagenet-256"]
    assert (verdict.word, verdict.value) == (word, pytest.approx(times))
    alone = f"{number(work)} by arithmetic alone, {number(calls)} by weights read alone, {number(calls)} by kernels"
    assert f"It would be {alone} launched alone: a GPU may differ" in verdict.reason
    assert ("so that this machine does not settle it" in verdict.reason) == (word == "inconclusive")


def test_the_decoders_share_is_weighed_by_its_arithmetic_weights_and_kernels():
    """Measured 96 %; of 300 equal calls the decoder makes 100: a GPU could say anything from 33 %; 99 stays outside."""
    (verdict,) = (judged(DECODER, on_a_cpu(1.0, 4.0)[0])["imagenet-256"],)
    assert verdict.word == "not reproduced"
    assert "96.0 by arithmetic alone, 33.3 by weights read alone, 33.3 by kernels launched alone" in verdict.reason


def without_counts(made: Record) -> Record:
    """The record without the weights and kernels of its parts."""
    stages = made.timing.stages
    parts = {name: replace(part, num_kernels=None, weight_bytes=None) for name, part in stages.parts.items()}
    return with_timing(made, stages=replace(stages, parts=parts))


def test_what_an_older_record_did_not_count_weighs_nothing():
    records = on_a_cpu(1.0, 112.0, work=112.0, calls=4.0)
    assert judged(DIFFUSION, *records)["imagenet-256"].word == "inconclusive"
    verdict = judged(DIFFUSION, *map(without_counts, records))["imagenet-256"]
    assert verdict.word == "reproduced"
    assert "It would be 112 by arithmetic alone: a GPU" in verdict.reason


def test_composed_pairs_speak_before_composed_runs():
    pairs = ratios("transdiff-l", {"dit-xl-2": 4.0, "sit-xl-2": 3.9}, protocol_name="imagenet-256-composed-ratios")
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, 9.0), pairs)["imagenet-256"]
    assert (verdict.word, verdict.value) == ("not reproduced", 3.9)
    assert verdict.reason.startswith("Judged on a CPU, not on a GPU")


def test_whole_images_on_a_gpu_speak_before_composed_ones():
    gpu = ratios(
        "transdiff-l", {"dit-xl-2": 110.0, "sit-xl-2": 112.0}, protocol_name="imagenet-256-ratios", environment=GPU
    )
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, 4.0), gpu)["imagenet-256"]
    assert (verdict.word, verdict.records) == ("reproduced", (gpu.file,))
    assert "CPU" not in verdict.reason


def test_the_interval_of_a_composed_ratio_is_all_that_both_times_allow():
    """1 % either way on each side: 4 * 0.99 / 1.01 to 4 * 1.01 / 0.99."""
    verdict = judged(DIFFUSION, *on_a_cpu(1.0, 4.0))["imagenet-256"]
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((4 * 0.99 / 1.01, 4 * 1.01 / 0.99))


def test_the_decoders_share_of_the_time_is_judged_in_percent():
    verdict = judged(DECODER, on_a_cpu(1.0, 4.0)[0])["imagenet-256"]
    assert (verdict.word, verdict.value, verdict.unit) == ("not reproduced", pytest.approx(96.0), "% of the time")
    assert "Better than printed" not in verdict.reason  # neither more nor less is better


# -- printed speeds ----------------------------------------------------------------------------------------------------


def in_batches(environment, per_second: float):
    return record(
        "dit-xl-2",
        "imagenet-256-batch-128",
        environment=environment,
        measurements={"throughput_per_s": measured(per_second, 0.01 * per_second, 10, "images/s")},
    )


def test_images_per_second_are_judged_on_the_printed_hardware_only():
    assert judged(RAR, in_batches(GPU, 0.6))["imagenet-256"].word == "reproduced"
    other = replace(GPU, gpu="NVIDIA H200", machine="nvidia-h200")
    verdict = judged(RAR, in_batches(other, 0.6))["imagenet-256"]
    assert verdict.word == "not comparable"
    assert "ran on NVIDIA H200; the printed number is of A100" in verdict.reason


def test_relative_times_are_those_of_var_d30():
    """Of "dit-xl-2 takes 45" the ratio is: var-d30 is 45 times as fast."""
    side = BY_ID["dit-xl-2-relative-time"].paper_scale
    runs = [replace(latency(m, s), protocol=protocol(side.protocol)) for m, s in (("var-d30", 1.0), ("dit-xl-2", 45.0))]
    assert judged(BY_ID["dit-xl-2-relative-time"], *runs)["imagenet-256"].word == "reproduced"


def test_in_small_throughput_is_a_difference_and_more_is_better():
    claim = BY_ID["mar-b-images-per-second"]
    runs = [latency("mar-digits", 0.1), latency("dit-digits", 1.0)]  # 200 and 20 images/s
    verdict = judged(claim, *runs)["digits"]
    assert (verdict.word, verdict.value) == ("holds in small", pytest.approx(180.0))
    assert judged(claim, *[latency("mar-digits", 1.0), latency("dit-digits", 0.1)])["digits"].word == (
        "does not hold in small"
    )


def test_against_every_ar_family():
    pairs = ratios("transdiff-digits", {"mar-digits": 3.0, "llamagen-digits": 0.2, "var-digits": 0.1})
    verdict = judged(AR, pairs)["digits"]
    assert (verdict.word, verdict.value) == ("does not hold in small", 0.1)
    assert "Slower than var-digits" in verdict.reason
