"""`score vqa` as a user calls it: the field's numbers by kind of question, and one line per fault."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.datasets.texts import Text
from bench.datasets.vqa_v2 import Question, QuestionSet, Truth
from bench.errors import UsageError
from bench.evaluators.answers import score_answers
from tests.command_line import bench, complains, write


def vqa_files(folder, answers, said):
    """Question, annotation and result files: `answers` are ten per question, `said` one."""
    questions = [{"question_id": i, "image_id": i, "question": f"question {i}"} for i in range(len(answers))]
    annotations = [
        {
            "question_id": i,
            "image_id": i,
            "question_type": "is the" if i % 2 else "what",
            "answer_type": ("yes/no", "number", "other")[i % 3],
            "answers": [{"answer": text, "answer_id": k + 1} for k, text in enumerate(ten)],
        }
        for i, ten in enumerate(answers)
    ]
    results = [{"question_id": i, "answer": text} for i, text in enumerate(said)]
    return (
        write(folder / "results.json", results),
        write(folder / "questions.json", {"data_subtype": "val2014", "questions": questions}),
        write(folder / "annotations.json", {"annotations": annotations}),
    )


def test_vqa_v2_by_answer_type_and_question_type(capsys, tmp_path):
    """0.3 x k for k agreeing annotators, as means in percent, overall and by each kind; empty answers shown apart."""
    ten = [["red"] * k + [f"c{i}" for i in range(10 - k)] for k in (0, 1, 2, 3, 4, 10)]
    results, questions, annotations = vqa_files(tmp_path, ten, ["", "red", "red", "red", "red", "red"])
    call = ("score", "vqa", results, "--questions", questions, "--annotations", annotations)
    status, out, err = bench(capsys, *call, "--json", tmp_path / "out.json")
    assert status == 0, err
    found = json.loads((tmp_path / "out.json").read_text())
    values = {name: measured["value"] for name, measured in found["metrics"].items()}
    assert values == pytest.approx(
        {
            "vqa_accuracy": (0 + 30 + 60 + 90 + 100 + 100) / 6,
            "vqa_accuracy_yes_no": (0 + 90) / 2,
            "vqa_accuracy_number": (30 + 100) / 2,
            "vqa_accuracy_other": (60 + 100) / 2,
        }
    )
    by_question_type = found["breakdown"]["question_type"]
    assert by_question_type["is the"]["vqa_accuracy"]["value"] == pytest.approx((30 + 90 + 100) / 3)
    assert found["without_degenerate"]["vqa_accuracy"]["value"] == pytest.approx(380 / 5)
    assert found["audit"]["examples"]["empty"] == [{"id": 0, "text": ""}]
    assert found["per_question"][1]["vqa_accuracy"] == pytest.approx(30)
    assert found["protocol"]["format"] == "vqa-v2"
    assert set(found["metrics"]["vqa_accuracy"]) == {"value", "unit", "ci_low", "ci_high", "n"}
    assert "empty: 1 (0: '')" in out


def test_vqa_ids_and_files_must_match(capsys, tmp_path):
    """Missing, unknown and duplicate ids, swapped files and questions without answers: one line, status 2."""
    results, questions, annotations = vqa_files(tmp_path, [["a"] * 10] * 4, ["a"] * 4)
    rest = ("--questions", questions, "--annotations", annotations)
    entries = json.loads(results.read_text())
    few = write(tmp_path / "few.json", [*entries[1:], {"question_id": "0", "answer": "a"}])
    line = complains(capsys, "score", "vqa", few, *rest)
    assert "1 of 4 results are for unknown question ids (first: '0')" in line
    assert "1 of 4 question ids have no result (first: 0)" in line
    twice = write(tmp_path / "twice.json", entries * 2)
    assert "4 question ids come more than once (first: 0, 1, 2, 3)" in complains(capsys, "score", "vqa", twice, *rest)
    line = complains(capsys, "score", "vqa", results, "--questions", annotations, "--annotations", questions)
    assert "were two files swapped" in line
    line = complains(capsys, "score", "vqa", questions, "--questions", results, "--annotations", annotations)
    assert "--format names one" in line
    for path, part in ((questions, "questions"), (annotations, "annotations")):
        content = json.loads(path.read_text())
        doubled = write(tmp_path / f"double-{part}.json", {**content, part: content[part] + content[part][1:2]})
        line = complains(capsys, "score", "vqa", results, *[doubled if option == path else option for option in rest])
        assert "1 question ids come more than once (first: 1)" in line
    broken = write(tmp_path / "broken.json", '[{"question_id": 1,\n "answer": }]')
    line = complains(capsys, "score", "vqa", broken, *rest)
    assert "broken.json: not JSON: Expecting value at line 2 column 12" in line
    assert "--questions is missing" in complains(capsys, "score", "vqa", results)
    for answers in ([], [""] * 10):
        results, questions, annotations = vqa_files(tmp_path, [["a"] * 10, answers], ["a"] * 2)
        line = complains(capsys, "score", "vqa", results, "--questions", questions, "--annotations", annotations)
        assert "1 of 2 questions have no reference answer (first: 1)" in line


def test_pope_end_to_end(capsys, tmp_path):
    """Its own two files: lines of questions, lines of answers in their order."""
    labels, said = ["yes", "yes", "no", "no"], ["Yes, there is.", "There is no dog.", "yes", ""]
    asked = [{"question_id": i, "image": f"{i}.jpg", "text": f"q{i}", "label": v} for i, v in enumerate(labels)]
    answers = [{"question": f"q{i}", "answer": text} for i, text in enumerate(said)]
    questions = write(tmp_path / "coco_pope_random.json", "\n".join(map(json.dumps, asked)))
    results = write(tmp_path / "answers.jsonl", "\n".join(map(json.dumps, answers)))
    call = ("score", "vqa", results, "--questions", questions, "--json", tmp_path / "out.json")
    assert bench(capsys, *call)[0] == 0
    found = json.loads((tmp_path / "out.json").read_text())
    values = {name: measured["value"] for name, measured in found["metrics"].items()}
    expected = {"pope_accuracy": 25, "pope_precision": 100 / 3, "pope_recall": 50, "pope_f1": 40, "pope_yes_ratio": 75}
    assert values == pytest.approx(expected)
    assert found["without_degenerate"]["pope_yes_ratio"]["value"] == pytest.approx(200 / 3)  # "" was read as yes
    assert [entry["read_as"] for entry in found["per_question"]] == ["yes", "no", "yes", "yes"]


def question_set(truths):
    return QuestionSet({i: Question(f"q{i}", f"{i}.jpg") for i in truths}, truths)


def test_gqa_exact_match_and_near_misses():
    """ "Yes." for "yes" is wrong, as in GQA's script, and the result says how many such there are."""
    truths = {str(i): Truth(("yes",), {"structural_type": kind}) for i, kind in enumerate(["verify", "query", "query"])}
    said = {"0": Text("yes"), "1": Text("Yes."), "2": Text("no")}
    found = score_answers(said, question_set(truths), "gqa")
    values = {name: measured["value"] for name, measured in found["metrics"].items()}
    assert values == pytest.approx({"gqa_accuracy": 100 / 3, "gqa_accuracy_open": 0, "gqa_accuracy_binary": 100})
    assert found["warnings"][0].startswith("1 answers differ from GQA's by case")


