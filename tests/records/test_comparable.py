"""Equal conditions: what is recorded of a side, and which sides may be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import reference_models
from bench.records.comparable import ALWAYS, CHOSEN, METHOD, MODES, differences, differing_fields, not_comparable
from bench.timing.conditions import conditions
from tests.fake_records import latency, with_timing


def side(name, **changes):
    model = reference_models.build(name, weights=None)
    return replace(conditions(model, model.spec.sampling, batch_size=1), **changes)


@pytest.fixture(scope="module")
def dit():
    return side("dit-digits")


def test_methods_may_differ_in_what_they_are(dit):
    """TransDiff's 100 steps of a decoder against DiT's 250 of the whole network, each with its own guidance scale."""
    transdiff = side("transdiff-digits")
    assert transdiff.network_evaluations != dit.network_evaluations
    assert transdiff.cfg_scale != dit.cfg_scale
    assert differing_fields(transdiff, dit, "forced equal") == []
    assert differing_fields(transdiff, dit, "same model") == ["cfg_scale", "network_evaluations"]


@pytest.mark.parametrize("field", CHOSEN)
def test_what_the_experimenter_chooses_must_agree_unless_each_is_at_its_best(dit, field):
    other = replace(dit, **{field: "other"})
    assert differing_fields(dit, other, "forced equal") == [field]
    assert differing_fields(dit, other, "each at its best") == []


@pytest.mark.parametrize("field", ALWAYS)
@pytest.mark.parametrize("mode", MODES)
def test_machine_and_picture_must_agree_whatever_is_compared(dit, field, mode):
    assert differing_fields(dit, replace(dit, **{field: "other"}), mode) == [field]


@pytest.mark.parametrize("field", METHOD)
def test_implementations_of_one_model_share_everything(dit, field):
    assert differing_fields(dit, replace(dit, **{field: "other"}), "same model") == [field]


@pytest.mark.parametrize("mode", ["forced equal", "each at its best"])
def test_a_baseline_that_could_keep_a_kv_cache_and_does_not_is_no_fair_one(dit, mode):
    """dit has nothing to keep: it goes with a side that keeps a cache, not with one that fails to."""
    assert differing_fields(dit, replace(dit, kv_cache=True), mode) == []
    assert differing_fields(dit, replace(dit, kv_cache=False), mode) == ["kv_cache"]


def test_two_timings_of_one_protocol_share_what_the_experimenter_chose(dit):
    """Of a GPU also whether convolutions took TF32, which its runs did by torch's default once."""
    one, other = latency("dit-digits", 0.2), latency("sit-digits", 0.2)
    assert differences(one, other, "latency_s") == []
    tf32 = [
        with_timing(each, latency=replace(each.timing.latency, conditions=replace(dit, tf32_convolution=on)))
        for each, on in ((one, True), (other, False))
    ]
    assert differences(*tf32, "latency_s") == ["TF32 in convolutions (True and False)"]
    compiled = replace(other, protocol=replace(other.protocol, compiled=True))
    assert differences(one, compiled, "latency_s") == ["compiled (False and True)"]


def test_the_reason_names_the_field_and_both_values(dit):
    assert not_comparable(dit, replace(dit, dtype="bfloat16")) == "dtype: float32 against bfloat16"
    assert not_comparable(dit, dit) == ""


def test_every_field_that_must_agree_is_recorded(dit):
    assert {*ALWAYS, *CHOSEN, *METHOD} <= vars(dit).keys()


def test_the_conditions_tell_how_the_model_runs_now():
    model = reference_models.build("llamagen-digits", weights=None, dtype=torch.bfloat16)
    found = conditions(model, {**model.spec.sampling, "cfg_scale": 1.0}, batch_size=3)
    assert (found.dtype, found.guided, found.batch_size, found.kv_cache) == ("bfloat16", False, 3, True)
    assert found.compiled is False
    model.next_logits = lambda *args: None  # what compile_steps does to it
    assert conditions(model, model.spec.sampling, batch_size=1).compiled is True
    assert conditions(model, model.spec.sampling, batch_size=1).guided is True


def test_own_kernels_are_told_and_forbid_no_ratio(dit):
    """What a family gains from ways faster than torch's stands with its time; families differ in that by nature."""
    assert dit.own_kernels == ("gelu",)
    half = reference_models.build("dit-digits", weights=None, dtype=torch.bfloat16)
    assert conditions(half, half.spec.sampling, batch_size=1).own_kernels == ()
    assert not differing_fields(dit, replace(dit, own_kernels=()))


def test_a_switched_off_attention_kernel_shows(dit):
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert side("dit-digits").attention_kernels == ("math",)
    assert "flash" in dit.attention_kernels


def test_random_text_states_are_not_compared_with_a_text_encoder():
    model = reference_models.build("d-dit-digits", weights=None)
    with_encoder = conditions(model, model.spec.sampling, batch_size=1)
    model.text_encoder = None
    without = conditions(model, model.spec.sampling, batch_size=1)
    assert differing_fields(with_encoder, without, "each at its best") == ["text_encoder"]
