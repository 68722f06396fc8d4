"""Which record answers a study's run, and numbers of studies by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.analysis.studies import (
    Agreement,
    agreement,
    fid_gap,
    fid_half_width,
    find_record,
    settings_in_use,
    told_apart,
    values_of,
)
from bench.records.parts import Measurement
from bench.records.schema import RunSpec
from bench.studies import DIGITS
from tests.fake_records import measured, record

OWN = {"dit-digits": {"num_steps": 250, "cfg_scale": 1.5}}


def made(settings, named=None, model="dit-digits", training_seed=0, seed=0, **changes):
    found = record(model, DIGITS.name, settings=settings, **changes)
    found = replace(found, inputs=replace(found.inputs, settings=named or {}))
    return replace(found, protocol=replace(found.protocol, training_seed=training_seed, seed=seed))


def run(**settings):
    return RunSpec("dit-digits", replace(DIGITS, training_seed=0, seed=0), settings)


def test_a_run_is_answered_by_the_record_of_its_model_protocol_seeds_and_settings():
    right = made({"num_steps": 9, "cfg_scale": 1.5})
    others = [
        made({"num_steps": 250, "cfg_scale": 1.5}),
        made({"num_steps": 9, "cfg_scale": 3.0}),
        made(right.settings, model="sit-digits"),
        made(right.settings, training_seed=1),
        made(right.settings, seed=1),
        replace(right, protocol=replace(right.protocol, name="digits-quality")),
    ]
    assert find_record(run(num_steps=9), [*others, right], OWN) is right
    assert find_record(run(num_steps=9), others, OWN) is None
    assert find_record(run(), [*others, right], OWN) is others[0]


def test_a_record_of_before_a_setting_answers_where_the_run_does_not_name_it():
    old = made({"num_steps": 9})
    assert find_record(run(num_steps=9), [old], OWN) is old
    assert find_record(run(num_steps=9, cfg_scale=1.5), [old], OWN) is None
    new = made({"num_steps": 9, "cfg_scale": 1.5})
    assert find_record(run(num_steps=9), [old, new], OWN) is new  # the one that has all of them
    again = made({"num_steps": 9}, created_utc="2026-03-01T00:00:00+00:00")
    assert find_record(run(num_steps=9), [old, again], OWN) is old


def test_where_nothing_tells_a_model_s_own_settings_a_run_that_named_the_same_answers():
    """The record knows a setting (eta) that no run was told of: it answers by what it was asked for."""
    found = made({"num_steps": 9, "cfg_scale": 1.5, "eta": 0.0}, named={"num_steps": 9})
    assert find_record(run(num_steps=9), [found], OWN) is found
    assert find_record(run(num_steps=9), [found], {}) is found
    assert find_record(run(num_steps=9, cfg_scale=1.5), [found], OWN) is None
    unknown = made({"num_steps": 9}, named={"num_steps": 8})
    assert find_record(run(num_steps=9), [unknown], OWN) is unknown


def test_a_model_s_own_settings_are_the_latest_that_no_run_named():
    early = made({"num_steps": 100, "cfg_scale": 1.5}, created_utc="2026-01-01T00:00:00+00:00")
    late = made({"num_steps": 250, "cfg_scale": 9.0}, {"cfg_scale": 9.0}, created_utc="2026-02-01T00:00:00+00:00")
    failed = made({"num_steps": 1}, status="failed", created_utc="2026-03-01T00:00:00+00:00")
    other = made({"top_p": 0.9}, model="var-digits")
    assert settings_in_use([failed, late, other, early]) == {
        "dit-digits": {"num_steps": 250, "cfg_scale": 1.5},
        "var-digits": {"top_p": 0.9},
    }


def scored(fid, spread=0.5, **changes):
    return made({}, measurements={"fid": measured(fid, spread)} if fid else {}, **changes)


def test_the_gap_of_two_runs_is_that_of_independent_samples():
    gap = fid_gap(scored(5.0, 0.3), scored(3.0, 0.4))
    assert (gap.value, gap.low, gap.high) == pytest.approx((2, 1.5, 2.5))


def test_two_runs_are_told_apart_where_the_interval_of_their_gap_leaves_out_0():
    low, high, near = scored(3.0, 0.4), scored(5.0, 0.3), scored(3.5, 0.4)
    assert (told_apart(low, high), told_apart(high, low), told_apart(low, near)) == (-1, 1, 0)
    touching = scored(3.0, 0.75), scored(4.25, 1.0)  # 1.25 apart, by an interval of 0.75 and 1 together: just to 0
    assert told_apart(*touching) == told_apart(*reversed(touching)) == 0
    assert (
        told_apart(low, made({}, measurements={"fid": Measurement(9.0, "")})) == 0
    )  # an unknown interval tells nothing


def test_the_half_width_is_the_mean_of_those_that_are_known():
    half_open = made({}, measurements={"fid": Measurement(2.0, "", None, 9.0)})
    other_half = made({}, measurements={"fid": Measurement(2.0, "", 1.0, None)})
    uneven = made({}, measurements={"fid": Measurement(2.0, "", 1.0, 4.0)})
    assert fid_half_width([scored(1.0, 0.5), uneven, scored(None), half_open, other_half]) == pytest.approx(1.0)
    assert fid_half_width([scored(None), half_open]) is None


def test_values_are_of_the_records_that_have_the_metric():
    records = [scored(1.0, seed=0), scored(None, seed=1), scored(3.0, seed=2)]
    assert values_of(records, "fid") == {(0, 0): 1.0, (0, 2): 3.0}


def test_two_metrics_agree_or_contradict_each_other_pair_by_pair():
    """a is surely better than b and c by FID; by the other metric b is surely better than both, a and c are alike."""

    def twice(name, fid, other):
        scores = {"fid": measured(fid, 0.2), "fid_fixed": measured(other, 0.2)}
        return replace(made({}), measurements=scores, file=name)

    a, b, c = twice("a", 1.0, 3.0), twice("b", 2.0, 1.0), twice("c", 2.1, 3.1)
    once = replace(made({}), measurements={"fid": measured(9.0, 0.1)})
    assert agreement([a, b, once, c], ("fid", "fid_fixed")) == Agreement(3, (2, 2), 0, ((a, b),))
    assert agreement([b, twice("d", 5.0, 5.0)], ("fid", "fid_fixed")).both == 1
    assert agreement([a, once], ("fid", "fid_fixed")) == Agreement(0, (0, 0), 0, ())
