"""Captions and answers of released weights, from the plan to the verdict, with small stand-ins of all files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import bench.run
from bench import assets
from bench.assets.checksums import FOLDER_VARIABLE as CACHE
from bench.assets.lookup import FOLDER_VARIABLE
from bench.claims.ledger import ledger
from bench.datasets.texts import Text
from bench.errors import CheckFailed
from bench.evaluators import benchmark_texts
from bench.evaluators.answers import score_answers
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from bench.records.schema import RunSpec
from bench.records.store import load_records
from bench.run import run_plan
from bench.verdict.judge import judge
from reference_models.texts import Said
from tests.command_line import write
from tests.official import use_pipeline, write_pipeline

NAME = "d-dit-512"
NUM_IMAGES = 4
NAMES = [f"COCO_val2014_{i:012d}.jpg" for i in range(1, NUM_IMAGES + 1)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An assets folder with a small COCO, its own and nothing else."""
    folder = tmp_path / "assets"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    draw(folder / "coco/val2014", NAMES)
    (folder / "coco/annotations").mkdir()
    captions = [
        {"image_id": i, "id": 10 * i + k, "caption": f"{a} dog number {i} runs {k}"}
        for i in range(1, NUM_IMAGES + 1)
        for k, a in enumerate(("a", "the"))
    ]
    images = [{"id": i, "file_name": name} for i, name in enumerate(NAMES, 1)]
    write(folder / "coco/annotations/captions_val2014.json", {"images": images, "annotations": captions})
    return folder


def draw(folder, names):
    """Photographs of noise."""
    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (50, 70, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)


def give_vqa(folder):
    (folder / "vqa-v2").mkdir()
    asked = [{"question_id": i, "image_id": i, "question": f"what is {i}?"} for i in range(1, NUM_IMAGES + 1)]
    answers = [
        {
            "question_id": i,
            "image_id": i,
            "question_type": "what is",
            "answer_type": "other",
            "answers": [{"answer": "two"}] * 10,
        }
        for i in range(1, NUM_IMAGES + 1)
    ]
    write(folder / "vqa-v2/v2_OpenEnded_mscoco_val2014_questions.json", {"questions": asked})
    write(folder / "vqa-v2/v2_mscoco_val2014_annotations.json", {"annotations": answers})


def give_pope(folder):
    where = folder / "github.com/AoiDragon/POPE/output/coco"
    where.mkdir(parents=True)
    for kind, labels in (("random", "yes no"), ("popular", "yes no"), ("adversarial", "no no no no")):
        rows = [
            {"question_id": i, "image": NAMES[0], "text": f"Is there a {kind}?", "label": label}
            for i, label in enumerate(labels.split(), 1)
        ]
        write(where / f"coco_pope_{kind}.json", rows)


def give_mme(folder, subtasks=("existence", "count", "position", "color")):
    for subtask in subtasks:
        draw(folder / "mme" / subtask, ["1.jpg"])
        write(folder / "mme" / subtask / "1.txt", "Is it?\tYes\nIs it not?\tNo\n")


def spec_of(protocol, **settings):
    return RunSpec(NAME, PROTOCOLS[protocol], settings)


class Speaker:
    """Says yes to everything, and keeps what it was asked."""

    dtype = "torch.bfloat16"
    device = "cpu"

    def __init__(self, fails_after=None):
        self.spec = replace(reference_spec(), image_size=32)
        self.asked, self.settings, self.fails_after = [], [], fails_after

    def say(self, images, prompts, seeds, **settings):
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise KeyboardInterrupt
        assert images.shape[1:] == (3, 32, 32)
        self.asked += prompts
        self.settings.append(settings)
        return [Said("Yes", "end", {"denoiser": 3, "text_encoder": 1})] * len(prompts)


def reference_spec():
    from reference_models import find

    return find(NAME)


@pytest.fixture
def collected(folder, tmp_path, monkeypatch):
    """Collects the texts of a run by a Speaker; the weights are never read."""
    monkeypatch.setattr(benchmark_texts, "identity", lambda spec, work: type("Identity", (), {"files": {"w": "1"}}))

    def collect(spec, model):
        return benchmark_texts.collect_run(model, spec, tmp_path / "work", batch_size=1)

    return collect


@pytest.mark.slow  # imports diffusers and transformers
@pytest.mark.parametrize(
    ("scale", "weights", "claims"),
    [
        ("coco-captions", "dual_diff_sd3_512_base", {"d-dit-cider": {}, "d-dit-caption-steps": {"num_steps": 4}}),
        ("vqa-v2", "dual_diff_sd3_512_sft", {"d-dit-vqa": {}, "d-dit-vqa-steps": {"num_steps": 4}}),
    ],
)
def test_a_printed_number_is_judged_from_weights_and_data_alone(folder, tmp_path, monkeypatch, scale, weights, claims):
    """Plan, run, record, verdict; at the published steps and at those that a claim names."""
    give_vqa(folder)
    released = folder / "huggingface.co/JleeOfficial" / weights
    released.mkdir(parents=True)
    write_pipeline(released)
    assets.table()
    use_pipeline(monkeypatch)
    monkeypatch.setattr(bench.run, "num_workers", lambda device: 1)  # a child would not know the small model
    planned = make_plan(scale=scale, only=(NAME,), quick=False, device="cpu", results=tmp_path / "results")
    texts = [run for run in planned.runs if run.spec.protocol.collects in ("captions", "answers")]
    assert not any(run.lacks for run in texts)
    runs = [run for run in texts if run.spec.settings in claims.values()]
    assert [set(claims) & set(run.answers) for run in runs] == [{name} for name in claims]
    assert run_plan(replace(planned, runs=tuple(runs))) == []
    loaded = load_records([tmp_path / "results"])
    assert not loaded.faults
    metrics = set(PROTOCOLS[runs[0].spec.protocol.name].metrics)
    for record in loaded.records:
        assert metrics - {"meteor"} <= set(record.measurements) <= metrics
        assert record.measurements["nfe"].value > 0
        assert record.texts.audit.num_texts == NUM_IMAGES
        assert record.texts.rounds_s == ()
        assert record.texts.scoring["precision"] == "bfloat16"
        assert any("4 of 40,504 files" in warning for warning in record.texts.warnings)
        assert [example.image_png for example in record.samples.examples] == [""] * NUM_IMAGES
    usual = {"coco-captions": 64, "vqa-v2": 32}[scale]
    assert sorted(record.settings["num_steps"] for record in loaded.records) == [4, usual]
    for name in claims:
        claim = next(claim for claim in ledger() if claim.id == name)
        verdict = judge(claim, loaded.records)[0]
        assert verdict.word in ("not reproduced", "inconclusive")
        fewer = {
            "coco-captions": "4 of the 40,504 captioned images and 8 of the 202,654 reference captions",
            "vqa-v2": "4 of the 214,354 questions",
        }
        assert f"Scored on less than is published: {NAME}: {fewer[scale]}" in verdict.reason


