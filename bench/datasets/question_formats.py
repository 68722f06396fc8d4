"""Question sets by format: which layout a file has, its questions with their truths, the results for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.datasets import mme, question_sets, vqa_v2
from bench.datasets.json_files import Id, load_json, shown
from bench.datasets.texts import Text
from bench.datasets.vqa_v2 import Question, QuestionSet
from bench.errors import UsageError

FORMATS: dict[str, str] = {
    "vqa-v2": "VQAv2: accuracy against ten annotators, by answer type and question type",
    "okvqa": "OK-VQA, in VQAv2's layout: the same accuracy, against its stemmed answers",
    "vizwiz": "VizWiz: its variant of the accuracy, and telling what cannot be answered",
    "gqa": "GQA, balanced questions: exact matches, by structural and semantic type",
    "pope": "POPE: accuracy, precision, recall, F1 and yes ratio of yes/no questions",
    "mme": "MME: accuracy, accuracy+ and score, per subtask",
}
TWO_FILES = ("vqa-v2", "okvqa")
RESULT_KEYS: dict[str, tuple[str, str]] = {  # what an entry of a results file calls the id and the answer
    "vqa-v2": ("question_id", "answer"),
    "okvqa": ("question_id", "answer"),
    "vizwiz": ("image", "answer"),
    "gqa": ("questionId", "prediction"),
    "pope": ("question_id", "answer"),
    "mme": ("question_id", "answer"),
}


def load_questions(path: Path, name: str | None = None) -> tuple[str, dict[Id, Question]]:
    """(format, questions by id), which need no answers to be asked. name: as in `load_question_set`."""
    name, data = _detected(path, name)
    if name in TWO_FILES:
        return name, vqa_v2.read_questions(data, path)
    return name, _read_one_file(name, data, path).questions


def load_question_set(
    questions: Path | None, annotations: Path | None, name: str | None = None
) -> tuple[str, QuestionSet]:
    """(format, questions with their truths). name: a key of FORMATS; None: told from the file."""
    path = questions or annotations
    if path is None:
        raise UsageError(
            "--questions is missing: the file of the questions, as v2_OpenEnded_mscoco_val2014_questions.json"
        )
    name, data = _detected(path, name)
    if name in TWO_FILES:
        if questions is None or annotations is None:
            lacking = "--questions" if questions is None else "--annotations"
            raise UsageError(f"{name} keeps questions and answers in two files; {lacking} is missing")
        asked = vqa_v2.read_questions(data, questions)
        answers = load_json(annotations, "annotations")
        found = QuestionSet(asked, vqa_v2.read_annotations(answers, annotations))
        _check_belong_together(found, questions, annotations)
        return ("okvqa" if _is_okvqa(answers) else name), found
    _check_one_file(name, questions, annotations)
    return name, _read_one_file(name, data, path)


def _detected(path: Path, name: str | None) -> tuple[str, Any]:
    """(format, content of the file); of MME, which is a folder, None."""
    if name is not None and name not in FORMATS:
        raise UsageError(f"unknown format {name!r}; known: {', '.join(FORMATS)}")
    if path.is_dir() or name == "mme":
        return "mme", None
    data = load_json(path, "questions")
    name = name or detect_format(data)
    if name is None:
        raise UsageError(f"questions {path}: the layout of none of {', '.join(FORMATS)}; --format names one")
    return name, data


def _read_one_file(name: str, data: Any, path: Path) -> QuestionSet:
    """The formats that keep questions and answers together."""
    if name == "mme":
        return mme.load_mme(path)
    read = {"vizwiz": question_sets.read_vizwiz, "gqa": question_sets.read_gqa, "pope": question_sets.read_pope}
    return read[name](data, path)


def detect_format(data: Any) -> str | None:
    """The format of a questions file by its content, None where it is none of FORMATS."""
    if isinstance(data, dict):
        if "questions" in data or "annotations" in data:
            return "vqa-v2"
        first = next(iter(data.values()), None)
        if isinstance(first, dict) and "imageId" in first:
            return "gqa"
    first = data[0] if isinstance(data, list) and data else data
    if isinstance(first, dict) and {"label", "text"} <= first.keys():
        return "pope"
    if isinstance(data, list) and isinstance(first, dict) and {"image", "question"} <= first.keys():
        return "vizwiz"
    return None


def _is_okvqa(annotations: dict[str, Any]) -> bool:
    """OK-VQA alone gives its answers twice, stemmed and raw."""
    answers = annotations["annotations"][0]["answers"]
    return bool(answers) and "raw_answer" in answers[0]


def _check_one_file(name: str, questions: Path | None, annotations: Path | None) -> None:
    if questions and annotations and not questions.samefile(annotations):
        raise UsageError(f"{name} keeps questions and answers together; leave out --annotations {annotations}")


def _check_belong_together(found: QuestionSet, questions: Path, annotations: Path) -> None:
    unasked = [one for one in found.truths if one not in found.questions]
    unanswered = [one for one in found.questions if one not in found.truths]
    for ids, what in ((unasked, "annotations are of questions not in"), (unanswered, "questions are not annotated of")):
        if ids:
            raise UsageError(f"annotations {annotations}: {len(ids)} {what} {questions} (first: {shown(ids)})")


def load_results(path: Path, name: str, questions: QuestionSet) -> dict[Id, Text]:
    """Answers by question id, in the layout of the format's own evaluator."""
    if name == "mme":
        return mme.load_mme_results(path, questions.questions)
    if name == "pope":
        return question_sets.load_pope_results(path, questions.questions)
    if name == "gqa":
        return question_sets.load_gqa_results(path)
    if name == "vizwiz":
        return question_sets.load_vizwiz_results(path)
    return vqa_v2.load_results(path)
