"""`bench parity`: a line per output, exit 1 where one differs, and the file that the report shows."""

from __future__ import annotations

import importlib.metadata
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bench.records.parity import load_parity
from tests.command_line import bench, complains
from tests.paths import DATA

CASE = DATA / "transdiff-512.safetensors"


@pytest.fixture
def altered(tmp_path):
    """Writes the case with other tensors or metadata."""

    def made(**changes):
        with safe_open(CASE, "pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (a safe_open is no dict)
        tensors |= {name: value for name, value in changes.items() if isinstance(value, torch.Tensor)}
        metadata |= {name: json.dumps(value) for name, value in changes.items() if not isinstance(value, torch.Tensor)}
        kept = {name: value for name, value in tensors.items() if value.numel()}
        save_file(kept, tmp_path / "altered.safetensors", metadata)
        return tmp_path / "altered.safetensors"

    return made


def test_what_was_compared_is_kept_with_the_authors_commit_and_our_versions(capsys, tmp_path):
    status, out, _ = bench(capsys, "parity", CASE, "--save", tmp_path / "parity.json")
    assert status == 0
    found, faults = load_parity([tmp_path])
    assert faults == []
    (case,) = found.cases
    assert (case.name, case.family, case.source, case.ok) == (
        "transdiff-512",
        "transdiff",
        "TransDiff/TransDiff@0081b3a",
        True,
    )
    assert {"transdiff-b", "transdiff-l-512", "transdiff-digits"} <= case.versions.keys()
    assert "transdiff-mrar-l" not in case.versions
    assert found.environment.versions["torch"] == importlib.metadata.version("torch")
    for output in case.outputs:
        assert f"out.{output.name:20} {output.error:.2e} ok" in out
    assert len(case.outputs) == case.num_outputs == 4


def test_an_output_that_differs_is_kept_and_fails(capsys, altered, tmp_path):
    case = altered(**{"out.loss": torch.tensor([float("nan")]), "out.latents": torch.zeros(1)})
    line = complains(capsys, "parity", case, "--save", tmp_path / "parity.json", status=1)
    assert "parity: 2 failed of 4 outputs in 1 cases" in line
    (kept,) = load_parity([tmp_path])[0].cases
    assert {output.name: (output.error, output.ok) for output in kept.outputs if not output.ok} == {
        "latents": (None, False),
        "loss": (None, False),
    }


def test_a_case_whose_parameters_do_not_fit_is_kept_with_the_reason(capsys, altered, tmp_path):
    case = altered(keys={"odd.weight": [2]})
    complains(capsys, "parity", case, "--save", tmp_path / "parity.json", status=1)
    (kept,) = load_parity([tmp_path])[0].cases
    assert not kept.ok
    assert "odd.weight" in kept.reason
    assert str(tmp_path) not in kept.reason


def test_a_case_without_outputs_proves_nothing(capsys, altered):
    none = torch.zeros(0)
    case = altered(**{f"out.{name}": none for name in ("condition", "latents", "loss", "velocity")})
    assert "holds no output (out.*) to compare" in complains(capsys, "parity", case)


def test_a_file_that_cannot_be_written_is_said_before_anything_is_compared(capsys, tmp_path):
    assert "--save" in complains(capsys, "parity", CASE, "--save", tmp_path)
