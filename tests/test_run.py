"""What a record's numbers depend on; and that a run which fails, in whatever way, is recorded and stops no other."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

import bench.run
import reference_models
from bench.evaluators import images
from bench.evaluators.timings import TIMING
from bench.features import kinds
from bench.metrics import METRICS
from bench.plan import make_plan
from bench.processes import KILLED
from bench.protocols import KINDS, PROTOCOLS, is_timed
from bench.records.latest import is_current
from bench.records.parts import Images, Measurement
from bench.records.schema import REAL_DATA, Inputs, RunSpec
from bench.records.store import WORK, load_records, save_record
from bench.run import run_inputs, run_plan
from bench.sampling.files import HOST, in_use
from bench.sampling.shards import STORE
from reference_models import find
from reference_models.shipped import FOLDER_VARIABLE, SHIPPED
from reference_models.sizes.autoencoders import AUTOENCODERS
from tests.fake_records import AUDIT, record
from tests.paths import ROOT

QUALITY = RunSpec("llamagen-digits", PROTOCOLS["digits-quality"])
LATENCY = RunSpec("llamagen-digits", PROTOCOLS["digits-latency"])
RATIOS = RunSpec("dit-digits", PROTOCOLS["digits-ratios"], baselines=("llamagen-digits",))
REAL = RunSpec(REAL_DATA, PROTOCOLS["digits-quality"])
SPECS = (QUALITY, LATENCY, RATIOS, REAL)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder of weights in use, with links to the shipped ones."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in SHIPPED.glob("*-digits.safetensors"):
        (folder / path.name).symlink_to(path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def inputs(work):
    return [run_inputs(spec, "cpu", work) for spec in SPECS]


def changed(before, work):
    """Of QUALITY, LATENCY, RATIOS, REAL: whether it would be measured again."""
    return [one != other for one, other in zip(before, inputs(work), strict=True)]


def change(path):
    """Other weights of the same model in place of a link."""
    state = {key: value + 1 if value.is_floating_point() else value for key, value in load_file(path).items()}
    path.unlink()
    save_file(state, path)


# -- what numbers depend on --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("llamagen-digits", [True, True, True, False]),
        ("vq-digits", [True, True, True, False]),  # its tokenizer
        ("dit-digits", [False, False, True, False]),
        ("var-digits", [False, False, False, False]),
    ],
)
def test_other_weights_are_measured_again_be_they_of_a_tokenizer_or_a_baseline(weights, tmp_path, name, again):
    before = inputs(tmp_path)
    change(weights / f"{name}.safetensors")
    assert changed(before, tmp_path) == again


def test_another_feature_extractor_is_another_score_and_the_same_time(tmp_path, monkeypatch):
    before = inputs(tmp_path)
    other = tmp_path / "features.safetensors"
    other.symlink_to(kinds.DIGITS_WEIGHTS)
    kind = replace(kinds.EXTRACTORS["digits"], weights=lambda: other)
    monkeypatch.setitem(kinds.EXTRACTORS, "digits", kind)
    assert changed(before, tmp_path) == [False] * 4  # the same file at another place
    change(other)
    assert changed(before, tmp_path) == [True, False, False, True]


def test_raised_versions_are_measured_again(tmp_path, monkeypatch):
    """Of a model, its autoencoder, an evaluator, a metric: each where it has a part."""
    before = inputs(tmp_path)

    def raised(registry, name):
        with monkeypatch.context() as patch:
            patch.setitem(registry, name, replace(registry[name], version=registry[name].version + 1))
            return changed(before, tmp_path)

    assert raised(reference_models.specs(), "llamagen-digits") == [True, True, True, False]
    assert raised(reference_models.specs(), "dit-digits") == [False, False, True, False]
    assert raised(AUTOENCODERS, "vq-digits") == [True, True, True, False]
    assert raised(KINDS, "images") == [True, False, False, True]
    assert raised(KINDS, "ratios") == [False, False, True, False]
    assert raised(METRICS, "fid") == [True, False, False, True]
    assert raised(METRICS, "latency_s") == [False, True, True, False]


def test_another_machine_measures_again_only_what_it_times(tmp_path, monkeypatch):
    before = inputs(tmp_path)
    monkeypatch.setattr(bench.run.environment, "machine", lambda device: "another")
    assert changed(before, tmp_path) == [False, True, True, False]


@pytest.mark.parametrize("spec", SPECS, ids=["quality", "latency", "ratios", "real"])
def test_inputs_are_what_a_record_keeps_and_an_equal_one_is_not_measured_again(tmp_path, spec):
    """Typed, the same after they were written and read; any other input, protocol or a failure is measured again."""
    found = run_inputs(spec, "cpu", tmp_path)
    assert isinstance(found, Inputs)
    real = spec.model == REAL_DATA
    assert (found.weights_sha256 is None, found.weights_origin) == (real, None if real else "shipped")
    assert (found.machine is not None) == is_timed(spec.protocol)
    assert found.metric_versions.keys() == set(spec.protocol.metrics)
    assert found.torch == torch.__version__.partition("+")[0]  # not how it was built
    save_record(replace(record(spec.model, spec.protocol.name), inputs=found), tmp_path)
    (kept,) = load_records([tmp_path]).records
    assert kept.inputs == found
    assert is_current(kept, spec.protocol, found)
    for field in dataclasses.fields(Inputs):
        before = getattr(found, field.name)
        other = {**before, "another": 1} if isinstance(before, dict) else "another"
        assert not is_current(kept, spec.protocol, replace(found, **{field.name: other})), field.name
    assert not is_current(kept, replace(spec.protocol, seed=1), found)
    assert not is_current(replace(kept, status="failed"), spec.protocol, found)


def test_no_code_is_read_so_that_a_comment_changes_nothing(tmp_path):
    """Once all is imported, the inputs of a run are worked out without opening a source file."""
    code = f"""
