"""The report on the study "speed-conditions": the speed-up under conditions that no paper states."""

from __future__ import annotations

import re
from dataclasses import replace

from bench.protocols.at_paper_size import CONDITIONS_256
from bench.records.schema import Record
from bench.studies import CONDITIONED
from tests.fake_records import ENVIRONMENT, ratios
from tests.fake_studies import study_set
from tests.pages import Tables, page_of, text_of


def run(place: int, times: float) -> Record:
    return ratios("transdiff-l", dict.fromkeys(CONDITIONED, times), protocol_name=CONDITIONS_256[place].name)


def test_a_row_for_each_condition_and_the_range_in_words(tmp_path):
    page = page_of(tmp_path, [run(0, 4.0), run(2, 2.5)])
    rows = [row for row in Tables(page).table("against each model, timed in the same rounds; 95 % intervals") if row]
    assert [row[0] for row in rows[1:]] == ["bfloat16, not compiled, batch 1", "bfloat16, compiled, batch 1"]
    assert rows[1][1:] == ["4.00 times faster 3.920 to 4.080"] * 4
    text = text_of(page)
    low, high = "2.50 times faster with bfloat16, compiled", "4.00 times faster with bfloat16, not compiled"
    assert f"Against dit-xl-2: from {low}, batch 1 to {high}, batch 1." in text
    assert "5 of 7 runs are missing, of transdiff-l: python -m bench study speed-conditions would run them." in text


def test_the_conditions_beside_which_other_work_ran_say_so(tmp_path):
    made = run(2, 2.5)
    made = replace(made, speedups=(replace(made.speedups[0], disturbed=True), *made.speedups[1:]))
    rows = Tables(page_of(tmp_path, [run(0, 4.0), made])).table("timed in the same rounds; 95 % intervals")
    names = [row[0] for row in rows if row][1:]
    assert names == ["bfloat16, not compiled, batch 1", "bfloat16, compiled, batch 1 (other work ran meanwhile)"]


def test_a_pair_that_does_not_compare_says_why(tmp_path):
    made = run(0, 4.0)
    apart = replace(made.speedups[0], not_comparable="dtype: float32 against bfloat16", ratio=None)
    page = page_of(tmp_path, [replace(made, speedups=(apart, *made.speedups[1:]))])
    assert "not comparable dtype: float32 against bfloat16" in text_of(page)


def test_a_run_that_failed_is_named_by_its_conditions(tmp_path):
    failed = replace(run(0, 4.0), status="failed", reason="out of memory", speedups=())
    assert "Failed: transdiff-l (imagenet-256-ratios-bfloat16): out of memory." in text_of(page_of(tmp_path, [failed]))


def test_it_makes_no_part_of_what_its_machine_did_not_measure(tmp_path):
    """A GPU that timed it alone is not said to lack every study of the small models."""
    environment = replace(ENVIRONMENT, machine="acme-gpu", device="cuda", gpu="ACME GPU")
    page = page_of(tmp_path, [*study_set(["references"]), replace(run(0, 4.0), environment=environment)])
    headings = re.findall(r"<h[23][^>]*>(.*?)</h[23]>", page)
    assert "The speed-up under other conditions" in headings
    assert [heading for heading in headings if heading.startswith(("Quality", "MRAR: do later"))] == [
        "Quality",
        "Quality against cost",  # the study that the CPU lacks
        "MRAR: do later images of a row get better?",
    ]


def test_it_speaks_for_no_claim(tmp_path):
    """The verdict rests on the conditions of the claims' own protocol; without that run there is none."""
    text = text_of(page_of(tmp_path, [run(0, 112.0)]))
    assert "112 times faster than dit-xl-2" not in text
