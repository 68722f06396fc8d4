"""D-DiT against its authors' code, and what must hold of it at any size."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from reference_models.autoencoders import PatchLatents
from reference_models.checkpoints import load_into
from reference_models.d_dit import NUM_TRAIN_STEPS, TEXT_WEIGHT, DDiT, flow_sigmas
from reference_models.errors import CheckpointError
from reference_models.masked_text import reveal_steps
from reference_models.noise import SeededNoise
from reference_models.parity import check, load_case
from reference_models.parity.d_dit import TableEncoder
from reference_models.sizes.d_dit import D_DIT, SPECS
from reference_models.spec import Spec
from reference_models.text_encoders import SmallTextEncoder, T5Text
from tests.paths import DATA

CASE = DATA / "d-dit.safetensors"
WORDS = ("a", "red", "blue", "two", "seven", "what", "digit", "?")
LENGTH = 6


def tiny(**changes: object) -> DDiT:
    """Two blocks of width 32 on 4x4 latents, no weight zero (a fresh model generates nothing: adaLN-Zero)."""
    config: dict = {
        "hidden_size": 32,
        "depth": 2,
        "num_heads": 2,
        "vocab_size": len(WORDS) + 2,
        "text_size": 16,
        "in_channels": 4,
        "patch_size": 1,
        "latent_size": 4,
        "position_size": 6,
        "position_base": 4,
        "text_length": LENGTH,
        "text_encoder": {"words": WORDS, "depth": 1, "num_heads": 2, "length": LENGTH},
    }
    torch.manual_seed(0)
    model = DDiT(**{**config, **changes}).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


@pytest.fixture
def dual() -> DDiT:
    """A tiny model that also decodes: 8x8 images in 2x2 patches."""
    model = tiny()
    spec = Spec(
        name="d-dit-toy",
        family="d-dit",
        network=D_DIT,
        config={},
        sampling={"num_steps": 3, "cfg_scale": 2.0, "shift": 3.0},
        autoencoder="patch-2x2",
        scale="digits",
        image_size=8,
        source="this test",
    )
    model.attach(spec, PatchLatents)
    return model


def states(model: DDiT, *texts: str) -> Tensor:
    assert model.text_encoder is not None
    return model.encode_text(model.text_encoder.tokenize(texts, LENGTH))


def test_parity() -> None:
    """Every output of the authors' code: floats within 1e-4, tokens equal."""
    comparisons = list(check(load_case(CASE)))
    assert len(comparisons) == 8
    assert [c for c in comparisons if not c.ok] == []


def test_text_in_a_batch_is_the_text_alone() -> None:
    """The parity case's model answers three images alike in one batch and one by one, drawn either way."""
    case = load_case(CASE)
    model = DDiT(**DDiT.from_official_config(case.config))
    case.load(model)
    model.attach_text_encoder(TableEncoder(case["in.token_states"]))
    tokens = case["in.prompt"].where(case["in.prompt_mask"], model.mask_id).repeat(3, 1)
    tokens[2] = 5  # nothing to fill: it costs nothing, and stays
    for ancestral in (False, True):
        with torch.inference_mode():
            together, _ = model.sample_text(
                case["in.latents"], tokens, SeededNoise([4, 5, 6]), num_steps=8, ancestral=ancestral
            )
            for i in range(3):
                noise = SeededNoise([4 + i])
                one = case["in.latents"][i : i + 1], tokens[i : i + 1]
                alone, _ = model.sample_text(*one, noise, num_steps=8, ancestral=ancestral)
                assert torch.equal(alone[0], together[i])
        assert torch.equal(together[2], tokens[2])
        assert torch.equal(together[:, :5], tokens[:, :5])
        assert not torch.equal(together[0], together[1])
        assert (together != model.mask_id).all()


def test_text_costs_one_evaluation_per_step_that_reveals_something() -> None:
    """Rows evaluated in a batch of four: the distinct reveal steps of each sample's masks, none for a finished one."""
    model, seeds, num_steps = tiny(), [1, 2, 3, 4], 5
    tokens = torch.full((4, LENGTH), model.mask_id)
    tokens[3] = 1
    evaluated = 0
    text_features = model.text_features

    def counting(image: Tensor, text_states: Tensor, modulation: Tensor) -> Tensor:
        nonlocal evaluated
        assert len(image) == len(text_states)
        evaluated += len(image)
        return text_features(image, text_states, modulation)

    model.text_features = counting  # type: ignore[method-assign]
    with torch.inference_mode():
        model.sample_text(torch.randn(4, 4, 4, 4), tokens, SeededNoise(seeds), num_steps=num_steps)
    when = SeededNoise(seeds).uniform(2, LENGTH)[:, 0]
    assert evaluated == sum(len(set(row)) for row in reveal_steps(when, num_steps)[:3].tolist())