import sys
from pathlib import Path
from tests.test_run import SPECS, inputs
inputs(Path({str(tmp_path)!r}))
opened = []
sys.addaudithook(lambda event, found: opened.append(str(found[0])) if event == "open" else None)
inputs(Path({str(tmp_path)!r}))
assert any(path.endswith("vq-digits.safetensors") for path in opened), opened
assert not [path for path in opened if path.endswith((".py", ".pyc"))], opened
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# -- failures ----------------------------------------------------------------------------------------------------------


def quality_of(tmp_path, *names):
    """Smoke runs of these models and of real data under `digits-quality`."""
    plan = make_plan(scale="digits", only=names, quick=True, device="cpu", results=tmp_path)
    return replace(plan, runs=tuple(run for run in plan.runs if run.spec.protocol.name == "digits-quality"))


def words_by_model(plan):
    """Of the records on disk: "ok", or the reason."""
    loaded = load_records([plan.results])
    assert not loaded.faults
    return {record.model: record.reason or record.status for record in loaded.records}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("sizes\n differ by 3"), "ValueError: differ by 3"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (KeyError("fid"), "KeyError: 'fid'"),
        (MemoryError(), "MemoryError"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried 9 GiB"),
            "OutOfMemoryError: CUDA out of memory. Tried 9 GiB",
        ),
        (bench.errors.UsageError("no such thing"), "no such thing"),
        (
            {"measurements": {"fid": Measurement(float("nan"), "")}},
            "record.measurements.fid.value is nan: a record holds finite numbers",
        ),
        (
            {"images": Images(audit=AUDIT, scoring={"extractor": torch.nn.Identity()})},
            "TypeError: Object of type Identity is not JSON serializable",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_error_of_a_run_is_recorded_and_the_next_runs_go_on(tmp_path, monkeypatch, error, reason):

    def broken(model, spec, context):
        if spec.model != "dit-digits":
            return {}
        if isinstance(error, dict):
            return error
        raise error

    monkeypatch.setattr(images, "measure_images", broken)
    monkeypatch.setattr(bench.run, "num_workers", lambda device: 1)
    plan, num_threads = quality_of(tmp_path, "dit-digits", "sit-digits"), torch.get_num_threads()
    (failed,) = run_plan(plan)
    assert (failed.model, failed.family, failed.measurements) == ("dit-digits", "dit", {})
    assert failed.reason.startswith(reason)
    assert words_by_model(plan) == {"dit-digits": failed.reason, "sit-digits": "ok", REAL_DATA: "ok"}
    assert torch.get_num_threads() == num_threads


def test_control_c_ends_the_plan_and_is_no_failure(tmp_path, monkeypatch):
    def interrupted(model, spec, context):
        raise KeyboardInterrupt

    monkeypatch.setattr(images, "measure_images", interrupted)
    monkeypatch.setattr(bench.run, "num_workers", lambda device: 1)
    plan = quality_of(tmp_path, "dit-digits")
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan)
    assert words_by_model(plan) == {REAL_DATA: "ok"}