def test_vizwiz_answerability():
    """From the word itself, or from the stated likelihood, which all results or none must have."""
    truths = {i: Truth((("basil", "unanswerable")[i % 2],) * 10, {"answerable": str(1 - i % 2)}) for i in range(4)}
    said = {0: Text("basil"), 1: Text("Unanswerable."), 2: Text("unanswerable"), 3: Text("unanswerable")}
    metrics = score_answers(said, question_set(truths), "vizwiz")["metrics"]
    assert metrics["vqa_accuracy"]["value"] == pytest.approx(75)
    assert metrics["vizwiz_unanswerable_f1"]["value"] == pytest.approx(80)
    assert "vizwiz_unanswerable_ap" not in metrics
    stated = {i: Text(text.text, answerable=(0.9, 0.2, 0.4, 0.1)[i]) for i, text in said.items()}
    metrics = score_answers(stated, question_set(truths), "vizwiz")["metrics"]
    assert metrics["vizwiz_unanswerable_ap"]["value"] == pytest.approx(100)
    with pytest.raises(UsageError, match="3 of 4 results lack 'answerable'"):
        score_answers({**said, 0: stated[0]}, question_set(truths), "vizwiz")


def test_mme_end_to_end(capsys, tmp_path):
    """Template and answers of the evaluation tool; an image counts as degenerate with either of its answers."""
    (tmp_path / "asked").mkdir()
    (tmp_path / "said").mkdir()
    rows = [("1.jpg", "a?", "Yes"), ("1.jpg", "b?", "No"), ("2.jpg", "a?", "Yes"), ("2.jpg", "b?", "No")]
    said = ["Yes", "no, it is not", "Yes", ""]
    write(tmp_path / "asked" / "count.txt", "".join("\t".join(row) + "\n" for row in rows))
    answered = "".join("\t".join((*row, text)) + "\n" for row, text in zip(rows, said, strict=True))
    write(tmp_path / "said" / "count.txt", answered)
    call = ("score", "vqa", tmp_path / "said", "--questions", tmp_path / "asked", "--json", tmp_path / "out.json")
    status, out, err = bench(capsys, *call)
    assert status == 0, err
    found = json.loads((tmp_path / "out.json").read_text())
    values = {name: measured["value"] for name, measured in found["metrics"].items()}
    assert values == pytest.approx({"mme_accuracy": 75, "mme_accuracy_plus": 50, "mme_score": 125})
    assert found["without_degenerate"]["mme_score"]["value"] == pytest.approx(200)
    assert found["breakdown"]["subtask"]["count"]["mme_accuracy_plus"]["value"] == pytest.approx(50)
    assert "by subtask" in out


