"""POPE, GQA and VizWiz in the layouts of their releases. MME is a folder: mme.py. VQAv2 and OK-VQA: vqa_v2.py.

POPE    (arXiv:2305.10355) one object per line: {"question_id": 1, "image": "COCO_val2014_000000310196.jpg",
        "text": "Is there a snowboard in the image?", "label": "yes"}
        results: {"question_id", "answer"} objects, or {"question", "answer"} in the order of the questions
GQA     (arXiv:1902.09506) {"201307251": {"imageId": "n161313", "question": "Is it overcast?", "answer": "no",
        "isBalanced": true, "types": {"structural": "verify", "semantic": "global"}}, ...}
        results: [{"questionId": "201307251", "prediction": "no"}, ...]
VizWiz  (arXiv:1802.08218) [{"image": "VizWiz_val_00000000.jpg", "question": "What is this?", "answerable": 1,
        "answer_type": "other", "answers": [{"answer": "basil", "answer_confidence": "yes"}, ...]}, ...]
        results: [{"image": "VizWiz_val_00000000.jpg", "answer": "basil", "answerable": 0.9}, ...]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.datasets.json_files import Id, check_list, check_unique, load_json, shown, value
from bench.datasets.texts import Text, load_texts, read_text
from bench.datasets.vqa_v2 import Question, QuestionSet, Truth, read_answers
from bench.errors import UsageError

LABELS = ("yes", "no")
ROLE = "questions"


def read_pope(data: Any, path: Path) -> QuestionSet:
    """POPE's questions in a file's content; the truth is "yes" or "no"."""
    found = QuestionSet({}, {})
    lines = [data] if isinstance(data, dict) and "label" in data else data
    entries = check_list(lines, path, ROLE, "{question_id, image, text, label} objects")
    for number, entry in enumerate(entries):
        question_id = value(entry, "question_id", (int, str), number, path, ROLE)
        label = value(entry, "label", str, number, path, ROLE).lower()
        if label not in LABELS:
            raise UsageError(f"{ROLE} {path}: entry {number}: 'label' is {label!r:.60}; expected {' or '.join(LABELS)}")
        question = value(entry, "text", str, number, path, ROLE)
        found.questions[question_id] = Question(question, value(entry, "image", str, number, path, ROLE))
        found.truths[question_id] = Truth((label,), {})
    check_unique([entry["question_id"] for entry in entries], path, ROLE, "question")
    return found


def load_pope_results(path: Path, questions: dict[Id, Question]) -> dict[Id, Text]:
    """Answers by question id; POPE's own answer files have none and answer the questions in their order."""
    data = load_json(path, "results")
    first = data[0] if isinstance(data, list) and data else None
    if not isinstance(first, dict) or "question_id" in first or "question" not in first:
        return load_texts(path, ("question_id",), ("answer", "text"), "question")
    entries = check_list(data, path, "results", "{question, answer} objects")
    if len(entries) != len(questions):
        raise UsageError(f"results {path}: {len(entries)} answers without ids to {len(questions)} questions")
    found = {}
    for number, (entry, (question_id, asked)) in enumerate(zip(entries, questions.items(), strict=True)):
        if value(entry, "question", str, number, path, "results").strip() != asked.question.strip():
            raise UsageError(
                f"results {path}: entry {number} answers {entry['question']!r:.200}, "
                f"the question is {asked.question!r:.200}"
            )
        found[question_id] = read_text(entry, "answer", number, path)
    return found


def read_gqa(data: Any, path: Path) -> QuestionSet:
    """GQA's balanced questions in a file's content, by id as a string."""
    if not isinstance(data, dict) or not data or not all(isinstance(entry, dict) for entry in data.values()):
        raise UsageError(f"{ROLE} {path}: expected an object of {{imageId, question, answer}} objects by question id")
    unbalanced = [question_id for question_id, entry in data.items() if entry.get("isBalanced") is False]
    if unbalanced:
        raise UsageError(
            f"{ROLE} {path}: {len(unbalanced)} of {len(data)} questions are not balanced (first: {shown(unbalanced)}); "
            "GQA's accuracy is over a balanced file, as testdev_balanced_questions.json"
        )
    found = QuestionSet({}, {})
    for question_id, entry in data.items():
        image = value(entry, "imageId", (str, int), question_id, path, ROLE)
        found.questions[question_id] = Question(value(entry, "question", str, question_id, path, ROLE), f"{image}.jpg")
        if "answer" in entry:  # the test and challenge splits have none
            types = entry.get("types") if isinstance(entry.get("types"), dict) else {}
            kinds = {f"{name}_type": str(types[name]) for name in ("structural", "semantic") if types.get(name)}
            found.truths[question_id] = Truth((value(entry, "answer", str, question_id, path, ROLE),), kinds)
    return found


def load_gqa_results(path: Path) -> dict[Id, Text]:
    """Answers by question id, as a string whatever the file has."""
    texts = load_texts(path, ("questionId", "question_id"), ("prediction", "answer"), "question")
    found: dict[Id, Text] = {str(question_id): text for question_id, text in texts.items()}
    if len(found) < len(texts):
        raise UsageError(f"results {path}: {len(texts) - len(found)} question ids come as a string and as a number")
    return found


def read_vizwiz(data: Any, path: Path) -> QuestionSet:
    """VizWiz's questions in a file's content; the id of a question is the file name of its image.

    kinds["answerable"] is "1" or "0".
    """
    found = QuestionSet({}, {})
    entries = check_list(data, path, ROLE, "{image, question, answers} objects")
    for number, entry in enumerate(entries):
        image = value(entry, "image", str, number, path, ROLE)
        found.questions[image] = Question(value(entry, "question", str, number, path, ROLE), image)
        if "answers" in entry:  # the test split has none
            kinds: dict[str, str] = {k: str(entry[k]) for k in ("answer_type", "answerable") if k in entry}
            found.truths[image] = Truth(read_answers(entry, number, path, ROLE), kinds)
    check_unique([entry["image"] for entry in entries], path, ROLE, "image")
    return found


def load_vizwiz_results(path: Path) -> dict[Id, Text]:
    """Answers by image, with "answerable" where the file has it."""
    return load_texts(path, ("image", "question_id"), ("answer",), "image")
