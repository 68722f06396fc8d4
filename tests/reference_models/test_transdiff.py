"""TransDiff and TransDiff-MRAR: equal to the authors' code, and what must hold of any sampler and any training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reference_models import build, specs
from reference_models.errors import CheckpointError
from reference_models.noise import GivenNoise, SeededNoise
from reference_models.parity import check, load_case
from reference_models.transdiff import TransDiff
from reference_models.transdiff_mrar import TransDiffMRAR
from tests.paths import DATA

DIGITS = ("transdiff-digits", "transdiff-mrar-digits")
LABELS = torch.tensor([3, 1, 4])
SEEDS = [1, 5, 9]


def generating(name: str) -> TransDiff:
    """A digits model with random weights whose last layer, zero at the start of training, is random too."""
    model = build(name, weights=None)
    assert isinstance(model, TransDiff)
    torch.nn.init.normal_(model.decoder.final_layer.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    return model


def sample(model: TransDiff, **settings: float) -> Tensor:
    return model.sample(LABELS, SeededNoise(SEEDS), **{"num_steps": 4, "cfg_scale": 1.5, **settings})


@pytest.mark.parametrize("case", ["transdiff", "transdiff-512", "transdiff-mrar"])
def test_agrees_with_the_authors(case: str) -> None:
    """Features, velocity, sampled latents and loss are those of the authors' code (see parity.TOLERANCE)."""
    comparisons = list(check(load_case(DATA / f"{case}.safetensors")))
    assert {c.output for c in comparisons} == {"out.condition", "out.velocity", "out.latents", "out.loss"}
    assert [c for c in comparisons if not c.ok] == []


@pytest.mark.parametrize(
    ("name", "millions", "decoder_millions"),
    [
        ("transdiff-b", 290.0, 118.6),
        ("transdiff-l", 682.5, 277.8),
        ("transdiff-h", 1327.9, 538.7),
        ("transdiff-l-512", 683.3, 278.6),  # 768 more positions of width 1024 than transdiff-l
        ("transdiff-mrar-b", 290.0, 118.6),
        ("transdiff-mrar-l", 682.6, 277.8),  # 63 more mask tokens and 48 more reference channels than transdiff-l
        ("transdiff-mrar-h", 1328.0, 538.7),
    ],
)
def test_parameter_counts(name: str, millions: float, decoder_millions: float) -> None:
    """The sizes are the published ones, to the digit they are printed with."""
    model = build(name, device="meta")
    num_params = sum(p.numel() for p in model.parameters())
    assert round(num_params / 1e6, 1) == millions
    assert round(sum(p.numel() for p in model.decoder.parameters()) / 1e6, 1) == decoder_millions
    printed = specs()[name].num_params
    assert printed is not None
    assert num_params == pytest.approx(printed, rel=0.025)  # 1.3B is printed with two digits


@pytest.mark.parametrize("name", DIGITS)
def test_digits_size(name: str) -> None:
    """The digits models have 0.6 million parameters, as those of the other families (to a tenth of it)."""
    assert sum(p.numel() for p in build(name, device="meta").parameters()) == pytest.approx(0.6e6, rel=0.1)


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("cfg_scale", [1.0, 1.5])
def test_an_image_does_not_depend_on_its_batch(name: str, cfg_scale: float) -> None:
    """The same seed and label give the same image alone and in a batch, to one grey level (matmuls round by shape)."""
    model = generating(name)
    settings = {"num_steps": 4, "cfg_scale": cfg_scale}
    together = model.generate(LABELS, SEEDS, **settings)
    for i, (label, seed) in enumerate(zip(LABELS, SEEDS, strict=True)):
        alone = model.generate(label[None], [seed], **settings)
        assert (alone[0].int() - together[i].int()).abs().max() <= 1


@pytest.mark.parametrize("name", DIGITS)
def test_no_guidance_at_cfg_scale_1(name: str) -> None:
    """cfg_scale 1 is the conditional model: the limit of guidance, without a null pass."""
    model = generating(name)
    plain = sample(model, cfg_scale=1.0)
    limit = sample(model, cfg_scale=1.0 + 1e-6)
    torch.testing.assert_close(plain, limit, rtol=1e-4, atol=1e-4)  # float32 rounding of a doubled batch
    torch.nn.init.normal_(model.null_embed, std=10.0, generator=torch.Generator().manual_seed(1))
    assert torch.equal(sample(model, cfg_scale=1.0), plain)
    assert not torch.allclose(sample(model), limit, atol=1e-2)
    assert model.network_evaluations(num_steps=4, cfg_scale=1.0)["decoder"] == 4 * model.images_per_sample
    assert model.network_evaluations(num_steps=4, cfg_scale=1.5)["decoder"] == 8 * model.images_per_sample


