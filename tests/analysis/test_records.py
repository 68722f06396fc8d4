"""Labels, the floor of real data, and which records some work can be done with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.records import fit_for, floor_of, label_by_file, nfe_of, whiskers
from bench.records.parts import Elsewhere, Measurement
from bench.stats import Interval
from tests.fake_records import FLOOR, full_set, latency, quality, record
from tests.fake_scenes import captions


def at(minute, **changes):
    return quality("dit-digits", 2.0, created_utc=f"2026-01-31T14:{minute}:30+00:00", **changes)


def test_a_label_has_the_settings_that_tell_a_model_s_records_of_one_protocol_apart():
    """num_steps differs, cfg_scale does not; the record of another protocol, and another model, need no more words."""
    few, many = (
        at(10, settings={"num_steps": 10, "cfg_scale": 1.5}),
        at(11, settings={"num_steps": 250, "cfg_scale": 1.5}),
    )
    alone, other = latency("dit-digits", 0.1), quality("sit-digits", 2.0)
    found = label_by_file([few, many, alone, other])
    assert found == {
        few.file: "dit-digits (num_steps 10)",
        many.file: "dit-digits (num_steps 250)",
        alone.file: "dit-digits",
        other.file: "sit-digits",
    }
    lacking = at(12, settings={"num_steps": 10})
    assert label_by_file([few, lacking]) == {few.file: "dit-digits (cfg_scale 1.5)", lacking.file: "dit-digits"}
    assert label_by_file([few, at(13, settings=few.settings)])[few.file] == "dit-digits"


def test_a_label_says_pilot_and_made_elsewhere():
    made = at(10, elsewhere=Elsewhere(what="images", name="n", num_items=3, sha256="ab" * 32))
    assert label_by_file([made])[made.file] == "dit-digits (made elsewhere)"
    made = replace(made, protocol=replace(made.protocol, pilot_of=50_000, num_images=10_000))
    other = at(11, settings={})
    assert label_by_file([made, other])[made.file] == (
        "dit-digits (cfg_scale 1.5, num_steps 100; pilot of 10,000 images; made elsewhere)"
    )


def test_the_floor_is_what_real_images_score_under_the_same_rules():
    real, *generated = full_set()
    wanted = generated[0].protocol
    assert floor_of([*generated, real], wanted) == FLOOR
    for odd in (
        replace(real, model="dit-digits"),
        replace(real, status="failed"),
        replace(real, measurements={}),
        replace(real, protocol=replace(real.protocol, num_images=5000)),
    ):
        assert floor_of([*generated, odd], wanted) == {}
    renamed = replace(real.protocol, name="other", seed=7, batch_size=3)
    assert floor_of([replace(real, protocol=renamed)], wanted) == FLOOR  # what changes no score


def test_whiskers_of_an_unknown_interval_have_no_length():
    assert whiskers(Measurement(2.0, "", 1.0, 4.0)) == Interval(2.0, 1.0, 4.0)
    assert whiskers(Measurement(2.0, "", None, 4.0)) == Interval(2.0, 2.0, 2.0)


def test_evaluations_are_those_of_whatever_the_run_made():
    images = quality("dit-digits", 2.0)
    images = replace(images, images=replace(images.images, nfe={"network": 250}))
    assert nfe_of(images) == {"network": 250}
    texts = captions()
    assert nfe_of(replace(texts, texts=replace(texts.texts, nfe={"network": 64}))) == {"network": 64}
    assert nfe_of(latency("dit-digits", 0.1)) == {"encoder": 1, "decoder": 200}
    assert nfe_of(quality("dit-digits", 2.0)) == nfe_of(record("dit-digits", "digits-quality")) == {}


@pytest.mark.parametrize("odd", [(), (0,), (4,), (1, 2), (0, 1, 2, 3, 4)])
def test_odd_records_are_found_and_the_others_kept_in_their_order(odd):
    records, calls = [at(10 + i) for i in range(5)], []
    bad = {records[i].file for i in odd}

    def work(chosen):
        calls.append(len(chosen))
        if any(made.file in bad for made in chosen):
            raise ValueError("odd\n  " + "x" * 300)

    fit, faults = fit_for(work, records)
    assert [made.file for made in fit] == [made.file for made in records if made.file not in bad]
    assert faults == [f"{records[i].file}: left out: {('ValueError: odd ' + 'x' * 300)[:200]}" for i in odd]
    if not odd:
        assert calls == [5]


def test_records_that_only_disagree_with_each_other_lose_the_later_one():
    records = [at(10), at(11)]

    def work(chosen):
        if len(chosen) > 1:
            raise ValueError("two of one kind")

    fit, faults = fit_for(work, records)
    assert fit == records[:1]
    assert len(faults) == 1
