"""What runs of the scenes scale measure, on readers and generators whose mistakes are known; and a whole smoke run."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import bench.protocols
from bench.datasets.scenes import COLOURS, COLUMNS, ROWS, parse_caption, scenes
from bench.evaluators import Context, java_scorers
from bench.evaluators.answers import measure_answers
from bench.evaluators.captions import measure_captions
from bench.evaluators.paintings import measure_paintings, measure_real_scenes
from bench.evaluators.scene_examples import chosen
from bench.metrics import METRICS
from bench.metrics.captions import fallback_tokenize
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from bench.records.json_files import plain
from bench.records.schema import REAL_DATA, RunSpec
from bench.records.store import load_records
from bench.run import run_plan
from bench.training.schedule import retrain_for
from reference_models import build
from reference_models.shipped import FOLDER_VARIABLE
from reference_models.spec import Network, Spec
from reference_models.texts import ReadsImages, Said

HERE = Context("cpu", Path("unused"), "key")
NUM = 20
SHOWN = list(scenes("heldout", NUM))
MODELS = ("d-dit-digits", "ar-vlm-digits")


@pytest.fixture(autouse=True)
def no_java(monkeypatch):
    """METEOR takes seconds: left out, and its reason kept."""
    monkeypatch.setattr(java_scorers, "find_java", lambda: None)


def run_of(name: str, num: int = NUM) -> RunSpec:
    protocol = PROTOCOLS[name]
    return RunSpec("stub", protocol.__class__(**{**vars(protocol), "num_images": num, "batch_size": 8}))


class Stub(ReadsImages):
    """Knows every scene by its image. It says nothing of scene 3, and of scenes 0, 5, 10, ... what is not there."""

    device = torch.device("cpu")
    spec = Spec("stub", "stub", Network(""), {}, {"num_steps": 4}, "", "scenes", 16, "this test")
    by_image: ClassVar = {scene.image.tobytes(): scene for scene in SHOWN}

    def say(self, images, prompts, seeds):
        found = []
        for image, prompt in zip(images, prompts, strict=True):
            scene = self.by_image[image.numpy().tobytes()]
            truth = {"": scene.captions[1], **{q.text: q.answer for q in scene.questions}}[prompt]
            text = "a red 3" if scene.index % 5 == 0 else "" if scene.index == 3 else truth
            found.append(Said(text, "end" if text else "end-first", {"network": 2 + (prompt == "")}))
        return found

    def generate(self, prompts, seeds, **settings):
        """What each prompt says, shown with the scans of the first scene that shows such a digit; 0, 5, ... black."""
        scans = {thing.digit: thing.scan for scene in SHOWN for thing in scene.objects}
        from bench.datasets import digits

        images = torch.zeros(len(prompts), 3, 16, 16, dtype=torch.uint8)
        for image, prompt in zip(images, prompts, strict=True):
            if prompt in self.left_black:
                continue
            for digit, colour, row, column in parse_caption(prompt):
                scan = torch.from_numpy(digits.load("heldout")[0][scans[digit], 0])
                top, left = 8 * ROWS.index(row), 8 * COLUMNS.index(column)
                for channel, level in enumerate(COLOURS[colour]):
                    if level:
                        image[channel, top : top + 8, left : left + 8] = scan
        return images

    def network_evaluations(self, **settings):
        return {"denoiser": settings["num_steps"]}

    left_black: ClassVar = {scene.caption(scene.index % 5) for scene in SHOWN[::5]}


def check_examples(examples, keys):
    """At most 24, the wrong ones first, each with a picture of 16x16; ready for JSON."""
    assert 0 < len(examples) <= 24
    right = [one.right for one in examples]
    assert right == sorted(right)
    for one in examples:
        assert {name for name in ("accuracy", "tasks") if getattr(one, name) is not None} == keys
        with Image.open(io.BytesIO(base64.b64decode(one.image_png))) as image:
            assert image.size == (16, 16)
    plain(examples)


def test_captions_are_right_or_wrong_as_a_whole():
    """Five of twenty are wrong (0, 3, 5, 10, 15): 75 %; scores against all five references; nothing said is audited."""
    found = measure_captions(Stub(), run_of("scenes-captions"), HERE)
    accuracy = found["measurements"]["caption_accuracy"]
    assert (accuracy.value, accuracy.n, accuracy.unit) == (75.0, NUM, "%")
    assert accuracy.ci_low < 75 < accuracy.ci_high
    assert found["measurements"]["nfe"].value == 3
    assert {*found["measurements"]} == {*PROTOCOLS["scenes-captions"].metrics} - {"meteor"}
    texts, samples = found["texts"], found["samples"]
    assert "meteor" in texts.not_run
    assert texts.audit.num_end_first == 1
    assert texts.without_degenerate["cider"].n == NUM - 1
    assert len(texts.rounds_s) == 2
    assert texts.nfe == {"network": 3.0}
    assert [(row.scene, row.num) for row in samples.scenes] == [(i, 1) for i in range(NUM)]
    for name in ("cider", "caption_accuracy"):
        mean = np.mean([row.totals[name] for row in samples.scenes])
        assert mean == pytest.approx(found["measurements"][name].value)
    assert [row.scene for row in samples.scenes if not row.totals["caption_accuracy"]] == [0, 3, 5, 10, 15]
    check_examples(samples.examples, set())
    assert [one.scene for one in samples.examples if not one.right] == [0, 3, 5, 10, 15]
    assert samples.examples[0].references == tuple(SHOWN[0].captions)


def test_the_study_of_captions_does_not_wait_for_meteor(monkeypatch):
    """Its Java is not even started; the other scores are those of the same captions."""
    with_all = measure_captions(Stub(), run_of("scenes-captions"), HERE)["measurements"]
    monkeypatch.setattr(java_scorers, "tokenize", lambda captions: [fallback_tokenize(one) for one in captions])
    monkeypatch.setattr(java_scorers, "meteor", lambda *given: pytest.fail("METEOR was asked"))
    found = measure_captions(Stub(), run_of("scenes-captions-study"), HERE)
    assert {*found["measurements"]} == {*PROTOCOLS["scenes-captions-study"].metrics}
    assert found["measurements"]["cider"] == with_all["cider"]


def test_answers_are_scored_as_vqa_and_as_pope():
    """The share of questions that are of scenes answered rightly; an empty answer and "a red 3" are POPE's yes."""
    found = measure_answers(Stub(), run_of("scenes-answers"), HERE)
    wrong = {0, 3, 5, 10, 15}
    questions = [(scene.index, question) for scene in SHOWN for question in scene.questions]
    share = np.mean([index not in wrong for index, _ in questions])
    scores = found["measurements"]
    assert {*scores} == {*PROTOCOLS["scenes-answers"].metrics}
    assert scores["vqa_accuracy"].n == len(questions)
    assert scores["vqa_accuracy"].value == pytest.approx(100 * share, abs=2.5)  # "3" answers a question or two
    assert scores["pope_recall"].value == 100
    assert scores["pope_accuracy"].value == pytest.approx(100 * (1 - len(wrong) / NUM / 2))
    assert scores["pope_accuracy"].n == 2 * NUM
    assert scores["pope_yes_ratio"].value == pytest.approx(100 * (0.5 + len(wrong) / NUM / 2))
    kinds = found["texts"].by_question_type
    assert sum(kind.n for kind in kinds.values()) == len(questions)
    assert set(kinds) == {question.question_type for _, question in questions}
    assert "pope_accuracy" in found["texts"].without_degenerate
    kept, examples = found["samples"].scenes, found["samples"].examples
    assert [(row.scene, row.num) for row in kept] == [(scene.index, len(scene.questions)) for scene in SHOWN]
    totals = [row.totals["vqa_accuracy"] for row in kept]
    assert sum(totals) / len(questions) == pytest.approx(scores["vqa_accuracy"].value)
    assert totals[3] == 0  # nothing was said
    check_examples(examples, {"accuracy"})
    assert all((one.accuracy > 0.5) == one.right for one in examples)


