"""The scenes: what is said of a picture is what the picture shows, and training never meets a held-out scan."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench.datasets import digits, scenes
from bench.errors import UsageError
from bench.evaluators.paintings import recognise
from bench.training.train import scenes_job, train_model
from reference_models import build, find
from reference_models.autoencoders import RGBPatchLatents
from reference_models.checkpoints import read_state
from reference_models.digits import SCENE_TEXT, SCENE_WORDS
from reference_models.shipped import FOLDER_VARIABLE, SHIPPED

SPLITS = ("train", "heldout")
SOME = {split: list(scenes.scenes(split, 400, seed=3)) for split in SPLITS}


def test_a_scene_depends_on_split_seed_and_index_alone():
    """Scene 7 is the same whatever was made before it; another seed or split shows another."""
    alone = scenes.scene("heldout", 3, 7)
    assert alone == SOME["heldout"][7]
    assert alone.questions == SOME["heldout"][7].questions
    others = {scenes.scene("heldout", 4, 7).objects, scenes.scene("train", 3, 7).objects, SOME["heldout"][8].objects}
    assert alone.objects not in others


@pytest.mark.parametrize("split", SPLITS)
def test_every_cell_is_a_scan_of_the_split_in_its_colour(split: str):
    """Each object's cell holds its scan, of its class, in the channels of its colour; every other cell is black."""
    scans, labels = digits.load(split)
    for scene in SOME[split]:
        assert scene.image.shape == (3, 16, 16)
        assert scene.image.dtype == np.uint8
        rest = scene.image.copy()
        for thing in scene.objects:
            assert labels[thing.scan] == thing.digit
            row, column = 8 * (thing.row == "bottom"), 8 * (thing.column == "right")
            cell = rest[:, row : row + 8, column : column + 8]
            for channel, level in enumerate(scenes.COLOURS[thing.colour]):
                assert np.array_equal(cell[channel], scans[thing.scan, 0] * (level > 0))
            cell[:] = 0
        assert not rest.any()


def test_scenes_have_two_to_four_objects_and_every_colour_and_digit():
    """400 scenes: each count near a third, each of four colours near a quarter of the objects (five sigmas)."""
    counts = Counter(len(scene.objects) for scene in SOME["heldout"])
    assert set(counts) == {2, 3, 4}
    assert max(abs(count - 400 / 3) for count in counts.values()) < 5 * (400 * 2 / 9) ** 0.5
    things = [thing for scene in SOME["heldout"] for thing in scene.objects]
    colours = Counter(thing.colour for thing in things)
    assert set(colours) == set(scenes.COLOURS)
    assert max(abs(n - len(things) / 4) for n in colours.values()) < 5 * (len(things) * 3 / 16) ** 0.5
    assert {thing.digit for thing in things} == set(range(10))


def test_captions_name_everything_and_read_back():
    """Five wordings, all different, each naming digit, colour and place of every object and nothing else."""
    for scene in SOME["train"]:
        captions = scene.captions
        assert len(set(captions)) == 5
        for caption in captions:
            assert sorted(scenes.parse_caption(caption)) == sorted(thing.thing for thing in scene.objects)


def test_other_wordings_read_back_and_half_said_things_do_not():
    """Commas, full stops, number words and capitals do not matter; what is missing or said twice is None."""
    said = scenes.parse_caption("A red three at the top left; and, bottom right, 7.")
    assert said[0] == (3, "red", "top", "left")
    assert (None, None, "bottom", "right") in said
    assert scenes.parse_caption("a red 3 7 top left") == [(None, "red", "top", "left")]
    assert scenes.parse_caption("") == []


def test_the_vocabulary_is_closed_and_the_lengths_suffice():
    """The models' words are those of the data; no text needs more tokens than they have, its end included."""
    captions = [caption for scene in SOME["train"] for caption in scene.captions]
    asked = [f"{q.text} {q.answer}" for scene in SOME["train"] for q in scene.questions]
    assert {word for text in captions + asked for word in text.split()} == set(SCENE_WORDS)
    assert max(len(text.split()) for text in captions) + 1 == SCENE_TEXT["text_length"]
    assert max(len(text.split()) for text in asked) + 1 == SCENE_TEXT["question_length"]


def answers_from_the_picture(question: str, things: list[scenes.Thing]) -> set[str]:
    """Every answer that fits, worked out from the words of the question: more than one if it is ambiguous."""
    words = question.replace(" ?", "").split()

    def matching(part: list[str]) -> list[scenes.Thing]:
        said = {word for word in part if word in {*SCENE_WORDS} - {"a", "the", "digit", "digits", "at", "is"}}
        return [t for t in things if said <= {str(t[0]), *t[1:]}]

    match words:
        case ["which", "digit", "is", *which]:
            return {str(t[0]) for t in matching(which)} if len(matching(which)) == 1 else set()
        case ["what", "colour", "is", *which]:
            return {t[1] for t in matching(which)} if len(matching(which)) == 1 else set()
        case ["where", "is", *which]:
            return {f"{t[2]} {t[3]}" for t in matching(which)} if len(matching(which)) == 1 else set()
        case ["how", "many", *which, "are", "there"]:
            return {str(len(matching(which)))}
        case ["is", "there", *which]:
            return {"yes" if matching(which) else "no"}
        case ["is", "the", a, "left", "or", "right", "of", "the", b]:
            return {t[3] for t in matching([a]) for u in matching([b]) if t[3] != u[3]}
        case ["is", "the", a, "above", "or", "below", "the", b]:
            return {
                {"top": "above", "bottom": "below"}[t[2]] for t in matching([a]) for u in matching([b]) if t[2] != u[2]
            }
    raise AssertionError(question)


