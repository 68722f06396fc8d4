"""The page's table of our models against their authors' code: with the file, without it, stale, damaged."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.records.parity import save_parity
from bench.records.store import PARITY_FILE
from bench.report import render
from bench.report.sections.parity import power
from tests.command_line import bench
from tests.fake_parity import CASE, PARITY
from tests.fake_records import quality
from tests.pages import NOW, Tables, text_of, write

TABLE = "Our models on the authors' inputs"
COMMAND = "python -m bench parity tests/data/*.safetensors --save results/parity.json"


@pytest.fixture
def rendered(tmp_path):
    """Renders a record of mar-digits, of that version of its code, and a parity file (None: none)."""

    def made(parity, version=1):
        record = quality("mar-digits", 2.0)
        results = write(tmp_path, [replace(record, inputs=replace(record.inputs, versions={"model": version}))])
        if parity:
            save_parity(parity, results / PARITY_FILE)
        return results, render([results], tmp_path / "index.html", now=NOW)

    return made


def test_each_case_has_a_row_with_its_commit_and_its_worst_error(rendered):
    page = rendered(PARITY)[1].read_text()
    rows = Tables(page).table(TABLE)[1:]
    assert rows == [
        ["dit", "not named", "–", "– its weights <b>lack</b> pos_embed", "✗ no"],
        ["mar", "LTH14/mar @ fe470ac", "3", "3.2e-6 loss; 1e-4 passes", "✓ yes"],
        [
            "var, case var-small",
            "FoundationVision/VAR commit not named",
            "2",
            "no number logits: not of their shape, or not finite",
            "✗ no",
        ],
    ]
    assert {"https://github.com/LTH14/mar/tree/fe470ac", "https://github.com/FoundationVision/VAR"} <= set(
        Tables(page).targets
    )
    said = text_of(page)
    assert "3 of 9 outputs in 3 cases equal those of the authors' own code, floats to 1e-4, tokens exactly." in said
    assert COMMAND in said
    assert "stale" not in said


def test_without_the_file_the_command_is_told(rendered):
    page = rendered(None)[1].read_text()
    assert COMMAND in text_of(page)
    assert "record-parity-json" not in page


def test_a_model_that_was_measured_in_another_version_is_named(rendered):
    said = text_of(rendered(PARITY, version=2)[1].read_text())
    assert "stale Compared before the code of these models changed: mar-digits (version 1, measured: 2)." in said


def test_a_damaged_file_is_named_and_leaves_its_table_out(rendered, tmp_path, capsys):
    results, _ = rendered(PARITY)
    (results / PARITY_FILE).write_text('{"cases": 3}')
    page = render([results], tmp_path / "index.html", now=NOW)
    said = text_of(page.read_text())
    assert "Files that could not be read parity.json: schema None, expected 1" in said
    assert "record-parity-json" not in page.read_text()
    status, told, _ = bench(capsys, "verify", "--results", results, "--report", page)
    assert status == 1
    assert "✗ parity.json: schema None, expected 1" in told


def test_a_source_never_becomes_another_sites_address(rendered):
    for odd in ('"><script>', "javascript:alert(1)", "a/../../b@fe470ac", "a/b@fe470ac/../..", "../b@fe470ac", "@", ""):
        page = rendered(replace(PARITY, cases=(replace(CASE, source=odd),)))[1].read_text()
        places = [place for place in Tables(page).targets if "github.com" in place]
        assert all(re.fullmatch(r"https://github\.com/[\w-]+/[\w.-]+( .*)?(/.*)?", place) for place in places)
        assert not any(".." in place or "script" in place for place in places)


def test_verify_follows_the_errors_and_names_one_that_was_edited(rendered, capsys):
    results, page = rendered(PARITY)
    status, told, _ = bench(capsys, "verify", "--results", results, "--report", page)
    assert status == 0, told
    assert "1 records" in told
    text = page.read_text()
    assert 'data-record="parity.json" data-key="cases.0.outputs.1.error">3.2e-6</data>' in text
    page.write_text(text.replace('<data value="3.25e-06"', '<data value="3.25e-09"'))
    status, told, _ = bench(capsys, "verify", "--results", results, "--report", page)
    assert status == 1
    assert "3.25e-09 in the page, 3.25e-06 by cases.0.outputs.1.error of parity.json" in told


def test_verify_says_that_the_models_were_compared_again(rendered, capsys):
    results, page = rendered(PARITY)
    save_parity(replace(PARITY, created_utc="2026-02-02T00:00:00+00:00"), results / PARITY_FILE)
    status, told, _ = bench(capsys, "verify", "--results", results, "--report", page)
    assert status == 1
    assert "parity.json: another checksum in the page than on disk" in told


@pytest.mark.parametrize(("value", "words"), [(0.0, "0"), (3e-7, "3.0e-7"), (0.25, "2.5e-1"), (1.0, "1.0e+0")])
def test_small_errors_are_powers_of_ten(value, words):
    assert power(value, 1) == words
