"""The part "Dual Diffusion": the answer first, every number of the records once, print and measurement apart."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.claims.published_text import PRINTED_STEPS
from bench.formatting import as_words
from bench.studies import STUDIES
from tests.fake_records import full_set
from tests.fake_scenes import answers, captions, paintings, scenes_set, step_set
from tests.pages import Tables, page_of, text_of


def part_of(page: str) -> str:
    start = page.index('<section id="dual"')
    return page[start : page.index("</section>", start)]


def words_of(page: str) -> str:
    return text_of(f"<body>{part_of(page)}").replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The digits as after a first full run, and all of the scenes."""
    return page_of(tmp_path_factory.mktemp("scenes"), [*full_set(), *scenes_set()])


def test_the_answer_stands_first(page):
    words = re.sub(r" (?=[),.])", "", words_of(page))  # a number stands in an element of its own
    lead = (
        "One network, d-dit-digits, gets 78.0 % of the captions wholly right (ar-vlm-digits: 84.0 %), answers with a "
        "VQA accuracy of 88.0 % (ar-vlm-digits: 90.0 %) and generates 78.0 % of the scenes as asked (of real scenes "
        "the checker passes 97.0 %)."
    )
    assert lead in words
    assert words.index(lead) < words.index("Captions: 500 held-out scenes")


def test_scenes_stand_in_no_other_table_of_measurements(page):
    """The parts by scale leave them out; the list of records names every file."""
    assert "scenes on acme-cpu-2c: protocols" not in text_of(page)
    listed = Tables(page).table("The latest record of each run")
    assert sum("scenes-" in row[0] for row in listed) == 6 + len(STUDIES["text-steps"].runs)


def test_each_task_has_a_table_with_both_models_or_the_ceiling(page):
    found = Tables(page)
    captioning = found.table("Captions: 500 held-out scenes")
    assert captioning[0] == ["Measured", "d-dit-digits", "ar-vlm-digits"]
    assert ["CIDEr", "6.50 6.17 to 6.83", "7.00 6.65 to 7.35"] in captioning
    answering = found.table("Answers: 500 held-out scenes")
    assert {row[0] for row in answering} >= {"VQA accuracy, yes/no, %", "POPE F1, %"}
    made = found.table("Generated images: 500 held-out captions to generate from")
    assert made[0] == ["Measured", "d-dit-digits", "real scenes"]
    assert ["Scenes right, %", "78.0 76.0 to 80.0", "97.0 95.0 to 99.0"] in made
    assert ["Network evaluations", "56", "–"] in made


def test_printed_and_measured_steps_share_no_chart_and_no_table(page):
    measured = [label for label in re.findall(r'aria-label="([^"]*)"', part_of(page)) if "text steps" in label]
    assert len(measured) == 1
    assert not any(f"{cider:g}" in measured[0] for _, cider in PRINTED_STEPS.values())
    assert "CIDEr 1 at T = 1 to 6.4 at T = 64" in measured[0]
    assert "Cost per caption 1 at T = 1 to 12 at T = 64" in measured[0]
    printed = Tables(page).table("D-DiT over T")
    assert [row[1:] for row in printed[1:]] == [[f"{c:g}", f"{v:g}"] for v, c in PRINTED_STEPS.values()]


def test_text_steps_cost_evaluations_and_no_time(page):
    """The runs come from different hours: their times would compare the hours."""
    rows = Tables(page).table("The curves in numbers")
    assert rows[0][3:5] == [f"Network evaluations captions, {label}" for label in ("skips steps", "plain")]
    assert [row[3:5] for row in rows if row[0] in ("T = 16", "T = 64")] == [["12", "16"], ["12", "64"]]
    part = words_of(page)
    assert not re.search(r"per second|texts/s|Time per|[\d.]+ (ms|µs)", part)


def test_examples_show_picture_words_and_truth_of_wrong_and_right_ones(page):
    part, words = part_of(page), words_of(page)
    pictures = re.findall(r'<img class="crisp" src="data:image/png;base64,[^"]+" alt="[^"]+" width="96"', part)
    kept = sum(len(r.samples.examples) for r in scenes_set() if r.model != "real-data" and not r.protocol.study)
    assert len(pictures) == kept
    assert "asked what colour is the 3 ? answers blue annotators red (8), crimson (1), green (1)" in words
    assert "accuracy 30.0 %" in words
    assert "says (nothing) shows a red 3 top left" in words
    assert "checker reads a red 3 top left , a green 7 bottom right fails: colours, attribute binding" in words


