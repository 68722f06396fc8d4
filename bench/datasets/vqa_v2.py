"""Questions and answers in VQAv2's layout (visualqa.org, arXiv:1612.00837); OK-VQA (arXiv:1906.00067) has the same.

    questions    {"data_subtype": "val2014", "questions": [{"question_id": 1, "image_id": 42, "question": "..."}, ...]}
    annotations  {"annotations": [{"question_id": 1, "image_id": 42, "question_type": "is the", "answer_type": "yes/no",
                  "answers": [{"answer": "yes", "answer_confidence": "yes", "answer_id": 1}, ...]}, ...]}
    results      [{"question_id": 1, "answer": "yes"}, ...], one per question; see texts.py for "finish"

The image of a question is COCO_<data_subtype>_<image_id, 12 digits>.jpg, unless the question itself has "file_name".
OK-VQA's "answer" is stemmed beside a "raw_answer"; its "question_type" is a key of the file's "question_types".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.datasets.json_files import Id, check_list, check_part, check_unique, value
from bench.datasets.texts import Text, load_texts


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked."""

    question: str
    file_name: str  # of the image, inside the data set's image folder


@dataclass(frozen=True, slots=True)
class Truth:
    """What its answer is compared with."""

    answers: tuple[str, ...]  # ten of VQAv2, one of GQA, POPE and MME
    kinds: Mapping[str, str]  # kind of question by kind's name, as {"answer_type": "yes/no"}


@dataclass(frozen=True)
class QuestionSet:
    """Questions and, where they are public, answers, by question id in the file's order."""

    questions: dict[Id, Question]
    truths: dict[Id, Truth]


def coco_file_name(image_id: int, subtype: str) -> str:
    """COCO's name of an image. The split test-dev2015 is a part of test2015 and has its names."""
    return f"COCO_{subtype.replace('test-dev', 'test')}_{image_id:012d}.jpg"


def read_questions(data: Any, path: Path) -> dict[Id, Question]:
    """Questions in a file's content, by id."""
    found: dict[Id, Question] = {}
    entries = check_part(data, "questions", path, "questions", "{question_id, image_id, question} objects")
    subtype = str(data.get("data_subtype", "val2014"))
    for number, entry in enumerate(entries):
        question_id = value(entry, "question_id", (int, str), number, path, "questions")
        image_id = value(entry, "image_id", (int, str), number, path, "questions")
        convention = coco_file_name(image_id, subtype) if isinstance(image_id, int) else image_id
        found[question_id] = Question(
            value(entry, "question", str, number, path, "questions"), str(entry.get("file_name", convention))
        )
    check_unique([entry["question_id"] for entry in entries], path, "questions", "question")
    return found


def read_annotations(data: Any, path: Path) -> dict[Id, Truth]:
    """Annotators' answers in a file's content, by question id. UsageError where a question has none."""
    found: dict[Id, Truth] = {}
    entries = check_part(data, "annotations", path, "annotations", "{question_id, answers, ...} objects")
    names = data.get("question_types") if isinstance(data.get("question_types"), dict) else {}
    for number, entry in enumerate(entries):
        question_id = value(entry, "question_id", (int, str), number, path, "annotations")
        kinds: dict[str, str] = {name: str(entry[name]) for name in ("answer_type", "question_type") if name in entry}
        if "question_type" in kinds:
            kinds["question_type"] = str(names.get(kinds["question_type"], kinds["question_type"]))
        found[question_id] = Truth(read_answers(entry, number, path, "annotations"), kinds)
    check_unique([entry["question_id"] for entry in entries], path, "annotations", "question")
    return found


def read_answers(entry: dict[str, Any], number: int, path: Path, role: str) -> tuple[str, ...]:
    """The annotators' answers of one entry, VQAv2's or VizWiz's."""
    where = f"{role} (entry {number})"
    found = value(entry, "answers", list, number, path, role)
    answers = check_list(found, path, where, "{answer} objects") if found else []
    return tuple(value(answer, "answer", str, place, path, where) for place, answer in enumerate(answers))


def load_results(path: Path) -> dict[Id, Text]:
    """One answer per question."""
    return load_texts(path, ("question_id",), ("answer",), "question")
