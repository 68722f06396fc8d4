"""What a run will cost: by what was measured on the machine, else by its roofline, else by counts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench.analysis.forecast import (
    FEATURE_BYTES,
    Forecast,
    disk_bytes,
    expected_evaluations,
    forecast,
    image_flops,
    roofline_of,
    text_flops,
)
from bench.protocols import PROTOCOLS, SMALL
from bench.protocols.counts import counted_key, per_evaluation, per_image, per_text, per_text_step, read_counts
from bench.records.parts import Images, Measurement
from bench.records.schema import REAL_DATA, RunSpec
from bench.records.store import load_records
from bench.timing.image_flops import (
    choosing,
    count_evaluation_flops,
    count_image_flops,
    count_text_flops,
    t5_flops,
    wanted,
)
from reference_models import find
from reference_models.masked_text import reveal_rounds
from reference_models.noise import SeededNoise
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


def test_every_model_of_the_papers_sizes_is_counted_at_every_printed_row():
    """A model without a count would have no hours in `bench plan`."""
    counts = read_counts()
    keys = [counted_key(name, find(name).version, settings) for name, settings in wanted()]
    families = {"transdiff", "transdiff-mrar", "mar", "llamagen", "var", "dit", "sit", "d-dit"}
    assert {find(name).family for name, _ in wanted()} == families
    assert not [key for key in keys if key not in counts]
    assert all(find(name).scale not in SMALL for name, _ in wanted())


def test_a_sampler_that_chooses_its_steps_costs_what_a_record_counted():
    """As many evaluations of the network as the record has, and the autoencoder; unknown before there is one. At the
    SDE's 500 evaluations an image costs what the SDE's costs, the times' embedding left out."""
    run = RunSpec("sit-xl-2", PROTOCOLS["imagenet-256-quality"], {"sampler": "dopri5"})
    assert image_flops(run, []) is None
    counted = record("sit-xl-2", "imagenet-256-quality", measurements={"nfe": Measurement(500.0, "evaluations")})
    usual = image_flops(replace(run, settings={}), [])
    assert image_flops(run, [counted]) is None, "of other settings"
    mine = replace(counted, inputs=replace(counted.inputs, settings=run.settings))
    assert image_flops(run, [mine]) == pytest.approx(usual, rel=1e-3)
    fewer = replace(mine, measurements={"nfe": Measurement(100.0, "evaluations")})
    assert image_flops(run, [mine, fewer]) < usual / 4


def test_the_table_holds_what_an_evaluation_costs_where_their_number_is_chosen():
    version = find("sit-xl-2").version
    keys = per_image("sit-xl-2", version), per_evaluation("sit-xl-2", version)
    assert choosing() == ["sit-xl-2"]
    assert tuple(read_counts()[key] for key in keys) == count_evaluation_flops("sit-xl-2")


@pytest.mark.parametrize("name", ["var-d16", "dit-s-8"])
def test_the_table_holds_what_is_counted_now(name):
    assert read_counts()[counted_key(name, find(name).version, {})] == count_image_flops(name, {})


def test_the_table_holds_what_is_counted_now_of_texts():
    version = find("d-dit-256").version
    keys = per_text("d-dit-256", version), per_text_step("d-dit-256", version, 128)
    assert tuple(read_counts()[key] for key in keys) == count_text_flops("d-dit-256", 128)


def test_t5_costs_two_operations_a_weight_and_token():
    """T5-XXL's encoder has 4.76 billion weights, of which the embedding's 32,128 x 4,096 multiply nothing."""
    per_token = t5_flops(1) / 2
    assert per_token == pytest.approx(4.762e9 - 32_128 * 4_096, rel=2e-3)


def test_guidance_of_another_strength_costs_the_same_and_none_costs_half():
    usual, other, none = (
        image_flops(replace(RUN, settings=settings), []) for settings in ({}, {"cfg_scale": 1.25}, {"cfg_scale": 1.0})
    )
    assert usual == other
    assert none == pytest.approx(usual / 2, rel=0.01)


def test_the_evaluations_of_a_text_are_those_that_its_sampler_takes():
    """64 steps, 128 masked tokens: 55.5 of them reveal something, the mean over 200 draws within 4 standard errors."""
    tokens = torch.zeros(200, 128, dtype=torch.int64)
    rounds = [len(rows) for rows, *_ in reveal_rounds(tokens, 0, 64, SeededNoise(range(200), "cpu"))]
    assert sum(rounds) / 200 == pytest.approx(expected_evaluations(64, 128), abs=4 * 2.1 / 200**0.5)
    assert expected_evaluations(64, 128, cached=False) == 65
    assert expected_evaluations(4, 128) == pytest.approx(4)


