"""The paragraph under a speed verdict: what its numbers compare and why they come out so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.claims.speed import SPEED_CLAIMS
from bench.records.parts import Series, Sweep
from bench.report.speed_words import speed_paragraph
from bench.verdict.judge import judge
from tests.fake_records import ROOFLINE, composed, latency, ratios, stages, with_timing

BY_ID = {claim.id: claim for claim in CLAIMS}
DIFFUSION = BY_ID["transdiff-latency-diffusion"]


def paragraph(claim_id: str, scale: str, *records) -> str:
    claim = BY_ID[claim_id]
    (verdict,) = [verdict for verdict in judge(claim, records) if verdict.scale == scale]
    return speed_paragraph(claim, verdict, records)


def paper_size():
    """100 s and 400 s, 10 and 30 TFLOP."""
    return [
        composed("transdiff-l", {"encoder": 3.0, "decoder": 95.0, "autoencoder": 2.0}, 1e13),
        composed("dit-xl-2", {"network": 396.0, "autoencoder": 4.0}, 3e13),
        composed("sit-xl-2", {"network": 396.0, "autoencoder": 4.0}, 3e13),
    ]


def small(model, seconds, flops, num_calls, **changes):
    """A run whose stages are known: 98 % in the network."""
    made = latency(model, seconds, spread=0.0)
    parts = {"decoder": 0.98 * seconds, "rest": 0.02 * seconds}
    kept = {"flops": flops, "stages": stages(parts, flops, num_calls=num_calls), "roofline": ROOFLINE, **changes}
    return with_timing(made, **kept)


def test_a_ratio_of_times_is_taken_apart_into_arithmetic_and_speed_of_execution():
    """400 s / 100 s = 4 = (30 / 10 TFLOP) x (100 / 75 GFLOP/s)."""
    text = paragraph("transdiff-latency-diffusion", "imagenet-256", *paper_size())
    assert "dit-xl-2 takes 4.00 times as long as transdiff-l for 3.00 times the arithmetic" in text
    assert "less arithmetic per second (75.0 GFLOP/s against 100 GFLOP/s)" in text
    assert "composed of a few calls of each part" in text
    assert "Acme CPU 9000, 2 threads" in text


def test_arithmetic_that_explains_the_ratio_is_said_to():
    runs = [small("transdiff-digits", 0.1, 1e9, 100), small("dit-digits", 0.41, 4e9, 400)]
    text = paragraph("transdiff-latency-diffusion", "digits", *runs)
    assert (
        "dit-digits takes 4.10 times as long as transdiff-digits for 4.00 times the arithmetic, which explains" in text
    )


def test_small_calls_are_named_where_they_cost_speed():
    """1 MFLOP a call against 10: 0.5 times the arithmetic in 3 times the time."""
    runs = [small("transdiff-digits", 0.1, 1e9, 100), small("mar-digits", 0.3, 5e8, 500)]
    text = paragraph("transdiff-latency-ar", "digits", *runs)
    assert "in smaller calls (1.00 MFLOP against 10.0 MFLOP each)" in text


def test_pairs_give_the_ratio_and_their_number():
    runs = [small("transdiff-digits", 0.1, 1e9, 100), small("dit-digits", 0.4, 4e9, 400)]
    pairs = ratios("transdiff-digits", {"dit-digits": 2.5})
    text = paragraph("transdiff-latency-diffusion", "digits", *runs, pairs)
    assert "dit-digits takes 2.50 times as long" in text
    assert "all sides in the same 10 rounds" in text


def test_amdahls_law_bounds_the_claim():
    """Of 100 s the decoder takes 95: free, x20; all else free, x1.05. x112 of 400 s leaves 3.6 s."""
    text = paragraph("transdiff-latency-diffusion", "imagenet-256", *paper_size())
    assert "the decoder takes 95.0 %" in text
    assert "at most x1.05 if all but its decoder were free, and x20.0 if that were" in text
    assert "x112 of dit-xl-2's 400 s would leave transdiff-l 3.57 s; its decoder alone takes 95.0 s" in text
    assert "out of reach" in text
    assert "Whatever decodes latents as dit-xl-2 does can be x100 faster at most." in text  # 400 s / 4 s


def test_a_printed_ratio_that_the_decoder_allows_is_not_ruled_out():
    var = composed("var-d20", {"transformer": 900.0, "autoencoder": 2.0}, 1e12)
    text = paragraph("transdiff-latency-ar-informal", "imagenet-256", paper_size()[0], var)
    assert "that does not rule the ratio out" in text


def test_the_decoders_share_is_given_with_and_without_the_autoencoder():
    text = paragraph("transdiff-decoder-time-share", "imagenet-256", *paper_size())
    assert "the decoder takes 95.0 %" in text
    assert "Without the autoencoder the decoder's share is 96.9 %." in text  # 95 / 98


def test_the_reached_share_of_the_limits_names_what_binds():
    """The decoder's 0.95 x 10 TFLOP need 95 s at 100 GFLOP/s of the 95 s it takes; 4 MB of weights bind nothing."""
    text = paragraph("transdiff-latency-diffusion", "imagenet-256", *paper_size())
    assert "transdiff-l's decoder reaches 100.00 % (bound by arithmetic)" in text
    assert "100 GFLOP/s) and copy (20 GB/s)" in text


