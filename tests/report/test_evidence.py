"""Every number on the page is followed back to its record, also from the mailed file alone; `bench verify` does it."""

from __future__ import annotations

import json
import math
import re

import pytest

from bench.analysis.evidence import Trace, evaluate, read_evidence, traces_in
from bench.errors import UsageError
from bench.records.store import content_sha256
from bench.report import render
from tests.command_line import bench
from tests.fake_records import full_set, latency, quality, ratios
from tests.pages import NOW, write
from tests.paths import ROOT

UNITS = [10.0**power for power in range(-12, 13)] + [2.0**power for power in (10, 20, 30)]  # a display unit is one


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of the committed records."""
    return render([ROOT / "results"], tmp_path_factory.mktemp("evidence") / "index.html")


def test_every_number_that_names_its_record_is_what_the_record_says(page):
    """The full value by its key, and the digits that are printed, in some unit, up to rounding."""
    shown = traces_in(page.read_text())
    assert len(shown) > 300
    data = {file: json.loads((ROOT / "results" / file).read_text()) for each in shown for file in each.trace.files}
    verdicts = {(row[1], row[2]): row[4] for row in read_evidence(page)["verdicts"]}
    wrong = []
    for each in shown:
        key = each.trace.key
        found = (
            verdicts[tuple(key.split()[1:])] if key.startswith("verdict ") else evaluate(each.trace.files, key, data)
        )
        text = re.search(r"-?[\d.]+", each.text.replace(",", "").replace("−", "-").replace("+", ""))
        digits = len(text[0].partition(".")[2])
        printed, rounding = float(text[0]), 0.51 * 10.0**-digits
        fits = any(abs(printed - found / unit * scale) <= rounding for unit in UNITS for scale in (1, 0.5))
        if not math.isclose(found, each.trace.value, rel_tol=1e-12) or not fits:
            wrong.append((each.text, found, each.trace))
    assert wrong == []


def test_the_answers_and_the_cards_trace_their_numbers(page):
    text = page.read_text()
    for part in re.findall(r'<article class="(?:answer|claim)".*?</article>', text, flags=re.DOTALL):
        bold = re.findall(r"<b>(.*?)</b>", part, flags=re.DOTALL)
        assert all(found.startswith("<data ") for found in bold)


# Columns whose numbers are computed from many rounds, calls or runs, and so stand in no record by one key.
COMPUTED = re.compile(r"roofline|stage|printed|images|rounds|calls|cold|batch|recognised", re.IGNORECASE)


def test_measured_columns_of_cards_scores_and_speeds_trace_every_number(page):
    """In the tables that answer the claims: what has no record is printed, counted or computed, by its column."""
    text, lost, traced = page.read_text(), [], 0
    for table in re.findall(r"<table.*?</table>", text, flags=re.DOTALL):
        words = re.search(r"<caption.*?</caption>", table, flags=re.DOTALL)
        if not words or not re.search("Sides of|Scores, sorted|Size and cost|Every run", words[0]):
            continue
        headings = [re.sub(r"<[^>]+>", " ", each) for each in re.findall(r"<th scope=\"col\".*?</th>", table)]
        for row in re.findall(r"<tr.*?</tr>", table, flags=re.DOTALL):
            for heading, cell in zip(headings[1:], re.findall(r"<td.*?</td>", row, flags=re.DOTALL), strict=False):
                shown = re.sub(r"<small>.*?</small>|<[^>]+>", "", cell)
                if "<data " in cell:
                    traced += 1
                elif re.match(r"[−\d]", shown) and not COMPUTED.search(heading):
                    lost.append((words[0], heading, shown))
    assert lost == []
    assert traced > 250


def test_no_measurement_is_printed_with_two_values(page):
    """One key of one record is one stored number, wherever it stands; its digits differ by rounding alone."""
    values = {}
    for each in traces_in(page.read_text()):
        if not each.trace.key.startswith("verdict "):
            values.setdefault((each.trace.files, each.trace.key), set()).add(each.trace.value)
    assert {key: found for key, found in values.items() if len(found) > 1} == {}


def test_the_mailed_file_alone_leads_to_the_measurements(page):
    """Each traced measurement is among the embedded ones, with its file and that file's checksum."""
    travels, data = read_evidence(page), {}
    names = [entry["file"] for entry in travels["files"]]
    for row in travels["rows"]:
        data[names[row[0]], row[1]] = row[2]
    for each in traces_in(page.read_text()):
        for file, key in zip(each.trace.files, each.trace.keys, strict=False):
            assert key.startswith("verdict ") or (file, key) in data
    for entry in travels["files"]:
        assert entry["sha256"] == json.loads((ROOT / "results" / entry["file"]).read_text())["sha256"]


