"""The command that CONTRIBUTING gives for regressions: it passes on equal speed and fails on a slower one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

TIMED = "import time\n\n\ndef test_nap(benchmark):\n    benchmark.pedantic(time.sleep, (0.02,), rounds=3)\n"


def documented(name: str) -> list[str]:
    """The options of CONTRIBUTING's `pytest --benchmark-only` line that has the option `name`."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (options,) = re.findall(rf"^pytest --benchmark-only (.*{name}.*?)(?:  .*)?$", text, re.MULTILINE)
    return options.split()


def run(folder: Path, options: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--benchmark-only", *options]
    alone = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_XDIST")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=alone)


def test_a_saved_file_holds_the_machine(tmp_path):
    """As records do: the processor and the versions, without the commit, at which pytest-benchmark would warn."""
    saved = tmp_path / "saved.json"
    done = run(ROOT, ["tests/benchmarks/test_time_metrics.py", "-k", "test_png", f"--benchmark-json={saved}"])
    assert done.returncode == 0, done.stdout + done.stderr
    machine = json.loads(saved.read_text())["machine_info"]["arbiter"]
    assert {"processor", "num_cores", "versions", "num_threads"} <= machine.keys()
    assert not {"commit", "dirty"} & machine.keys()


@pytest.mark.quiet
@pytest.mark.parametrize(("baseline_factor", "status"), [(1.0, 0), (0.5, 1)])
def test_the_documented_command_fails_on_a_regression(tmp_path, baseline_factor, status):
    """Against a baseline made twice as fast the same 20 ms of sleep have regressed; against their own they have not."""
    (tmp_path / "test_nap.py").write_text(TIMED)
    assert run(tmp_path, documented("--benchmark-save")).returncode == 0
    (saved,) = tmp_path.glob(".benchmarks/*/*.json")
    content = json.loads(saved.read_text())
    stats = content["benchmarks"][0]["stats"]
    stats |= {key: baseline_factor * stats[key] for key in ("min", "max", "mean", "median")}
    saved.write_text(json.dumps(content))
    compared = run(tmp_path, documented("--benchmark-compare-fail"))
    assert compared.returncode == status, compared.stdout + compared.stderr
    assert ("has regressed" in compared.stdout + compared.stderr) == bool(status)
