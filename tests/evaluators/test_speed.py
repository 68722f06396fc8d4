"""What a run of speed measures: timings with stages and checks, estimated latencies, ratios."""

from __future__ import annotations

from dataclasses import replace

import pytest

import reference_models
from bench import models
from bench.errors import CheckFailed
from bench.evaluators import Context, ratios
from bench.evaluators.estimated import measure_estimated
from bench.evaluators.ratios import groups_that_fit, measure_kernels, measure_ratios
from bench.evaluators.timings import check_compliance, measure_timings
from bench.protocols import PROTOCOLS
from bench.records.parts import Compliance, Measurement
from bench.records.schema import RunSpec
from bench.timing.settings import TimingSettings
from reference_models.autoencoders import PatchLatents
from reference_models.spec import Network
from tests.toy import SPEC, Toy

BRIEF = TimingSettings(
    min_warmup=2,
    window=1,
    shortest_warmup_s=0.0,
    longest_swept_s=0.002,
    matmul_size_by_kind={"cpu": 64},
    copy_bytes_by_kind={"cpu": 2**16},
    roofline_min_duration_s=0.0,
)


def toy(name: str = SPEC.name):
    model = Toy().eval()
    model.attach(replace(SPEC, name=name), PatchLatents)
    return model


def spec_of(protocol: str, **changes) -> RunSpec:
    return RunSpec(SPEC.name, replace(PROTOCOLS[protocol], min_rounds=6, min_duration_s=0.0), **changes)


def test_a_timing_run_keeps_what_explains_and_what_guards_its_numbers(tmp_path):
    found = measure_timings(toy(), spec_of("digits-latency"), Context("cpu", tmp_path, "key"), timing=BRIEF)
    timing = found["timing"]
    assert len(timing.latency.rounds_s) >= 6
    assert timing.compliance.valid is True
    assert timing.compliance.num_images >= 4
    assert set(timing.stages.rounds_s) == {"autoencoder", "rest"}  # a toy has no parts
    assert len(timing.stages.whole_s) == 3
    assert timing.roofline.matmul_flop_per_s > 0
    swept = {batch.batch_size: batch.rounds_s for batch in timing.sweep.batches}
    assert (swept[1], swept[8]) == (timing.latency.rounds_s, timing.throughput.rounds_s)  # timed once
    assert timing.sweep.ended_by == "time"
    assert "latency_s" in found["measurements"]
    assert "decoder_time_share" not in found["measurements"]  # it has none


class Stepped(Toy):
    def sample(self, labels, noise, *, num_steps, spread):
        return super().sample(labels, noise, spread=spread)

    def network_evaluations(self, *, num_steps, spread):
        return {"toy": num_steps}


@pytest.mark.parametrize(("num_steps", "compared_at"), [(250, 25), (25, None)])
def test_the_compliance_checks_take_few_steps_and_say_how_many(tmp_path, num_steps, compared_at):
    model = Stepped().eval()
    model.attach(
        replace(SPEC, network=Network(f"{__name__}:Stepped"), sampling={"num_steps": num_steps, "spread": 0.1}),
        PatchLatents,
    )
    found = measure_timings(model, spec_of("digits-latency"), Context("cpu", tmp_path, "key"), timing=BRIEF)
    assert found["timing"].compliance.num_steps == compared_at


HONEST = Compliance(
    num_images=4,
    num_different=0,
    images_equal=True,
    max_difference=0,
    repeat_ratio=Measurement(1.0, "", 0.98, 1.03),
    valid=True,
)


def test_a_run_whose_images_are_not_the_scored_ones_fails():
    found = replace(HONEST, valid=False, num_different=3, max_difference=17)
    with pytest.raises(CheckFailed, match=r"^compliance: 3 of 4 timed images differ .* by up to 17 grey levels$"):
        check_compliance(found)


def test_a_run_that_answers_from_a_cache_fails():
    with pytest.raises(CheckFailed, match=r"0.10 times as long .* answered from a cache"):
        check_compliance(replace(HONEST, valid=False, repeat_ratio=Measurement(0.1, "", 0.09, 0.12)))
    check_compliance(HONEST)


def test_an_estimated_run_keeps_its_error_its_stages_and_the_roofline(tmp_path):
    found = measure_estimated(toy(), spec_of("imagenet-256-composed"), Context("cpu", tmp_path, "key"), timing=BRIEF)
    timing = found["timing"]
    assert timing.latency.estimated is True
    assert timing.latency.error_s >= 0
    assert len(timing.latency.rounds_s) == 6
    assert (timing.stages.estimated, timing.stages.whole_s) == (True, ())
    assert timing.roofline.copy_bytes_per_s > 0
    assert "latency_p90_s" not in found["measurements"]


def test_a_ratio_run_times_every_baseline(tmp_path, monkeypatch):
    """In groups of two where memory holds no more; each entry has the protocol's batch."""
    built = []
    monkeypatch.setattr(ratios, "build_for", lambda name, *rest: built.append(name) or toy(name))
    monkeypatch.setattr(ratios, "memory_bytes", lambda name: 4.0)
    monkeypatch.setattr(ratios, "free_bytes", lambda device: 10.0)
    spec = spec_of("digits-ratios", baselines=("a", "b", "c"))
    found = measure_ratios(toy(), spec, Context("cpu", tmp_path, "key"), timing=BRIEF)
    entries = found["speedups"]
    assert [entry.baseline for entry in entries] == built == ["a", "b", "c"]
    assert {entry.conditions["baseline"].batch_size for entry in entries} == {1}
    assert all(entry.ratio.ci_low for entry in entries)
    assert entries[0].rounds_s["model"] == entries[1].rounds_s["model"] != entries[2].rounds_s["model"]


@pytest.mark.parametrize(
    ("free", "groups"),
    [(None, [["a", "b", "c"]]), (9.0, [["a", "b", "c"]]), (8.0, [["a", "b"], ["c"]]), (1.0, [["a"], ["b"], ["c"]])],
)
def test_groups_are_as_large_as_memory_holds_and_of_one_at_least(free, groups):
    assert groups_that_fit({"a": 5.0, "b": 3.0, "c": 1.0}, free) == groups


def test_at_a_papers_size_speed_is_measured_with_random_weights(monkeypatch):
    monkeypatch.setattr(reference_models, "build", lambda name, **asked: (name, asked["weights"]))
    assert models.build_for("dit-s-8", PROTOCOLS["imagenet-256-latency"], "cpu", None) == ("dit-s-8", None)


def test_a_run_of_kernels_times_every_baseline_both_ways(tmp_path, monkeypatch):
    monkeypatch.setattr(ratios, "build_for", lambda name, *rest: toy(name))
    monkeypatch.setattr(ratios, "memory_bytes", lambda name: 0.0)
    spec = spec_of("digits-kernels", baselines=("a", "b"))
    entries = measure_kernels(toy(), spec, Context("cpu", tmp_path, "key"), timing=BRIEF)["speedups"]
    told = [(entry.baseline, entry.without_own_kernels) for entry in entries]
    assert told == [("a", False), ("b", False), ("a", True), ("b", True)]
    assert len({entry.rounds_s["model"] for entry in entries}) == 1