def sweep(seconds):
    """Three rounds of each batch size."""
    return Sweep(batches=tuple(Series(batch_size=size, rounds_s=(each,) * 3) for size, each in seconds.items()))


def test_sweeps_say_what_batches_make_of_it():
    sweeps = [sweep({1: 0.1, 4: 0.2}), sweep({1: 0.4, 2: 0.4})]  # at best 20 and 5 images per second
    runs = [
        small("transdiff-digits", 0.1, 1e9, 100, sweep=sweeps[0]),
        small("dit-digits", 0.4, 4e9, 400, sweep=sweeps[1]),
    ]
    text = paragraph("transdiff-latency-diffusion", "digits", *runs)
    assert (
        "short sweep, 4, transdiff-digits paints 20.0 images per second, 4.00 times those of dit-digits (at 2)" in text
    )


def test_what_no_record_holds_is_said_to_be_missing():
    pairs = ratios("transdiff-digits", {"dit-digits": 2.5, "sit-digits": 2.0})
    text = paragraph("transdiff-latency-diffusion", "digits", latency("transdiff-digits", 0.1), pairs)
    assert "No run of dit-digits and sit-digits was kept: arithmetic and stages are unknown." in text
    assert "No stages of transdiff-digits were kept." in text


def test_foreign_load_is_told():
    busy = small("transdiff-digits", 0.1, 1e9, 100)
    busy = with_timing(busy, latency=replace(busy.timing.latency, disturbed=True))
    runs = [busy, small("dit-digits", 0.4, 4e9, 400)]
    text = paragraph("transdiff-latency-diffusion", "digits", *runs)
    assert "Other work ran on the machine during the runs of transdiff-digits." in text


def test_images_per_second_are_compared_in_batches():
    runs = [small("mar-digits", 0.1, 1e9, 100), small("dit-digits", 0.4, 4e9, 400)]
    text = paragraph("mar-b-images-per-second", "digits", *runs)
    assert "In batches mar-digits paints 200 images per second, dit-digits 50.0." in text
    assert "batch 8" in text


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_nothing_is_said_of_what_was_not_measured_or_is_not_of_speed(claim):
    for verdict in judge(claim, []):
        assert speed_paragraph(claim, verdict, []) == ""


@pytest.mark.parametrize("claim", [c for c in SPEED_CLAIMS if c.paper_scale.stand_in], ids=lambda claim: claim.id)
def test_every_speed_claim_that_composed_times_judge_has_its_paragraph(claim):
    side = claim.paper_scale
    runs = [composed(m, {"decoder": 9.0, "autoencoder": 1.0}, 1e12) for m in (side.subject, *side.baselines)]
    text = paragraph(claim.id, side.scale, *runs)
    assert text.startswith("What is compared:")
    assert text.endswith(".")
