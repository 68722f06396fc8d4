"""README.md and the committed report say what the committed records say."""

from __future__ import annotations

import re

import pytest

from bench.analysis.evidence import read_evidence
from bench.errors import UsageError
from bench.report.readme import BEGIN, END, block, with_block
from tests.command_line import bench
from tests.paths import ROOT


def test_the_readme_says_what_was_found():
    """Written again with `python -m bench.report.readme results README.md`."""
    readme = (ROOT / "README.md").read_text()
    assert readme == with_block(readme, block(ROOT / "results"))


def test_the_readmes_picture_is_there_and_draws_the_same_numbers_as_the_page():
    readme = (ROOT / "README.md").read_text()
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", readme)
    assert pictures == ["reports/speedups.svg"]
    page, svg = ((ROOT / "reports" / name).read_text() for name in ("index.html", "speedups.svg"))
    label = re.search(r'aria-label="(Printed and measured[^"]*)"', svg)
    assert label
    assert label[1] in page


def test_the_committed_report_is_that_of_the_committed_records(capsys):
    page = ROOT / "reports" / "index.html"
    status, said, _ = bench(capsys, "verify", "--results", ROOT / "results", "--report", page)
    assert status == 0, said
    assert len(read_evidence(page)["files"]) > 100


def test_a_text_without_the_markers_is_refused():
    assert with_block(f"a {BEGIN}\nold\n{END} b", "new") == f"a {BEGIN}\nnew\n{END} b"
    with pytest.raises(UsageError, match="no line"):
        with_block("a b", "new")