def test_images_depend_on_prompt_and_seed_alone(dual: DDiT) -> None:
    """The same picture in any batch, at most one grey level apart (sums run in another order); not for another seed."""
    prompts, seeds = ["a red seven", "two", "", "blue digit"], [7, 8, 9, 8]
    together = dual.generate(prompts, seeds)
    assert together.shape == (4, 3, 8, 8)
    assert together.dtype == torch.uint8
    for i in range(4):
        alone = dual.generate(prompts[i : i + 1], seeds[i : i + 1])[0]
        assert (alone.int() - together[i].int()).abs().max() <= 1
    assert not torch.equal(together[1], together[3])
    from_states = dual.generate(states(dual, *prompts, ""), seeds)
    assert (from_states.int() - together.int()).abs().max() <= 1


def test_guidance_is_two_velocities_and_off_at_one() -> None:
    """At scale 1 nobody looks at the empty caption; above, v = null + scale (conditional - null).  Euler by hand."""
    model = tiny()
    with torch.inference_mode():
        text, null = states(model, "a red seven", "two"), states(model, "")
        for scale in (1.0, 4.0):
            unused = torch.full_like(null, torch.nan) if scale == 1 else null
            latents = model.sample_images(text, unused, SeededNoise([1, 2]), num_steps=4, cfg_scale=scale, shift=2.0)
            x_t, sigmas = SeededNoise([1, 2]).normal(4, 4, 4), flow_sigmas(4, 2.0)
            for now, after in itertools.pairwise(sigmas):
                t = (now * NUM_TRAIN_STEPS).expand(2)
                conditional, nothing = model.velocity(x_t, text, t), model.velocity(x_t, null.expand_as(text), t)
                x_t = x_t + (after - now) * (nothing + scale * (conditional - nothing))
            torch.testing.assert_close(latents, x_t, rtol=1e-4, atol=1e-4)


def test_schedule_ends() -> None:
    """From noise to data, falling; the shift acts twice on the last level: x = 3/1002, then 3 x / (1 + 2 x)."""
    sigmas = flow_sigmas(28, 3.0)
    assert sigmas.shape == (29,)
    assert sigmas[0] == 1
    assert sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()
    last = 3 / 1002
    assert sigmas[-2].item() == pytest.approx(3 * last / (1 + 2 * last), rel=1e-6)


def test_image_takes_the_middle_of_the_position_table() -> None:
    """A 4 x 2 image on a 6 x 6 table stands on rows 1-4 and columns 2-3; one that is too large is refused."""
    model = tiny()
    difference = model.embed_image(torch.zeros(1, 4, 4, 2)) - model.patch_embed.bias
    expected = model.pos_embed.view(6, 6, -1)[1:5, 2:4].flatten(0, 1)
    torch.testing.assert_close(difference[0], expected, rtol=1e-5, atol=1e-5)  # float32 rounding of the sum
    with pytest.raises(ValueError, match="7 x 4 patches: the position table has 6 x 6"):
        model.embed_image(torch.zeros(1, 4, 7, 4))


def test_text_without_an_image() -> None:
    """Without an image the learnt null image stands in: the logits are finite, and not those of an empty picture."""
    model = tiny()
    with torch.inference_mode():
        text = states(model, "a red seven")
        without = model.text_logits(None, text)
        assert without.shape == (1, LENGTH, len(WORDS) + 2)
        assert without.isfinite().all()
        assert not torch.allclose(without, model.text_logits(torch.zeros(1, 4, 4, 4), text))


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.scale != "scenes"], ids=lambda spec: spec.name)
def test_parameter_count(spec: Spec) -> None:
    """The paper prints "2B", without T5: ours rounds to it."""
    with torch.device("meta"):
        model = spec.network(**spec.config)
    assert spec.num_params == 2e9
    assert round(sum(p.numel() for p in model.parameters()) / 1e9) == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(dtype: torch.dtype) -> None:
    """Images within 10 % in bfloat16 (3 digits, three steps); the sampler's state stays float32; text runs too."""
    model = tiny()
    with torch.inference_mode():
        text, null = states(model, "a red seven", "two"), states(model, "")
        settings = {"num_steps": 3, "cfg_scale": 2.0}
        exact = model.sample_images(text, null, SeededNoise([1, 2]), **settings)
        model.to(dtype)
        rough = model.sample_images(text, null, SeededNoise([1, 2]), **settings)
        tokens = torch.full((2, LENGTH), model.mask_id)
        filled, _ = model.sample_text(exact, tokens, SeededNoise([1, 2]), num_steps=3)
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() / exact.norm() < 0.1
    assert (filled != model.mask_id).all()


