"""Captions and answers made elsewhere, from the files to a record and a verdict."""

from __future__ import annotations

import pytest

from bench.evaluators import java_scorers
from bench.records.store import load_records
from bench.report import render
from tests.command_line import bench, complains, write
from tests.stand_ins import (
    captions,
    give_coco,
    give_gqa,
    give_mme,
    give_okvqa,
    give_pope,
    give_vizwiz,
    only_record,
    use_assets,
)

NUM_CAPTIONS = 4
JUDGED = {"reproduced", "not reproduced", "inconclusive"}


@pytest.fixture
def no_java(monkeypatch):
    """For tests of anything but METEOR, whose start takes 7 s of a processor."""
    monkeypatch.setattr(java_scorers, "find_java", lambda: None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return use_assets(monkeypatch, tmp_path)


def results_of_captions(path, num=NUM_CAPTIONS):
    return write(path, [{"image_id": i, "caption": f"a dog number {i} runs"} for i in range(1, num + 1)])


def record_texts(capsys, kind, results, tmp_path, protocol, *more):
    call = ("score", kind, results, "--record", "--model", "d-dit-512", "--protocol", protocol)
    return bench(capsys, *call, "--results", tmp_path / "results", *more)


def test_captions_of_somebody_elses_code_are_judged_against_56_2(capsys, folder, tmp_path):
    """The annotations alone are enough: no photograph is looked at."""
    give_coco(folder, NUM_CAPTIONS)
    results = results_of_captions(tmp_path / "results.json")
    status, out, err = record_texts(capsys, "captions", results, tmp_path, "coco-captions", "--made-by", "the authors")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert any(f"d-dit-cider: {word}" in said for word in JUDGED)
    assert "d-dit-caption-steps: not run" in said  # it is of 4 steps
    page = render([tmp_path / "results"], tmp_path / "page.html").read_text()
    assert "coco-captions-captions of d-dit-512 was made elsewhere and scored here: 4 captions" in page
    status, out, _ = bench(capsys, "verify", "--results", tmp_path / "results", "--report", tmp_path / "page.html")
    assert status == 0, out
    record = only_record(tmp_path / "results")
    assert record.elsewhere.what == "captions"
    assert record.elsewhere.num_items == NUM_CAPTIONS
    assert set(record.elsewhere.files) == {"annotations"}
    assert "nfe" in record.texts.not_run
    assert record.settings["num_steps"] == 64
    assert any("4 of 40,504 images" in clause for clause in record.elsewhere.assumed)


def test_captions_at_four_steps_answer_the_claim_on_four_steps(capsys, no_java, folder, tmp_path):
    give_coco(folder, NUM_CAPTIONS)
    results = results_of_captions(tmp_path / "results.json")
    _, out, _ = record_texts(capsys, "captions", results, tmp_path, "coco-captions", "--settings", "num_steps=4")
    said = " ".join(out.split())
    assert "d-dit-cider: not run" in said
    assert any(f"d-dit-caption-steps: {word}" in said for word in JUDGED)


def test_annotations_may_lie_elsewhere_but_are_the_data_sets(capsys, no_java, folder, tmp_path):
    results = results_of_captions(tmp_path / "results.json")
    call = ("score", "captions", results, "--record", "--model", "d-dit-512", "--protocol", "coco-captions")
    line = complains(capsys, *call)
    assert "coco-val2014 is missing" in line
    assert "--annotations FILE" in line
    own = write(tmp_path / "own.json", captions(NUM_CAPTIONS))
    assert record_texts(capsys, "captions", results, tmp_path, "coco-captions", "--annotations", own)[0] == 0
    give_coco(folder, NUM_CAPTIONS + 1)
    assert "not the annotations/captions_val2014.json of coco-val2014" in complains(capsys, *call, "--annotations", own)


def test_a_caption_that_is_missing_makes_no_record(capsys, folder, tmp_path):
    give_coco(folder, NUM_CAPTIONS)
    results = results_of_captions(tmp_path / "results.json", NUM_CAPTIONS - 1)
    call = ("score", "captions", results, "--record", "--model", "d-dit-512", "--protocol", "coco-captions")
    assert "1 of 4 image ids have no result" in complains(capsys, *call, "--results", tmp_path / "results")
    assert "--subset does not go with --record" in complains(capsys, *call, "--subset")


def give_vqa(folder, num=NUM_CAPTIONS):
    (folder / "vqa-v2").mkdir()
    asked = [{"question_id": i, "image_id": i, "question": f"what is {i}?"} for i in range(1, num + 1)]
    kinds = {"question_type": "what is", "answer_type": "other"}
    answers = [
        {"question_id": i, "image_id": i, **kinds, "answers": [{"answer": "two"}] * 10} for i in range(1, num + 1)
    ]
    write(folder / "vqa-v2/v2_OpenEnded_mscoco_val2014_questions.json", {"questions": asked})
    write(folder / "vqa-v2/v2_mscoco_val2014_annotations.json", {"annotations": answers})


def test_answers_of_somebody_elses_code_are_judged_against_60_1(capsys, folder, tmp_path):
    give_vqa(folder)
    results = write(tmp_path / "r.json", [{"question_id": i, "answer": "two"} for i in range(1, NUM_CAPTIONS + 1)])
    status, out, err = record_texts(capsys, "vqa", results, tmp_path, "vqa-v2")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert any(f"d-dit-vqa: {word}" in said for word in JUDGED)
    record = only_record(tmp_path / "results")
    assert record.measurements["vqa_accuracy"].value == 100
    assert record.settings["num_steps"] == 32
    assert set(record.elsewhere.files) == {"questions", "annotations"}


def test_pope_takes_a_folder_with_a_file_for_each_of_its_three(capsys, folder, tmp_path):
    give_pope(folder)
    (tmp_path / "said").mkdir()
    for kind in ("random", "popular", "adversarial"):
        write(tmp_path / "said" / f"answers-{kind}.json", [{"question_id": i, "answer": "Yes"} for i in (1, 2)])
    assert record_texts(capsys, "vqa", tmp_path / "said", tmp_path, "pope")[0] == 0
    assert only_record(tmp_path / "results").measurements["pope_accuracy"].value == 50
    (tmp_path / "said/answers-random.json").unlink()
    call = ("score", "vqa", tmp_path / "said", "--record", "--model", "d-dit-512", "--protocol", "pope")
    assert "0 files with 'random' in their names; expected one" in complains(capsys, *call)


def test_ok_vqa_is_scored_against_its_stemmed_answers(capsys, folder, tmp_path):
    """ "race" is said by six of ten: all; "motocross" by four: leaving out one of those, 3 of 3; "surfing" by none."""
    ids = give_okvqa(folder)
    for said, expected in ((("race", "surf"), 100), (("motocross", "surf"), 100), (("race", "surfing"), 50)):
        answers = [{"question_id": one, "answer": word} for one, word in zip(ids, said, strict=True)]
        results = write(tmp_path / "r.json", answers)
        place = tmp_path / "-".join(said)
        call = ("score", "vqa", results, "--record", "--model", "d-dit-512", "--protocol", "okvqa", "--results", place)
        status, out, err = bench(capsys, *call)
        assert (status, err) == (0, "")
        (record,) = load_records([place]).records
        assert record.measurements["vqa_accuracy"].value == pytest.approx(expected)
        assert set(record.texts.by_question_type) == {"Vehicles and Transportation"}
        assert "d-dit-512-okvqa: inconclusive" in " ".join(out.split())  # two questions bound no accuracy


def test_vizwiz_is_scored_by_its_own_rule(capsys, folder, tmp_path):
    """Of the second question's ten answers two are "phone": left out one by one, 2/3 eight times and 1/3 twice: 0.6."""
    names = give_vizwiz(folder)
    answers = [{"image": name, "answer": word} for name, word in zip(names, ("basil", "phone"), strict=True)]
    assert record_texts(capsys, "vqa", write(tmp_path / "r.json", answers), tmp_path, "vizwiz")[0] == 0
    assert only_record(tmp_path / "results").measurements["vqa_accuracy"].value == pytest.approx(100 * (1 + 0.6) / 2)


def test_gqa_counts_exact_matches_by_type(capsys, folder, tmp_path):
    ids = give_gqa(folder)
    answers = [{"questionId": one, "prediction": word} for one, word in zip(ids, ("no", "lady"), strict=True)]
    assert record_texts(capsys, "vqa", write(tmp_path / "r.json", answers), tmp_path, "gqa")[0] == 0
    record = only_record(tmp_path / "results")
    assert record.measurements["gqa_accuracy"].value == 50
    assert {kind: one.accuracy for kind, one in record.texts.by_question_type.items()} == {"verify": 100, "query": 0}


def test_mme_takes_the_folder_that_its_tool_reads(capsys, folder, tmp_path):
    """Yes to both questions of an image: one of two right, no image wholly right: 50 of 200 points a subtask."""
    give_mme(folder)
    (tmp_path / "said").mkdir()
    for subtask in (folder / "mme").iterdir():
        rows = [("1.jpg", question, truth, "Yes") for question, truth in (("Is it?", "Yes"), ("Is it not?", "No"))]
        write(tmp_path / "said" / f"{subtask.name}.txt", "".join("\t".join(row) + "\n" for row in rows))
    assert record_texts(capsys, "vqa", tmp_path / "said", tmp_path, "mme")[0] == 0
    assert only_record(tmp_path / "results").measurements["mme_perception"].value == 500


def test_a_model_that_reads_nothing_answers_nothing(capsys, folder, tmp_path):
    call = ("score", "vqa", tmp_path, "--record", "--model", "mar-l", "--protocol", "vqa-v2")
    assert "--protocol vqa-v2-answers is of scale vqa-v2; mar-l is of imagenet-256" in complains(capsys, *call)
