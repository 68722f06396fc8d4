"""Speed from records, by hand: rates, stages in their order, the machine's roofline, whose ratio counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis import speed
from bench.analysis.speedups import arithmetic_of, shared_times, speeds_of
from bench.records.parts import Measurement
from bench.records.schema import Comparison
from bench.stats import Interval
from tests.fake_records import ROOFLINE, composed, kernels, latency, quality, ratios, timed, with_timing

SIDE = Comparison(
    "ratio",
    "latency_s",
    "transdiff-digits",
    ("dit-digits", "sit-digits"),
    protocol="digits-latency",
    scale="digits",
    stand_in="imagenet-256-composed",
)


def at(made, minute):
    return replace(made, created_utc=f"2026-02-01T10:{minute:02d}:00+00:00", file=f"m/{made.model}-{minute}.json")


# -- of one record -----------------------------------------------------------------------------------------------------


def test_rates_are_images_per_second_at_the_median_round_by_size():
    made = timed("dit-digits", {"network": 1.0})
    batches = made.timing.sweep.batches
    odd = replace(batches[2], batch_size=4, rounds_s=(2.0, 100.0, 2.0))
    made = with_timing(made, sweep=replace(made.timing.sweep, batches=(odd, batches[0])))
    assert speed.rates_of(made) == {1: 1.0, 4: 2.0}
    assert speed.rates_of(latency("dit-digits", 0.1)) == speed.rates_of(quality("dit-digits", 2.0)) == {}


def test_stages_stand_in_the_order_in_which_they_run_and_an_unknown_one_before_the_decoder():
    made = timed("x", {"autoencoder": 1.0, "decoder": 2.0, "refiner": 3.0, "network": 4.0, "rest": 0.5, "encoder": 1.0})
    found = speed.stages_of(made)
    assert list(found) == ["encoder", "network", "refiner", "decoder", "autoencoder", "rest"]
    assert found["decoder"].seconds == 2
    assert found["decoder"].roofline_share is not None
    assert speed.stages_of(latency("dit-digits", 0.1)) == speed.stages_of(quality("dit-digits", 2.0)) == {}


def test_the_roofline_is_the_highest_of_its_machine_threads_and_dtype():
    """Product and copy each by themselves, whoever found them; whoever has none gets none."""

    def made(model, matmul, copy, machine="acme-cpu-2c", **changes):
        found = timed(model, {"network": 1.0})
        roofline = replace(ROOFLINE, matmul_flop_per_s=matmul, copy_bytes_per_s=copy, **changes)
        environment = replace(found.environment, machine=machine)
        return replace(with_timing(found, roofline=roofline), environment=environment)

    records = [
        made("a", 5.0, 2.0),
        made("b", 3.0, 7.0),
        made("c", 9.0, 9.0, dtype="bfloat16"),
        made("d", 8.0, 8.0, num_threads=2),
        made("e", 0.5, 0.25, machine="other"),
        latency("f", 0.1),
        quality("g", 2.0),
    ]
    found = speed.at_the_machines_roofline(records)
    limits = [(one.timing.roofline.matmul_flop_per_s, one.timing.roofline.copy_bytes_per_s) for one in found[:5]]
    assert limits == [(5, 7), (5, 7), (9, 9), (8, 8), (0.5, 0.25)]
    assert found[5:] == records[5:]
    assert found[2].timing.roofline.dtype == "bfloat16"
    assert found[0] == with_timing(records[0], roofline=replace(ROOFLINE, matmul_flop_per_s=5.0, copy_bytes_per_s=7.0))


def test_a_model_is_timed_by_its_latest_record_that_went_well():
    early, late = at(latency("dit-digits", 0.1), 1), at(latency("dit-digits", 0.2), 2)
    others = [
        replace(at(latency("dit-digits", 0.3), 3), status="failed"),
        replace(at(latency("dit-digits", 0.3), 4), timing=None),
        at(latency("sit-digits", 0.3), 5),
        at(quality("dit-digits", 2.0), 6),
    ]
    estimated = at(composed("dit-digits", {"network": 1.0}, 1e9), 9)
    assert speed.timed_of("dit-digits", SIDE, [late, early, *others, estimated]) is late
    same = replace(late, file="m/zz.json")
    assert speed.timed_of("dit-digits", SIDE, [same, late]) is same
    assert speed.timed_of("dit-digits", SIDE, [*others, estimated]) is estimated
    assert speed.timed_of("dit-digits", replace(SIDE, stand_in=""), [*others, estimated]) is None


# -- of two ------------------------------------------------------------------------------------------------------------


def test_ratios_are_of_the_latest_shared_rounds_of_a_fair_mode_by_baseline():
    old = at(ratios("transdiff-digits", {"sit-digits": 2.0, "dit-digits": 3.0}), 1)
    new = at(ratios("transdiff-digits", {"dit-digits": 4.0, "mar-digits": 5.0}), 2)
    best = at(ratios("transdiff-digits", {"sit-digits": 9.0}), 3)
    best = replace(best, speedups=(replace(best.speedups[0], mode="each at its best"),))
    failed = replace(at(ratios("transdiff-digits", {"sit-digits": 8.0}), 4), status="failed")
    another = at(ratios("mar-digits", {"sit-digits": 7.0}), 5)
    found = speed.paired_ratios(SIDE, [new, best, failed, another, old])
    assert [(name, pair.record, pair.entry.ratio.value) for name, pair in found.items()] == [
        ("dit-digits", new, 4.0),
        ("sit-digits", old, 2.0),
    ]
    assert list(speed.paired_ratios(replace(SIDE, baselines=("sit-digits", "dit-digits")), [old, new])) == [
        "sit-digits",
        "dit-digits",
    ]
    assert speed.paired_ratios(replace(SIDE, metric="flops"), [old]) == {}


def test_estimated_ratios_stand_in_where_no_shared_rounds_were_timed():
    whole = at(ratios("transdiff-digits", {"dit-digits": 3.0}), 1)
    stood_in = at(ratios("transdiff-digits", {"sit-digits": 2.0}, protocol_name="imagenet-256-composed-ratios"), 2)
    assert list(speed.pairs_of(SIDE, [whole, stood_in])) == ["dit-digits"]
    assert list(speed.pairs_of(SIDE, [stood_in])) == ["sit-digits"]
    assert speed.pairs_of(replace(SIDE, stand_in=""), [stood_in]) == {}


@pytest.mark.parametrize(
    ("scale", "protocol", "kind"),
    [
        ("digits", "digits-ratios", "small"),
        ("imagenet-256", "digits-ratios", "paper"),
        ("imagenet-256", "imagenet-256-composed-ratios", "estimated"),
    ],
)
def test_a_ratio_says_what_kind_of_evidence_it_is_and_where_it_stands(scale, protocol, kind):
    made = at(
        ratios("transdiff-digits", {"mar-digits": 9.0, "dit-digits": 3.0, "sit-digits": 2.0}, protocol_name=protocol), 1
    )
    made = replace(made, speedups=(*made.speedups[:2], replace(made.speedups[2], ratio=None, not_comparable="dtype")))
    (found,) = speeds_of(replace(SIDE, scale=scale), [made])
    assert (found.subject, found.baseline, found.kind) == ("transdiff-digits", "dit-digits", kind)
    assert found.ratio.found == Interval(3.0, 0.98 * 3, 1.02 * 3)
    assert (found.ratio.trace.files, found.ratio.trace.key) == ((made.file,), "speedups.1.ratio")


def test_by_arithmetic_alone_a_ratio_is_of_counted_operations():
    def counted(model, flops, minute):
        return replace(
            at(latency(model, 0.1), minute), measurements={"flops": Measurement(flops, "FLOP")} if flops else {}
        )

    ours, theirs = counted("transdiff-digits", 2e9, 1), counted("sit-digits", 6e9, 2)
    uncounted = counted("dit-digits", 0, 3)
    (found,) = arithmetic_of(SIDE, [ours, theirs, uncounted])
    assert (found.baseline, found.kind) == ("sit-digits", "flops")
    assert found.ratio.found == Interval(3.0, 3.0, 3.0)
    assert (found.ratio.trace.value, found.ratio.trace.files) == (3.0, (theirs.file, ours.file))
    assert found.ratio.trace.key == "measurements.flops@1 / measurements.flops@2"
    assert arithmetic_of(SIDE, [theirs]) == arithmetic_of(SIDE, [ours]) == []


def test_the_times_of_the_sides_give_the_printed_ratio():
    """They are of the rounds that the ratio is of, not of other runs: 0.1 s and 0.3 s where 3 times are printed; of a
    batch of four an image takes a quarter."""
    pairs = ratios("transdiff-digits", {"dit-digits": 3.0})
    apart = [latency("transdiff-digits", 0.2), latency("dit-digits", 9.9)]
    times = shared_times(SIDE, [pairs, *apart])
    assert {model: trace.value for model, trace in times.items()} == pytest.approx(
        {"dit-digits": 0.3, "transdiff-digits": 0.1}
    )
    assert {trace.key for trace in times.values()} == {
        "median(speedups.0.rounds_s.baseline)",
        "median(speedups.0.rounds_s.model)",
    }
    assert shared_times(SIDE, apart) == {}
    four = replace(pairs, protocol=replace(pairs.protocol, latency_batch_size=4))
    batch = shared_times(SIDE, [four])["dit-digits"]
    assert (batch.value, batch.key) == (pytest.approx(0.3 / 4), "median(speedups.0.rounds_s.baseline) / 4")


def test_a_ratio_has_beside_it_those_with_and_without_own_kernels_of_one_run():
    both = {"dit-digits": (3.0, 2.5), "sit-digits": (3.2, 3.2)}
    made = kernels("transdiff-digits", both, {"dit-digits": ("gelu",)})
    pairs = ratios("transdiff-digits", {"dit-digits": 2.9, "sit-digits": 3.1})
    dit, sit = speeds_of(SIDE, [made, pairs])
    assert dit.ratio.found.value == 2.9
    assert [each.found.value for each in dit.both_kernels] == [3.0, 2.5]
    assert sit.both_kernels is None  # it has none of its own