def test_sampler_closed_form() -> None:
    """With velocity 0 the drift is x: each step multiplies by 1 + scale_0 dt, the last, from 0.04 to 0, by 1 - 0.04."""
    model = build("transdiff-digits", weights=None)  # a fresh last layer is zero
    start, eps = torch.randn(2, 3, 16, 4, generator=torch.Generator().manual_seed(0))
    x = model.sample(LABELS, GivenNoise([start, eps]), num_steps=2, scale_0=0.9, scale_1=0.8)
    expected = ((1 - 0.9 * 0.96) * start + 0.8 * (2 * 0.96) ** 0.5 * eps) * 0.96  # dt = -0.96, diffusion 2 at t = 1
    torch.testing.assert_close(x, model.latents(expected))
    last_only = model.sample(LABELS, GivenNoise([start]), num_steps=1, scale_0=0.9, scale_1=0.8)
    torch.testing.assert_close(last_only, torch.zeros_like(last_only))  # from 1 to 0 in the plain step: x - 1 * x


def test_mrar_cache_computes_what_one_masked_pass_does() -> None:
    """The features that the sampler collects block by block are those of the whole row under the block-causal mask."""
    model = generating("transdiff-mrar-digits")
    assert isinstance(model, TransDiffMRAR)
    images, features = model.sample_row(LABELS, SeededNoise(SEEDS), num_steps=4, cfg_scale=1.5)
    assert images.shape == (3, 4, 4, 4, 4)
    assert features.shape[:3] == (3, 4, 4)
    at_once = model.features(LABELS, images[:, :3])
    torch.testing.assert_close(features.flatten(1, 2), at_once, rtol=1e-4, atol=1e-4)  # float32, other order of sums


def test_mrar_row_begins_alike() -> None:
    """num_images only says where the row ends: image k is the same in a longer row; `sample` gives the last."""
    model = generating("transdiff-mrar-digits")
    assert isinstance(model, TransDiffMRAR)
    images, _ = model.sample_row(LABELS, SeededNoise(SEEDS), num_steps=4, cfg_scale=1.5)
    for num_images in (1, 2, 4):
        torch.testing.assert_close(sample(model, num_images=num_images), images[:, num_images - 1])
    assert not torch.allclose(images[:, 0], images[:, 3], atol=1e-2)


