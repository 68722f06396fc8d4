"""The whole pipeline with a toy model: plan, run, records, report; interruption, failure, reuse."""

from __future__ import annotations

import getpass
import shutil
import socket
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import bench.run
import reference_models
from bench import assets
from bench.errors import UsageError
from bench.plan import make_plan
from bench.records.schema import Environment, Inputs, Record
from bench.records.store import QUICK, WORK, load_records
from bench.report import render
from bench.run import LEDGER, run_plan
from bench.sampling.images import collect_images
from reference_models.shipped import FOLDER_VARIABLE
from reference_models.sizes import dit
from tests.toy import SPEC, Toy


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def toy(module_patch, tmp_path_factory):
    """Only the toy exists, with weights of its own: (their file)."""
    assets.table()  # of the models that there are; it is made once
    weights = tmp_path_factory.mktemp("weights") / "toy-digits.safetensors"
    module_patch.setattr(reference_models, "specs", lambda: {SPEC.name: SPEC})
    module_patch.setenv(FOLDER_VARIABLE, str(weights.parent))
    module_patch.setattr(bench.run, "num_workers", lambda device: 1)  # a child would not know the toy
    return weights


@pytest.fixture(scope="module")
def measured(toy, tmp_path_factory):
    """A results folder after one smoke run."""
    give_weights(toy)
    folder = tmp_path_factory.mktemp("measured") / "results" / QUICK
    assert run_plan(plan(folder)) == []
    return folder


@pytest.fixture
def results(toy, measured, tmp_path):
    """A copy of it, to change."""
    give_weights(toy)
    return shutil.copytree(measured, tmp_path / "results" / QUICK)


def give_weights(path, gain=1.0):
    save_file({"gain": torch.full((1,), gain)}, path)


def plan(folder, **changes):
    """The smoke run whose records go to `folder`, <results>/quick."""
    return make_plan(
        **{"scale": "digits", "only": (), "quick": True, "device": "cpu", "results": folder.parent, **changes}
    )


def test_a_run_leaves_records_and_a_report(measured, tmp_path):
    loaded = load_records([measured])
    assert not loaded.faults
    by_name = {(r.model, r.protocol.name): r for r in loaded.records}
    quality = by_name["toy-digits", "digits-quality"]
    scores = {"fid", "fid_clean", "kid", "inception_score", "precision", "recall"}
    assert set(quality.measurements) == scores | {"nfe"}
    assert quality.images.audit.failures == ()
    assert quality.measurements["fid"].n == 80
    speed = by_name["toy-digits", "digits-latency"]
    assert len(speed.timing.latency.rounds_s) >= 3
    assert {"latency_s", "throughput_per_s", "num_params", "nfe"} <= set(speed.measurements)
    assert by_name["real-data", "digits-quality"].measurements["fid"].value > 0
    page = render([measured], tmp_path / "index.html").read_text()
    assert "toy-digits" in page
    assert "smoke run" in page.lower()


def test_records_name_no_host_no_user_and_no_absolute_path(measured):
    for path in measured.glob("*/*.json"):
        text = path.read_text()
        for word in (socket.gethostname(), getpass.getuser()):
            assert f'"{word}"' not in text
        assert '"/' not in text


def test_what_is_measured_is_not_measured_again(results, monkeypatch, capsys):
    before = sorted(results.glob("*/*.json"))
    monkeypatch.setattr(bench.run, "run_one", lambda *a: pytest.fail("measured again"))
    run_plan(plan(results))
    assert sorted(results.glob("*/*.json")) == before
    assert "measured before" in capsys.readouterr().out


def test_other_weights_are_measured_again(results, toy, monkeypatch):
    """Only the model whose weights changed runs again."""
    give_weights(toy, 0.9)
    again = []
    monkeypatch.setattr(bench.run, "run_one", lambda planned, *a: again.append(planned.spec.model) or done(planned))
    run_plan(plan(results))
    assert again == ["toy-digits", "toy-digits"]


def test_records_that_came_with_the_repository_are_not_taken_for_measured_here(results, monkeypatch):
    (results / WORK / LEDGER).unlink()
    again = []
    monkeypatch.setattr(bench.run, "run_one", lambda planned, *a: again.append(planned.spec.model) or done(planned))
    run_plan(plan(results))
    assert again == ["real-data", "toy-digits", "toy-digits"]


