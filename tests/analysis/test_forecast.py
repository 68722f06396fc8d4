"""What a run will cost: by what was measured on the machine, else by its roofline, else by counts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.forecast import FEATURE_BYTES, forecast, image_flops
from bench.protocols import PROTOCOLS
from bench.records.parts import Measurement
from bench.records.schema import RunSpec
from bench.records.store import load_records
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
