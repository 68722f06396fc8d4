"""MAR: equal to the authors' code, and the facts that its paper and our contract promise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reference_models import build, mar
from reference_models.checkpoints import load_into
from reference_models.errors import CheckpointError
from reference_models.mar import MAR, block_at, decoded_per_iteration, guidance_of_iteration
from reference_models.noise import SeededNoise
from reference_models.parity import check, load_case
from reference_models.samplers import DDPM
from reference_models.sizes.mar import SPECS
from tests.paths import DATA

TINY = {
    "hidden_size": 32,
    "depth": 2,
    "num_heads": 2,
    "denoiser_size": 24,
    "denoiser_depth": 2,
    "num_classes": 5,
    "latent_size": 4,
    "latent_channels": 4,
    "buffer_size": 3,
}
LABELS, SEEDS = torch.tensor([3, 1, 1, 0]), [7, 8, 9, 10]


def tiny(**changes: int) -> MAR:
    """A small model with random weights: as it is born, its denoiser answers 0."""
    model = MAR(**{**TINY, **changes}).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.requires_grad_(False).parameters():
        parameter.normal_(std=0.1, generator=generator)
    return model


def sample(model: MAR, **settings: float) -> Tensor:
    return model.sample(LABELS, SeededNoise(SEEDS), **{"num_iter": 5, "num_steps": 4, "cfg_scale": 3.0, **settings})


@pytest.mark.parametrize("case", ["mar", "mar-patches"])
def test_agrees_with_the_authors(case: str):
    """Condition, denoiser, sampled latents and loss are those of the authors' code (see parity.TOLERANCE).

    mar: linear guidance. mar-patches, made with their code too: 2x2 patches, a wider decoder, constant guidance,
    temperature 0.85. The draws they make for the null half differ from the conditional ones, and do not matter.
    """
    comparisons = list(check(load_case(DATA / f"{case}.safetensors")))
    assert {c.output for c in comparisons} == {"out.condition", "out.denoiser", "out.latents", "out.loss"}
    assert [c for c in comparisons if not c.ok] == []


def test_parameter_counts():
    """The sizes are the published ones, which are rounded up to the million; the digits model has 0.6 million."""
    for spec in SPECS:
        with torch.device("meta"):
            count = sum(p.numel() for p in MAR(**spec.config).parameters())
        if spec.num_params is None:
            assert count == pytest.approx(0.6e6, rel=0.02)
        else:
            assert math.ceil(count / 1e6) * 1e6 == spec.num_params, spec.name


@pytest.mark.parametrize("num_tokens", [1, 16, 256])
def test_every_iteration_decodes_a_token_and_all_decode_all(num_tokens: int):
    for num_iter in range(1, num_tokens + 1):
        counts = decoded_per_iteration(num_tokens, num_iter)
        assert len(counts) == num_iter
        assert min(counts) >= 1
        assert sum(counts) == num_tokens
    assert decoded_per_iteration(num_tokens, 1) == [num_tokens]
    assert counts == [1] * num_tokens


def test_cosine_schedule():
    """After k of n iterations floor(N cos(pi k / 2n)) are hidden: 256 cos(30 deg) = 221.7, 256 cos(60 deg) = 128."""
    first, second, third = decoded_per_iteration(256, 3)
    assert 256 - first == 221
    assert 221 - second in (127, 128)  # cos(60 deg) in float64 is 0.5 give or take one bit
    assert third == 256 - first - second


@pytest.mark.parametrize("num_iter", [0, 17])
def test_impossible_iterations_are_refused(num_iter: int):
    with pytest.raises(ValueError, match=r"num_iter must lie in 1\.\.16 .*got"):
        sample(tiny(), num_iter=num_iter)


def test_guidance_schedules():
    """Linear guidance grows from 1 with the share of known tokens and stops one token short of the full scale."""
    assert guidance_of_iteration(3.0, "linear", 64, 256) == 1.5
    assert guidance_of_iteration(3.0, "linear", 256, 256) == 1 + 2 * 255 / 256
    assert guidance_of_iteration(3.0, "constant", 64, 256) == 3.0
    with pytest.raises(ValueError, match="unknown cfg_schedule 'cosine'; known: linear, constant"):
        sample(tiny(), cfg_schedule="cosine")


def test_spacing_of_the_diffusion_steps():
    """Even spacing starts at t = 999, where the cosine schedule magnifies the network's error; the stride does not.

    1 / sqrt(alpha) of the first of 100 steps is 316 from t = 999 to 989, where beta is clipped, and
    cos((981 / 1000 + 0.008) / 1.008 90 deg) / cos((991 / 1000 + 0.008) / 1.008 90 deg) = 2.11 from 990 to 980.
    """
    assert DDPM("cosine", 100).mean_x[-1].item() == pytest.approx(316, rel=0.01)
    strided = DDPM("cosine", 100, spacing="ddim")
    assert strided.timesteps.tolist() == list(range(0, 1000, 10))
    assert strided.mean_x[-1].item() == pytest.approx(2.11, abs=0.005)
    with pytest.raises(ValueError, match="num_steps 99: no whole stride"):
        sample(tiny(), num_steps=99, spacing="ddim")
    with pytest.raises(ValueError, match="unknown spacing of timesteps 'odd'; known: even, ddim"):
        sample(tiny(), spacing="odd")


@pytest.mark.parametrize("cfg_scale", [1.0, 3.0])
def test_an_image_does_not_depend_on_its_batch(cfg_scale: float):
    """Same seed and label, same latents, alone or among others, to 1e-4: a hundredth of a grey level."""
    model = tiny()
    settings = {"num_iter": 5, "num_steps": 20, "cfg_scale": cfg_scale}
    together = model.sample(LABELS, SeededNoise(SEEDS), **settings)
    alone = [model.sample(LABELS[i : i + 1], SeededNoise(SEEDS[i : i + 1]), **settings) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    assert (together[1] - together[2]).abs().max() > 0.1  # same class, another seed


def test_without_guidance_the_null_class_is_not_looked_at():
    """cfg_scale = 1 is the conditional model: a null class of NaN changes nothing; and it is the limit of guidance."""
    model = tiny()
    plain = sample(model, cfg_scale=1.0)
    torch.testing.assert_close(plain, sample(model, cfg_scale=1 + 1e-6), atol=1e-4, rtol=1e-4)
    model.label_embed.weight[model.null_label] = torch.nan
    assert torch.equal(plain, sample(model, cfg_scale=1.0))
    assert sample(model).isnan().all()


def test_the_order_of_the_known_tokens_does_not_matter():
    """Known tokens are a set: shuffled together with their positions, they give the same condition (float32 sums)."""
    model, shuffled = tiny(), torch.tensor([4, 2, 0, 1, 3, *range(5, 16)])
    torch.manual_seed(0)
    tokens, order = torch.randn(4, 16, 4), torch.stack([torch.randperm(16) for _ in range(4)])
    z = model.condition(LABELS, tokens[:, :5], order, torch.arange(5, 9))
    again = model.condition(LABELS, tokens[:, shuffled][:, :5], order[:, shuffled], torch.arange(5, 9))
    torch.testing.assert_close(z, again, atol=2e-6, rtol=1e-5)
    moved = model.condition(LABELS, tokens[:, shuffled][:, :5], order, torch.arange(5, 9))
    assert (z - moved).abs().max() > 1e-4  # other tokens at these positions do matter


def test_block_at_computes_the_rows_of_a_block():
    block, x, rows = tiny().decoder[0], torch.randn(2, 7, 32), torch.tensor([2, 5])
    torch.testing.assert_close(block_at(block, x, rows), block(x)[:, rows], atol=1e-6, rtol=1e-5)


def test_modulations_made_one_step_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """How many steps' adaLN projections are made at once changes speed, not pictures (float32 sums)."""
    expected = sample(tiny(), num_steps=7)
    for rows in (1, 24):
        monkeypatch.setattr(mar, "MODULATED_ROWS", rows)
        torch.testing.assert_close(sample(tiny(), num_steps=7), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cfg_scale", [1.0, 3.0])
def test_network_evaluations_are_those_made(cfg_scale: float):
    model, runs = tiny(), {"encoder": 0, "decoder": 0, "denoiser": 0}

    def counted(part: str, method: str):
        run = getattr(model, method)

        def wrapper(x: Tensor, *rest: Tensor) -> Tensor:
            runs[part] += len(x)  # one image, and in each of 16 iterations one token: rows are passes
            return run(x, *rest)

        setattr(model, method, wrapper)

    for part, method in {"encoder": "encode", "decoder": "decode", "denoiser": "denoise"}.items():
        counted(part, method)
    settings = {"num_iter": 16, "num_steps": 3, "cfg_scale": cfg_scale}
    model.sample(LABELS[:1], SeededNoise([0]), **settings)
    assert model.network_evaluations(**settings, temperature=1.0) == runs


@pytest.mark.parametrize("cast", ["bfloat16", "float16", "autocast"])
def test_half_precision(cast: str):
    """Weights in 16 bits, or autocast: latents stay float32 and within 5 % (bfloat16 has 3 digits, 20 steps add up)."""
    exact = sample(tiny())
    if cast == "autocast":
        with torch.autocast("cpu", torch.bfloat16):
            rough = sample(tiny())
    else:
        rough = sample(tiny().to(getattr(torch, cast)))
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() < 0.05 * exact.norm()


def test_the_steps_compile_whole():
    """Without a graph break, and in few enough graphs for other batch sizes and iterations (fullgraph allows 8)."""
    model, plain = tiny(depth=1), tiny(depth=1)
    model.compile_steps(backend="eager")
    for batch_size, num_iter in ((1, 16), (1, 6), (3, 6)):
        settings = {"num_iter": num_iter, "num_steps": 3, "cfg_scale": 2.0}
        compiled, expected = (
            m.sample(LABELS[:batch_size], SeededNoise(SEEDS[:batch_size]), **settings) for m in (model, plain)
        )
        # Few rows are padded, which compiled code leaves out: float32 sums in another order.
        torch.testing.assert_close(compiled, expected, atol=1e-4, rtol=1e-4)


def test_mask_ratio_of_training(monkeypatch: pytest.MonkeyPatch):
    """Between 0.7 and 1 of the tokens are hidden, 0.867 on average: the mean of a normal (1, 0.25) truncated to 0.7..1.

    Tolerance: four standard errors of 400 draws (0.087 / 20 each), and half a token of 64 by rounding up.
    """
    model, shares = tiny(latent_size=8), []

    def loss(latents: Tensor, labels: Tensor, order: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        assert noise.shape == (4, 4, t.shape[-1], 4)
        shares.append(t.shape[-1] / 64)
        return noise.mean()

    monkeypatch.setattr(model, "loss", loss)
    for seed in range(400):
        model.training_loss(torch.zeros(4, 4, 8, 8), LABELS, torch.Generator().manual_seed(seed))
    assert 0.7 <= min(shares) <= max(shares) <= 1
    assert abs(sum(shares) / 400 - 0.5 / 64 - 0.867) < 0.018


def test_every_weight_learns():
    """All have a gradient, also the null class, whose row alone answers for dropped labels."""
    for label_dropout, null_learns in ((0, False), (1, True)):
        model = tiny(label_dropout=label_dropout).requires_grad_(True)
        model.training_loss(torch.randn(4, 4, 4, 4), LABELS, torch.Generator().manual_seed(0)).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
        assert (model.label_embed.weight.grad[model.null_label].abs().sum() > 0) == null_learns


def test_learns():
    """At birth the loss is E|noise|^2 = 1 and a small variance term; images of one colour each are learnt quickly."""
    torch.manual_seed(0)
    model = MAR(**TINY)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    latents, losses = torch.randn(16, 4, 1, 1).expand(-1, -1, 4, 4), []
    for step in range(60):
        loss = model.training_loss(latents, torch.arange(16) % 5, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1, abs=0.1)
    assert sum(losses[-10:]) / 10 < 0.7


def test_weights_of_another_model_are_refused():
    """A missing adaLN layer is named, and so is a key that no model has."""
    case = load_case(DATA / "mar.safetensors")
    state = case.weights()
    del state["diffloss.net.final_layer.adaLN_modulation.1.bias"]
    state["a_foreign_key"] = torch.zeros(1)
    model = MAR(**MAR.from_official_config(case.config))
    with pytest.raises(CheckpointError, match=r"missing \(denoiser\.modulation\.bias\).*unexpected \(a_foreign_key"):
        load_into(model, model.from_official_state(state), "x")


def test_digits_model_generates_digit_sized_images():
    images = build("mar-digits", weights=None).generate([0, 9], seeds=[1, 2], num_steps=4)
    assert images.shape == (2, 3, 8, 8)
    assert images.dtype == torch.uint8
