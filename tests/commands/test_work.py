"""`bench work` fills the store for what `reproduce` then only scores; `bench clean` removes what no record needs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import bench.commands.work as work
import bench.sampling.images as images
import reference_models
from bench.commands.clean import kept_pixels, remove
from bench.commands.work import Orders, collect_runs, collectable, fill_store, start_workers, submit, to_collect
from bench.errors import CheckFailed, UsageError
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from bench.protocols import pilot as pilot_protocol
from bench.records.latest import latest
from bench.records.store import QUICK, WORK, load_records
from bench.run import run_plan
from bench.sampling import files
from bench.sampling.identity import LABEL_RULES
from bench.sampling.latents import VERSION as LATENTS_VERSION
from bench.sampling.ranks import Rank
from bench.sampling.shards import STORE
from reference_models.shipped import FOLDER_VARIABLE
from tests.command_line import bench as call
from tests.toy import SPEC


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Only the toy exists, with weights of its own: (their file)."""
    weights = tmp_path / "weights" / "toy-digits.safetensors"
    weights.parent.mkdir()
    save_file({"gain": torch.ones(1)}, weights)
    monkeypatch.setattr(reference_models, "specs", lambda: {SPEC.name: SPEC})
    monkeypatch.setenv(FOLDER_VARIABLE, str(weights.parent))
    return weights


@pytest.fixture
def orders(toy, tmp_path):
    return Orders(scale="digits", quick=True, device="cpu", results=tmp_path / "results")


def quality(orders):
    """The plan's runs that a worker helps with."""
    plan = make_plan(scale="digits", only=(), quick=True, device="cpu", results=orders.results)
    return replace(plan, runs=tuple(collectable(plan)))


def test_workers_fill_a_model_at_each_of_its_settings(orders, monkeypatch, capsys):
    """DiT is asked with and without guidance under one protocol; of two settings one may fail by itself."""
    (run,) = quality(orders).runs
    runs = [replace(run, spec=replace(run.spec, settings={"num_steps": n})) for n in (1, 2, 3)]
    collected = []

    def collect(run, *_):
        collected.append(run.spec.settings["num_steps"])
        if collected[-1] == 1:
            raise CheckFailed("no room")
        return SimpleNamespace(is_complete=lambda: True, num=500, name="toy-digits-0")

    monkeypatch.setattr(work, "collect_run", collect)
    told = []
    with pytest.raises(
        CheckFailed, match=r"1 of 3 runs failed, first: toy-digits \(num_steps 1\) digits-quality: no room"
    ):
        collect_runs(runs, quality(orders), Rank(), 0, SimpleNamespace(tell=told.append))
    assert collected == [1, 2, 3]
    assert told == runs[1:]
    assert "toy-digits (num_steps 3) digits-quality: 500 images in toy-digits-0" in capsys.readouterr().out


def test_what_is_timed_or_lacks_something_is_left_to_reproduce(orders, toy):
    assert [run.spec.protocol.name for run in quality(orders).runs] == ["digits-quality"]
    toy.unlink()
    assert quality(orders).runs == ()


def test_reproduce_generates_nothing_that_workers_have_made(orders, monkeypatch, capsys):
    """Two ranks, in batches of another size than the protocol's; the record names its samples."""
    fill_store(replace(orders, batch_size=7), Rank(1, 2))
    fill_store(orders, Rank(0, 2))
    assert "80 images in toy-digits-" in capsys.readouterr().out
    monkeypatch.setattr(images, "generate_batch", lambda *a, **k: pytest.fail("generated again"))
    assert run_plan(quality(orders)) == []
    (record,) = load_records([orders.results / QUICK]).records
    assert record.measurements["fid"].n == 80
    samples = record.images.samples
    assert (orders.results / QUICK / WORK / STORE / samples.store).is_dir()
    assert list(samples.made_on) == [{"device": "cpu", "torch": torch.__version__, "batch_size": 7, "shards": 4}]


def test_a_run_that_fails_does_not_stop_the_others(orders, toy):
    save_file({"gain": torch.full((1,), float("nan"))}, toy)
    with pytest.raises(
        CheckFailed, match=r"1 of 1 runs failed, first: toy-digits digits-quality: .*NaN or infinity in"
    ):
        fill_store(orders, Rank())


def test_results_that_cannot_be_written_are_found_first(orders):
    orders.results.write_text("")
    with pytest.raises(UsageError, match="results is a file, expected a folder"):
        fill_store(orders, Rank())


def test_without_submitit_it_says_what_to_install(orders, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match=r"pip install 'arbiter-bench\[slurm\]'"):
        submit(orders, num_nodes=2)


