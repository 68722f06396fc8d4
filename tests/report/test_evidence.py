"""Every number on the page is followed back to its record, also from the mailed file alone; `bench verify` does it."""

from __future__ import annotations

import json
import math
import re
from urllib.parse import unquote

import pytest

from bench.analysis.evidence import CLOSING, OPENING, Trace, read_evidence, traces_in
from bench.analysis.formulas import UNFIT, evaluate, key_of, paths_in
from bench.errors import UsageError
from bench.records.store import content_sha256
from bench.report import render
from tests.command_line import bench, complains
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
    assert len(shown) > 1500
    data = {file: json.loads((ROOT / "results" / file).read_text()) for each in shown for file in each.trace.files}
    verdicts = {tuple(row[:3]): row[4] for row in read_evidence(page)["verdicts"]}
    wrong = []
    for each in shown:
        key = each.trace.key
        machine = each.trace.files[0].split("/")[0]
        of_verdict = (machine, *key.split()[1:])
        found = verdicts[of_verdict] if each.trace.of_verdict else evaluate(key, each.trace.files, data)
        text = re.search(r"-?[\d.]+", each.text.removeprefix("1/").replace(",", "").replace("−", "-").replace("+", ""))
        digits = len(text[0].partition(".")[2])
        printed, rounding = float(text[0]), 0.51 * 10.0**-digits
        fits = any(abs(printed - found / unit * scale) <= rounding for unit in UNITS for scale in (1, 0.5))
        if not math.isclose(found, each.trace.value, rel_tol=1e-12) or not fits:
            wrong.append((each.text, found, each.trace))
    assert wrong == []


def test_the_answers_and_the_cards_trace_their_numbers(page):
    text = page.read_text()
    parts = re.findall(r'<article class="(?:answer|claim)".*?</article>', text, flags=re.DOTALL)
    for part in (*parts, *re.findall(r"One network, .*?</p>", text, flags=re.DOTALL)):
        bold = re.findall(r"<b>(.*?)</b>", part, flags=re.DOTALL)
        assert all(found.startswith("<data ") for found in bold)


# What was not measured here: what the weights' own files say of their training; the list of the records themselves.
NOT_MEASURED = re.compile(r"^Training of the shipped weights|^The latest record of each run")


def test_every_number_in_a_table_of_what_was_measured_leads_to_its_records(page):
    """A cell that begins with a number names the records and the formula that give it, unless its column is printed."""
    lost, traced = [], 0
    for table in re.findall(r"<table.*?</table>", page.read_text(), flags=re.DOTALL):
        words = re.search(r"<caption[^>]*><span>(.*?)</span>", table, flags=re.DOTALL)[1]
        headings = [re.sub(r"<[^>]+>", " ", each) for each in re.findall(r"<th scope=\"col\".*?</th>", table)]
        if not headings or NOT_MEASURED.search(words):  # without headings: settings of protocols, machines
            continue
        for row in re.findall(r"<tr.*?</tr>", table, flags=re.DOTALL):
            for heading, cell in zip(headings[1:], re.findall(r"<td.*?</td>", row, flags=re.DOTALL), strict=False):
                shown = re.sub(r"<small>.*?</small>|<[^>]+>", "", cell)
                if "<data " in cell:
                    traced += 1
                elif re.match(r"\W*\d", shown) and "printed" not in heading.lower():
                    lost.append((words, heading, shown))
    assert lost == []
    assert traced > 1400


def test_the_numbers_of_the_picture_lead_to_their_records(page):
    """Each mark of either width has its number, traced; what is not traced are names, ticks and what was printed."""
    for svg in re.findall(r"<svg.*?</svg>", page.read_text(), flags=re.DOTALL)[:2]:
        assert "Printed and measured speed-ups" in svg
        written = re.findall(r"<text([^>]*)>((?:1/)?[\d.]+)</text>", svg)
        ticks = [text for more, text in written if 'fill="var(--muted)"' in more]
        traced = [more for more, _ in written if "data-record" in more]
        assert len(traced) == len(written) - len(ticks) == 10  # five baselines at two sizes


def test_no_measurement_is_printed_with_two_values(page):
    """One key of one record is one stored number, wherever it stands; its digits differ by rounding alone."""
    values = {}
    for each in traces_in(page.read_text()):
        if not each.trace.of_verdict:
            values.setdefault((each.trace.files, each.trace.key), set()).add(each.trace.value)
    assert {key: found for key, found in values.items() if len(found) > 1} == {}


def test_the_mailed_file_alone_leads_to_the_measurements(page):
    """Each formula gives its number from the rows of the page, whose files are named with their checksums."""
    travels, data = read_evidence(page), {}
    names = [entry["file"] for entry in travels["files"]]
    for row in travels["rows"]:
        data[names[row[0]], row[1]] = row[2]
    for each in traces_in(page.read_text()):
        if not each.trace.of_verdict:
            read = paths_in(each.trace.key, each.trace.files)
            assert read
            assert set(read) <= data.keys()
    for entry in travels["files"]:
        assert entry["sha256"] == json.loads((ROOT / "results" / entry["file"]).read_text())["sha256"]