def test_the_settings_in_force_reach_the_model(folder, collected):
    """The authors' steps of captions, or those of a claim; each a set of its own in the store."""
    usual, few = Speaker(), Speaker()
    names = {collected(spec_of("coco-captions-captions"), usual).name}
    names.add(collected(spec_of("coco-captions-captions", num_steps=4), few).name)
    assert {one["num_steps"] for one in usual.settings} == {64}
    assert {one["num_steps"] for one in few.settings} == {4}
    assert {one["length"] for one in (*usual.settings, *few.settings)} == {128}
    assert len(names) == 2
    assert usual.asked == [""] * NUM_IMAGES


def test_a_run_that_was_killed_goes_on_where_it_stopped(folder, collected):
    killed, other = Speaker(fails_after=2), Speaker()
    spec = spec_of("coco-captions-captions")
    with pytest.raises(KeyboardInterrupt):
        collected(spec, killed)
    stored = collected(spec, other)
    assert len(killed.asked) + len(other.asked) == NUM_IMAGES
    assert stored.is_complete()
    assert len(stored.read()) == NUM_IMAGES


def test_other_images_are_other_texts(folder, collected):
    first = collected(spec_of("coco-captions-captions"), Speaker())
    Image.new("RGB", (80, 40), "red").save(folder / "coco/val2014" / NAMES[0])
    again = Speaker()
    assert collected(spec_of("coco-captions-captions"), again).name != first.name
    assert len(again.asked) == NUM_IMAGES


def test_an_image_that_cannot_be_read_ends_the_run_before_any_work(folder, collected):
    (folder / "coco/val2014" / NAMES[1]).write_bytes(b"no image")
    model = Speaker()
    with pytest.raises(CheckFailed, match=f"1 of {NUM_IMAGES} images cannot be read .*{NAMES[1]}"):
        collected(spec_of("coco-captions-captions"), model)
    assert not model.asked


def test_pope_is_the_mean_over_its_three_files(folder, collected):
    """Each starts its ids at 1. All yes: accuracy 50, 50 and 0 %, F1 2/3, 2/3 and 0; pooled: 25 and 40 %."""
    give_pope(folder)
    model, spec = Speaker(), spec_of("pope-answers")
    asked, questions = benchmark_texts.asked_questions(spec)
    stored = collected(spec, model)
    said = stored.read()
    assert model.asked[0] == "Q: Is there a random? Answer the question using a single word or phrase. A: "
    scores = score_answers(benchmark_texts.texts_by_id(asked, said), questions, "pope")
    found = benchmark_texts.record_fields(model, spec, asked, stored, said, scores)
    values = {name: measured.value for name, measured in found["measurements"].items()}
    assert values == pytest.approx({"pope_accuracy": 100 / 3, "pope_f1": 100 * 4 / 9, "nfe": 4})
    types = found["texts"].by_question_type
    assert {name: (one.accuracy, one.n) for name, one in types.items()} == {
        "random": (50, 2),
        "popular": (50, 2),
        "adversarial": (0, 4),
    }


def test_mme_sums_what_is_there_and_names_what_is_not(folder, collected):
    give_mme(folder)
    model, spec = Speaker(), spec_of("mme-answers")
    asked, questions = benchmark_texts.asked_questions(spec)
    stored = collected(spec, model)
    said = stored.read()
    scores = score_answers(benchmark_texts.texts_by_id(asked, said), questions, "mme")
    found = benchmark_texts.record_fields(model, spec, asked, stored, said, scores)
    assert set(found["measurements"]) == {"nfe"}  # four of the ten subtasks of perception are no perception
    assert set(found["texts"].not_run) == {"mme_perception", "mme_cognition"}
    assert found["texts"].by_question_type["count"].accuracy == 50
    assert found["texts"].by_question_type["count"].n == 2


def test_a_smoke_run_asks_the_first_ones(folder, monkeypatch):
    monkeypatch.setattr(benchmark_texts, "QUICK_IMAGES", 3)
    spec = RunSpec(NAME, replace(PROTOCOLS["coco-captions-captions"], quick=True))
    asked, references = benchmark_texts.asked_captions(spec)
    assert asked.ids == list(references.captions_by_image) == [1, 2, 3]


def test_texts_keep_the_ids_of_their_benchmark(folder):
    asked, _ = benchmark_texts.asked_captions(spec_of("coco-captions-captions"))
    said = [Said(f"{i}", "end", {}) for i in range(NUM_IMAGES)]
    assert benchmark_texts.texts_by_id(asked, said)[2] == Text("1", "end")