def test_degenerate_texts_stand_beside_the_scores_with_and_without_them(page):
    table = Tables(page).table("Audit of the texts")
    assert table[1][:4] == ["d-dit-digits, captions", "500", "5 1.0 %", "5 1.0 %"]
    assert table[1][-2:] == ["6.50 CIDEr, 6.17 to 6.83", "6.80 CIDEr, 6.50 to 7.10"]
    assert table[2][-1] == "the same"
    assert "d-dit-digits, captions, empty: (nothing)." in words_of(page)
    assert "frequently returns empty answers" in text_of(page)


def test_every_printed_score_of_d_dit_has_a_verdict(page):
    rows = {row[0]: row[1:] for row in Tables(page).table("D-DiT's printed numbers")[1:]}
    assert rows["d-dit-512 reaches 29.9 on VizWiz"][1:] == ["–", "– not run", "–"]
    assert rows["d-dit-256 reaches 59.5 on VQAv2"][0] == "59.5 sources disagree"
    assert "CIDEr 56.2" in text_of(page)  # a headline
    assert "6.50" not in str(rows)


def test_the_printed_context_lists_the_whole_benchmark_table_and_geneval(page):
    reading, made = (Tables(page).table(f"Printed scores of {what}") for what in ("reading", "images from text"))
    assert ["Show-O (512)", "–", "69.4", "–", "–", "1097.2", "58.0", "80.0", "1.3B"] in reading
    assert ["D-DiT (512)", "0.65", "0.97", "0.80", "0.54", "0.76", "0.32", "0.50"] in made


def test_ids_and_links_hold_with_two_machines(tmp_path):
    environment = replace(full_set()[0].environment, machine="other-cpu-8c")
    page = page_of(tmp_path, [*scenes_set(), captions(environment=environment)])
    found = Tables(page)
    assert len(found.ids) == len(set(found.ids))
    assert {target[1:] for target in found.targets if target.startswith("#")} <= set(found.ids)
    words = re.sub(r" (?=[),.])", "", words_of(page))
    assert "On other-cpu-8c One network, d-dit-digits, gets 78.0 % of the captions wholly right." in words


# -- what is missing ---------------------------------------------------------------------------------------------------


def test_without_records_the_part_names_the_commands(tmp_path):
    words = words_of(page_of(tmp_path, full_set()))
    assert (
        "Not measured: python -m bench reproduce --scale scenes and python -m bench study text-steps would run it."
        in words
    )
    assert "Captions:" not in words


def test_missing_and_failed_runs_are_named(tmp_path):
    failed = replace(answers("ar-vlm-digits"), status="failed", reason="out of memory.", measurements={}, texts=None)
    words = words_of(page_of(tmp_path, [answers(), failed, paintings()]))
    assert "Failed: scenes-answers of ar-vlm-digits: out of memory." in words
    missing = "scenes-captions of d-dit-digits, scenes-captions of ar-vlm-digits and scenes-paintings of real-data"
    assert f"Not run: {missing}. python -m bench reproduce --scale scenes would run it." in words
    assert "Text steps: Not run: python -m bench study text-steps would run it." in words


def test_runs_of_the_text_steps_that_failed_or_are_missing_are_named(tmp_path):
    first, second, *_ = steps = step_set()
    failed = replace(first, status="failed", reason="out of memory.", measurements={}, texts=None)
    words = words_of(page_of(tmp_path, [answers(), failed, second]))
    settings = ", ".join(f"{name} {as_words(name, value)}" for name, value in first.settings.items())
    assert f"Text steps: Failed: {first.model} ({settings}): out of memory." in words
    missing = f"Text steps: {len(steps) - 2} of {len(steps)} runs are missing, of {first.model}:"
    assert f"{missing} python -m bench study text-steps would run them." in words


def test_a_scorer_that_was_not_run_is_named_with_its_reason(tmp_path):
    made = captions()
    made = replace(made, texts=replace(made.texts, not_run={"meteor": "no Java was found"}))
    assert "METEOR of d-dit-digits was not run: no Java was found." in words_of(page_of(tmp_path, [made]))


def test_texts_of_models_are_escaped(tmp_path):
    made = captions()
    examples = (replace(made.samples.examples[0], text="<script>alert(1)</script>"),)
    page = page_of(tmp_path, [replace(made, samples=replace(made.samples, examples=examples))])
    assert "<script>alert" not in page
    assert "<script>alert(1)</script>" in words_of(page)
