"""Studies: known models and settings, no run twice, never part of the default job."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from bench.errors import UsageError
from bench.plan import make_plan, make_study_plan
from bench.protocols import is_timed
from bench.studies import FAMILIES, SEEDED, STUDIES, TRAINING_SEEDS, run_key, runs_of, settings_of
from reference_models import specs


def test_every_setting_of_a_study_is_one_the_model_samples_with():
    for study in STUDIES.values():
        for run in study.runs:
            assert set(run.settings) <= set(settings_of(replace(run, settings={}))), (study.name, run)


def test_every_family_of_the_digits_scale_is_traded_off():
    digits = [name for name, spec in specs().items() if spec.scale == "digits"]
    assert sorted(FAMILIES) == sorted(digits)
    assert {run.model for run in STUDIES["trade-off"].runs} == set(digits)


def test_a_run_that_two_studies_ask_for_is_made_once():
    runs = runs_of(STUDIES)
    assert len({run_key(run) for run in runs}) == len(runs)
    assert len(runs) < sum(len(study.runs) for study in STUDIES.values())


def test_the_training_seeds_study_pairs_every_two_models_at_every_training_seed():
    pairs_by_model = {
        model: {(r.protocol.training_seed, r.protocol.seed) for r in STUDIES["training-seeds"].runs if r.model == model}
        for model in SEEDED
    }
    common = set.intersection(*pairs_by_model.values())
    assert {training for training, _ in common} == set(TRAINING_SEEDS)
    one_step, mrar = (pairs_by_model[name] for name in SEEDED[:2])
    assert one_step == mrar
    assert len({seed for _, seed in mrar}) > 1


def test_studies_are_no_part_of_the_main_job_and_name_what_they_lack(tmp_path):
    main = make_plan(scale="digits", only=(), quick=False, device="cpu", results=tmp_path)
    assert not any(run.spec.protocol.study for run in main.runs)
    plan = make_study_plan(["training-seeds"], device="cpu", results=tmp_path)
    lacking = [run for run in plan.runs if run.lacks]
    assert {run.spec.protocol.training_seed for run in lacking} == {1, 2}
    assert all("python -m bench study training-seeds" in run.lacks[0] for run in lacking)


def test_text_steps_sweeps_captions_and_answers_with_and_without_the_cache(tmp_path):
    """T = 1, 2, 4, ..., 64 of both, each a run of its own; the plain sampler at fewer, at steps that are cached too."""
    runs = STUDIES["text-steps"].runs
    assert len({run_key(run) for run in runs}) == len(runs)
    steps = {
        (run.protocol.collects, run.settings["cached"]): {
            other.settings["num_steps"]
            for other in runs
            if (other.protocol, other.settings["cached"]) == (run.protocol, run.settings["cached"])
        }
        for run in runs
    }
    for collects in ("captions", "answers"):
        assert steps[collects, True] == {2**i for i in range(7)}
        assert steps[collects, False] < steps[collects, True]
    plan = make_study_plan(["text-steps", "scales"], device="cpu", results=tmp_path)
    assert plan.scale == "scenes and digits"


def test_studies_that_time_do_it_in_shared_rounds_and_have_the_machine_to_themselves():
    """The other studies read no latency off a clock."""
    timed = {study.name for study in STUDIES.values() for run in study.runs if "latency_s" in run.protocol.metrics}
    (run,) = STUDIES["kernels"].runs
    assert timed == {"kernels", "speed-conditions"}
    assert is_timed(run.protocol)
    assert {run.model, *run.baselines} == set(FAMILIES) - {"transdiff-mrar-digits"}


def test_the_speed_up_is_timed_under_every_other_condition_once(tmp_path):
    """Precision, compiled steps, batch: all combinations but that of the claims, which `reproduce` times."""
    runs = STUDIES["speed-conditions"].runs
    found = {(run.protocol.dtype, run.protocol.compiled, run.protocol.latency_batch_size) for run in runs}
    every = set(product(("float32", "bfloat16"), (False, True), (1, 16)))
    assert every - found == {("float32", False, 1)}
    assert len({run.protocol.name for run in runs}) == len(runs) == 7
    plan = make_study_plan(["speed-conditions"], device="cpu", results=tmp_path)
    assert {run.lacks for run in plan.runs} == {
        ("a CUDA GPU: python -m bench study speed-conditions --device cuda",),
    }
    assert not any(run.lacks for run in make_study_plan(["speed-conditions"], device="cuda", results=tmp_path).runs)


def test_the_mean_of_kl_latents_is_studied_beside_the_published_draw(tmp_path):
    """At the paper's size, where there is a KL autoencoder; the draw is the ordinary run, which the claims rest on."""
    plan = make_study_plan(["mean-latents"], device="cpu", results=tmp_path)
    assert plan.scale == "coco-captions and vqa-v2"
    by_draw = {settings_of(run.spec)["sample_posterior"]: run for run in plan.runs}
    assert by_draw.keys() == {True, False}
    assert "d-dit-vqa" in by_draw[True].answers
    assert by_draw[False].answers == ()
    assert by_draw[True].spec.settings == {}
    assert all("d-dit-512" in run.lacks[0] for run in plan.runs)


def test_an_unknown_study_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="unknown study 'steps'; known: trade-off, guidance"):
        make_study_plan(["steps"], device="cpu", results=tmp_path)
