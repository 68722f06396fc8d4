"""The four questions: answered from the records, and by nothing else; the picture beside them."""

from __future__ import annotations

import re

import pytest

from bench.report.reading import by_machines
from bench.report.sections.answers import answers, picture_rows
from bench.report.words import Said, link_of, times
from bench.stats import Interval
from bench.studies import STUDIES
from bench.verdict.judged import judge_all
from tests.fake_records import composed, quality, ratios
from tests.fake_scenes import answers as scene_answers
from tests.fake_scenes import captions
from tests.fake_studies import studied
from tests.pages import page_of

FAST = {"dit-xl-2": 4.7, "sit-xl-2": 4.7}
MIXED = {"mar-l": 5.7, "var-d20": 0.07, "llamagen-l": 0.2}


def judged_of(records):
    machines = by_machines(records)
    return judge_all(machines, machines)


def said(records) -> list[str]:
    return [found.answer for found in answers(judged_of(records))]


def at_paper_size(times_as_fast):
    """Ratios with the estimates that they came from, equal in arithmetic, weights and kernels to the ratio."""
    made = [composed("transdiff-l", {"decoder": 10.0, "rest": 0.1}, 1e13)]
    for model, ratio in times_as_fast.items():
        made.append(composed(model, {"network": 10.0 * ratio, "rest": 0.1}, 1e13 * ratio, num_calls=round(100 * ratio)))
    return [*made, ratios("transdiff-l", times_as_fast, protocol_name="imagenet-256-composed-ratios")]


def test_without_records_every_answer_is_that_nothing_was_measured_and_names_the_command():
    found = answers(judged_of([]))
    assert [each.answer for each in found] == ["Not measured."] * 4
    for each in found:
        assert any("`python -m bench" in part for fact in each.facts for part in fact.parts if isinstance(part, str))


def test_a_speed_answer_gives_the_range_and_what_it_is_not():
    assert said(at_paper_size(FAST))[0] == "Faster, about 4.7 times, not 112."
    assert said(at_paper_size({"dit-xl-2": 3.0, "sit-xl-2": 5.0}))[0] == "Faster, about 3 to 5 times, not 112."


def test_a_speed_answer_depends_where_baselines_disagree():
    assert said(at_paper_size(MIXED))[1] == "Depends: 5.7 times faster than mar-l, 14 times slower than var-d20."


def test_where_all_are_faster_the_answer_is_no():
    assert said(at_paper_size({"mar-l": 0.5, "var-d20": 0.1, "llamagen-l": 0.2}))[1] == (
        "No: 2 times slower than mar-l at best."
    )


def test_small_models_answer_where_nothing_of_the_papers_size_was_timed():
    assert (
        said([ratios("transdiff-digits", {"dit-digits": 3.7, "sit-digits": 3.5})])[0]
        == "Faster, about 3.5 to 3.7 times."
    )


@pytest.mark.parametrize(
    ("fid", "answer"),
    [
        (1.0, "Yes in small; the printed number is not measured."),
        (3.0, "No in small; the printed number is not measured."),
        (2.0, "Not shown: small models are not told apart."),
    ],
)
def test_whether_mrar_lowers_fid_follows_the_verdict_in_small(fid, answer):
    records = [quality("transdiff-digits", 2.0), quality("transdiff-mrar-digits", fid)]
    assert said(records)[2] == answer


def test_captions_and_answers_are_answered_each_by_its_claim():
    records = [scene_answers(), scene_answers("ar-vlm-digits"), captions(), captions("ar-vlm-digits")]
    judged = judged_of(records)
    words = {"holds in small": "yes", "does not hold in small": "no", "inconclusive": "open"}
    expected = ", ".join(
        f"{name} {words[judged[claim].small.verdict.word]}"
        for name, claim in (("answers", "d-dit-vqa"), ("captions", "d-dit-cider"))
    )
    assert said(records)[3] == f"In small: {expected}."


# -- the picture -------------------------------------------------------------------------------------------------------


def test_the_picture_has_a_row_per_model_with_printed_bands_and_every_kind_of_evidence():
    records = [*at_paper_size({**FAST, **MIXED}), ratios("transdiff-digits", {"dit-digits": 3.7, "var-digits": 0.1})]
    rows = {row.label: row for row in picture_rows(judged_of(records))}
    assert list(rows) == ["dit-xl-2", "sit-xl-2", "var-d20", "mar-l", "llamagen-l"]
    assert [(p.value, p.low, p.high) for p in rows["dit-xl-2"].printed] == [(112, 84, 140), (225, 168.75, 281.25)]
    assert [p.value for p in rows["var-d20"].printed] == [2, 2.5]
    assert [kind for kind, _ in rows["dit-xl-2"].measured] == ["estimated", "flops", "small"]
    assert [kind for kind, _ in rows["mar-l"].measured] == ["estimated", "flops"]
    assert rows["dit-xl-2"].measured[2][1].value == 3.7


def test_the_picture_is_written_beside_the_page_and_needs_nothing_else(tmp_path):
    page_of(tmp_path, [*at_paper_size(FAST), *map(studied, STUDIES["references"].runs)])
    svg = (tmp_path / "reports" / "speedups.svg").read_text()
    assert svg.startswith("<svg xmlns=")
    assert set(re.findall(r"var\(--([\w-]+)\)", svg)) <= set(re.findall(r"--([\w-]+):", svg))
    assert "prefers-color-scheme: dark" in svg


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_ratio_below_one_is_a_number_of_times_slower():
    assert times(Interval(0.07, 0.0659, 0.0747)) == ("14.3", "times slower", "13.39 to 15.17")
    assert times(Interval(4.0, 3.9, 4.1))[:2] == ("4.00", "times faster")


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("arXiv:2506.09482", "https://arxiv.org/abs/2506.09482"),
        ("github.com/TransDiff/TransDiff README @0081b3a", "https://github.com/TransDiff/TransDiff"),
        ("zijieli-jlee.github.io/dualdiff.github.io", "https://zijieli-jlee.github.io/dualdiff.github.io"),
        ("printed nowhere", ""),
    ],
)
def test_sources_have_live_links_where_there_is_a_place_to_lead_to(url, link):
    assert link_of(url) == link


def test_a_sentence_is_said_once_and_elsewhere_is_named():
    said = Said()
    assert said.new(["One thing. Another thing."], "a") == (["One thing. Another thing."], [])
    assert said.new(["Another thing. A third thing."], "b") == (["A third thing."], ["a"])
    assert said.new(["A third thing."], "b") == ([], [])
