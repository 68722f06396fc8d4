"""What `python -m tests.mutants` rests on: its list of changes without effect, and which tests are a file's own."""

from __future__ import annotations

import ast

from tests.mutants.__main__ import known_equivalents
from tests.mutants.changes import changes
from tests.mutants.targets import TARGETS
from tests.paths import ROOT

JUDGING = ("bench/stats.py", "bench/metrics/*.py", "bench/analysis/*.py")


def test_every_change_that_is_said_to_have_no_effect_can_be_made():
    """A line that was rewritten takes its entries with it."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in TARGETS}
    rows = (ROOT / "tests/mutants/equivalent.txt").read_text(encoding="utf-8").splitlines()
    known = known_equivalents()
    assert len(known) == len(rows)
    assert rows == sorted(rows)
    possible = {(path, change.key(text)) for path, text in texts.items() for change in changes(text)}
    assert known - possible == set()


def test_every_file_that_judges_has_its_tests_and_they_exist():
    judging = {str(path.relative_to(ROOT)) for pattern in JUDGING for path in ROOT.glob(pattern)}
    assert {path for path in judging - TARGETS.keys() if changes((ROOT / path).read_text(encoding="utf-8"))} == set()
    assert all((ROOT / name).is_file() for path, tests in TARGETS.items() for name in (path, *tests))


def test_a_change_is_one_token_and_leaves_a_program():
    text = "def f(a: int = 3) -> bool:\n    return not a < 2 and 'x' in 'ä' + g(-a, key=True, strict=True)  # min\n"
    found = [change.key(text) for change in changes(text)]
    assert [key[key.index("[") : key.index("]") + 1] for key in found] == [
        *("[3 -> 4]", "[not  -> ]", "[< -> <=]", "[2 -> 3]", "[and -> or]", "[in -> not in]", "[+ -> -]", "[- -> ]"),
        "[True -> False]",
    ]
    for change in changes(text):
        ast.parse(change.apply(text))
