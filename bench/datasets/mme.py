"""MME (arXiv:2306.13394): a folder per subtask, two yes/no questions per image.

    <folder>/existence/000000006040.txt     two lines "question<TAB>Yes" beside 000000006040.jpg; some subtasks keep the
                                            texts in questions_answers_YN/ and the images in images/
    <folder>/existence.txt                  the evaluation tool's template: lines "image<TAB>question<TAB>Yes"
    results                                 the same template with the answer as a fourth column, or
                                            [{"question_id": "existence/000000006040/1", "answer": "Yes"}, ...]

A question's id is <subtask>/<image without suffix>/<1 or 2>.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.datasets.json_files import Id, shown
from bench.datasets.texts import Text, load_texts
from bench.datasets.vqa_v2 import Question, QuestionSet, Truth
from bench.errors import UsageError
from bench.files import check_regular, read_text

PERCEPTION = ("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR")
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
SUBTASKS = (*PERCEPTION, *COGNITION)
QUESTIONS_PER_IMAGE = 2
IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg")


def load_mme(folder: Path) -> QuestionSet:
    """The questions of all subtasks there are. kinds: the subtask, and the image as <subtask>/<image>."""
    if not folder.is_dir():
        raise UsageError(f"questions {folder}: MME is a folder with one folder or one .txt file per subtask")
    found = QuestionSet({}, {})
    for subtask in SUBTASKS:
        count: Counter[str] = Counter()
        for file_name, question, answer, where in _rows(folder, subtask):
            label = answer.strip().lower()
            if label not in ("yes", "no"):
                raise UsageError(f"questions {where}: the answer is {answer.strip()[:20]!r}; expected Yes or No")
            image = f"{subtask}/{Path(file_name).stem}"
            count[image] += 1
            question_id = f"{image}/{count[image]}"
            found.questions[question_id] = Question(question, file_name)
            found.truths[question_id] = Truth((label,), {"subtask": subtask, "image": image})
        if odd := [image for image, number in count.items() if number != QUESTIONS_PER_IMAGE]:
            raise UsageError(
                f"questions {folder}: {len(odd)} images have not {QUESTIONS_PER_IMAGE} questions (first: {shown(odd)})"
            )
    if not found.questions:
        raise UsageError(f"questions {folder}: holds none of MME's subtasks ({', '.join(SUBTASKS[:3])}, ...)")
    return found


def _rows(folder: Path, subtask: str) -> Iterator[tuple[str, str, str, str]]:
    """(image file inside `folder`, question, answer, file and line) of one subtask."""
    if (folder / f"{subtask}.txt").is_file():
        for columns, where in _columns(folder / f"{subtask}.txt", (3, 4), "questions"):
            yield f"{subtask}/{columns[0]}", columns[1], columns[2], where
        return
    texts = folder / subtask / "questions_answers_YN"
    images = folder / subtask / "images"
    for path in sorted((texts if texts.is_dir() else folder / subtask).glob("*.txt")):
        parent = images if images.is_dir() else folder / subtask
        names = [path.stem + suffix for suffix in IMAGE_SUFFIXES]
        name = next((name for name in names if (parent / name).is_file()), names[0])
        for columns, where in _columns(path, (2,), "questions"):
            yield (parent / name).relative_to(folder).as_posix(), columns[0], columns[1], where


def _columns(path: Path, counts: tuple[int, ...], role: str) -> Iterator[tuple[list[str], str]]:
    """(the columns of each line, where it stands). UsageError for a line with another number of them."""
    check_regular(path, role)
    try:
        lines = read_text(path).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{role} {path}: not a readable UTF-8 text file") from error
    for number, line in enumerate(lines, 1):
        columns = line.rstrip("\r").split("\t")
        if line.strip() and len(columns) not in counts:
            raise UsageError(
                f"{role} {path}: line {number} has {len(columns)} columns; expected {' or '.join(map(str, counts))}"
            )
        if line.strip():
            yield columns, f"{path}: line {number}"


def load_mme_results(path: Path, questions: dict[Id, Question]) -> dict[Id, Text]:
    """Answers by question id; the evaluation tool's files are matched by subtask, image and question."""
    if not path.is_dir():
        return load_texts(path, ("question_id",), ("answer",), "question")
    ids: dict[tuple[str, str, str], list[Id]] = {}
    for question_id, asked in questions.items():
        subtask, image, _ = str(question_id).split("/")
        ids.setdefault((subtask, image, asked.question.strip()), []).append(question_id)
    found: dict[Id, Text] = {}
    for subtask in SUBTASKS:
        file = path / f"{subtask}.txt"
        for columns, where in _columns(file, (4,), "results") if file.is_file() else ():
            image, question, _, answer = columns
            waiting = ids.get((subtask, Path(image).stem, question.strip()), [])
            if not waiting:
                raise UsageError(f"results {where}: {image} has no such question, or it is answered twice")
            found[waiting.pop(0)] = Text(answer)
    if not found:
        raise UsageError(f"results {path}: holds no <subtask>.txt of {', '.join(SUBTASKS[:3])}, ...")
    return found
