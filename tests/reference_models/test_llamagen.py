"""LlamaGen: agreement with the authors' numbers, and what must hold of any autoregressive sampler."""

from __future__ import annotations

import math

import pytest
import torch

from reference_models.llamagen import LlamaGen, draw, rotary_table, rotate
from reference_models.noise import GivenNoise, SeededNoise
from reference_models.parity import check, load_case
from reference_models.sizes.llamagen import SPECS
from reference_models.spec import Spec
from tests.paths import DATA


def tiny(latent_size: int = 4, seed: int = 0, **changes: float) -> LlamaGen:
    """A small model with a random head: with the head it is born with, every token is equally likely."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = {"hidden_size": 32, "depth": 2, "num_heads": 2, "mlp_size": 48, "vocab_size": 24, "num_classes": 5}
        model = LlamaGen(**{**config, "latent_size": latent_size, **changes}).eval().requires_grad_(False)
        for parameter in model.parameters():
            parameter.normal_(std=0.3) if parameter.ndim > 1 else parameter.fill_(1.0)
    return model


def test_parity():
    """Logits and loss agree with the authors' code to 1e-4, and guided arg-max decoding gives their very tokens."""
    comparisons = list(check(load_case(DATA / "llamagen.safetensors")))
    assert {c.output for c in comparisons} == {"out.logits", "out.loss", "out.greedy_tokens"}
    assert all(c.ok for c in comparisons), comparisons


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.num_params], ids=lambda spec: spec.name)
def test_parameter_counts(spec: Spec):
    """Each size has as many parameters as the paper prints: "343M" to the million, "1.4B" to 0.1 billion."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in spec.network(**spec.config).parameters())
    assert abs(count - spec.num_params) <= (0.5e6 if spec.num_params < 1e9 else 0.05e9)


@pytest.mark.parametrize("cfg_scale", [1.0, 2.5])
@pytest.mark.parametrize("num_kv_heads", [2, 1])
def test_step_by_step_equals_teacher_forcing(cfg_scale: float, num_kv_heads: int):
    """Decoding with the cache draws what one causal pass over the finished image says (81 tokens: two cache steps)."""
    model, labels = tiny(latent_size=9, num_kv_heads=num_kv_heads), torch.tensor([0, 4, 4])
    uniform = torch.rand(3, 81, generator=torch.Generator().manual_seed(1))
    tokens = model.sample(labels, GivenNoise([uniform]), cfg_scale=cfg_scale).flatten(1)

    cond, null = (model.logits(tokens, y) for y in (labels, torch.full_like(labels, model.num_classes)))
    logits = null + cfg_scale * (cond - null)
    expected = draw(logits.flatten(0, 1), uniform.flatten()[:, None], top_k=0, top_p=1.0)
    assert torch.equal(tokens, expected.view(3, 81))


def test_without_guidance_the_null_class_is_not_looked_at():
    """cfg_scale = 1 is the conditional model: a null class of NaN changes nothing, and costs no pass."""
    model, labels = tiny(), torch.arange(5)
    plain = model.sample(labels, SeededNoise(range(5)))
    model.label_embed.weight[-1] = torch.nan
    assert torch.equal(plain, model.sample(labels, SeededNoise(range(5)), cfg_scale=1.0))
    assert model.network_evaluations(cfg_scale=1.0) == {"transformer": 16}
    assert model.network_evaluations(cfg_scale=1.5) == {"transformer": 32}


def test_guidance_needs_a_null_class():
    with pytest.raises(ValueError, match="needs a null class"):
        tiny(label_dropout=0.0).sample(torch.tensor([0]), SeededNoise([0]), cfg_scale=1.5)


@pytest.mark.parametrize(
    "settings", [{"cfg_scale": 1.0}, {"cfg_scale": 2.0, "temperature": 0.8, "top_k": 12, "top_p": 0.9}]
)
def test_an_image_does_not_depend_on_its_batch(settings: dict):
    """Same seed and label, same tokens, alone or among others (rounding decides 1 draw in 1e5, and none of these)."""
    model, labels, seeds = tiny(), torch.tensor([3, 1, 1, 0]), [7, 8, 9, 10]
    together = model.sample(labels, SeededNoise(seeds), **settings)
    alone = [model.sample(labels[i : i + 1], SeededNoise(seeds[i : i + 1]), **settings) for i in range(4)]
    assert torch.equal(together, torch.cat(alone))
    assert not torch.equal(together[1], together[2])  # same class, another seed


def test_draws_follow_the_distribution():
    """n evenly spread uniforms give each token its share n * p, give or take one at the ends of its interval."""
    logits = torch.randn(1, 6, generator=torch.Generator().manual_seed(0))
    uniform = (torch.arange(2000)[:, None] + 0.5) / 2000
    counts = draw(logits.expand(2000, -1), uniform, top_k=0, top_p=1.0).bincount(minlength=6)
    assert (counts - 2000 * logits.softmax(-1)[0]).abs().max() <= 1.01


def test_draws_keep_to_the_likeliest():
    """top_k keeps k tokens, top_p the fewest whose sum exceeds it, for every draw from 0 to the last float below 1."""
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()
    uniform = torch.cat([torch.linspace(0, 1, 101)[:-1], torch.tensor([1 - 2**-24])])[:, None]

    def drawn(top_k: int, top_p: float) -> set[int]:
        return set(draw(logits.expand(len(uniform), -1), uniform, top_k, top_p).tolist())

    assert drawn(0, 1.0) == {0, 1, 2, 3}
    assert drawn(1, 1.0) == {1}
    assert drawn(2, 1.0) == {1, 3}
    assert drawn(0, 0.65) == {1, 3}
    assert drawn(0, 0.75) == {1, 2, 3}
    assert drawn(9, 1e-9) == {1}


def test_rotary_positions_are_relative():
    """The score of two image positions depends on their offset in the grid alone; the class position scores 0."""
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(8, generator=generator).expand(1, 26, 1, 8) for _ in range(2))
    table = rotary_table(5, 8, 10000.0, torch.device("cpu"))
    turned_q, turned_k = rotate(q, table)[0, :, 0], rotate(k, table)[0, :, 0]
    scores = turned_q @ turned_k.T
    assert scores[0].abs().max() == 0
    assert scores[:, 0].abs().max() == 0
    grid = scores[1:, 1:].view(5, 5, 5, 5)  # (row, column) of the query, (row, column) of the key
    torch.testing.assert_close(grid[1:, :, 1:], grid[:-1, :, :-1])  # both one row further
    torch.testing.assert_close(grid[:, 1:, :, 1:], grid[:, :-1, :, :-1])  # both one column further


@pytest.mark.parametrize("cast", ["module", "autocast"])
def test_bfloat16(cast: str):
    """bfloat16 weights or autocast: sampling runs, and the loss stays within bfloat16's 3 digits."""
    model, labels, tokens = tiny(), torch.tensor([1, 2]), torch.arange(32).view(2, 16) % 24
    exact = model.token_loss(tokens, labels).item()
    model = model.to(torch.bfloat16) if cast == "module" else model
    with torch.autocast("cpu", torch.bfloat16, enabled=cast == "autocast"):
        assert model.logits(tokens, labels).dtype == torch.float32
        assert model.token_loss(tokens, labels).item() == pytest.approx(exact, rel=0.02)
        sampled = model.sample(labels, SeededNoise([0, 1]), cfg_scale=1.5)
    assert sampled.shape == (2, 4, 4)
    assert sampled.dtype == torch.int64