def test_mrar_attention_is_causal_by_block() -> None:
    """A later image changes no earlier block of features, and does change its own."""
    model = generating("transdiff-mrar-digits")
    assert isinstance(model, TransDiffMRAR)
    references = torch.randn(3, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    before = model.features(LABELS, references).unflatten(1, (4, 4))
    references[:, 1] += 1  # the second image: block 2
    after = model.features(LABELS, references).unflatten(1, (4, 4))
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert all(not torch.allclose(before[:, k], after[:, k], atol=1e-2) for k in (2, 3))
    torch.testing.assert_close(model.features(LABELS), before[:, 0])


def test_mrar_starts_from_one_step() -> None:
    """Every parameter that fits is taken over, the mask token is repeated, the reader of references is left alone."""
    one_step, mrar = build("transdiff-digits", weights=None, seed=1), build("transdiff-mrar-digits", weights=None)
    assert isinstance(mrar, TransDiffMRAR)
    reader, state = mrar.reference_proj.weight.clone(), one_step.state_dict()
    mrar.init_from_one_step(state)
    for name, value in mrar.state_dict().items():
        if not name.startswith("reference_proj."):
            assert torch.equal(value, state[name].expand_as(value)), name
    assert torch.equal(mrar.reference_proj.weight, reader)
    with pytest.raises(CheckpointError, match=r"1 keys missing \(encoder_pos\)"):
        mrar.init_from_one_step({key: value for key, value in state.items() if key != "encoder_pos"})


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(name: str, dtype: torch.dtype) -> None:
    """As module and as autocast: latents are float32 and within a few roundings of the float32 model's."""
    model = generating(name)
    expected = sample(model)
    with torch.autocast("cpu", dtype=dtype):
        autocast = sample(model)
    for latents in (sample(model.to(dtype)), autocast):
        assert latents.dtype == torch.float32
        assert (latents - expected).norm() < 0.03 * expected.norm()  # bfloat16 keeps 8 bits: 0.4 % per operation


@pytest.mark.parametrize("name", DIGITS)
def test_the_step_compiles_whole(name: str) -> None:
    """`velocity` traces into one graph without breaks, also as z grows along MRAR's row; the result does not change."""
    model = generating(name)
    settings = {"num_steps": 2} | ({"num_images": 2} if isinstance(model, TransDiffMRAR) else {})
    expected = sample(model, **settings)
    model.compile_steps(backend="eager")
    torch.testing.assert_close(sample(model, **settings), expected)


def training_batch(model: TransDiff) -> Tensor:
    row = (4,) if model.images_per_sample == 4 else ()
    return torch.randn(3, *row, 4, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", DIGITS)
def test_training(name: str) -> None:
    """The loss falls on one batch, and its draws come from the generator alone."""
    model = build(name, weights=None).requires_grad_(True).train()
    batch = training_batch(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = model.training_loss(batch, LABELS, torch.Generator().manual_seed(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    fresh = build(name, weights=None)
    assert float(fresh.training_loss(batch, LABELS, torch.Generator().manual_seed(0))) == losses[0]


@pytest.mark.parametrize("name", DIGITS)
def test_loss_at_initialisation(name: str) -> None:
    """The last layer starts at zero, so the first loss is the mean square of noise - image over all draws."""
    model = build(name, weights=None)
    batch = training_batch(model)
    rows = (4, 6) if model.images_per_sample == 4 else (6,)  # 2 draws for each of 3 samples
    t, noise = model.draw_flow(torch.Generator().manual_seed(0), *rows)
    images = torch.stack([model.tokens(b) for b in batch.unbind(1)]) if len(rows) == 2 else model.tokens(batch)
    expected = (noise - torch.cat([images, images], dim=-3)).square().mean()
    torch.testing.assert_close(model.loss(batch, LABELS, t, noise), expected)


def test_label_dropout() -> None:
    """A tenth of the labels becomes the null class: 1000 +- 95 of 10,000 at ten thousand draws (three sigma: 90)."""
    model = build("transdiff-digits", weights=None)
    labels = model.drop_labels(torch.full((10_000,), 3), torch.Generator().manual_seed(0))
    assert labels.unique().tolist() == [3, model.null_label]
    assert abs(int((labels == model.null_label).sum()) - 1000) < 95


def test_diversity_term() -> None:
    """Off by default; asked for, it adds its weight times the mean cosine similarity, 1 where features are alike."""
    model = build("transdiff-digits", weights=None)
    batch = training_batch(model)
    draws = model.draw_flow(torch.Generator().manual_seed(0), 3)
    torch.nn.init.zeros_(model.encoder_norm.weight)
    torch.nn.init.ones_(model.encoder_norm.bias)
    without = model.loss(batch, LABELS, *draws)
    model.diversity_weight = 0.001
    torch.testing.assert_close(model.loss(batch, LABELS, *draws) - without, torch.tensor(0.001), rtol=1e-3, atol=0)


def test_official_configs() -> None:
    """A checkpoint's stored command line gives the same network as the published size; strangers are named."""
    stored = {
        "model": "transdiff_huge",
        "img_size": 256,
        "patch_size": 2,
        "vae_embed_dim": 16,
        "class_num": 1000,
        "lr": 1,
    }
    assert TransDiffMRAR.from_official_config(stored) == specs()["transdiff-mrar-h"].config
    with pytest.raises(ValueError, match=r"unknown model 'transdiff_tiny'.*known: transdiff_base"):
        TransDiff.from_official_config({"model": "transdiff_tiny"})
    with pytest.raises(ValueError, match="patch_size 2 expected, got 1"):
        TransDiffMRAR.from_official_config({"patch_size": 1})
    assert set(TransDiff.from_official_state({"stranger": torch.zeros(1)})) == {"stranger"}


def test_bad_settings_are_named() -> None:
    """One line says what was wrong and what is possible."""
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        sample(generating("transdiff-digits"), num_steps=0)
    with pytest.raises(ValueError, match=r"num_images must lie in 1\.\.4, got 5"):
        sample(generating("transdiff-mrar-digits"), num_images=5)