def done(planned):
    """A record with nothing in it."""
    return Record(
        model=planned.spec.model,
        protocol=planned.spec.protocol,
        settings={},
        measurements={},
        inputs=Inputs(),
        environment=Environment(machine="test"),
        created_utc="2026-01-01T00:00:00+00:00",
        wall_s=0.0,
    )


def test_an_interrupted_run_keeps_the_images_it_has(toy, tmp_path, monkeypatch):
    give_weights(toy)
    generated = []
    original = Toy.sample

    def sample(self, labels, noise, **settings):
        if len(generated) == 2:
            generated.append("interrupted")
            raise KeyboardInterrupt
        generated.append(len(labels))
        return original(self, labels, noise, **settings)

    monkeypatch.setattr(Toy, "sample", sample)
    checksums = {"weights": "those of toy-digits"}
    collect = {"num_images": 100, "seed": 0, "batch_size": 25, "settings": {}, "checksums": checksums}
    here, other = tmp_path / "store", tmp_path / "other"
    model = reference_models.build("toy-digits")
    with pytest.raises(KeyboardInterrupt):
        collect_images(model, **collect, store=here)
    assert not list(here.rglob(".*"))  # no temporary file, no claim
    found = collect_images(model, **collect, store=here)
    assert len(found.rounds_s) == 4
    assert min(found.rounds_s) > 0
    assert generated == [25, 25, "interrupted", 25, 25]  # the first two shards were kept
    others = collect_images(model, **{**collect, "batch_size": 10}, store=other)
    assert (found.images() == others.images()).all()
    assert len(others.rounds_s) == 8  # of each shard of 25 a batch of 5 says nothing of the time of 10


def test_a_failed_run_is_recorded_and_the_others_go_on(toy, tmp_path, monkeypatch):
    """Of sound weights whose images come out NaN."""
    give_weights(toy)
    original = Toy.sample
    monkeypatch.setattr(Toy, "sample", lambda *given, **settings: float("nan") * original(*given, **settings))
    failed = run_plan(plan(tmp_path / QUICK))
    assert [record.model for record in failed] == ["toy-digits", "toy-digits"]
    assert "NaN or infinity in 20 of 20 images" in failed[0].reason
    records = load_records([tmp_path / QUICK]).records
    assert [r.model for r in records if r.status == "ok"] == ["real-data"]


def test_a_model_without_weights_is_not_run_and_says_what_it_needs(results, toy, capsys):
    toy.unlink()
    before = len(list(results.glob("*/toy*.json")))
    run_plan(plan(results))
    assert "not run: needs weights: python -m bench train toy-digits" in capsys.readouterr().out
    assert len(list(results.glob("*/toy*.json"))) == before


def test_paper_sizes_are_counted_at_any_scale_and_exactly_in_a_smoke_run(toy, tmp_path, monkeypatch):
    """Without weights and without a GPU; the digits models are none of them."""
    paper = [spec for spec in dit.SPECS if spec.name in ("dit-s-8", "dit-xl-2-512")]
    monkeypatch.setattr(reference_models, "specs", lambda: {spec.name: spec for spec in (SPEC, *paper)})

    def counted(**changes):
        planned = plan(tmp_path / QUICK, **changes)
        return planned, [run for run in planned.runs if run.spec.protocol.name == "paper-size"]

    both = counted()[1]
    assert [run.spec.model for run in both] == [run.spec.model for run in counted(scale="imagenet-256")[1]]
    assert [run.spec.model for run in both] == ["dit-s-8", "dit-xl-2-512"]
    assert not any(run.lacks or run.spec.protocol.quick for run in both)
    assert both[0].answers == ("dit-s-8-num-params", "dit-s-8-flops")
    assert counted(only=("toy-digits",))[1] == []
    planned, (run,) = counted(scale="imagenet-256", only=("dit-s-8",))
    assert run_plan(replace(planned, runs=(run,))) == []
    (record,) = load_records([tmp_path / QUICK]).records
    assert record.measurements["num_params"].value == 33_142_016  # 33M in table 4
    assert record.measurements["flops"].value == pytest.approx(2 * 0.36e9, rel=0.01)  # 0.36 Gflops of multiply-adds
    assert (record.inputs.weights_sha256, record.settings) == (None, {})


@pytest.mark.parametrize(
    ("changes", "words"), [({"scale": "mnist"}, "unknown scale 'mnist'"), ({"only": ("toy",)}, "did you mean")]
)
def test_a_wrong_plan_is_refused(toy, tmp_path, changes, words):
    with pytest.raises((UsageError, KeyError)) as caught:
        plan(tmp_path, **changes)
    assert words in str(caught.value)
