"""Where numbers stand, by hand: keys, rows, checksums, and what a page is taken for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.analysis import evidence
from bench.analysis.evidence import Trace, evidence_in, read_evidence, traced, traces_in
from bench.analysis.formulas import UNFIT, evaluate, key_of, of_file, read_from
from bench.errors import UsageError
from bench.records.parts import Elsewhere, Measurement
from bench.records.schema import Verdict
from tests.fake_records import quality, ratios, record


def test_a_formula_evaluates_to_its_number():
    data = {"a": {"x": [{"value": 4.0}, 3], "z": [1, 2, 9]}, "b": {"y": 8, "how many": {"n": 5}}}
    for files, formula, number in (
        (("a",), "x.0", 4),
        (("a",), "1 / x.0", 0.25),
        (("b", "a"), "b.y@1", None),
        (("b", "a"), "x.0@2 / x.1@2", 4 / 3),
        (("a",), "mean(x.0, x.1)", 3.5),
        (("a",), "median(a.z)", None),
        (("a", "a"), "sum(x.0@1:2, 2 * x.1)", 14),
        (("b",), "'how many'.n", 5),
        (("a",), "x.0 - x.1", 1),
        (("a",), "max(x.0, x.1) + min(x.0, x.1)", 7),
        (("a",), "__import__('os').getpid()", None),
        (("a",), "x.0 if x.1 else 1", None),
    ):
        if number is None:
            with pytest.raises(UNFIT):
                evaluate(formula, files, data)
        else:
            assert evaluate(formula, files, data) == pytest.approx(number)
    assert key_of("texts", "how many", 0) == "texts.'how many'.0"
    assert (of_file("x.0", 2), of_file("x.0", 1, 1), of_file("x.0", 1, 3)) == ("x.0@2", "x.0@1", "x.0@1:3")


def test_a_formula_of_one_file_reads_from_the_place_that_it_is_given():
    told = read_from("median(speedups.0.rounds_s.model) / 4", 2)
    assert told == "median(speedups.0.rounds_s.model@2) / 4"
    assert evaluate(told, ("a", "b"), {"b": {"speedups": [{"rounds_s": {"model": [4.0, 8.0, 9.0]}}]}}) == 2


def test_one_over_a_trace_is_one_over_its_formula_and_back():
    plain = Trace(4.0, ("a",), "x.0")
    assert plain.inverted == Trace(0.25, ("a",), "1 / x.0")
    assert plain.inverted.inverted == plain
    assert Trace(2.0, ("a", "b"), "y@1 / x.0@2").inverted == Trace(0.5, ("a", "b"), "1 / (y@1 / x.0@2)")
    assert Trace(2.0, ("a",), "verdict some-claim digits").of_verdict
    assert not plain.of_verdict


def test_a_measurement_is_traced_with_its_interval_or_not_at_all():
    made = record(
        "dit-digits",
        "digits-quality",
        measurements={"fid": Measurement(2.0, "", 1.0, 4.0), "kid": Measurement(0.1, "")},
    )
    found = traced(made, "fid")
    assert (found.found.value, found.found.low, found.found.high) == (2, 1, 4)
    assert found.trace == Trace(2.0, (made.file,), "measurements.fid")
    assert math.isnan(traced(made, "kid").found.low)
    assert traced(made, "recall") is None


def test_what_travels_is_every_number_with_its_file():
    """A row: place of the file, key, value, both ends, n, unit, what; a ratio that was not timed is none."""
    made = replace(
        quality("dit-digits", 2.0), measurements={"fid": Measurement(2.0, "u", 1.0, 4.0, 9)}, settings={"num_steps": 7}
    )
    fast = ratios("transdiff-digits", {"dit-digits": 3.0, "sit-digits": 2.0})
    fast = replace(fast, speedups=(replace(fast.speedups[0], ratio=None, not_comparable="dtype"), fast.speedups[1]))
    fast = replace(
        fast,
        file="machine/x.json",
        sha256="12",
        elsewhere=Elsewhere(what="images", name="n", num_items=3, sha256="ab" * 32),
    )
    verdict = Verdict("some-claim", "digits", "reproduced", "why", value=0.5)
    found = evidence.evidence([made, fast], {"here": [verdict]})
    assert found["columns"] == ("file", "key", "value", "low", "high", "n", "unit", "what")
    assert found["rows"] == [
        [0, "measurements.fid", 2.0, 1.0, 4.0, 9, "u", ""],
        [1, "speedups.1.ratio", 2.0, 1.96, 2.04, 10, "", "against sit-digits, forced equal"],
    ]
    assert found["verdicts"] == [["here", "some-claim", "digits", "reproduced", 0.5]]
    one, other = found["files"]
    assert (one["sha256"], one["settings"], one["elsewhere"]) == ("", {"num_steps": 7}, "")
    assert (other["file"], other["sha256"], other["elsewhere"]) == ("machine/x.json", "12", fast.elsewhere.words)


WHOLE = {"rows": [], "files": [], "verdicts": [["here", "</script>", "digits", "not run", None]]}


def test_an_element_cannot_be_ended_by_what_it_holds_and_holds_no_nan():
    script = evidence.as_script(WHOLE)
    assert script.startswith('<script type="application/json" id="evidence">{')
    assert script.endswith("}</script>")
    assert script.count("</script>") == 1
    assert evidence_in(f"<p>{script}<script>1</script>") == WHOLE
    with pytest.raises(ValueError, match="JSON"):
        evidence.as_script({"x": math.nan})


def test_a_page_holds_evidence_of_three_parts_or_none(tmp_path):
    for odd in ([1, 2], {"rows": [], "files": []}, "rows files verdicts"):
        assert evidence_in(evidence.as_script(odd)) is None
    assert evidence_in(evidence.as_script({**WHOLE, "columns": []}))["columns"] == []
    assert evidence_in(evidence.OPENING + "{" + evidence.CLOSING) is None
    assert evidence_in("") is None
    page = tmp_path / "page.html"
    with pytest.raises(UsageError, match="does not exist"):
        read_evidence(page)
    page.write_text("")
    with pytest.raises(UsageError, match="holds no evidence"):
        read_evidence(page)
    page.write_text(evidence.as_script(WHOLE))
    assert read_evidence(page) == WHOLE


def test_numbers_of_a_page_are_read_with_their_traces():
    page = '<data value="0.5" data-record="a b" data-key="x.0@1 / y@2">0.50</data><data value="7">7</data>'
    (shown,) = traces_in(page)
    assert (shown.text, shown.trace) == ("0.50", Trace(0.5, ("a", "b"), "x.0@1 / y@2"))