def test_a_key_is_a_path_a_quotient_or_one_over_it():
    data = {"a": {"x": [{"value": 4.0}]}, "b": {"y": 8}}
    assert evaluate(("a",), "x.0", data) == 4
    assert evaluate(("a",), "1 / x.0", data) == 0.25
    assert evaluate(("b", "a"), "y / x.0", data) == 2
    assert Trace(0.25, ("a",), ("x.0",), inverse=True).key == "1 / x.0"
    with pytest.raises(KeyError):
        evaluate(("a",), "z", data)


def test_a_page_without_evidence_is_a_wrong_call(tmp_path):
    (tmp_path / "old.html").write_text("<html></html>")
    for name in ("old.html", "none.html"):
        with pytest.raises(UsageError):
            read_evidence(tmp_path / name)


# -- verify ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rendered(tmp_path):
    """(results, page) of a small run."""
    results = write(tmp_path, [*full_set(), ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0})])
    return results, render([results], tmp_path / "index.html", now=NOW)


@pytest.fixture
def verify(capsys):
    """(exit status, what was printed) of `bench verify` on a results folder and a page."""
    return lambda results, page: bench(capsys, "verify", "--results", results, "--report", page)[:2]


def test_verify_says_that_a_page_is_that_of_its_records(verify, rendered):
    status, said = verify(*rendered)
    assert status == 0, said
    assert re.search(r"✓ .*8 records, \d+ numbers, \d+ verdicts as on disk", said)
    assert "verdicts on acme-cpu-2c: " in said


def test_verify_names_what_was_measured_since_and_exits_with_one(verify, rendered, tmp_path):
    write(tmp_path, [latency("transdiff-digits", 0.5, created_utc="2026-03-01T00:00:00+00:00")])
    status, said = verify(*rendered)
    assert status == 1
    assert "measured since the page was rendered" in said
    assert "no longer the latest" in said


def test_verify_names_a_number_that_was_edited_in_the_page(verify, rendered):
    results, page = rendered
    text = page.read_text()
    number = next(each for each in traces_in(text) if each.trace.key == "measurements.fid")
    page.write_text(text.replace(f'<data value="{number.trace.value}"', '<data value="1.5"', 1))
    status, said = verify(results, page)
    assert status == 1
    assert "1.5 in the page" in said


def test_verify_names_a_verdict_that_the_records_do_not_give(verify, rendered):
    results, page = rendered
    page.write_text(page.read_text().replace('"digits","holds in small"', '"digits","reproduced"', 1))
    status, said = verify(results, page)
    assert status == 1
    assert re.search(r"reproduced .*in the page, holds in small", said)


def test_verify_names_a_record_that_another_took_the_place_of(verify, rendered):
    """Written anew with a checksum of its own: the page's is another."""
    results, page = rendered
    path = next(results.glob("*/dit-digits--digits-quality*.json"))
    data = json.loads(path.read_text())
    data["measurements"]["fid"]["value"] = 0.1
    path.write_text(json.dumps({**data, "sha256": content_sha256(data)}))
    status, said = verify(results, page)
    assert status == 1
    assert "another checksum in the page than on disk" in said


def test_verify_names_an_edited_record(verify, rendered):
    results, page = rendered
    path = next(results.glob("*/dit-digits--digits-quality*.json"))
    path.write_text(path.read_text().replace("2.2", "0.2", 1))
    status, said = verify(results, page)
    assert status == 1
    assert "was edited" in said


def test_verify_of_nothing_is_a_wrong_call(verify, tmp_path):
    assert verify(tmp_path / "none", tmp_path / "index.html")[0] == 2
    write(tmp_path, [quality("dit-digits", 2.0)])
    assert verify(tmp_path / "results", tmp_path / "index.html")[0] == 2
