"""float32 is float32: nothing that generates, says, times or trains takes TF32 unless a paper or a user has it so."""

from __future__ import annotations

import pytest
import torch

from bench.commands.work import collect_run
from bench.errors import CheckFailed
from bench.evaluators import Context
from bench.plan import make_plan
from bench.published import Precision
from bench.run import run_inputs, run_one
from bench.sampling.precision import PLAIN, running_in
from bench.sampling.ranks import ALONE
from tests.command_line import complains
from tests.training.tiny_paper import CONFIGS, train_tiny


def tf32() -> tuple[bool, str]:
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.fixture(autouse=True)
def torchs_default():
    """A GPU's convolutions take TF32."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
        yield


def test_what_a_block_sets_is_as_before_after_it():
    before = tf32()
    with running_in(Precision(tf32=True), "cpu"):
        assert tf32() == (True, "high")
        with running_in(PLAIN, "cpu"):
            assert tf32() == (False, "highest")
        assert tf32() == (True, "high")
    assert tf32() == before == (True, "highest")


def test_every_run_of_a_plan_computes_in_float32(tmp_path, monkeypatch):
    seen = []

    def evaluator(model: object, spec: object, context: Context) -> dict[str, object]:
        seen.append(tf32())
        return {}

    monkeypatch.setattr("bench.run.evaluator_of", lambda spec: evaluator)
    plan = make_plan(scale="digits", only=("var-digits",), quick=True, device="cpu", results=tmp_path)
    for run in plan.runs[:2]:
        assert run_one(run, run_inputs(run.spec, "cpu", tmp_path), "cpu", tmp_path).status == "ok"
    assert seen == [(False, "highest")] * 2


@pytest.mark.parametrize(
    ("command", "called"),
    [
        ("generate var-digits --num 1 --out OUT", "bench.commands.generate.generate_batch"),
        ("time var-digits --device cpu", "bench.commands.time.time_models"),
        ("train var-digits --steps 1 --out OUT", "reference_models.training.train"),
    ],
)
def test_commands_compute_in_float32(command, called, tmp_path, monkeypatch, capsys):
    seen = []

    def stop(*args, **kwargs):
        seen.append(tf32())
        raise CheckFailed("seen")

    monkeypatch.setattr(called, stop)
    assert "seen" in complains(capsys, *command.replace("OUT", str(tmp_path / "out")).split(), status=1)
    assert seen == [(False, "highest")]


def test_a_worker_says_what_a_run_says(tmp_path, monkeypatch):
    """What is in the store must not depend on who filled it."""
    seen = []
    monkeypatch.setattr("bench.evaluators.benchmark_texts.collect_run", lambda *args, **kwargs: seen.append(tf32()))
    plan = make_plan(scale="scenes", only=("d-dit-digits",), quick=True, device="cpu", results=tmp_path)
    run = next(run for run in plan.runs if run.spec.protocol.collects == "captions")
    collect_run(run, plan, ALONE, 0, False)
    assert seen == [(False, "highest")]


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_training_takes_tf32_where_it_is_asked_for(precision, monkeypatch):
    seen = []
    monkeypatch.setattr("bench.training.paper_scale.optimise", lambda *args, **kwargs: seen.append(tf32()))
    train_tiny(next(iter(CONFIGS)), precision=precision)
    assert seen == [(True, "high") if precision == "tf32" else (False, "highest")]
