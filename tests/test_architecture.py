"""Who may import whom (CONTRIBUTING, "The house"), read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODELS_MAY = {"spec", "noise", "layers", "samplers", "masked_text", "autoencoders", "checkpoints", "training"}
FAMILIES = {"transdiff", "mar", "llamagen", "var", "dit", "d_dit", "ar_vlm"}


def imported(path: Path) -> set[str]:
    """Every project module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("bench", "reference_models")}


def test_models_never_import_the_bench():
    for path in (ROOT / "reference_models").glob("*.py"):
        assert not [name for name in imported(path) if name.startswith("bench")], path


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_never_imports_another_family(family):
    names = {name.split(".")[1] for name in imported(ROOT / f"reference_models/{family}.py") if name.count(".")}
    assert not names & (FAMILIES - {family})


def test_metrics_know_nothing_of_models_and_collectors():
    for path in (ROOT / "bench/metrics").glob("*.py"):
        for name in imported(path):
            assert name.startswith(("bench.metrics", "bench.records")), f"{path} imports {name}"


def test_records_import_nothing_of_ours():
    assert not imported(ROOT / "bench/records.py")


def test_verdicts_and_results_stand_on_records_alone():
    allowed = ("bench.records", "bench.results", "bench.formatting", "bench.verdict")
    for path in (*(ROOT / "bench/verdict").glob("*.py"), ROOT / "bench/results.py"):
        for name in imported(path):
            assert name.startswith(allowed), f"{path} imports {name}"


@pytest.mark.parametrize("what", ["import bench", "import bench.report", "import bench.__main__", "import bench.plan"])
def test_importing_does_not_import_torch(what):
    code = f"{what}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