def test_what_slurm_says_of_a_job_that_it_refuses_is_one_line(orders, monkeypatch, tmp_path):
    pytest.importorskip("submitit", reason="pip install 'arbiter-bench[slurm]'")
    for name in ("srun", "sbatch"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text("#!/bin/sh\nprintf 'sbatch: error: invalid partition\\nsbatch: error: failed\\n' >&2\nexit 1")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(UsageError) as refused:
        submit(orders, num_nodes=1, num_gpus=2, partition="nosuch")
    words = "sbatch: error: invalid partition sbatch: error: failed"
    assert str(refused.value) == f"--slurm-nodes: Slurm refused the job: {words}"


@pytest.mark.slow
def test_a_submitted_job_is_as_many_workers(monkeypatch, tmp_path):
    """Submitit's local executor: two tasks on this machine, with the ranks that Slurm would give them."""
    pytest.importorskip("submitit", reason="pip install 'arbiter-bench[slurm]'")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    orders = Orders(scale="digits", only=["var-digits"], quick=True, device="cpu", results=tmp_path / "results")
    job = submit(orders, num_nodes=1, num_gpus=2, hours=0.2, cluster="local")
    job.results()
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4
    assert all("80 images in var-digits-" in job.task(i).stdout() for i in range(2))


def full(orders, **changes):
    plan = make_plan(scale="digits", only=(), quick=False, device="cpu", results=orders.results, **changes)
    return replace(plan, runs=tuple(run for run in plan.runs if run.spec.model == SPEC.name and not is_timed_run(run)))


def is_timed_run(run):
    return run.spec.protocol.collects != "images"


def test_a_pilot_is_the_head_of_the_full_run_and_nothing_is_generated_twice(orders, monkeypatch, capsys):
    """Whole shards of the full run's 125: its labels, its seeds. Measured again, the whole stands for the run."""
    orders = replace(orders, quick=False, pilot=100)
    fill_store(orders, Rank())
    assert "125 images in toy-digits-" in capsys.readouterr().out
    made, generate = [], images.generate_batch
    monkeypatch.setattr(images, "generate_batch", lambda m, i, *a, **k: made.extend(i) or generate(m, i, *a, **k))
    assert run_plan(full(orders, pilot=100)) == []
    assert made == []
    (pilot,) = load_records([orders.results]).records
    assert (pilot.protocol.num_images, pilot.protocol.pilot_of) == (125, 500)
    assert run_plan(full(orders)) == []
    assert sorted(made) == list(range(125, 500))
    (whole,) = latest(load_records([orders.results]).records)
    assert (whole.measurements["fid"].n, whole.images.samples.store) == (500, pilot.images.samples.store)
    assert [run.spec.model for run in to_collect(full(orders))] == []  # measured: a worker has nothing to do


@pytest.mark.parametrize(
    ("scale", "pilot", "quick", "message"),
    [
        ("digits", 500, False, "--pilot 500: expected fewer than the 500 of the full run"),
        ("scenes", 10, False, "--pilot: scale 'scenes' scores no images; those that do: digits, imagenet-256"),
        ("digits", 10, True, "--pilot and --quick exclude each other"),
    ],
)
def test_what_is_no_pilot_is_refused(tmp_path, scale, pilot, quick, message):
    with pytest.raises(UsageError, match=message):
        make_plan(scale=scale, only=(), quick=quick, device="cpu", results=tmp_path, pilot=pilot)


@pytest.mark.parametrize("pilot", [1, 500, 1500, 10_000])
def test_first_images_hold_each_class_as_often_as_any_other(pilot):
    protocol = pilot_protocol(PROTOCOLS["imagenet-256-quality"], pilot)
    labels = [LABEL_RULES["balanced"](i, protocol.seed, 1000) for i in range(protocol.num_images)]
    counts = np.bincount(labels, minlength=1000)
    assert counts.max() - counts.min() <= 1
    assert protocol.num_images % 500 == 0


@pytest.mark.slow
def test_reproduce_starts_workers_and_completes_what_they_leave(capfd, tmp_path):
    """Two processes fill the store; the one that fails is named, and the runs are measured all the same."""
    orders = Orders(scale="digits", only=["var-digits"], quick=True, device="cpu", results=tmp_path / "results")
    start_workers(orders, 2, orders.results / QUICK / WORK)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4
    start_workers(replace(orders, device="cuda:99"), 1, orders.results / QUICK / WORK)
    assert "worker 0 of 1: " in capfd.readouterr().out


def test_workers_that_an_interruption_ends_leave_no_claims(orders, monkeypatch):
    """They are killed, and cannot tidy up: who started them does."""
    work = orders.results / QUICK / WORK

    def interrupted(jobs, **how):
        for folder in (work, work / STORE / "x" / "images-20"):
            (folder / files.CLAIMS).mkdir(parents=True, exist_ok=True)
            name = files.temporary_name("0", "claim").replace(f".{os.getpid()}.", ".4194305.")  # no process has it
            (folder / files.CLAIMS / name).touch()
        yield from ()
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.commands.work.run_jobs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start_workers(orders, 2, work)
    assert not [path for path in work.rglob("*") if path.is_file() or path.name == files.CLAIMS]


# -- clean -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(orders):
    """A results folder with one record and its samples: (its store)."""
    fill_store(orders, Rank())
    assert run_plan(quality(orders)) == []
    return orders.results / QUICK / WORK / STORE


def clean(capsys, orders, *options):
    status, said, err = call(capsys, "clean", "--results", orders.results, *options)
    assert (status, err) == (0, "")
    return said


def test_what_a_record_names_stays(capsys, orders, recorded):
    before = sorted(recorded.rglob("*"))
    assert "nothing to remove" in clean(capsys, orders, "--yes", "--all")
    assert sorted(recorded.rglob("*")) == before


def test_samples_of_no_record_are_listed_then_removed(capsys, orders, recorded, toy):
    """Those of another version of the code with --yes; those that `reproduce` has yet to score with --all alone."""
    (named,) = recorded.iterdir()
    save_file({"gain": torch.full((1,), 0.9)}, toy)
    fill_store(orders, Rank())
    (unscored,) = set(recorded.iterdir()) - {named}
    old = unscored.with_name("toy-digits-of-an-older-version")
    (old / "images-20").mkdir(parents=True)
    (old / "images-20" / "000000.safetensors").write_bytes(bytes(2_000_000))
    (recorded.parent / "images" / "toy").mkdir(parents=True)
    said = clean(capsys, orders)
    assert all(one.name in said for one in (unscored, old))
    assert "1 stay (not scored yet" in said
    assert "2 to remove, 2.0 MB; --yes removes them" in said
    assert old.exists()
    clean(capsys, orders, "--yes")
    assert set(recorded.iterdir()) == {named, unscored}
    assert not (recorded.parent / "images").exists()
    clean(capsys, orders, "--yes", "--all")
    assert set(recorded.iterdir()) == {named}


def test_damaged_shards_and_dead_files_go_and_work_in_progress_stays(capsys, orders, recorded):
    (named,) = recorded.iterdir()
    shards = next(named.iterdir())
    (shards / "000000.safetensors.checksum.bad").write_bytes(b"x")
    dead = files.temporary_name("000001").replace(f".{os.getpid()}.", ".4194305.")  # no process has this number
    (shards / dead).write_bytes(b"x")
    working = recorded / "toy-digits-somebody-works-here" / "images-20"
    working.mkdir(parents=True)
    with files.claim(working, "000000"):
        said = clean(capsys, orders, "--yes", "--all")
    assert "2 removed" in said
    assert working.is_dir()
    assert {path.suffix for path in shards.iterdir()} == {".json", ".safetensors", ""}


def test_while_a_run_is_at_work_its_samples_stay_even_with_all(capsys, orders, toy):
    """Between generating and scoring nobody makes a shard; the work folder says that it is needed."""
    fill_store(orders, Rank())
    work = orders.results / QUICK / WORK
    latents = work / "latents-0123456789abcdef" / "latents-5"
    latents.mkdir(parents=True)
    with files.at_work(work, "runs"):
        said = clean(capsys, orders, "--yes", "--all")
    assert f"a run is at work in {work}" in said
    assert latents.is_dir()
    assert len(list((work / STORE).rglob("*.safetensors"))) == 4
    clean(capsys, orders, "--yes", "--all")
    assert not latents.exists()
    assert not list((work / STORE).iterdir())


def test_latents_of_trainings_are_listed_and_stay_until_all_may_go(capsys, orders, recorded):
    """Those that no version of today takes up go at once; what killed processes left goes wherever it lies."""
    work = recorded.parent
    sets = [work / f"latents-{key}" / "latents-5" for key in ("0123456789abcdef", "fedcba9876543210")]
    for folder, version in zip(sets, (LATENTS_VERSION, LATENTS_VERSION + 1), strict=True):
        folder.mkdir(parents=True)
        (folder / "000000.safetensors").write_bytes(bytes(1000))
        (folder / "identity.json").write_text(json.dumps({"version": version}))
    (work / "weights").mkdir()
    machine = next(path for path in work.parent.iterdir() if path.name != WORK)
    dead = [place / f".file.{files.HOST}.4194305.0123abcd.tmp" for place in (machine, work, work / "weights", sets[0])]
    for path in dead:
        path.touch()
    said = clean(capsys, orders)
    assert all(word in said for word in (*(one.parent.name for one in sets), "1 stay", "5 to remove"))
    clean(capsys, orders, "--yes")
    assert [path.exists() for path in (*dead, *sets)] == [False] * 4 + [True, False]
    clean(capsys, orders, "--yes", "--all")
    assert not sets[0].exists()


def test_pixels_that_were_kept_are_known_and_stay_until_all_may_go(tmp_path):
    """Beside features; the first shard is the record's own. Of a run of small scans pixels are all there is."""
    folders = [tmp_path / "images-500", tmp_path / "inception-1a2b3c4d-500"]
    for folder in folders:
        folder.mkdir()
        for shard in range(3):
            (folder / f"{shard:06d}.safetensors").write_bytes(bytes(10))
    (folders[1] / "identity.json").write_text('{"part_identity": {}}')
    (found,) = kept_pixels(folders)
    assert (found.path, found.num_bytes, found.goes, len(found.parts)) == (folders[0], 20, False, 2)
    assert list(kept_pixels(folders[:1])) == []
    assert remove(found)
    assert [path.name for path in folders[0].iterdir()] == ["000000.safetensors"]