def test_the_step_compiles_as_one_graph():
    """`next_logits` is one graph, of one shape for all positions, and the compiled model writes the same tokens, of
    one image after another: what the first left in the cache is not seen by the second.
    """
    model, labels = tiny(latent_size=9, depth=1), torch.tensor([1, 2])
    settings = {"cfg_scale": 1.5, "top_k": 20, "top_p": 0.95}
    plain = model.sample(labels, SeededNoise([0, 1]), **settings)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model.compile_steps(backend="aot_eager")  # traces what the default backend would generate code for
    model.sample(labels + 1, SeededNoise([5, 6]), **settings)
    assert torch.equal(plain, model.sample(labels, SeededNoise([0, 1]), **settings))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_training_starts_uniform_and_learns():
    """At birth every token has probability 1 / V; forty steps on four images and the loss is clearly lower."""
    torch.manual_seed(0)
    model = LlamaGen(
        hidden_size=32, depth=2, num_heads=2, mlp_size=48, vocab_size=24, num_classes=5, latent_size=4, dropout_rate=0.1
    )
    tokens, labels = torch.randint(24, (4, 4, 4)), torch.arange(4)
    assert model.token_loss(tokens.flatten(1), labels).item() == pytest.approx(math.log(24), rel=1e-6)
    optimizer, generator = torch.optim.AdamW(model.parameters(), lr=1e-2), torch.Generator().manual_seed(0)
    for _ in range(40):
        loss = model.training_loss(tokens, labels, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * math.log(24)


def test_training_loss_draws_from_its_generator_alone():
    """Dropout and label dropout come from the generator given, and the global state is left as it was."""
    model = tiny(dropout_rate=0.5).train()
    tokens, labels = torch.arange(32).view(2, 4, 4) % 24, torch.tensor([0, 1])
    before = torch.get_rng_state()
    first, again, other = (model.training_loss(tokens, labels, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert first == again != other
    assert torch.equal(before, torch.get_rng_state())


def test_label_dropout_of_1_trains_the_null_class():
    model, tokens, labels = tiny(label_dropout=1.0), torch.arange(32).view(2, 4, 4) % 24, torch.tensor([0, 1])
    null = model.token_loss(tokens.flatten(1), torch.full_like(labels, model.num_classes))
    assert model.training_loss(tokens, labels, torch.Generator()) == null


def test_text_models_are_refused():
    with pytest.raises(ValueError, match="expected a class-conditional model"):
        LlamaGen.from_official_config({"model_type": "t2i"})
