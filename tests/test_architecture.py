"""Who may import whom, read from the source: the ladder of CONTRIBUTING ("The house"). No import goes up."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

LADDER = (  # a unit imports units of lower rows only
    ("__main__",),
    ("commands",),
    ("run",),
    ("evaluators", "report"),
    ("sampling", "verdict"),
    ("features", "timing", "training", "plan", "analysis"),
    ("metrics", "models", "studies"),
    ("assets", "datasets", "stats", "protocols", "claims"),
    ("records", "processes", "published"),
    ("files",),
    ("errors", "console", "formatting"),
    ("reference_models",),
)
ROW = {unit: row for row, units in enumerate(LADDER) for unit in units}


def modules_below(*tops: str) -> dict[str, Path]:
    """Module -> its file."""
    return {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
        for top in tops
        for path in (ROOT / top).rglob("*.py")
    }


MODULES = modules_below("bench", "reference_models")
TESTS = modules_below("tests")
FAMILIES = {"transdiff", "mar", "llamagen", "var", "dit", "d_dit", "ar_vlm"}


def imported(path: Path) -> set[str]:
    """Every project module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (below & (MODULES.keys() | TESTS.keys())) | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("bench", "reference_models", "tests")}


def unit_of(module: str) -> str:
    """ "bench.report.page" -> "report"; the models are one unit; the bench's own __init__ is none."""
    parts = module.split(".")
    return parts[0] if parts[0] == "reference_models" else (parts[1:] or [""])[0]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_goes_up_the_ladder(module):
    unit = unit_of(module)
    if not unit:
        assert not imported(MODULES[module])
        return
    others = {unit_of(name) for name in imported(MODULES[module])} - {unit, ""}
    assert not {other for other in others if ROW[other] <= ROW[unit]}


def test_every_unit_has_its_row_and_the_house_is_small():
    units = {path.stem for path in (ROOT / "bench").iterdir() if not path.name.startswith("__pycache__")}
    assert units - {"__init__", "py"} <= ROW.keys() | {"py.typed"}
    assert len(units) <= 30


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_never_imports_another_family(family):
    names = {name.split(".")[1] for name in imported(ROOT / f"reference_models/{family}.py") if name.count(".")}
    assert not names & (FAMILIES - {family})


@pytest.mark.parametrize("module", sorted(TESTS))
def test_tests_import_helpers_and_no_tests(module):
    """What two files of tests share is a module of helpers (tests/pages.py, tests/toy.py, ...)."""
    assert not {name for name in imported(TESTS[module]) if name.rsplit(".", 1)[-1].startswith("test_")}


OPENED_WHOLE = ("read_text", "read_bytes")  # of a path
OWN_FILES = ("HERE", "COUNTS", "temporary", "/proc/", "files")  # what this package ships, or has just written
OWN_READERS = ("bench.analysis.weights", "bench.report.readme")  # of the package's weights, of this README


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("bench.")))
def test_a_file_is_read_whole_through_bench_files_alone(module):
    """It refuses what has no end and what claims more than memory. The package's own files are read as they are."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OPENED_WHOLE:
            opened = ast.unparse(node.func.value)
            assert module in OWN_READERS or any(name in opened for name in OWN_FILES), ast.unparse(node)


RIGHT_HALF = ("bench", "bench.__main__", "bench.plan", "bench.report", "bench.verdict.judge", "bench.commands.compare")


@pytest.mark.parametrize("module", RIGHT_HALF)
def test_importing_does_not_import_torch(module):
    code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