@pytest.mark.slow
def test_steps_are_whole_graphs(dual: DDiT) -> None:
    """`torch.compile(fullgraph=True)` finds no graph break and changes nothing (backend eager: the trace is tested)."""
    prompts, seeds = ["a red seven", "two"], [1, 2]
    images = dual.generate(prompts, seeds)
    texts = dual.describe(images, ["what digit ?", ""], seeds, num_steps=4)
    dual.compile_steps(backend="eager")
    assert (dual.generate(prompts, seeds).int() - images.int()).abs().max() <= 1
    assert dual.describe(images, ["what digit ?", ""], seeds, num_steps=4) == texts


def test_describe_leaves_the_prompt_out(dual: DDiT) -> None:
    """A model that only says "two" says so after any prompt, as often as fits; one that ends at once says nothing."""
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    for weight in (dual.text_head.weight, dual.text_head.bias):
        torch.nn.init.zeros_(weight)
    with torch.no_grad():
        dual.text_head.bias[SmallTextEncoder.end_id] = 50.0
    assert dual.describe(images, ["what digit ?", ""], [1, 2], num_steps=4) == ["", ""]
    with torch.no_grad():
        dual.text_head.bias[WORDS.index("two") + 1] = 100.0
    assert dual.describe(images, ["what digit ?", ""], [1, 2], num_steps=4) == [
        "two two two",
        " ".join(["two"] * 6),
    ]