def test_texts_are_forecast_by_their_number_and_steps():
    captions = RunSpec("d-dit-512", PROTOCOLS["coco-captions-captions"])
    usual = forecast(captions, [], "", image_size=512, pixels=False)
    few = forecast(replace(captions, settings={"num_steps": 4}), [], "", image_size=512, pixels=False)
    assert (usual.num_items, usual.ground) == (40_504, "counts")
    assert usual.flops == 40_504 * text_flops(captions)
    assert 10 < usual.flops / few.flops < 55.5 / 4
    assert forecast(captions, [], "", image_size=512, pixels=False, num_items=10).flops == 10 * text_flops(captions)


def test_what_the_store_holds_costs_nothing_more():
    whole = forecast(RUN, [], "", image_size=256, pixels=False)
    half = forecast(RUN, [], "", image_size=256, pixels=False, num_stored=25_000)
    none = forecast(RUN, [], "", image_size=256, pixels=False, num_stored=50_000)
    assert half.flops == whole.flops / 2
    assert half.disk_bytes == 25_000 * FEATURE_BYTES  # the first shard's pixels are there
    assert half.share_left == 0.5
    assert (none.flops, none.disk_bytes) == (0, 0)


def test_geneval_keeps_its_images_twice():
    spec = RunSpec("d-dit-512", PROTOCOLS["geneval-quality"])
    found = forecast(spec, [], "", image_size=512, pixels=False)
    assert found.flops == 2_212 * image_flops(spec, [])
    assert found.disk_bytes == 2 * 2_212 * 3 * 512**2


# -- records that do not count -----------------------------------------------------------------------------------------

LITTLE = RunSpec("dit-digits", PROTOCOLS["digits-quality"], {"num_steps": 9})


def small(**changes):
    """A record of the small model on machine "acme-cpu-2c" that timed 4 images a second at the run's settings."""
    made = record("dit-digits", "digits-quality", measurements={"throughput_per_s": Measurement(4.0, "images/s")})
    return replace(replace(made, inputs=replace(made.inputs, settings={"num_steps": 9})), **changes)


def seconds(*records, spec=LITTLE):
    found = forecast(spec, records, "acme-cpu-2c", image_size=8, pixels=False)
    return found.seconds if found.ground == "measured" else None


def test_a_rate_is_of_the_same_model_settings_and_machine_and_of_a_full_run_that_went_well():
    num = LITTLE.protocol.num_images
    assert seconds(small()) == num / 4
    for odd in (
        small(model="sit-digits"),
        small(inputs=replace(small().inputs, settings={"num_steps": 8})),
        small(environment=replace(small().environment, machine="other")),
        small(status="failed"),
        small(protocol=replace(LITTLE.protocol, quick=True)),
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
    assert seconds(timed) == LITTLE.protocol.num_images / 48
    assert seconds(replace(timed, protocol=replace(timed.protocol, batch_size=0))) is None
    assert seconds(replace(timed, images=replace(images, rounds_s=()))) is None


def test_what_nobody_counted_has_neither_operations_nor_a_roofline():
    found = forecast(LITTLE, [], "", image_size=8, pixels=False)
    assert (found.flops, found.seconds, found.ground) == (None, None, "")
    assert found.disk_bytes == LITTLE.protocol.num_images * 3 * 64  # small scans: pixels alone
    real = forecast(RunSpec(REAL_DATA, LITTLE.protocol), [], "", image_size=8, pixels=False)
    assert (real.flops, real.ground) == (None, "")
    assert (
        forecast(RunSpec("dit-digits", PROTOCOLS["digits-latency"]), [], "", image_size=8, pixels=False) == Forecast()
    )
    assert Forecast().disk_bytes == 0


def test_operations_are_those_of_a_timed_run_of_this_version_and_settings():
    version = {"model": find("dit-digits").version}
    inputs = replace(small().inputs, settings={"num_steps": 9}, versions=version)
    timed = replace(with_timing(latency("dit-digits", 0.1), flops=5e6), inputs=inputs)
    assert image_flops(LITTLE, [timed]) == 5e6
    for odd in (
        replace(timed, model="sit-digits"),
        replace(timed, inputs=replace(inputs, versions={"model": -1})),
        replace(timed, inputs=replace(inputs, settings={})),
        replace(timed, timing=None),
        with_timing(timed, flops=None),
    ):
        assert image_flops(LITTLE, [odd]) is None
    found = forecast(LITTLE, [timed], "another", image_size=8, pixels=False)
    assert (found.flops, found.ground) == (5e6 * LITTLE.protocol.num_images, "counts")


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
    """2,048 features and 2,023 spatial ones in float32, 1,008 posteriors in float64; the audit takes 34 bytes."""
    assert FEATURE_BYTES == 4 * (2048 + 2023) + 8 * 1008 + 32 + 2
    few = replace(RUN.protocol, num_images=200)
    assert disk_bytes(few, 256, False) == disk_bytes(few, 256, True) == 200 * (FEATURE_BYTES + 3 * 65536)