def test_a_formula_reads_paths_of_files_and_computes_with_four_operations_and_known_functions():
    data = {"a": {"x": [{"value": 4.0}], "of": {"odd name": [3, 1, 2]}}, "b": {"y": {"z": 8}}, "c": {"y": {"z": 2}}}
    assert evaluate("x.0", ("a",), data) == 4
    assert evaluate("1 / x.0", ("a",), data) == 0.25
    assert evaluate("y.z@1 / x.0@2", ("b", "a"), data) == 2
    assert key_of("of", "odd name") == "of.'odd name'"
    assert evaluate("median(of.'odd name') + count(of.'odd name')", ("a",), data) == 5
    assert evaluate("mean(y.z@2:3) - max(y.z@2, y.z@3) * 2", ("a", "b", "c"), data) == 5 - 16
    # 8, 2 and 3, 1, 2: squares of 18 and 2 over 3 degrees of freedom within; means 5 and 2 of variance 4.5, of which
    # what is within explains 20 / 3 times the mean of 1 / 2 and 1 / 3.
    assert evaluate("within(y.z@1:2, of.'odd name'@3)", ("b", "c", "a"), data) == pytest.approx((20 / 3) ** 0.5)
    between = evaluate("between(y.z@1:2, of.'odd name'@3)", ("b", "c", "a"), data)
    assert between == pytest.approx((4.5 - 20 / 3 * 5 / 12) ** 0.5)
    for wrong in ("x.0 +", "x.0 ** 2", "open(x.0)", "z.0", "x.7", "of.nothing", "y.z@3", "__import__('os').name"):
        with pytest.raises(UNFIT):
            evaluate(wrong, ("a",), data)


def test_a_number_below_one_is_traced_by_one_over_it():
    ratio = Trace(0.25, ("a",), "speedups.0.ratio")
    assert (ratio.inverted.value, ratio.inverted.key) == (4.0, "1 / speedups.0.ratio")
    assert ratio.inverted.inverted == ratio
    assert Trace(0.5, ("a", "b"), "x.y@1 / x.y@2").inverted.key == "1 / (x.y@1 / x.y@2)"


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


ODD_EVIDENCE = [
    lambda data: data.update(verdicts=None),
    lambda data: data.update(rows=1e300),
    lambda data: data["rows"].insert(0, "x"),
    lambda data: data["rows"][0].__setitem__(0, [1]),
    lambda data: data["rows"][0].__setitem__(0, len(data["files"])),
    lambda data: data["files"][0].update(file=[1]),
    lambda data: data["files"][0].pop("sha256"),
    lambda data: data["verdicts"][0].pop(),
    lambda data: data["verdicts"][0].__setitem__(1, {}),
    lambda data: data["verdicts"][0].__setitem__(4, "x"),
]


@pytest.mark.parametrize("spoil", ODD_EVIDENCE)
def test_a_page_with_evidence_of_another_shape_is_no_report(capsys, rendered, spoil):
    results, page = rendered
    text = page.read_text()
    before = text[text.index(OPENING) + len(OPENING) : text.index(CLOSING, text.index(OPENING))]
    data = json.loads(before)
    spoil(data)
    page.write_text(text.replace(before, json.dumps(data)))
    line = complains(capsys, "verify", "--results", results, "--report", page)
    assert "holds no evidence to check" in line


def test_a_number_on_a_page_that_is_none_is_named(verify, rendered):
    results, page = rendered
    page.write_text(re.sub(r'<data value="[^"]*"', '<data value="many"', page.read_text(), count=1))
    status, said = verify(results, page)
    assert status == 1
    assert "nan in the page" in said


@pytest.mark.parametrize("machine", ["my machine", "R&D", "a#b?c", "50%20", "a\nb", 'a"b', "über", "a@1"])
def test_whatever_the_name_of_a_machine_the_page_is_that_of_its_records(capsys, tmp_path, machine):
    """Its folder's name is a part of each record's: numbers lead there, and so do links."""
    folder = write(tmp_path / "results", [*full_set(), ratios("transdiff-digits", {"dit-digits": 2.8})])
    (old,) = (path for path in folder.iterdir() if path.is_dir())
    old.rename(folder / machine)
    render([folder], tmp_path / "index.html", now=NOW)
    status, out, _ = bench(capsys, "verify", "--results", folder, "--report", tmp_path / "index.html")
    assert status == 0, out
    shown = traces_in((tmp_path / "index.html").read_text())
    files = {file for number in shown for file in number.trace.files}
    assert len(files) > 3
    assert all((folder / file).is_file() for file in files)
    links = re.findall(r'href="(results/[^"]*)"', (tmp_path / "index.html").read_text())
    assert links
    assert all((tmp_path / unquote(link)).is_file() for link in links)