def test_paintings_are_read_back():
    """Four of twenty scenes black, the others as the prompt says: 80 % in every task."""
    found = measure_paintings(Stub(), run_of("scenes-paintings"), HERE)
    for name, score in found["measurements"].items():
        if name.startswith("scene_"):
            assert score.value == 80, name
    assert found["measurements"]["nfe"].value == 4
    assert {*found["measurements"]} == {*PROTOCOLS["scenes-paintings"].metrics}
    examples = found["samples"].examples
    check_examples(examples, {"tasks"})
    black, shown = examples[0], examples[-1]
    assert (black.text, black.right) == ("", False)
    assert not any(black.tasks.values())
    assert sorted(parse_caption(shown.text)) == sorted(parse_caption(shown.prompt))


def test_real_scenes_are_the_checkers_ceiling():
    """As if the data themselves had generated: nearly all are right, and no model ran."""
    found = measure_real_scenes(None, run_of("scenes-paintings", 200), HERE)
    assert found["measurements"]["scene_accuracy"].value >= 99
    assert found["measurements"]["scene_accuracy"].n == 200
    assert "nfe" not in found["measurements"]


def test_examples_are_spread():
    """Twelve wrong ones and twelve right ones from all over; of few wrong ones all, and the rest is right."""
    assert chosen([i % 2 == 0 for i in range(240)])[:12] == list(range(1, 240, 20))
    few = chosen([i not in (7, 90) for i in range(100)])
    assert few[:2] == [7, 90]
    assert len(few) == 24
    assert chosen([True, False]) == [1, 0]