def test_a_run_whose_files_cannot_be_read_is_recorded_and_the_others_go_on(tmp_path, weights, monkeypatch):
    """The weights go after the plan was made."""
    monkeypatch.setattr(bench.run, "num_workers", lambda device: 1)
    plan = quality_of(tmp_path, "dit-digits")
    monkeypatch.setattr(bench.run, "identity", lambda spec, work: (weights / "gone").read_bytes())
    (failed,) = run_plan(plan)
    assert failed.reason.startswith("FileNotFoundError: ")
    assert words_by_model(plan) == {"dit-digits": failed.reason, REAL_DATA: "ok"}


def sizes_of(tmp_path, *names):
    """The counts of these models: quick runs that time nothing."""
    plan = make_plan(scale="imagenet-256", only=names, quick=True, device="cpu", results=tmp_path)
    return tuple(run for run in plan.runs if run.spec.protocol.name == "paper-size")


def test_errors_in_a_worker_are_recorded_and_the_others_go_on(tmp_path, weights, monkeypatch):
    """Weights that are none, a file where a folder must be, a setting that is no number."""
    monkeypatch.setattr(bench.run, "num_workers", lambda device: 2)
    broken = weights / "llamagen-digits.safetensors"
    broken.unlink()
    broken.write_bytes(b"no weights")
    plan = quality_of(tmp_path, "llamagen-digits", "var-digits")
    runs = {run.spec.model: run for run in plan.runs}
    (size,) = sizes_of(tmp_path, "dit-s-8")
    plan = replace(plan, runs=(runs["llamagen-digits"], runs["var-digits"], size))
    (plan.results / WORK).mkdir(parents=True)
    (plan.results / WORK / STORE).touch()
    failed = {record.model: record.reason for record in run_plan(plan)}
    assert set(failed) == {"llamagen-digits", "var-digits"}
    assert failed["llamagen-digits"].startswith(f"weights {broken}: cannot be read")
    assert failed["var-digits"].startswith(f"store: {plan.results / WORK / STORE}/var-digits-")
    assert failed["var-digits"].endswith(" cannot be made: Not a directory")
    assert words_by_model(plan) == {**failed, "dit-s-8": "ok"}


def test_a_killed_worker_is_a_failed_run_and_the_others_go_on(tmp_path, monkeypatch):
    """As the system kills the process that asks for more memory than there is."""
    monkeypatch.setattr(bench.run, "num_workers", lambda device: 2)
    names = ("dit-s-8", "dit-b-8", "dit-l-8")
    plan = replace(quality_of(tmp_path), runs=sizes_of(tmp_path, *names))
    before = set(psutil.Process().children())

    def kill_one():
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for child in set(psutil.Process().children()) - before:
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
                    return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    failed = run_plan(plan)
    killer.join()
    assert [record.reason for record in failed] == [KILLED]
    words = words_by_model(plan)
    assert set(words) == set(names)
    assert sorted(words.values()) == [KILLED, "ok", "ok"]


def test_every_kind_of_measurement_has_its_evaluator():
    """(model, spec, context) each; every kind is used by a protocol, and every protocol's kind exists.

    One that reads a clock may take the timing's settings on top: by name alone, and with a default, for a run has none.
    """
    assert {protocol.collects for protocol in PROTOCOLS.values()} == set(KINDS)
    for protocol in PROTOCOLS.values():
        models = ["dit-digits", REAL_DATA] if KINDS[protocol.collects].real else ["dit-digits"]
        for model in models:
            signature = inspect.signature(bench.run.evaluator_of(RunSpec(model, protocol)))
            *first, last = signature.parameters.values()
            if last.name == "timing":
                assert is_timed(protocol), protocol.name
                assert (last.kind, last.default) == (inspect.Parameter.KEYWORD_ONLY, TIMING), protocol.name
            else:
                first.append(last)
            assert [parameter.name for parameter in first] == ["model", "spec", "context"], protocol.name