def test_captions_and_questions_have_lengths_of_their_own(dual: DDiT) -> None:
    """In one batch a caption may fill the text length, an answer the question's; each is what it is alone."""
    dual.question_length = 5
    images = torch.randint(0, 256, (3, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    prompts, seeds = ["", "what digit ?", ""], [1, 2, 3]
    together = dual.describe(images, prompts, seeds, num_steps=4)
    alone = [dual.describe(images[i : i + 1], prompts[i : i + 1], seeds[i : i + 1], num_steps=4) for i in range(3)]
    assert together == [text for texts in alone for text in texts]
    for weight in (dual.text_head.weight, dual.text_head.bias):
        torch.nn.init.zeros_(weight)
    with torch.no_grad():
        dual.text_head.bias[WORDS.index("two") + 1] = 100.0
    caption = "two two two two two two"
    assert dual.describe(images, prompts, seeds, num_steps=4) == [caption, "two two", caption]


def test_questions_add_the_mean_over_what_is_to_be_learnt() -> None:
    """Two questions to each of two images: the loss grows by the text weight times theirs, over asked positions only.

    With every weight of the head zero each word has the same probability, so a masked position costs log(V - 1); in
    expectation over times, each position to be learnt counts once. Mean of 100 draws, within five standard errors.
    """
    model = tiny()
    for weight in (model.text_head.weight, model.text_head.bias):
        torch.nn.init.zeros_(weight)
    assert model.text_encoder is not None
    latents = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    captions = model.text_encoder.tokenize(["a red seven", "two"], LENGTH)
    asked = ["what digit ?", "a ?", "what ?", "red ?"]
    questions = model.text_encoder.tokenize([f"{text} two" for text in asked], LENGTH)
    to_learn = (model.text_encoder.tokenize(asked, LENGTH) == model.text_encoder.end_id).long()
    added = []
    with torch.inference_mode():
        for seed in range(100):
            without = model.training_loss(latents, captions, torch.Generator().manual_seed(seed))
            both = model.training_loss(
                latents, captions, torch.Generator().manual_seed(seed), questions=(questions, to_learn)
            )
            added.append((both - without).item())
    mean, error = np.mean(added), np.std(added) / 10
    assert abs(mean - TEXT_WEIGHT * math.log(model.mask_id)) < 5 * error
    assert error < 0.1 * mean


def test_training_lowers_the_loss() -> None:
    """Thirty steps of AdamW on one batch from the real initialisation: the loss on fixed draws falls by a third."""
    torch.manual_seed(0)
    model = DDiT(
        hidden_size=32,
        depth=2,
        num_heads=2,
        vocab_size=len(WORDS) + 2,
        text_size=16,
        in_channels=4,
        patch_size=1,
        latent_size=4,
        position_size=4,
        position_base=4,
        text_encoder={"words": WORDS, "depth": 1, "num_heads": 2, "length": LENGTH},
    )
    assert model.text_encoder is not None
    tokens = model.text_encoder.tokenize(["a red seven", "two blue", "seven", "a digit"] * 4, LENGTH)
    latents = torch.randn(4, 4, 4, 4, generator=torch.Generator().manual_seed(1)).repeat(4, 1, 1, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def loss(seed: int) -> Tensor:
        return model.training_loss(latents, tokens, torch.Generator().manual_seed(seed))

    before = loss(0).item()
    for seed in range(1, 31):
        optimizer.zero_grad()
        loss(seed).backward()
        optimizer.step()
    assert loss(0).item() < before * 2 / 3
    assert all(p.grad is not None for name, p in model.named_parameters() if name != "null_image")


def test_a_checkpoint_of_another_model_is_refused() -> None:
    """A state without one query projection names it, instead of loading half a layer."""
    case = load_case(CASE)
    model = DDiT(**DDiT.from_official_config(case.config))
    state = case.weights()
    del state["transformer_blocks.1.attn.to_k.bias"]
    with pytest.raises(CheckpointError, match=r"missing \(blocks.1.image.qkv.bias\)"):
        load_into(model, model.from_official_state(state), "here")


def test_small_text_encoder_reads_back_what_it_wrote() -> None:
    """Words come back up to the end token; text beyond the length is cut, an unknown word is named."""
    encoder = SmallTextEncoder(words=WORDS, text_size=8, depth=1, num_heads=2, length=LENGTH)
    tokens = encoder.tokenize(["What digit? A red", "seven", ""], 6)
    assert tokens.shape == (3, 6)
    assert [encoder.decode(row) for row in tokens] == ["what digit ? a red", "seven", ""]
    assert encoder.decode(torch.tensor([1, 2])) == "a red"  # no end token: nothing is lost
    with pytest.raises(ValueError, match="unknown word 'green'"):
        encoder.tokenize(["a green seven"], 6)


def test_wrong_arguments_are_one_line(dual: DDiT) -> None:
    """Seeds that do not match, an unknown setting, a text for a list, no text encoder: each says what it wants."""
    with pytest.raises(ValueError, match="one seed per prompt: got 1 seeds and 2 prompts"):
        dual.generate(["a", "two"], [1])
    with pytest.raises(ValueError, match="unknown setting 'cfg'; known: cfg_scale, num_steps, shift"):
        dual.generate(["a"], [1], cfg=2.0)
    with pytest.raises(ValueError, match="prompts must be a list"):
        dual.generate("a", [1])
    with pytest.raises(RuntimeError, match="attach_text_encoder"):
        tiny(text_encoder=None).encode_text(torch.zeros(1, 2, dtype=torch.int64))


@pytest.mark.slow
def test_t5_pads_with_the_end_token(tmp_path: Path) -> None:
    """A released folder (here of a miniature T5) is read; captions end, and are padded, with the end token."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2, "red": 3, "seven": 4, "<extra_id_0>": 5}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", pad_token="<pad>")
    fast.save_pretrained(tmp_path / "tokenizer")
    config = transformers.T5Config(vocab_size=6, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    transformers.T5EncoderModel(config).save_pretrained(tmp_path / "text_encoder")
    encoder = T5Text(tmp_path, dtype=torch.float32)
    tokens = encoder.tokenize(["red seven", ""], 5)
    assert tokens.tolist() == [[3, 4, 1, 1, 1], [1, 1, 1, 1, 1]]
    assert encoder(tokens).shape == (2, 5, 16)
    assert [encoder.decode(row) for row in tokens] == ["red seven", ""]
    assert encoder.vocab_size == 6