def test_the_interval_is_over_questions():
    """Of 400 questions half right: the bootstrap's half-width is the binomial's 1.96 x sqrt(p (1 - p) / n), within a
    fifth (200 resamples)."""
    truths = {i: Truth(("a",) * 10, {}) for i in range(400)}
    found = score_answers({i: Text("ab"[i % 2]) for i in truths}, question_set(truths))["metrics"]["vqa_accuracy"]
    assert found["value"] == pytest.approx(50)
    half_width = (found["ci_high"] - found["ci_low"]) / 2
    assert half_width == pytest.approx(100 * 1.96 * np.sqrt(0.25 / 400), rel=0.2)


def test_d_dits_own_scoring_stands_beside_the_official_one_and_is_marked(capsys, tmp_path):
    """Ten equal "The first" are compared as they are by the official rule, and normalised, ordinals too, by D-DiT's."""
    ten = [["The first"] * 10, ["red"] * 10, ["2"] * 5 + ["two"] * 5]
    results, questions, annotations = vqa_files(tmp_path, ten, ["1st", "red", "Two."])
    call = ("score", "vqa", results, "--questions", questions, "--annotations", annotations, "--json")
    status, out, err = bench(capsys, *call, tmp_path / "out.json", "--scoring", "d-dit")
    assert status == 0, err
    found = json.loads((tmp_path / "out.json").read_text())
    values = {name: found["metrics"][name]["value"] for name in ("vqa_accuracy", "vqa_accuracy_d_dit")}
    assert values == pytest.approx({"vqa_accuracy": 200 / 3, "vqa_accuracy_d_dit": 100})
    assert [row["vqa_accuracy_d_dit"] for row in found["per_question"]] == [100] * 3
    assert "as D-DiT's script scores (not official)" in " ".join(out.split())
    assert any("differs from the official rule on 1 of 3 answers" in warning for warning in found["warnings"])
    assert found["protocol"]["scoring"] == "d-dit"
    assert bench(capsys, *call, tmp_path / "official.json")[0] == 0
    official = json.loads((tmp_path / "official.json").read_text())
    assert "vqa_accuracy_d_dit" not in official["metrics"]
    assert official["metrics"]["vqa_accuracy"] == found["metrics"]["vqa_accuracy"]
    line = complains(capsys, *call, tmp_path / "out.json", "--scoring", "mine")
    assert "official for every format, d-dit for vqa-v2, okvqa, vizwiz" in line


def test_of_vizwiz_d_dit_takes_any_answer_that_holds_unanswer():
    truths = {i: Truth(("unanswerable",) * 10, {}) for i in range(3)}
    said = {0: Text("it is unanswered"), 1: Text("Unanswered"), 2: Text("unanswerable")}
    found = score_answers(said, question_set(truths), "vizwiz", scoring="d-dit")
    assert [row["vqa_accuracy_d_dit"] for row in found["per_question"]] == [100, 0, 100]  # small letters alone
    assert [row["vqa_accuracy"] for row in found["per_question"]] == [0, 0, 100]
    as_vqa = score_answers(said, question_set(truths), "vqa-v2", scoring="d-dit")
    assert [row["vqa_accuracy_d_dit"] for row in as_vqa["per_question"]] == [0, 0, 100]


