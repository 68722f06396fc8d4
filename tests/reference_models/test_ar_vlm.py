"""The autoregressive baseline: the cache changes nothing, neither does the batch; it reads and generates no image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reference_models import build
from reference_models.ar_vlm import ArVlm
from reference_models.autoencoders import RGBPatchLatents
from reference_models.sizes.ar_vlm import AR_VLM
from reference_models.spec import Spec

WORDS = ("a", "red", "seven", "two", "?", "which", "digit")
LENGTH, QUESTION_LENGTH = 8, 6


@pytest.fixture
def model() -> ArVlm:
    """A tiny model with no weight zero, on 16x16 images in 4x4 patches."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "depth": 2, "num_heads": 2, "in_channels": 48, "num_patches": 16}
    model = ArVlm(**sizes, words=WORDS, text_length=LENGTH, question_length=QUESTION_LENGTH).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    spec = Spec("ar-vlm-toy", "ar-vlm", AR_VLM, {}, {}, "patch-4x4-rgb", "scenes", 16, "this test")
    model.attach(spec, RGBPatchLatents)
    return model


def images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 3, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def without_cache(model: ArVlm, image: Tensor, prompt: str, length: int) -> str:
    """Greedy, the whole text evaluated again for every word, position by position."""
    end = model.tokenizer.end_id
    latents = model.autoencoder.encode(image[None].float() / 127.5 - 1)
    tokens = [word for word in model.tokenizer.tokenize([prompt], length)[0].tolist() if word != end]
    start = len(tokens)
    while len(tokens) < length and (len(tokens) == start or tokens[-1] != end):
        text = torch.tensor([[end, *tokens]])
        x = torch.cat([model.embed_image(latents), model.embed_text(text)], 1)
        features, _ = model.run(x, model.texts_mask([text.shape[1]], x.device))
        tokens.append(int(model.head(features[0, -1]).argmax()))
    return model.tokenizer.decode(torch.tensor(tokens[start:]))


PROMPTS = ["", "which digit ?", "a red", "which ?", ""]


def test_the_cache_changes_no_word(model: ArVlm):
    """Captions and questions of different lengths in one batch are those of a model without cache, one by one."""
    pictures = images(5)
    expected = [
        without_cache(model, image, prompt, QUESTION_LENGTH if prompt else LENGTH)
        for image, prompt in zip(pictures, PROMPTS, strict=True)
    ]
    assert len(set(expected)) > 2  # a model that says one thing would show nothing
    assert model.describe(pictures, PROMPTS, list(range(5))) == expected


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_depends_on_image_prompt_and_seed_alone(model: ArVlm, temperature: float):
    """Alone as in the batch, drawn or not; another seed says something else only where words are drawn."""
    pictures, seeds = images(5), [3, 4, 5, 6, 7]
    together = model.describe(pictures, PROMPTS, seeds, temperature=temperature)
    for i in range(5):
        here = slice(i, i + 1)
        alone = model.describe(pictures[here], PROMPTS[here], seeds[here], temperature=temperature)
        assert alone == together[here]
    others = model.describe(pictures, PROMPTS, [seed + 10 for seed in seeds], temperature=temperature)
    assert (others == together) == (temperature == 0)


def test_words_after_the_end_are_not_said(model: ArVlm):
    """A head that only ends says nothing; one that only says "two" says it as often as fits."""
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    with torch.no_grad():
        model.head.bias[model.tokenizer.end_id] = 50.0
    assert model.describe(images(2), ["", "a red"], [0, 1]) == ["", ""]
    with torch.no_grad():
        model.head.bias[WORDS.index("two") + 1] = 100.0
    assert model.describe(images(2), ["", "a red"], [0, 1]) == [" ".join(["two"] * 8), "two two two two"]


def test_the_loss_is_that_of_each_text_alone(model: ArVlm):
    """Caption and questions share one pass over the image; the loss is the one of texts evaluated one by one."""
    latents = RGBPatchLatents().encode(images(2).float() / 127.5 - 1)
    captions = model.tokenizer.tokenize(["a red seven", "two"], LENGTH)
    prompts = model.tokenizer.tokenize(["which digit ?", "a ?", "digit", "which red ?"], QUESTION_LENGTH)
    texts = model.tokenizer.tokenize(
        ["which digit ? two", "a ? red seven", "digit a", "which red ? two"], QUESTION_LENGTH
    )
    asked = (prompts == model.tokenizer.end_id).long()

    def log_probs(image: Tensor, text: list[int]) -> Tensor:
        tokens = torch.tensor([[0, *text[:-1]]])
        x = torch.cat([model.embed_image(image[None]), model.embed_text(tokens)], 1)
        features, _ = model.run(x, model.texts_mask([len(text)], x.device))
        return model.head(features[0, 16:]).log_softmax(-1)

    def words_of(row: Tensor) -> list[int]:
        return [*[word for word in row.tolist() if word], 0]

    def nll(image: Tensor, row: Tensor, skip: int) -> list[Tensor]:
        text = words_of(row)
        return [-log_probs(image, text)[i, word] for i, word in enumerate(text) if i >= skip]

    of_captions = [n for i in range(2) for n in nll(latents[i], captions[i], 0)]
    of_answers = [n for i in range(4) for n in nll(latents[i // 2], texts[i], int((prompts[i] > 0).sum()))]
    assert len(of_captions) == 4 + 2
    assert len(of_answers) == 2 + 3 + 2 + 2
    expected = torch.stack(of_captions).mean() + torch.stack(of_answers).mean()
    torch.testing.assert_close(model.training_loss(latents, captions, questions=(texts, asked)), expected)


def test_training_lowers_the_loss(model: ArVlm):
    """Thirty steps of AdamW on one batch halve the loss, and every weight gets a gradient."""
    latents = RGBPatchLatents().encode(images(4).float() / 127.5 - 1)
    captions = model.tokenizer.tokenize(["a red seven", "two", "seven", "a digit"], LENGTH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    before = model.training_loss(latents, captions).item()
    for _ in range(30):
        optimizer.zero_grad()
        model.training_loss(latents, captions).backward()
        optimizer.step()
    assert model.training_loss(latents, captions).item() < before / 2
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_size_is_that_of_d_dit():
    """Within ten percent of the parameters of d-dit-digits, its text encoder counted."""
    sizes = [
        sum(p.numel() for p in build(name, weights=None).parameters()) for name in ("ar-vlm-digits", "d-dit-digits")
    ]
    assert abs(sizes[0] / sizes[1] - 1) < 0.1


def test_it_generates_no_image(model: ArVlm):
    """Asked for an image, it says in one line that it reads."""
    with pytest.raises(ValueError, match=r"ar-vlm-toy reads images and generates none; it has describe\("):
        model.generate(["a red seven"], [1])


def test_wrong_arguments_are_one_line(model: ArVlm):
    """Seeds that do not match, a word it does not know, a text too long for its positions."""
    with pytest.raises(ValueError, match="one prompt and seed per image: got 2, 1 and 2"):
        model.describe(images(2), [""], [1, 2])
    with pytest.raises(ValueError, match="unknown word 'green'"):
        model.describe(images(1), ["green ?"], [1])
    with pytest.raises(ValueError, match="length 9: the model has positions for 8 tokens"):
        model.describe(images(1), [""], [1], length=9)
