"""Who may import whom, read from the source: the ladder of CONTRIBUTING ("The house"). No import goes up."""

import ast
import json
import shutil
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
    ("files", "variables"),
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
ROWS = sorted(name for name in MODULES if name.startswith("reference_models.sizes."))


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
    """Its network and its rows."""
    found = imported(ROOT / f"reference_models/{family}.py") | imported(ROOT / f"reference_models/sizes/{family}.py")
    names = {name.removeprefix("reference_models.").removeprefix("sizes.") for name in found}
    assert not names & (FAMILIES - {family})


@pytest.mark.parametrize("module", ROWS)
def test_rows_import_rows_and_no_network(module):
    """What a model is, is told without its network: by name alone."""
    data = {"reference_models.digits", "reference_models.spec", *ROWS}
    assert imported(MODULES[module]) <= data


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


COMMANDS_WITHOUT_TORCH = (
    "--help",
    "list models",
    "list claims",
    "list claims --model transdiff-l --results RESULTS",
    "list records",
    "list protocols",
    "doctor",
    "plan",
    "plan --results MEASURED",
    "plan --scale imagenet-256 --device cuda",
    "compare MACHINE MACHINE",
    "report --results RESULTS --out PAGE",
    "verify --results RESULTS --report PAGE",
    "export table TABLE --results RESULTS",
    "clean --results MEASURED",
)
REFUSING_TORCH = """
import contextlib, io, json, sys
from bench.__main__ import run
from bench.records import environment

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise AssertionError(f"{call}: torch is imported")

sys.meta_path.insert(0, Refusing())
environment.has_gpu_driver = lambda: False
status = {}
for call in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        status[call] = run(call.split())
print(json.dumps(status))
"""


def test_commands_that_read_records_and_rows_never_import_torch(tmp_path):
    """Of a machine without a GPU's driver: where there is one, `plan` and `doctor` ask torch what the GPU is called.

    MEASURED is a folder that `reproduce` has run in, with samples in its store: there `plan` also looks what is done.
    """
    measured = tmp_path / "measured"
    shutil.copytree(ROOT / "results", measured, ignore=shutil.ignore_patterns(".*"))
    records = [path.relative_to(measured).as_posix() for path in measured.rglob("*--*.json")]
    for model in ("dit-digits", "d-dit-digits"):
        (measured / ".work" / "store" / f"{model}-0123456789abcdef").mkdir(parents=True)
    (measured / ".work" / "measured-here.json").write_text(json.dumps(records))
    places = {
        "RESULTS": ROOT / "results",
        "MACHINE": ROOT / "results" / "amd-epyc-2c",
        "MEASURED": measured,
        "PAGE": tmp_path / "page.html",
        "TABLE": tmp_path / "t.csv",
    }
    calls = [" ".join(str(places.get(word, word)) for word in call.split()) for call in COMMANDS_WITHOUT_TORCH]
    done = subprocess.run(
        [sys.executable, "-c", REFUSING_TORCH, json.dumps(calls)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == dict.fromkeys(calls, 0)