def few_references(num):
    """Eight questions that `num` annotators answered alike, and rightly answered."""
    questions = {i: Question("what is it", "a.jpg") for i in range(8)}
    truths = {i: Truth(("yes",) * num, {"answer_type": "other"}) for i in range(8)}
    return score_answers({i: Text("yes") for i in range(8)}, QuestionSet(questions, truths))


@pytest.mark.parametrize(("num", "official"), [(1, 0), (2, 100 / 3), (3, 200 / 3), (4, 100)])
def test_few_reference_answers_are_said_aloud_with_the_plain_mean_beside(num, official):
    """The official rule's number, a warning that it presumes ten, and the share that agrees: all."""
    found = few_references(num)
    assert found["metrics"]["vqa_accuracy"]["value"] == pytest.approx(official)
    assert found["metrics"]["vqa_agreement"]["value"] == 100
    assert any("fewer than ten reference answers" in warning for warning in found["warnings"])


def test_ten_reference_answers_need_no_second_number():
    found = few_references(10)
    assert found["metrics"]["vqa_accuracy"]["value"] == 100
    assert "vqa_agreement" not in found["metrics"]
    assert not found["warnings"] or "fewer" not in " ".join(found["warnings"])


def test_agreement_compares_as_the_official_rule_does():
    """Normalised where the annotators differ: "The dog" agrees with "dog", two of three."""
    truths = {1: Truth(("dog", "the dog", "cat"), {})}
    found = score_answers({1: Text("A Dog.")}, QuestionSet({1: Question("?", "a.jpg")}, truths))
    assert found["metrics"]["vqa_agreement"]["value"] == pytest.approx(200 / 3)


def test_answers_neither_yes_nor_no_are_counted():
    """POPE reads them as yes, MME as wrong: how many there are is said beside the score."""
    said = ["yes", "No, it is not.", "maybe", "a snowboard", "YES!", "I cannot tell"]
    questions = {i: Question("is it there", "a.jpg") for i in range(6)}
    truths = {i: Truth(("yes",), {}) for i in range(6)}
    found = score_answers({i: Text(text) for i, text in enumerate(said)}, QuestionSet(questions, truths), "pope")
    assert found["audit"]["num_neither_yes_nor_no"] == 3
    assert any(
        warning.startswith("3 of 6 answers are neither yes nor no (first: 'maybe')") for warning in found["warnings"]
    )
    kinds = [{"subtask": "count", "image": f"count/{i // 2}"} for i in range(6)]
    truths = {i: Truth(("yes",), kinds[i]) for i in range(6)}
    found = score_answers({i: Text(text) for i, text in enumerate(said)}, QuestionSet(questions, truths), "mme")
    assert found["audit"]["num_neither_yes_nor_no"] == 3


def test_names_from_files_are_text(capsys, tmp_path):
    """An answer type that is markup, a file name with a terminal's codes and a lone surrogate are printed as text."""
    questions = [{"question_id": i, "image_id": 1, "question": "what"} for i in range(8)]
    answers = [{"answer": "yes", "answer_id": k} for k in range(10)]
    kinds = ["[/red]", "[bold]x", "\x1b[2Jy", "\ud800"] * 2
    annotations = [{"question_id": i, "answer_type": kinds[i], "answers": answers} for i in range(8)]
    results = write(tmp_path / "r\x1b[31m.json", [{"question_id": i, "answer": "yes"} for i in range(8)])
    asked = write(tmp_path / "q.json", {"questions": questions})
    given = write(tmp_path / "a.json", {"annotations": annotations})
    call = ("score", "vqa", results, "--questions", asked, "--annotations", given, "--json", tmp_path / "out.json")
    status, out, err = bench(capsys, *call)
    assert status == 0, err
    assert "[/red]" in out
    assert "[bold]x" in out
    assert "\\x1b[2Jy" in out
    assert "\\ud800" in out
    assert "\x1b" not in out
    assert "no\\x1b.json" in complains(capsys, "score", "vqa", results, "--questions", tmp_path / "no\x1b.json")