def test_every_metric_of_the_scenes_is_described():
    for name, protocol in PROTOCOLS.items():
        if protocol.scale == "scenes":
            assert set(protocol.metrics) <= set(METRICS), name


def test_a_smoke_run_of_the_scale(tmp_path, monkeypatch):
    """Both models under every protocol they can do, and the ceiling; their settings are those of what they did."""
    monkeypatch.setattr(bench.protocols, "QUICK_IMAGES", 4)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    options = {"scale": "scenes", "only": MODELS, "quick": True, "device": "cpu", "results": tmp_path / "results"}
    before = make_plan(**options)
    assert [run.spec.model for run in before.runs if not run.lacks] == [REAL_DATA]
    assert all("python -m bench train" in run.lacks[0] for run in before.runs if run.lacks)
    for name in MODELS:
        save_file(dict(build(name, weights=None).state_dict()), tmp_path / f"{name}.safetensors")
    assert run_plan(make_plan(**options)) == []
    loaded = load_records([tmp_path / "results" / "quick"])
    assert not loaded.faults
    found = {(record.model, record.protocol.collects): record for record in loaded.records}
    reading = {(name, what) for name in MODELS for what in ("captions", "answers")}
    assert set(found) == reading | {("d-dit-digits", "paintings"), (REAL_DATA, "paintings")}
    assert found["d-dit-digits", "captions"].settings == {"num_steps": 64, "cached": True}
    assert found["d-dit-digits", "paintings"].settings == dict(build("d-dit-digits").spec.sampling)
    assert found["ar-vlm-digits", "answers"].settings == {"temperature": 0.0}
    assert found["ar-vlm-digits", "answers"].family == "ar-vlm"
    assert found[REAL_DATA, "paintings"].family == "real"
    assert all(record.inputs.weights_sha256 for key, record in found.items() if key[0] != REAL_DATA)


def test_all_models_of_the_scale_are_trained_again(tmp_path, monkeypatch):
    """`--retrain --scale scenes` trains the two, into a folder that this process then reads."""
    trained = []
    monkeypatch.setenv(FOLDER_VARIABLE, "nowhere")
    monkeypatch.setattr(
        bench.training.schedule, "train_all", lambda names, **where: trained.append((list(names), where))
    )
    retrain_for("scenes", (), tmp_path, "cpu")
    ((names, where),) = trained
    assert names == list(MODELS)
    assert where["folder"].is_relative_to(tmp_path)