def test_a_protocol_of_ratios_times_what_the_one_of_single_models_times():
    """The same scale and the same calls; one kind pairs, the other does not. Studies ask what these do."""
    from bench.protocols import RATIOS as LINKS
    from bench.protocols.at_paper_size import CONDITIONS_256

    paired = {name for name, protocol in PROTOCOLS.items() if KINDS[protocol.collects].paired}
    studied = {protocol.name for protocol in (PROTOCOLS["digits-kernels"], *CONDITIONS_256)}
    assert paired == {*LINKS.values(), *studied}
    as_ratios = replace(PROTOCOLS["digits-kernels"], name="digits-ratios", collects="ratios", study=False)
    assert as_ratios == PROTOCOLS["digits-ratios"]
    for single, paired in ((PROTOCOLS[one], PROTOCOLS[other]) for one, other in LINKS.items()):
        assert (single.scale, single.sampled_calls) == (paired.scale, paired.sampled_calls)
        assert single.latency_batch_size == paired.latency_batch_size
        assert not KINDS[single.collects].paired


def test_the_model_of_a_run_has_the_tokenizer_that_lies_beside_its_weights(tmp_path):
    """Weights of a further training seed were trained on that seed's tokenizer."""
    from bench.models import build_for, seed_folder

    folder = seed_folder(tmp_path, 1)
    folder.mkdir(parents=True)
    for name in ("llamagen-digits", "vq-digits"):
        os.symlink(SHIPPED / f"{name}.safetensors", folder / f"{name}.safetensors")
    change(folder / "vq-digits.safetensors")
    protocol = PROTOCOLS["digits-study"]
    ours, shipped = (
        build_for("llamagen-digits", replace(protocol, training_seed=seed), "cpu", tmp_path).autoencoder.state_dict()
        for seed in (1, 0)
    )
    key = next(key for key, value in shipped.items() if value.is_floating_point())
    assert torch.allclose(ours[key], shipped[key] + 1)
    assert find("llamagen-digits").autoencoder == "vq-digits"


def test_two_plans_at_once_share_the_list_of_what_was_measured_here(tmp_path, monkeypatch):
    """While one measures, the other's records are listed; and the work folder says that it is in use."""
    monkeypatch.setattr(images, "measure_images", lambda *a: {})
    monkeypatch.setattr(bench.run, "num_workers", lambda device: 1)
    plan = quality_of(tmp_path, "dit-digits")
    ledger, keep, used = plan.results / WORK / bench.run.LEDGER, bench.run.keep, []

    def keep_beside_another(record, folder):
        ledger.write_text('["acme/another.json"]')
        used.append(in_use(plan.results / WORK))
        return keep(record, folder)

    monkeypatch.setattr(bench.run, "keep", keep_beside_another)
    assert run_plan(plan) == []
    assert bench.run.ledger_of(plan.results / WORK) >= {
        "acme/another.json",
        *(record.file for record in load_records([plan.results]).records),
    }
    assert used
    assert all(used)
    assert {path.name for path in (plan.results / WORK).iterdir()} == {bench.run.LEDGER}


def test_what_a_killed_run_left_in_the_results_folder_is_gone_when_the_next_begins(tmp_path):
    plan = replace(quality_of(tmp_path, "dit-digits"), runs=())
    for place in (".", "acme", "acme/samples", WORK, f"{WORK}/.claims"):
        (plan.results / place).mkdir(parents=True, exist_ok=True)
        (plan.results / place / f".file.{HOST}.4194305.0123abcd.tmp").touch()  # no process has this number
    assert run_plan(plan) == []
    assert [path for path in plan.results.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b"[1]", b"\xff\xfe", b"[" * 100_000, b"[" + b"9" * 5000])
def test_a_damaged_list_of_what_was_measured_here_is_said_and_stops_nothing(tmp_path, capsys, content):
    (tmp_path / bench.run.LEDGER).write_bytes(content)
    assert bench.run.ledger_of(tmp_path) == set()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert f"{bench.run.LEDGER}: damaged" in said
