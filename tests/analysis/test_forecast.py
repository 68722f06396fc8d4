"""What a run will cost: by what was measured on the machine, else by its roofline, else by counts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.forecast import FEATURE_BYTES, Forecast, disk_bytes, forecast, image_flops, roofline_of
from bench.protocols import PROTOCOLS
from bench.records.parts import Images, Measurement
from bench.records.schema import REAL_DATA, RunSpec
from bench.records.store import load_records
from reference_models import find
from tests.fake_records import AUDIT, ROOFLINE, latency, quality, record, with_timing
from tests.paths import ROOT

RUN = RunSpec("dit-xl-2", PROTOCOLS["imagenet-256-quality"])


@pytest.fixture(scope="module")
def timed():
    """An estimated run of the model, with the machine's roofline."""
    records = load_records([ROOT / "results"]).records
    return next(r for r in records if r.model == "dit-xl-2" and r.timing and r.timing.roofline)


def of(records, machine, **changes):
    return forecast(RUN, records, machine, image_size=256, pixels=False, **changes)


def test_what_was_counted_on_the_meta_device_is_what_a_timed_run_counted(timed):
    assert image_flops(RUN, []) == timed.timing.flops


def test_the_best_ground_is_taken(timed):
    machine = timed.environment.machine
    flops = 50_000 * timed.timing.flops
    assert (of([timed], "another").ground, of([timed], "another").seconds) == ("counts", None)
    bound = of([timed], machine)
    assert (bound.ground, bound.flops) == ("roofline", flops)
    assert bound.seconds == pytest.approx(flops / timed.timing.roofline.matmul_flop_per_s)
    rate = {"throughput_per_s": Measurement(2.0, "images/s")}
    measured = of([timed, replace(timed, measurements=rate)], machine)
    assert (measured.ground, measured.seconds) == ("measured", 25_000)
    guided = replace(timed, measurements=rate, inputs=replace(timed.inputs, settings={"cfg_scale": 4.0}))
    assert of([timed, guided], machine).ground == "roofline"  # other settings cost something else


def test_disk_is_features_and_pixels_of_the_first_shard_or_of_all():
    few = forecast(RUN, [], "", image_size=256, pixels=False).disk_bytes
    assert few == 50_000 * FEATURE_BYTES + 500 * 3 * 256**2
    assert forecast(RUN, [], "", image_size=256, pixels=True).disk_bytes - few == 49_500 * 3 * 256**2


# -- records that do not count -----------------------------------------------------------------------------------------

SMALL = RunSpec("dit-digits", PROTOCOLS["digits-quality"], {"num_steps": 9})


def small(**changes):
    """A record of the small model on machine "acme-cpu-2c" that timed 4 images a second at the run's settings."""
    made = record("dit-digits", "digits-quality", measurements={"throughput_per_s": Measurement(4.0, "images/s")})
    return replace(replace(made, inputs=replace(made.inputs, settings={"num_steps": 9})), **changes)


def seconds(*records, spec=SMALL):
    found = forecast(spec, records, "acme-cpu-2c", image_size=8, pixels=False)
    return found.seconds if found.ground == "measured" else None


def test_a_rate_is_of_the_same_model_settings_and_machine_and_of_a_full_run_that_went_well():
    num = SMALL.protocol.num_images
    assert seconds(small()) == num / 4
    for odd in (
        small(model="sit-digits"),
        small(inputs=replace(small().inputs, settings={"num_steps": 8})),
        small(environment=replace(small().environment, machine="other")),
        small(status="failed"),
        small(protocol=replace(SMALL.protocol, quick=True)),
        small(measurements={}),
    ):
        assert seconds(odd) is None
    faster = {"throughput_per_s": Measurement(8.0, "images/s")}
    assert seconds(small(), small(measurements=faster)) == num / 8  # the latest


def test_batches_of_an_earlier_run_are_a_rate_where_their_size_is_known():
    """Batches of 64 in 2, 1 and 1 s: 48 a second."""
    images = Images(audit=AUDIT, rounds_s=(2.0, 1.0, 1.0))
    earlier = small(measurements={}, images=images)
    timed = replace(earlier, protocol=replace(earlier.protocol, batch_size=64))
    assert seconds(timed) == SMALL.protocol.num_images / 48
    assert seconds(replace(timed, protocol=replace(timed.protocol, batch_size=0))) is None
    assert seconds(replace(timed, images=replace(images, rounds_s=()))) is None


def test_what_nobody_counted_has_neither_operations_nor_a_roofline():
    found = forecast(SMALL, [], "", image_size=8, pixels=False)
    assert (found.flops, found.seconds, found.ground) == (None, None, "")
    assert found.disk_bytes == SMALL.protocol.num_images * 3 * 64  # small scans: pixels alone
    real = forecast(RunSpec(REAL_DATA, SMALL.protocol), [], "", image_size=8, pixels=False)
    assert (real.flops, real.ground) == (None, "")
    assert (
        forecast(RunSpec("dit-digits", PROTOCOLS["digits-latency"]), [], "", image_size=8, pixels=False) == Forecast()
    )
    assert Forecast().disk_bytes == 0


def test_operations_are_those_of_a_timed_run_of_this_version_and_settings():
    version = {"model": find("dit-digits").version}
    inputs = replace(small().inputs, settings={"num_steps": 9}, versions=version)
    timed = replace(with_timing(latency("dit-digits", 0.1), flops=5e6), inputs=inputs)
    assert image_flops(SMALL, [timed]) == 5e6
    for odd in (
        replace(timed, model="sit-digits"),
        replace(timed, inputs=replace(inputs, versions={"model": -1})),
        replace(timed, inputs=replace(inputs, settings={})),
        replace(timed, timing=None),
        with_timing(timed, flops=None),
    ):
        assert image_flops(SMALL, [odd]) is None
    found = forecast(SMALL, [timed], "another", image_size=8, pixels=False)
    assert (found.flops, found.ground) == (5e6 * SMALL.protocol.num_images, "counts")


def test_the_roofline_is_the_fastest_of_its_arithmetic_or_of_any():
    slow, fast, other = (
        with_timing(latency("dit-digits", 0.1), roofline=replace(ROOFLINE, matmul_flop_per_s=rate, dtype=dtype))
        for rate, dtype in ((1e9, "float32"), (3e9, "float32"), (9e9, "bfloat16"))
    )
    none = latency("dit-digits", 0.1), quality("dit-digits", 2.0)
    assert roofline_of([slow, fast, other, *none], "float32").matmul_flop_per_s == 3e9
    assert roofline_of([slow, other], "float16").matmul_flop_per_s == 9e9
    assert roofline_of(none, "float32") is None


def test_features_of_an_image_are_those_of_inception():
    """2,048 features, 1,008 logits and 2,023 spatial features in float32; the digest and two marks of the audit."""
    assert FEATURE_BYTES == 4 * 5079 + 32 + 2
    few = replace(RUN.protocol, num_images=200)
    assert disk_bytes(few, 256, False) == disk_bytes(few, 256, True) == 200 * (FEATURE_BYTES + 3 * 65536)
