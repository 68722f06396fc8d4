"""The report in other forms: the same verdicts and numbers as the page, readable by the programs that they are for."""

from __future__ import annotations

import csv
import email.message
import importlib.metadata
import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest

from bench.claims.ledger import ledger
from bench.errors import UsageError
from bench.report import render
from bench.report.exports import FORMATS, escape, export, markdown_row
from bench.report.sections.cards import headline_claims
from tests.command_line import bench
from tests.fake_records import full_set, ratios
from tests.pages import write
from tests.paths import ROOT


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    slower = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0, "mar-digits": 0.25})
    return write(tmp_path_factory.mktemp("exports"), [*full_set(), slower])


@pytest.fixture(scope="module")
def text(results):
    """The text of a form."""
    made = {}

    def form(name):
        if name not in made:
            made[name] = export([results], name, None, results.parent / "reports" / "index.html").read_text()
        return made[name]

    return form


def test_a_row_per_claim_and_side_is_the_same_in_csv_and_json(text):
    rows = json.loads(text("json"))
    sides = [side for claim in ledger() for side in (claim.paper_scale, claim.in_small) if side]
    assert [row["claim"] for row in rows] == [c.id for c in ledger() for side in (c.paper_scale, c.in_small) if side]
    assert [row["metric"] for row in rows] == [side.metric for side in sides]
    read = list(csv.DictReader(io.StringIO(text("csv"))))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == read


def test_what_was_judged_carries_value_interval_and_records(text):
    row = next(r for r in json.loads(text("json")) if (r["claim"], r["scale"]) == ("transdiff-fid", "digits"))
    assert row["verdict"] in ("holds in small", "inconclusive", "does not hold in small")
    assert row["low"] < row["value"] < row["high"]
    assert "acme-cpu-2c/transdiff-digits--digits-quality" in row["records"]


def test_parquet_holds_the_same_rows(results, text, tmp_path):
    path = export([results], "parquet", tmp_path / "v.parquet", tmp_path / "index.html")
    found = pd.read_parquet(path).astype(object)
    rows = [{k: None if v != v else v for k, v in row.items()} for row in found.to_dict("records")]
    assert rows == json.loads(text("json"))


def test_parquet_without_an_engine_names_the_extra_that_brings_one(results, tmp_path, monkeypatch):
    for name in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install 'arbiter-bench\[parquet\]'"):
        export([results], "parquet", tmp_path / "v.parquet", tmp_path / "index.html")


def test_markdown_tables_are_rectangular_and_hold_every_headline(text):
    found = text("markdown")
    for table in re.findall(r"(?:^\|.*\n)+", found, flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert all(claim.headline.rstrip(".") in found for claim in headline_claims())
    assert markdown_row(["a|b", "<i>"]) == "| a&#124;b | &lt;i&gt; |"


def test_latex_tables_are_balanced_rectangular_and_say_which_direction_is_better(text):
    found = text("latex")
    assert found.count(r"\begin{table}") == found.count(r"\end{table}") >= 2
    for columns, body in re.findall(r"\\begin\{tabular\}\{(lr*)\}(.*?)\\bottomrule", found, flags=re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r"\\") and not line.startswith(r"\multicolumn")]
        assert rows
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns) - 1}
    assert r"FID $\downarrow$" in found
    assert r"IS $\uparrow$" in found
    assert found.isascii()
    assert escape("5 % of a_b & µs") == r"5 \% of a\_b \& $\mu$s"


def test_a_slower_model_is_said_to_be_slower_in_every_table(text):
    for name in ("markdown", "latex"):
        assert "4.00 times slower" in text(name)
        assert not re.search(r"\b0\.\d+ times", text(name))


def test_the_badge_is_svg_and_counts_every_headline_once(text):
    root = ET.fromstring(text("badge"))
    said = root.attrib["aria-label"]
    total, *counts = map(int, re.findall(r"\d+", said))
    assert total == sum(counts) == len(headline_claims())
    width = sum(float(box.attrib["width"]) for box in root.iter("{http://www.w3.org/2000/svg}rect"))
    assert width == pytest.approx(float(root.attrib["width"]), abs=3)


def test_no_records_and_all_formats(tmp_path):
    for name in FORMATS.keys() - {"parquet"}:
        path = export([write(tmp_path, [])], name, None, tmp_path / "index.html")
        assert path.parent == tmp_path
        assert path.stat().st_size > 100


def test_the_command_writes_a_format_beside_the_page_and_refuses_an_unknown_one(results, tmp_path, capsys):
    out = tmp_path / "b.svg"
    status, said, _ = bench(capsys, "report", "--results", results, "--format", "badge", "--out", out)
    assert (status, said) == (0, f"badge: {out}\n")
    assert out.read_text().startswith("<svg")
    status, _, error = bench(capsys, "report", "--results", results, "--format", "pdf")
    assert status == 2
    assert "known: html, markdown, latex, csv, json, parquet, badge" in error
    with pytest.raises(UsageError, match="does not exist"):
        export([tmp_path / "none"], "csv", None, tmp_path / "index.html")


def test_the_citation_file_names_the_version_and_licence_of_the_package():
    """CITATION.cff is YAML; only its plain lines are read here."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = Path(ROOT / "CITATION.cff").read_text().splitlines()
    assert f"version: {project['version']}" in lines
    assert f"license: {project['license']}" in lines
    assert citation_faults(lines, project.get("urls", {})) == []


def citation_faults(lines, urls):
    """Where the citation file and the project's addresses say different things."""
    said = [line.partition(":")[2].strip().strip('"') for line in lines if line.startswith("repository-code:")]
    declared = [urls["Repository"]] if "Repository" in urls else []
    return [] if said == declared else [f"CITATION.cff: repository-code {said}, pyproject.toml: Repository {declared}"]


def test_a_repository_stands_in_the_citation_file_where_the_project_declares_one_and_only_then():
    at = 'repository-code: "https://example.org/arbiter"'
    assert citation_faults([at], {"Repository": "https://example.org/arbiter"}) == []
    assert citation_faults([at], {})
    assert citation_faults([], {"Repository": "https://example.org/arbiter"})


@pytest.mark.parametrize(
    ("declared", "address"),
    [
        (["Homepage, https://example.org", "Repository, https://example.org/arbiter"], "https://example.org/arbiter"),
        (["Repository, javascript:alert(1)"], ""),
        (None, ""),
    ],
)
def test_page_and_exports_link_the_repository_that_the_project_declares(
    results, tmp_path, monkeypatch, declared, address
):
    """A fake distribution: this one has no address yet, and no dead link stands in its place."""
    found = email.message.Message()
    for each in declared or []:
        found["Project-URL"] = each
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: found)
    page = render([results], tmp_path / "index.html").read_text()
    head = page[page.index("<header>") : page.index("</header>")]
    assert re.findall(r'class="fact" href="([^"]*)"', head) == ([address] if address else [])
    for name in ("markdown", "latex"):
        path = export([results], name, tmp_path / f"out.{name}", tmp_path / "index.html")
        assert ("https://example.org/arbiter" in path.read_text()) is bool(address)
