"""Scenes as files: what the adapters of the real data sets read back is what is scored in memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.datasets import coco_captions, open_images
from bench.datasets.question_formats import load_question_set, load_results
from bench.datasets.scenes import scenes
from bench.datasets.scenes_files import caption_set, export, pope_set, question_set
from bench.datasets.texts import Text
from bench.errors import CheckFailed, UsageError
from bench.evaluators import java_scorers
from bench.evaluators.answers import score_answers
from bench.evaluators.captions import score_captions

NUM, SEED = 12, 5
SHOWN = list(scenes("heldout", NUM, SEED))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The exported folder."""
    out = tmp_path_factory.mktemp("export") / "scenes"
    counts = export(out, num=NUM, seed=SEED, split="heldout")
    assert counts["captions"] == 5 * NUM
    return out


def test_the_folder_holds_the_images(folder: Path):
    """Every pixel, in the order of the scenes."""
    images = open_images(folder / "images").images
    assert len(images) == NUM
    assert np.array_equal(images[0:NUM], np.stack([scene.image for scene in SHOWN]))


def test_files_read_back_as_what_is_in_memory(folder: Path):
    """COCO's reader, VQAv2's and POPE's: ids, texts, image names, answers and kinds; the format is told by itself."""
    assert coco_captions.load(folder / "captions.json") == caption_set(SHOWN)
    name, found = load_question_set(folder / "questions.json", folder / "annotations.json")
    assert (name, found) == ("vqa-v2", question_set(SHOWN))
    assert load_question_set(folder / "pope.json", None) == ("pope", pope_set(SHOWN))


def test_questions_are_those_of_the_scenes():
    """Each question once, its image that of its scene; ten answers, the yes/no ones balanced."""
    found = question_set(SHOWN)
    asked = [(f"{scene.index:06d}.png", question) for scene in SHOWN for question in scene.questions]
    assert [(q.file_name, q.question) for q in found.questions.values()] == [(name, q.text) for name, q in asked]
    assert all(len(truth.answers) == 10 for truth in found.truths.values())
    labels = [truth.answers[0] for truth in pope_set(SHOWN).truths.values()]
    assert labels.count("yes") == labels.count("no") == NUM


def test_scores_of_files_equal_scores_in_memory(folder: Path, tmp_path: Path, monkeypatch):
    """Captions and answers, half of them wrong, through results files and as they are: the same numbers (no Java)."""
    monkeypatch.setattr(java_scorers, "find_java", lambda: None)
    captions = {s.index: Text(s.captions[0] if s.index % 2 else "a red 3 top left", "end") for s in SHOWN}
    truths = question_set(SHOWN).truths
    answers = {one: Text(truth.answers[0] if one % 2 else "yes", "end") for one, truth in truths.items()}
    written = {
        "captions": [{"image_id": one, "caption": t.text, "finish": t.finish} for one, t in captions.items()],
        "answers": [{"question_id": one, "answer": t.text, "finish": t.finish} for one, t in answers.items()],
    }
    for name, content in written.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    read = coco_captions.load_results(tmp_path / "captions.json")
    by_file = score_captions(read, coco_captions.load(folder / "captions.json"))
    in_memory = score_captions(captions, caption_set(SHOWN))
    assert by_file["metrics"] == in_memory["metrics"]
    assert by_file["per_image"] == in_memory["per_image"]
    name, questions = load_question_set(folder / "questions.json", folder / "annotations.json")
    by_file = score_answers(load_results(tmp_path / "answers.json", name, questions), questions, name)
    in_memory = score_answers(answers, question_set(SHOWN))
    assert by_file["metrics"] == in_memory["metrics"]
    assert 0 < in_memory["metrics"]["vqa_accuracy"]["value"] < 100


@pytest.mark.parametrize(
    ("make", "split", "words"),
    [
        (lambda out: out.write_text("mine"), "heldout", "exists already; expected the name of a new folder"),
        (lambda out: (out / "a").mkdir(parents=True), "heldout", "exists already"),
        (lambda out: None, "test", "unknown split 'test'; known: train, heldout"),
    ],
)
def test_wrong_calls_are_refused_and_write_nothing(tmp_path: Path, make, split: str, words: str):
    """A file or a folder that is in use, an unknown split."""
    out = tmp_path / "scenes"
    make(out)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=words):
        export(out, num=2, seed=0, split=split)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_export_that_breaks_leaves_nothing(tmp_path: Path):
    """The disk full after the third image: no folder, no leftovers."""

    def full(done: int) -> None:
        if done == 3:
            raise OSError(28, "No space left on device")

    with pytest.raises(CheckFailed, match="not written: No space left on device"):
        export(tmp_path / "scenes", num=5, seed=0, split="train", advance=full)
    assert not list(tmp_path.iterdir())
