"""Verdicts rest on intervals: two-sided against a printed number, a direction in small, nothing from unlike records."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.claims import CLAIMS
from bench.records.latest import latest
from bench.records.parts import Measurement
from bench.records.schema import Claim, Comparison, Verdict
from bench.verdict.judge import judge
from tests.fake_records import (
    ENVIRONMENT,
    FLOOR,
    INPUTS,
    composed,
    full_set,
    latency,
    measured,
    protocol,
    quality,
    ratios,
    record,
)

BY_ID = {claim.id: claim for claim in CLAIMS}
FID, SCORE, MRAR = BY_ID["transdiff-fid"], BY_ID["transdiff-inception-score"], BY_ID["mrar-fid"]
FASTER_THAN_AR, FASTER_THAN_DIFFUSION = BY_ID["transdiff-latency-ar"], BY_ID["transdiff-latency-diffusion"]


def in_small(claim: Claim, *records) -> Verdict:
    return judge(claim, records)[1]


def as_printed(claim: Claim, *records) -> Verdict:
    return judge(claim, records)[0]


def paper_quality(model: str, fid: float, spread: float = 0.005):
    return record(model, "imagenet-256-quality", measurements={"fid": measured(fid, spread, 50_000)})


def paper_latency(model: str, seconds: float, **changes):
    return replace(latency(model, seconds, num_rounds=200, **changes), protocol=protocol("imagenet-256-latency"))


# -- in small ----------------------------------------------------------------------------------------------------------


def test_a_direction_holds_if_the_subject_is_apart_from_every_baseline_on_the_right_side():
    verdict = in_small(FID, quality("transdiff-digits", 2.0), quality("mar-digits", 6.0), quality("dit-digits", 3.0))
    assert (verdict.word, verdict.scale) == ("holds in small", "digits")
    assert "FID lower than mar-digits (2.00 against 6.00; difference −4.00" in verdict.reason
    assert "FID lower than dit-digits (2.00 against 3.00; difference −1.00" in verdict.reason
    assert "no record of llamagen-digits, var-digits and sit-digits" in verdict.reason
    assert len(verdict.records) == 3


def test_one_baseline_that_is_better_is_enough_to_refute():
    verdict = in_small(FID, quality("transdiff-digits", 2.0), quality("mar-digits", 6.0), quality("dit-digits", 1.0))
    assert verdict.word == "does not hold in small"
    assert "FID higher than dit-digits (2.00 against 1.00" in verdict.reason


def test_an_interval_across_zero_is_inconclusive():
    verdict = in_small(FID, quality("transdiff-digits", 2.0), quality("dit-digits", 2.2))
    assert verdict.word == "inconclusive"
    assert "FID not told apart from dit-digits" in verdict.reason
    assert verdict.ci_low < 0 < verdict.ci_high


def test_the_number_of_a_verdict_is_that_of_the_least_favourable_baseline():
    verdict = in_small(FID, quality("transdiff-digits", 2.0), quality("mar-digits", 6.0), quality("dit-digits", 3.0))
    assert (verdict.value, verdict.unit, verdict.rival) == (pytest.approx(-1.0), "FID", "dit-digits")


def test_of_the_inception_score_more_is_better():
    records = [quality(model, 2.0, inception_score=s) for model, s in (("transdiff-digits", 9.5), ("dit-digits", 9.0))]
    assert in_small(SCORE, *records).word == "holds in small"
    records = [quality(model, 2.0, inception_score=s) for model, s in (("transdiff-digits", 9.0), ("dit-digits", 9.5))]
    assert in_small(SCORE, *records).word == "does not hold in small"


def test_mrar_is_compared_with_the_one_step_model():
    one_step = quality("transdiff-digits", 2.0)
    assert in_small(MRAR, one_step, quality("transdiff-mrar-digits", 1.0)).word == "holds in small"
    assert in_small(MRAR, one_step, quality("transdiff-mrar-digits", 3.0)).word == "does not hold in small"
    missing = in_small(MRAR, one_step)
    assert missing.word == "not run"
    assert "no record of transdiff-mrar-digits" in missing.reason
    assert "`python -m bench reproduce --only transdiff-mrar-digits`" in missing.reason


def test_latency_is_a_ratio_of_medians_of_raw_rounds():
    records = [latency("transdiff-digits", 0.1), latency("mar-digits", 0.4)]
    verdict = in_small(FASTER_THAN_AR, *records)
    ours, theirs = (np.median(made.timing.latency.rounds_s) for made in records)
    ratio = theirs / ours
    assert verdict.word == "holds in small"
    assert verdict.value == pytest.approx(ratio)
    assert verdict.ci_low < ratio < verdict.ci_high
    assert verdict.unit == "times"
    assert "Faster than mar-digits (median 99.4 ms against 397 ms; 4.000 times" in verdict.reason


def test_a_slower_subject_is_said_to_be_slower_in_numbers_above_one():
    verdict = in_small(FASTER_THAN_AR, latency("transdiff-digits", 0.4), latency("var-digits", 0.1))
    assert verdict.word == "does not hold in small"
    assert "Slower than var-digits" in verdict.reason
    assert "4.000 times, 95 % interval 3." in verdict.reason
    assert verdict.value == pytest.approx(0.25)


def test_rounds_that_overlap_are_not_told_apart():
    records = latency("transdiff-digits", 0.1, spread=0.3), latency("dit-digits", 0.101, spread=0.3)
    assert in_small(FASTER_THAN_DIFFUSION, *records).word == "inconclusive"


def test_ar_and_diffusion_baselines_do_not_mix():
    records = latency("transdiff-digits", 0.1), latency("dit-digits", 0.4)
    assert in_small(FASTER_THAN_DIFFUSION, *records).word == "holds in small"
    assert in_small(FASTER_THAN_AR, *records).word == "not run"


@pytest.mark.parametrize("lacking", ["subject", "baseline"])
def test_without_an_interval_nothing_is_concluded(lacking):
    ours, theirs = quality("transdiff-digits", 2.0), quality("dit-digits", 9.0)
    bare = {"fid": Measurement(2.0, "")}
    if lacking == "subject":
        ours = replace(ours, measurements=bare)
    else:
        theirs = replace(theirs, measurements=bare)
    verdict = in_small(FID, ours, theirs)
    assert verdict.word == "inconclusive"
    assert f"FID of {'transdiff' if lacking == 'subject' else 'dit'}-digits has no interval" in verdict.reason


@pytest.mark.parametrize("end", ["ci_low", "ci_high"])
def test_an_interval_of_one_end_is_none(end):
    """Of a score, of a shared ratio and of an estimated latency: half an interval tells nothing apart."""
    open_ended = replace(measured(9.0, 0.2), **{end: None})
    dit = quality("dit-digits", 9.0)
    dit = replace(dit, measurements={**dit.measurements, "fid": open_ended})
    verdict = in_small(FID, quality("transdiff-digits", 2.0), dit)
    assert (verdict.word, "FID of dit-digits has no interval" in verdict.reason) == ("inconclusive", True)
    pairs = ratios("transdiff-digits", {"dit-digits": 9.0})
    pairs = replace(pairs, speedups=(replace(pairs.speedups[0], ratio=open_ended),))
    assert in_small(FASTER_THAN_DIFFUSION, pairs).word == "inconclusive"
    slow = composed("dit-xl-2", {"network": 9.0}, 1e12)
    slow = replace(slow, measurements={"latency_s": replace(slow.measurements["latency_s"], **{end: None})})
    fast = composed("transdiff-l", {"decoder": 1.0}, 1e12)
    verdict = as_printed(FASTER_THAN_DIFFUSION, fast, slow)
    assert verdict.word == "inconclusive"
    assert "transdiff-l against dit-xl-2: a latency, or its interval, is missing" in verdict.reason


def test_without_the_metric_or_the_rounds_nothing_is_concluded():
    refused = replace(quality("dit-digits", 2.0), measurements={})
    assert "dit-digits has no fid" in in_small(FID, quality("transdiff-digits", 2.0), refused).reason
    bare = replace(latency("dit-digits", 0.2), timing=None)
    verdict = in_small(FASTER_THAN_DIFFUSION, latency("transdiff-digits", 0.1), bare)
    assert verdict.word == "inconclusive"
    assert "dit-digits kept no raw rounds" in verdict.reason


@pytest.mark.parametrize("fid", [1.61, 4.0])
def test_a_pilot_is_inconclusive_with_its_number_and_interval_whatever_it_measures(fid):
    pilot = paper_quality("transdiff-h", fid)
    pilot = replace(pilot, protocol=replace(pilot.protocol, num_images=10_000, pilot_of=50_000))
    verdict = as_printed(FID, pilot)
    assert (verdict.word, verdict.value) == ("inconclusive", fid)
    assert verdict.ci_low < fid < verdict.ci_high
    assert verdict.reason.startswith("A pilot of 10,000 images, of 50,000: too few for a verdict.")
    assert "95 % interval" in verdict.reason
    against = in_small(FID, pilot_of_digits("transdiff-digits", 2.0), pilot_of_digits("dit-digits", 9.0))
    assert against.word == "inconclusive"
    full = as_printed(FID, *latest([pilot, paper_quality("transdiff-h", 1.61)]))
    assert full.word == "reproduced"


def pilot_of_digits(model: str, fid: float):
    one = quality(model, fid)
    return replace(one, protocol=replace(one.protocol, num_images=125, pilot_of=500))


def test_smoke_runs_are_never_judged():
    for records in (
        (quality("transdiff-digits", 2.0, quick=True), quality("dit-digits", 9.0, quick=True)),
        (quality("transdiff-digits", 2.0), quality("dit-digits", 9.0, quick=True)),
    ):
        verdict = in_small(FID, *records)
        assert verdict.word == "inconclusive"
        assert verdict.reason.startswith("Smoke run")
        assert verdict.value is None


def test_a_failed_run_is_missing_with_its_reason():
    failed = record("mar-digits", "digits-quality", status="failed", reason="12 images are constant")
    verdict = in_small(FID, quality("transdiff-digits", 2.0), failed)
    assert verdict.word == "not run"
    assert "mar-digits failed (12 images are constant)" in verdict.reason


def test_of_several_records_the_latest_is_judged():
    old = quality("dit-digits", 9.0, created_utc="2026-01-01T00:00:00+00:00")
    verdict = in_small(FID, quality("transdiff-digits", 2.0), old, quality("dit-digits", 1.0))
    assert verdict.word == "does not hold in small"


@pytest.mark.parametrize("field", ["num_images", "features", "reference", "dtype"])
def test_scores_of_unlike_protocols_are_not_compared(field):
    other = quality("dit-digits", 9.0)
    other = replace(other, protocol=replace(other.protocol, **{field: "another"}))
    verdict = in_small(FID, quality("transdiff-digits", 2.0), other)
    assert verdict.word == "not comparable"
    assert f"differ in {field} (" in verdict.reason
    assert verdict.value is None


@pytest.mark.parametrize("field", ["batch_size", "min_rounds", "min_duration_s"])
def test_fields_that_change_no_score_do_not_matter(field):
    other = quality("dit-digits", 9.0)
    other = replace(other, protocol=replace(other.protocol, **{field: 7}))
    assert in_small(FID, quality("transdiff-digits", 2.0), other).word == "holds in small"


@pytest.mark.parametrize("field", ["machine", "device", "num_threads"])
def test_latencies_of_unlike_machines_are_not_compared(field):
    other = latency("dit-digits", 0.2, environment=replace(ENVIRONMENT, **{field: "another"}))
    verdict = in_small(FASTER_THAN_DIFFUSION, latency("transdiff-digits", 0.1), other)
    assert verdict.word == "not comparable"
    assert f"differ in {field} (" in verdict.reason


def test_latencies_of_unlike_batches_or_versions_are_not_compared():
    ours, theirs = latency("transdiff-digits", 0.1), latency("dit-digits", 0.2)
    batch = replace(theirs, protocol=replace(theirs.protocol, latency_batch_size=8))
    assert "latency_batch_size (1 and 8)" in in_small(FASTER_THAN_DIFFUSION, ours, batch).reason
    torch = replace(theirs, environment=replace(ENVIRONMENT, versions={"torch": "2.12.0"}))
    assert "torch (2.11.0 and 2.12.0)" in in_small(FASTER_THAN_DIFFUSION, ours, torch).reason
    version = replace(theirs, inputs=replace(INPUTS, metric_versions={"latency_s": 2}))
    assert "version of latency_s (1 and 2)" in in_small(FASTER_THAN_DIFFUSION, ours, version).reason


def test_a_refutation_weighs_more_than_an_unlike_baseline():
    unlike = quality("mar-digits", 9.0)
    unlike = replace(unlike, protocol=replace(unlike.protocol, num_images=100))
    verdict = in_small(FID, quality("transdiff-digits", 2.0), unlike, quality("dit-digits", 1.0))
    assert verdict.word == "does not hold in small"


def test_a_score_below_the_real_data_floor_is_called_suspicious():
    """Nearer to the training images than real held-out ones: what a model that copies them scores."""
    copied = quality("transdiff-digits", 0.2, spread=0.05)  # the floor is 0.51 to 0.75
    real = record("real-data", "digits-quality", family="real", settings={}, measurements=FLOOR)
    verdict = in_small(FID, copied, quality("dit-digits", 3.0), real)
    assert "Suspiciously good: transdiff-digits lies below the real-data floor of 0.62" in verdict.reason
    touching = quality("transdiff-digits", 0.5, spread=0.05)
    assert "Suspiciously" not in in_small(FID, touching, quality("dit-digits", 3.0), real).reason
    assert FLOOR["fid"].ci_low == 0.51
    elsewhere = replace(real, protocol=protocol("imagenet-256-quality"))  # of other images: no floor of these
    assert "Suspiciously" not in in_small(FID, copied, quality("dit-digits", 3.0), elsewhere).reason
    fewer = replace(real, protocol=replace(real.protocol, num_images=40))  # nor is that of a smoke run's few images
    quick = replace(real, protocol=protocol("digits-quality", quick=True))
    assert "Suspiciously" not in in_small(FID, copied, quality("dit-digits", 3.0), fewer, quick).reason


# -- at the paper's scale ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_full_run_in_small_leaves_the_printed_numbers_unjudged_and_says_what_they_need(claim):
    verdict = as_printed(claim, *full_set())
    assert (verdict.word, verdict.scale) == ("not run", claim.paper_scale.scale)
    for need in claim.paper_scale.needs:
        assert need in verdict.reason
    command = f"python -m bench reproduce --scale {claim.paper_scale.scale} --only {claim.paper_scale.subject}"
    assert command in verdict.reason


@pytest.mark.parametrize(
    ("fid", "spread", "word"),
    [
        (1.61, 0.01, "reproduced"),
        (1.65, 0.005, "reproduced"),  # within 3 %: 1.562 to 1.658
        (1.57, 0.005, "reproduced"),
        (1.65, 0.02, "inconclusive"),  # straddles the upper border
        (1.56, 0.01, "inconclusive"),  # straddles the lower border
        (1.61, 0.2, "inconclusive"),  # wider than the tolerance
        (1.75, 0.01, "not reproduced"),
        (1.40, 0.01, "not reproduced"),  # too good
    ],
)
def test_a_printed_value_is_judged_two_sided(fid, spread, word):
    verdict = as_printed(FID, paper_quality("transdiff-h", fid, spread))
    assert verdict.word == word
    assert verdict.value == fid
    assert ("as suspicious" in verdict.reason) is (fid == 1.40)


def test_a_printed_value_needs_an_interval():
    bare = replace(paper_quality("transdiff-h", 1.61), measurements={"fid": Measurement(1.61, "")})
    verdict = as_printed(FID, bare)
    assert verdict.word == "inconclusive"
    assert "reaches 1.61 FID, interval unknown" in verdict.reason
    assert (verdict.value, verdict.ci_low, verdict.ci_high) == (1.61, None, None)  # what the reason tells, exports have


@pytest.mark.parametrize(
    ("seconds", "word"), [(112, "reproduced"), (4, "not reproduced"), (225, "not reproduced"), (140, "inconclusive")]
)
def test_a_printed_ratio_is_judged_two_sided(seconds, word):
    verdict = as_printed(
        FASTER_THAN_DIFFUSION, paper_latency("transdiff-l", 1.0), paper_latency("dit-xl-2", float(seconds))
    )
    assert verdict.word == word
    assert "times as fast as dit-xl-2" in verdict.reason
    assert ("as suspicious" in verdict.reason) is (seconds == 225)


def test_a_printed_ratio_that_is_missed_on_the_other_side_says_how_many_times_slower():
    """Never "0.25 times as fast"; the verdict keeps the ratio that was judged."""
    verdict = as_printed(FASTER_THAN_DIFFUSION, paper_latency("transdiff-l", 4.0), paper_latency("dit-xl-2", 1.0))
    assert (verdict.word, verdict.value) == ("not reproduced", pytest.approx(0.25, rel=0.02))
    assert "transdiff-l is 4.000 times slower than dit-xl-2, 95 % interval 3.949 to 4.054" in verdict.reason


def test_a_printed_ratio_of_unlike_machines_is_not_compared():
    elsewhere = paper_latency("dit-xl-2", 112.0, environment=replace(ENVIRONMENT, machine="another"))
    assert as_printed(FASTER_THAN_DIFFUSION, paper_latency("transdiff-l", 1.0), elsewhere).word == "not comparable"


def test_digits_never_answer_a_printed_number():
    """Even a digits model whose FID happens to be 1.61."""
    assert as_printed(FID, quality("transdiff-digits", 1.61), quality("transdiff-h", 1.61)).word == "not run"


def test_a_claim_that_small_says_nothing_about_has_one_verdict():
    assert [verdict.scale for verdict in judge(replace(FID, in_small=None), full_set())] == ["imagenet-256"]


def test_a_comparison_without_needs_says_nothing_of_them():
    bare = Comparison("direction", "fid", "transdiff-digits", ("dit-digits",), "digits-quality", "digits")
    assert "Needs" not in in_small(replace(FID, in_small=bare)).reason
