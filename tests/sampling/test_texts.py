"""Collected texts: each depends on its seed, its index and its item alone; how it ended and what it cost is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.datasets.scenes import scenes
from bench.sampling.texts import Item, collect_texts
from reference_models import build, layers
from reference_models.digits import SCENE_WORDS
from reference_models.masked_text import reveal_steps
from reference_models.noise import SeededNoise, image_seeds
from reference_models.text_encoders import WordTokenizer
from reference_models.texts import read_said

DRAWN = {"d-dit-digits": {"num_steps": 8}, "ar-vlm-digits": {"temperature": 1.0}}  # words are drawn at these settings


@pytest.fixture(scope="module", params=DRAWN)
def model(request):
    """The model of the scenes, with random weights none of which is zero, so that what it says depends on the image."""
    model = build(request.param, weights=None)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture(scope="module")
def items():
    """Captions and questions of five scenes, in turn; every other image is read when it is its turn."""
    asked = [(scene, prompt) for scene in scenes("heldout", 5) for prompt in ("", scene.questions[0].text)]
    return [
        Item((lambda image=scene.image: image) if i % 2 else scene.image, prompt)
        for i, (scene, prompt) in enumerate(asked)
    ]


def test_a_text_depends_on_its_seed_and_index_alone(model, items):
    """One at a time, in fours or all at once: the same texts, endings and evaluations; of two equal items too."""
    drawn = DRAWN[model.spec.name]
    found = [collect_texts(model, items, seed=3, batch_size=size, settings=drawn) for size in (1, 4, len(items))]
    assert found[0].texts == found[1].texts == found[2].texts
    assert found[0].evaluations == pytest.approx(found[2].evaluations)
    assert len({text.text for text in found[0].texts}) > len(items) / 2
    twice = collect_texts(model, [items[0], items[0]], seed=3, batch_size=2, settings=drawn)
    assert twice.texts[0] != twice.texts[1]
    assert twice.texts[0] == found[0].texts[0]


def test_only_whole_batches_are_rounds(model, items):
    """Ten texts in fours: two rounds, for the last batch of two says nothing of the time of four."""
    done = []
    settings = DRAWN[model.spec.name]
    found = collect_texts(model, items, seed=0, batch_size=4, settings=settings, advance=done.append)
    assert len(found.rounds_s) == 2
    assert min(found.rounds_s) > 0
    assert done == [4, 8, 10]


def test_rounds_hold_no_added_rows_and_other_batches_do(model, items, monkeypatch):
    """Rows that make a text independent of its batch are no work of the network: a round is timed without them."""
    added, say = [], model.say
    monkeypatch.setattr(model, "say", lambda *args, **kw: added.append(layers.ENOUGH_ROWS > 1) or say(*args, **kw))
    collect_texts(model, items, seed=0, batch_size=4, settings=DRAWN[model.spec.name])
    assert added == [False, False, True]


def test_the_end_of_every_text_is_known(model, items):
    """A head that only ends ends first; one that never ends is cut at the length."""
    head = model.text_head if model.spec.family == "d-dit" else model.head
    before = {key: value.clone() for key, value in head.state_dict().items()}
    torch.nn.init.zeros_(head.weight)
    for wanted, word in (("end-first", 0), ("length", 3)):
        with torch.no_grad():
            head.bias.zero_()[word] = 100.0
        texts = collect_texts(model, items[:3], seed=0, settings=DRAWN[model.spec.name]).texts
        assert {text.finish for text in texts} == {wanted}
        assert all((not text.text) == (wanted == "end-first") for text in texts)
    head.load_state_dict(before)


@pytest.mark.parametrize(("text", "finish"), [("a red 3", "end"), ("", "end-first"), ("0 1 2 3 4", "length")])
def test_a_row_of_tokens_says_how_it_ended(text, finish):
    """Words and then an end token, an end token at once, none at all."""
    tokenizer = WordTokenizer(SCENE_WORDS)
    said = read_said(tokenizer, tokenizer.tokenize([text], 6)[0, :5], {})
    assert (said.text, said.finish) == (text, finish)


def test_evaluations_of_d_dit_are_those_of_its_reveals():
    """The mean over texts of the distinct steps in which the seeds reveal something; without the cache every step."""
    model, num_steps, num = build("d-dit-digits", weights=None), 6, 5
    items = [Item(np.zeros((3, 16, 16), np.uint8), "") for _ in range(num)]
    when = SeededNoise(image_seeds(0, range(num))).uniform(2, model.text_length)[:, 0]
    expected = np.mean([len(set(row)) for row in reveal_steps(when, num_steps).tolist()])
    found = {
        cached: collect_texts(model, items, seed=0, batch_size=2, settings={"num_steps": num_steps, "cached": cached})
        for cached in (True, False)
    }
    assert found[True].evaluations == pytest.approx({"denoiser": expected, "text_encoder": expected})
    assert found[False].evaluations == {"denoiser": num_steps + 1, "text_encoder": num_steps + 1}
    assert found[True].texts == found[False].texts


def test_evaluations_of_the_autoregressive_model_are_its_words():
    """The image once, then one evaluation per word and one for the end."""
    model = build("ar-vlm-digits", weights=None)
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    items = [Item(scene.image, "how many digits are there ?") for scene in scenes("heldout", 8)]
    found = collect_texts(model, items, seed=0, batch_size=3)
    words = [len(text.text.split()) + (text.finish != "length") for text in found.texts]
    assert found.evaluations == pytest.approx({"image": 1, "words": np.mean(words)})
    model.run, calls = counted(model.run)
    collect_texts(model, items[:1], seed=0)
    assert calls[0] == 1 + words[0]


def counted(function):
    """(the function, how often it was called)."""
    calls = [0]

    def counting(*args):
        calls[0] += 1
        return function(*args)

    return counting, calls
