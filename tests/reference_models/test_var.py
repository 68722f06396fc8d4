"""VAR: agreement with the authors' numbers, and what must hold of any autoregression over scales."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from reference_models.autoencoders import MultiScaleVQAutoencoder
from reference_models.noise import GivenNoise, SeededNoise
from reference_models.parity import check, load_case
from reference_models.sizes.var import SPECS
from reference_models.spec import Spec
from reference_models.var import VAR, draw_tokens
from tests.paths import DATA

SCALES = (1, 2, 4)
NUM_TOKENS = 21


def tiny(**changes: object) -> VAR:
    """A small model with its tokenizer, all weights large enough that the class, the scale and the past matter."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = {"hidden_size": 32, "depth": 2, "num_heads": 2, "num_classes": 5, "scales": SCALES}
        config |= {"vocab_size": 24, "code_dim": 8, **changes}
        model = VAR(**config).eval()
        tokenizer = MultiScaleVQAutoencoder(
            vocab_size=24, code_dim=8, scales=SCALES, channels=8, channel_mult=(1, 2), num_res_blocks=1, num_groups=4
        ).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.attach(replace(SPECS[-1], config=config), lambda: tokenizer)
    return model


def test_parity():
    """Tokens equal, and images, inputs, logits and loss agree to 1e-4 with, the authors' numbers."""
    comparisons = list(check(load_case(DATA / "var.safetensors")))
    names = {"tokens", "image", "teacher_input", "logits", "loss", "greedy_image"}
    assert {c.output for c in comparisons} == {f"out.{name}" for name in names}
    assert all(c.ok for c in comparisons), comparisons


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.num_params], ids=lambda spec: spec.name)
def test_parameter_counts(spec: Spec):
    """Each size has as many parameters as the paper prints; it prints two digits and cuts 2.35 B to 2.3 B."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in spec.network(**spec.config).parameters())
    assert abs(count / spec.num_params - 1) < 0.035


@pytest.mark.parametrize("cfg_scale", [1.0, 2.5])
@pytest.mark.parametrize("changes", [{}, {"l2_norm": False}, {"shared_adaln": True}], ids=["l2", "plain", "shared"])
def test_scale_by_scale_equals_teacher_forcing(cfg_scale: float, changes: dict):
    """Decoding with the cache draws what one masked pass over the finished token maps says, under growing guidance."""
    model, labels = tiny(**changes), torch.tensor([0, 4, 4])
    uniform = torch.rand(3, NUM_TOKENS, generator=torch.Generator().manual_seed(1))
    tokens = model.sample(labels, GivenNoise([uniform]), cfg_scale=cfg_scale, top_k=10, top_p=0.9)

    with torch.no_grad():
        teacher_input = model.quantizer.teacher_input(tokens)
        conditional, null = (model(y, teacher_input) for y in (labels, torch.full_like(labels, 5)))
    scale_idx = torch.tensor([0] + 4 * [1] + 16 * [2])
    t = (cfg_scale - 1) * scale_idx[:, None] / 2
    expected = draw_tokens((1 + t) * conditional - t * null, uniform, top_k=10, top_p=0.9)
    assert torch.equal(tokens, expected)
    assert len(tokens.unique()) > 5  # the model is not so sure of itself that everything would pass


def test_without_guidance_the_null_class_is_not_looked_at():
    """cfg_scale = 1 is the conditional model: a null class of NaN changes nothing, and costs no pass."""
    model, labels = tiny(), torch.arange(5)
    plain = model.sample(labels, SeededNoise(range(5)), cfg_scale=1.0)
    with torch.no_grad():
        model.label_embed.weight[5] = torch.nan
    assert torch.equal(model.sample(labels, SeededNoise(range(5)), cfg_scale=1.0), plain)
    assert model.network_evaluations(cfg_scale=1.0) == {"transformer": 3}
    assert model.network_evaluations(cfg_scale=2.5) == {"transformer": 6}


def test_image_depends_on_its_label_and_seed_alone():
    """The same picture in any batch, at most one grey level apart (sums of another order); another for another seed."""
    model = tiny()
    together = model.generate([0, 1, 2], [10, 11, 12]).int()
    alone = torch.cat([model.generate([label], [seed]) for label, seed in ((0, 10), (1, 11), (2, 12))]).int()
    assert (together - alone).abs().max() <= 1
    assert not torch.equal(model.generate([0], [11]).int(), together[:1])


def test_draws_follow_the_filtered_distribution():
    """Over evenly spaced uniforms, tokens come as often as their probabilities say, renormalised over what is kept."""
    probabilities = torch.tensor([0.05, 0.3, 0.1, 0.4, 0.15])
    n = 1000
    uniform = (torch.arange(n) + 0.5)[None] / n

    def frequencies(top_k: int, top_p: float) -> torch.Tensor:
        tokens = draw_tokens(probabilities.log().expand(1, n, -1), uniform, top_k, top_p)
        return tokens.flatten().bincount(minlength=5) / n

    one_draw = 2 / n  # a boundary of the distribution falls between two uniforms
    assert (frequencies(0, 1.0) - probabilities).abs().max() <= one_draw
    assert (frequencies(900, 1.0) - probabilities).abs().max() <= one_draw  # more than there are: all
    kept = torch.tensor([0, 0.3, 0, 0.4, 0]) / 0.7
    assert (frequencies(2, 1.0) - kept).abs().max() <= one_draw
    assert (frequencies(0, 0.7 - 1e-3) - kept).abs().max() <= one_draw  # 0.4 is not enough, 0.4 + 0.3 is
    assert frequencies(1, 1.0).tolist() == [0, 0, 0, 1, 0]
    assert frequencies(0, 1e-6).tolist() == [0, 0, 0, 1, 0]  # the likeliest token is always kept


def test_uniforms_at_the_ends_never_pick_a_filtered_token():
    """0 and the largest float32 below 1 pick a kept token, even where the first and last token are filtered."""
    logits = torch.tensor([-9.0, 1.0, 2.0, 1.5, -9.0]).expand(1, 2, -1)
    ends = torch.tensor([[0.0, 1 - 2**-24]])
    assert set(draw_tokens(logits, ends, top_k=3, top_p=1.0).flatten().tolist()) == {1, 3}


@pytest.mark.slow
def test_compiles_whole():
    """The step is one graph for every scale, without breaks, and draws the same tokens (eager kernels behind it)."""
    model, labels = tiny(depth=1), torch.tensor([1, 3])
    plain = model.sample(labels, SeededNoise([1, 2]))
    model.compile_steps(backend="aot_eager")
    assert torch.equal(model.sample(labels, SeededNoise([1, 2])), plain)


def test_half_precision():
    """In bfloat16, by cast or by autocast, logits stay within 4 % of float32's (8 bits: 0.4 % a product)."""
    labels = torch.tensor([0, 1, 2])
    tokens = torch.randint(24, (3, NUM_TOKENS), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        teacher_input = tiny().quantizer.teacher_input(tokens)
        full = tiny()(labels, teacher_input)
        cast = tiny().to(torch.bfloat16)(labels, teacher_input)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = tiny()(labels, teacher_input)
            assert tiny().sample(labels, SeededNoise(range(3))).shape == (3, NUM_TOKENS)
    assert tiny().to(torch.bfloat16).sample(labels, SeededNoise(range(3))).shape == (3, NUM_TOKENS)
    for logits in (cast, mixed):
        assert logits.dtype == torch.float32
        assert (logits - full).norm() < 0.04 * full.norm()


def test_training_lowers_the_loss():
    """From the initial weights the loss is that of a blind guess, ln V; a few steps on one batch lower it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = {"hidden_size": 32, "depth": 2, "num_heads": 2, "num_classes": 5, "drop_path": 0.1}
        model = VAR(**config, scales=SCALES, vocab_size=24, code_dim=8)
    model.attach(SPECS[-1], lambda: tiny().autoencoder)
    tokens = torch.randint(4, (8, NUM_TOKENS), generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(12):
        loss = model.training_loss(tokens, torch.arange(8) % 5, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(torch.tensor(24.0).log().item(), abs=0.02)
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is not None for p in model.parameters())


def test_stochastic_depth_keeps_the_mean():
    """A branch that is kept counts 1 / survival: over all masks it has the weight that it has at test time."""
    model = tiny(drop_path=0.5)
    labels, tokens = torch.zeros(4096, dtype=torch.int64), torch.zeros(4096, NUM_TOKENS, dtype=torch.int64)
    seen = []
    model.token_loss = lambda tokens, labels, keep: seen.append(keep)  # type: ignore[assignment]
    model.training_loss(tokens, labels, torch.Generator().manual_seed(0))
    keep = seen[0].view(2, 2, 4096)
    assert (keep[0] == 1).all()  # the first block is never skipped
    assert set(keep[1].unique().tolist()) == {0.0, 2.0}
    assert keep[1].mean().item() == pytest.approx(1, abs=0.05)  # 8192 fair coins: a deviation of 0.011