def test_every_question_has_exactly_its_answer():
    """Worked out again from the recognised things and the words of the question; a scene asks nothing twice."""
    for scene in SOME["heldout"] + SOME["train"]:
        things = [thing.thing for thing in scene.objects]
        for question in scene.questions:
            assert answers_from_the_picture(question.text, things) == {question.answer}, (question, things)
        assert len({question.text for question in scene.questions}) == len(scene.questions)


def test_yes_and_no_are_balanced_for_every_kind_of_thing():
    """Half of the questions are answered yes, exactly; of each kind of thing (POPE) half, within five sigmas."""
    answers = defaultdict(list)
    for scene in SOME["heldout"] + SOME["train"]:
        for question in scene.questions:
            if question.answer_type == "yes/no":
                words = question.text.split()
                kind = " ".join("7" if w.isdigit() else "red" if w in scenes.COLOURS else w for w in words[3:5])
                answers[kind + " at" * ("at" in words)].append(question.answer == "yes")
                answers["all"].append(question.answer == "yes")
    assert np.mean(answers["all"]) == 0.5
    assert set(answers) == {"all", "7 ?", "red 7", "red digit", "digit at at"}
    for kind, said in answers.items():
        assert abs(sum(said) - len(said) / 2) < 5 * len(said) ** 0.5 / 2, kind


def test_ten_annotators_mostly_agree():
    """The right answer is given by at least seven of ten; a few say otherwise; its leave-one-out accuracy is 100."""
    questions = [question for scene in SOME["heldout"] for question in scene.questions]
    agreeing = np.array([question.answers.count(question.answer) for question in questions])
    assert {len(question.answers) for question in questions} == {10}
    assert agreeing.min() >= 7
    assert 0.05 < (agreeing < 10).mean() < 0.5
    assert {question.answer_type for question in questions} == {"yes/no", "number", "other"}


def test_real_scenes_are_recognised():
    """The recogniser reads at least 99 % of 400 held-out scenes whole: what it calls wrong in a picture is wrong."""
    found = recognise(np.stack([scene.image for scene in SOME["heldout"]]))
    right = [things == [o.thing for o in scene.objects] for things, scene in zip(found, SOME["heldout"], strict=True)]
    assert np.mean(right) >= 0.99


def test_latents_are_the_picture():
    """Patches of 4x4 pixels, 48 channels on 4x4 positions, and back without loss; about zero mean and unit spread."""
    images = torch.from_numpy(np.stack([scene.image for scene in SOME["train"]])).float() / 127.5 - 1
    latents = RGBPatchLatents().encode(images)
    assert latents.shape == (400, 48, 4, 4)
    assert torch.allclose(RGBPatchLatents().decode(latents), images, atol=1e-6)
    assert latents.mean().abs() < 0.05
    assert abs(latents.std() - 1) < 0.05


@pytest.mark.parametrize("name", ["d-dit-digits-base", "ar-vlm-digits"])
def test_a_training_step_depends_on_seed_and_step_alone(name: str):
    """The same indices and generator give the same loss and gradients whatever came before; another seed others."""

    def loss(seed: int, warm_up: bool = False) -> torch.Tensor:
        job = scenes_job(name, seed, "cpu")
        indices = torch.arange(8)
        if warm_up:
            job.loss(indices + 8, torch.Generator().manual_seed(0))
        return job.loss(indices, torch.Generator().manual_seed(5))

    assert torch.equal(loss(0), loss(0, warm_up=True))
    assert not torch.equal(loss(0), loss(1))


def test_the_second_stage_starts_from_the_weights_of_the_first(tmp_path, monkeypatch):
    """Its recipe asks more of each scene, and lets text weigh as much as the image."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match="'d-dit-digits' is fine-tuned from 'd-dit-digits-base', which has no weights"):
        scenes_job("d-dit-digits", 0, "cpu")
    base = build("d-dit-digits-base", weights=None, seed=3)
    save_file(base.state_dict(), tmp_path / "d-dit-digits-base.safetensors")
    job = scenes_job("d-dit-digits", 0, "cpu")
    assert job.made_from == (tmp_path / "d-dit-digits-base.safetensors",)
    assert all(torch.equal(value, base.state_dict()[key]) for key, value in job.model.state_dict().items())
    first, second = find("d-dit-digits-base").recipe, find("d-dit-digits").recipe
    assert (first.num_questions, first.text_weight) == (3, None)
    assert (second.num_questions, second.text_weight) == (8, 1.0)
    heard = []
    monkeypatch.setattr(job.model, "training_loss", lambda *args, **kwargs: heard.append(kwargs))
    job.loss(torch.arange(4), torch.Generator().manual_seed(0))
    assert heard[0]["text_weight"] == 1.0
    assert len(heard[0]["questions"][0]) == 4 * 8


@pytest.mark.parametrize(("name", "dtype"), [("ar-vlm-digits", torch.float16), ("d-dit-digits-base", torch.float32)])
def test_what_ships_is_kept_in_half_precision_and_computed_in_float32(name, dtype, tmp_path):
    """And what another training goes on from is not rounded."""
    path = train_model(name, seed=0, num_steps=1, out=tmp_path / "weights.safetensors")
    assert {value.dtype for value in read_state(path).values()} == {dtype}
    assert build(name, weights=path).dtype == torch.float32


def test_all_shipped_weights_stay_below_25_megabytes():
    sizes = {path.name: path.stat().st_size for path in SHIPPED.glob("*.safetensors")}
    assert len(sizes) == 11
    assert sum(sizes.values()) < 25 * 2**20
    assert sizes["d-dit-digits.safetensors"] < 6e6
