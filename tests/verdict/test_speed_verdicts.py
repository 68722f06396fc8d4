"""Verdicts of speed: ratios of shared rounds, printed speeds of stated hardware, runs of a machine at two paces."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.records.parts import Series
from bench.records.schema import Record, Verdict
from bench.verdict.judge import judge
from tests.fake_records import ENVIRONMENT, ROOFLINE, latency, measured, protocol, quality, ratios, record, with_timing
from tests.fake_studies import OWN_SETTINGS, study_set

BY_ID = {claim.id: claim for claim in CLAIMS}
DIFFUSION, AR = BY_ID["transdiff-latency-diffusion"], BY_ID["transdiff-latency-ar"]
RAR, MORE_PER_SECOND = BY_ID["dit-xl-2-images-per-second"], BY_ID["mar-b-images-per-second"]
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


def test_against_every_ar_family():
    pairs = ratios("transdiff-digits", {"mar-digits": 3.0, "llamagen-digits": 0.2, "var-digits": 0.1})
    verdict = judged(AR, pairs)["digits"]
    assert (verdict.word, verdict.value) == ("does not hold in small", 0.1)
    assert "Slower than var-digits" in verdict.reason


# -- images per second in small ----------------------------------------------------------------------------------------


def in_batch(model: str, per_image_s: float, *, size: int = 8, settings: str = "mar-digits") -> Record:
    """A record under digits-latency whose images take `per_image_s` each in batches, and ten times as long alone."""
    made = latency(model, 10 * per_image_s, settings=OWN_SETTINGS[settings])
    rounds = tuple(size * per_image_s * pace for pace in (0.98, 0.99, 1.0, 1.0, 1.0, 1.01, 1.02))
    return with_timing(made, throughput=Series(batch_size=size, rounds_s=rounds))


def test_throughput_is_compared_as_a_ratio_from_the_raw_rounds_and_more_is_better():
    """200 against 20 images per second are 10 times as many, 2 % either way of each side; whatever the record's own
    measurement of its throughput and its interval say."""
    runs = [in_batch("mar-digits", 0.005), in_batch("dit-digits", 0.05)]
    verdict = judged(MORE_PER_SECOND, *runs)["digits"]
    assert (verdict.word, verdict.value, verdict.unit) == ("holds in small", pytest.approx(10), "times")
    assert 10 * 0.98 / 1.02 <= verdict.ci_low < 10 < verdict.ci_high <= 10 * 1.02 / 0.98
    assert "More than dit-digits (200 against 20.0 images per second; 10.0" in verdict.reason
    assert set(verdict.records) == {made.file for made in runs}
    runs = [in_batch("mar-digits", 0.05), in_batch("dit-digits", 0.005)]
    assert judged(MORE_PER_SECOND, *runs)["digits"].word == "does not hold in small"
    runs = [in_batch("mar-digits", 0.05), in_batch("dit-digits", 0.0501)]
    verdict = judged(MORE_PER_SECOND, *runs)["digits"]
    assert (verdict.word, "Not told apart from dit-digits" in verdict.reason) == ("inconclusive", True)


def test_a_record_without_rounds_in_batches_says_nothing_of_throughput():
    verdict = judged(MORE_PER_SECOND, in_batch("mar-digits", 0.005), latency("dit-digits", 0.05))["digits"]
    assert (verdict.word, verdict.value) == ("inconclusive", None)
    assert "dit-digits has no throughput_per_s" in verdict.reason


def test_images_per_second_of_two_batch_sizes_are_not_compared():
    verdict = judged(MORE_PER_SECOND, in_batch("mar-digits", 0.005, size=64), in_batch("dit-digits", 0.05))["digits"]
    assert (verdict.word, verdict.value) == ("not comparable", None)
    assert "mar-digits and dit-digits were timed in batches of 64 and 8 images" in verdict.reason


def in_studies() -> list[Record]:
    """Runs of MAR and DiT at three training seeds, alike in all but the model, which time batches of 125: MAR 10 times
    the slower."""
    found = []
    for made in study_set(["training-seeds"]):
        if made.model in ("mar-digits", "dit-digits"):
            speed = measured(1.0 if made.model == "mar-digits" else 10.0, 0.01, 4, "images/s")
            found.append(replace(made, settings=OWN_SETTINGS["mar-digits"], measurements={"throughput_per_s": speed}))
    assert len({made.protocol.training_seed for made in found}) > 1
    return found


def test_a_speed_rests_on_runs_of_its_own_protocol_whatever_studies_timed():
    """Studies time batches of 125, digits-latency batches of 8: a verdict of speed never mixes the two."""
    runs = [in_batch("mar-digits", 0.005), in_batch("dit-digits", 0.05)]
    assert {made.protocol.batch_size for made in in_studies()} == {125}
    verdict = judged(MORE_PER_SECOND, *runs, *in_studies())["digits"]
    assert (verdict.word, verdict.value) == ("holds in small", pytest.approx(10))
    assert set(verdict.records) == {made.file for made in runs}
    assert "training seeds" not in verdict.reason
    assert judged(MORE_PER_SECOND, *in_studies())["digits"].word == "not run"


# -- a machine at two paces --------------------------------------------------------------------------------------------


def at_pace(made: Record, pace: float) -> Record:
    """The record with a roofline whose matrix product runs at `pace` times the usual."""
    return with_timing(made, roofline=replace(ROOFLINE, matmul_flop_per_s=pace * ROOFLINE.matmul_flop_per_s))


@pytest.mark.parametrize("paces", [(1.14, 1.0), (1.0, 1.14), (1.16, 1.0), (1.0, 1.16)])
def test_runs_whose_machine_speeds_differ_by_more_than_15_percent_are_not_compared(paces):
    """Latency and throughput alike, whichever of the two had the faster machine: 14 % is allowed, 16 % is not."""
    latencies = [latency("transdiff-digits", 0.1), latency("dit-digits", 0.4)]
    batches = [in_batch("mar-digits", 0.005), in_batch("dit-digits", 0.05)]
    for claim, runs in ((DIFFUSION, latencies), (MORE_PER_SECOND, batches)):
        verdict = judged(claim, *map(at_pace, runs, paces))["digits"]
        if max(paces) < 1.15:
            assert verdict.word == "holds in small"
            continue
        assert (verdict.word, verdict.value) == ("not comparable", None)
        assert (
            f"{runs[0].model} and {runs[1].model} were timed in runs whose machine speeds differ by more than 15 %"
            in (verdict.reason)
        )
        shown = " and ".join(f"{100 * pace:.0f} GFLOP/s" for pace in paces)
        assert f"(matrix product {shown}): time them in shared rounds" in verdict.reason


def test_an_unknown_machine_speed_stops_no_comparison():
    runs = [at_pace(latency("transdiff-digits", 0.1), 3.0), latency("dit-digits", 0.4)]
    assert judged(DIFFUSION, *runs)["digits"].word == "holds in small"


def test_shared_rounds_are_compared_at_any_pace():
    """Both sides of a pair ran while the machine ran at one pace, whatever it did in the runs of each."""
    runs = [at_pace(latency("transdiff-digits", 0.1), 3.0), at_pace(latency("dit-digits", 0.4), 1.0)]
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0})
    assert judged(DIFFUSION, *runs, pairs)["digits"].word == "holds in small"


def test_scores_do_not_depend_on_the_pace_of_a_machine():
    fid = BY_ID["transdiff-fid"]
    made = [latency("transdiff-digits", 0.1), latency("dit-digits", 0.4)]
    scores = [
        quality("transdiff-digits", 2.0, timing=made[0].timing),
        quality("dit-digits", 9.0, timing=made[1].timing),
    ]
    assert judged(fid, *map(at_pace, scores, (3.0, 1.0)))["digits"].word == "holds in small"
