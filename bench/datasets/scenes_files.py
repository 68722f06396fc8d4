"""Scenes in the field's layouts, in memory and as files.

    python -m bench export scenes OUT --num 500 --seed 0 --split heldout

OUT/images/000000.png ...   the scenes, 16x16, by their index
OUT/captions.json           five captions each, COCO captions (coco_captions.py)
OUT/questions.json          their questions, VQAv2 (vqa_v2.py)
OUT/annotations.json        ten answers each, VQAv2
OUT/pope.json               the yes/no questions alone, POPE (question_sets.py)

The id of an image is its scene's index, that of a question 1000 times it plus its place among the scene's questions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.console import say
from bench.datasets import scenes, vqa_v2
from bench.datasets.coco_captions import CaptionSet
from bench.datasets.digits import Split
from bench.datasets.scenes import Scene
from bench.datasets.vqa_v2 import QuestionSet, Truth
from bench.errors import CheckFailed, UsageError
from bench.files import sweep_temporaries, temporary

WHAT = "scenes of two to four coloured digit scans, with captions and questions"
SPLITS: tuple[Split, ...] = ("train", "heldout")
QUESTION_IDS = 1000  # per image
YES_NO = "yes/no"


def image_name(scene: Scene) -> str:
    return f"{scene.index:06d}.png"


def questions_of(shown: Sequence[Scene]) -> Iterator[tuple[int, Scene, scenes.Question]]:
    """(id, scene, question) of every question, scene by scene."""
    for scene in shown:
        for place, question in enumerate(scene.questions):
            yield QUESTION_IDS * scene.index + place, scene, question


def caption_set(shown: Sequence[Scene]) -> CaptionSet:
    """The captions of these scenes, as read from captions.json."""
    return CaptionSet({s.index: s.captions for s in shown}, {s.index: image_name(s) for s in shown})


def question_set(shown: Sequence[Scene]) -> QuestionSet:
    """All questions of these scenes, as read from questions.json and annotations.json."""
    found = QuestionSet({}, {})
    for question_id, scene, question in questions_of(shown):
        kinds = {"answer_type": question.answer_type, "question_type": question.question_type}
        found.questions[question_id] = vqa_v2.Question(question.text, image_name(scene))
        found.truths[question_id] = Truth(question.answers, kinds)
    return found


def pope_set(shown: Sequence[Scene]) -> QuestionSet:
    """The yes/no questions of these scenes, as read from pope.json."""
    found = QuestionSet({}, {})
    for question_id, scene, question in questions_of(shown):
        if question.answer_type == YES_NO:
            found.questions[question_id] = vqa_v2.Question(question.text, image_name(scene))
            found.truths[question_id] = Truth((question.answer,), {})
    return found


# -- as files ----------------------------------------------------------------------------------------------------------


def export(
    out: Path, *, num: int, seed: int, split: str, advance: Callable[[int], None] = lambda done: None
) -> dict[str, int]:
    """Write these scenes to the folder `out`, whole or not at all; returns how many there are of each thing.

    UsageError for an unknown split, or where `out` is there already (an empty folder may be) or cannot be made;
    CheckFailed where writing fails later.
    """
    if split not in SPLITS:
        raise UsageError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out}: exists already; expected the name of a new folder")
    sweep_temporaries(out.absolute().parent, out.absolute().name)
    with temporary(out.absolute()) as place:
        try:
            (place / "images").mkdir(parents=True)
        except OSError as error:
            raise UsageError(f"{out}: cannot be made here: {error.strerror}") from error
        return _export(place, out, num, seed, split, advance)


def _export(place: Path, out: Path, num: int, seed: int, split: str, advance: Callable[[int], None]) -> dict[str, int]:
    """Write the files into `place`, an empty folder, then give it the name `out`."""
    try:
        shown = list(scenes.scenes(split, num, seed))  # type: ignore[arg-type]  # checked above
        _write_images(shown, place / "images", advance)
        about = {"description": f"{WHAT}; split {split}, seed {seed}"}
        files = {"captions.json": captions_file(shown, about)}
        files |= {"questions.json": questions_file(shown, about), "annotations.json": annotations_file(shown, about)}
        for name, content in files.items():
            (place / name).write_text(json.dumps(content) + "\n", encoding="utf-8")
        lines = [json.dumps(line) + "\n" for line in pope_lines(shown)]
        (place / "pope.json").write_text("".join(lines), encoding="utf-8")
        place.replace(out)
    except OSError as error:
        raise CheckFailed(f"{out}: not written: {error.strerror}") from error
    return {
        "images": len(shown),
        "captions": len(files["captions.json"]["annotations"]),
        "questions": len(files["questions.json"]["questions"]),
        "yes/no questions": len(lines),
    }


def _write_images(shown: Sequence[Scene], folder: Path, advance: Callable[[int], None]) -> None:
    from PIL import Image

    for done, scene in enumerate(shown, 1):
        Image.fromarray(scene.image.transpose(1, 2, 0)).save(folder / image_name(scene))
        advance(done)


def captions_file(shown: Sequence[Scene], about: dict[str, str]) -> dict[str, Any]:
    """captions.json."""
    size = {"width": scenes.IMAGE_SIZE, "height": scenes.IMAGE_SIZE}
    captions = [(scene.index, caption) for scene in shown for caption in scene.captions]
    return {
        "info": about,
        "images": [{"id": scene.index, "file_name": image_name(scene), **size} for scene in shown],
        "annotations": [
            {"id": i, "image_id": image_id, "caption": caption} for i, (image_id, caption) in enumerate(captions)
        ],
    }


def questions_file(shown: Sequence[Scene], about: dict[str, str]) -> dict[str, Any]:
    """questions.json."""
    return {
        "info": about,
        "task_type": "Open-Ended",
        "data_type": "scenes",
        "data_subtype": shown[0].split,
        "questions": [
            {
                "question_id": question_id,
                "image_id": scene.index,
                "file_name": image_name(scene),
                "question": question.text,
            }
            for question_id, scene, question in questions_of(shown)
        ],
    }


def annotations_file(shown: Sequence[Scene], about: dict[str, str]) -> dict[str, Any]:
    """annotations.json."""
    return {
        "info": about,
        "data_type": "scenes",
        "data_subtype": shown[0].split,
        "annotations": [
            {
                "question_id": question_id,
                "image_id": scene.index,
                "question_type": question.question_type,
                "answer_type": question.answer_type,
                "multiple_choice_answer": question.answer,
                "answers": [
                    {"answer": answer, "answer_confidence": "yes", "answer_id": number}
                    for number, answer in enumerate(question.answers, 1)
                ],
            }
            for question_id, scene, question in questions_of(shown)
        ],
    }


def pope_lines(shown: Sequence[Scene]) -> list[dict[str, Any]]:
    """pope.json, one object per line."""
    return [
        {"question_id": question_id, "image": image_name(scene), "text": question.text, "label": question.answer}
        for question_id, scene, question in questions_of(shown)
        if question.answer_type == YES_NO
    ]


def export_and_print(out: Path, *, num: int, seed: int, split: str) -> None:
    """What the command line does."""
    from bench.console import progress

    with progress("export scenes", num) as bar:
        counts = export(out, num=num, seed=seed, split=split, advance=bar.update)
    say(f"scenes: {out} ({', '.join(f'{count} {what}' for what, count in counts.items())}; {split}, seed {seed})")
