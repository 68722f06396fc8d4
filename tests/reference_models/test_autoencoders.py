"""Autoencoders: agreement with their authors' code, and what every encode / decode / quantise must keep."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from reference_models.autoencoders import (
    KLAutoencoder,
    MultiScaleVQAutoencoder,
    PatchLatents,
    VQAutoencoder,
    build_autoencoder,
)
from reference_models.parity import check, load_case
from reference_models.sizes.autoencoders import AUTOENCODERS
from reference_models.vq import MultiScaleQuantizer, VectorQuantizer, phi_of_scales
from tests.paths import DATA

DIGITS = ("vq-digits", "var-vq-digits")


def images(num: int, size: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def num_params(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("case", ["kl16-vae", "vq16"])
def test_parity(case: str):
    """MAR's KL-16 and LlamaGen's VQ-16 agree with the authors' code to 1e-4, and VQ-16 gives their very tokens."""
    comparisons = list(check(load_case(DATA / f"{case}.safetensors")))
    assert len(comparisons) == 3
    assert all(c.ok for c in comparisons), comparisons


@pytest.mark.parametrize(("quant_convs", "latent_channels"), [(True, 4), (False, 16)], ids=["sd", "sd3"])
def test_stable_diffusion_vaes_equal_those_of_diffusers(quant_convs: bool, latent_channels: int):
    """Loaded from diffusers' layout, ours encodes and decodes as diffusers does, to float32 rounding (1e-5)."""
    diffusers = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    theirs = diffusers.AutoencoderKL(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=2,
        latent_channels=latent_channels,
        use_quant_conv=quant_convs,
        use_post_quant_conv=quant_convs,
    ).eval()
    sizes = {"latent_channels": latent_channels, "channels": 32, "channel_mult": (1, 2, 2)}
    ours = KLAutoencoder(**sizes, quant_convs=quant_convs, scale=1.5, shift=0.1).eval()
    # the released files of sd-vae-ft have diffusers' older names for the attention
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = theirs.state_dict()
    for new_name, old_name in old.items() if quant_convs else ():
        state = {key.replace(f".{new_name}.", f".{old_name}."): value for key, value in state.items()}
    ours.load_state_dict(ours.from_official_state(state))
    x = images(2, 32)
    with torch.no_grad():
        mean = theirs.encode(x).latent_dist.mean
        torch.testing.assert_close(ours.encode(x), (mean - 0.1) * 1.5, rtol=1e-5, atol=1e-5)
        decoded = theirs.decode(mean).sample.clamp(-1, 1)
        torch.testing.assert_close(ours.decode((mean - 0.1) * 1.5), decoded, rtol=1e-5, atol=1e-5)


def test_parameter_counts():
    """VQ-16 has the 72 M parameters of LlamaGen's README; the two SD VAEs have as many as diffusers' configurations."""
    with torch.device("meta"):
        counts = {name: num_params(spec.network(**spec.config)) for name, spec in AUTOENCODERS.items()}
    assert round(counts["vq-16"] / 1e6) == 72
    assert counts["sd-vae"] == 83_653_863
    assert counts["sd3-vae"] == 83_819_683
    assert max(counts[name] for name in DIGITS) <= 0.5e6


@pytest.mark.parametrize("name", ["patch-2x2", *DIGITS])
def test_what_encode_gives_decode_takes(name: str):
    """At the digits scale an image goes in and an image of the same size, grey, in [-1, 1], comes out."""
    model = build_autoencoder(name, weights=None)
    decoded = model.decode(model.encode(images(2, 8)))
    assert decoded.shape == (2, 3, 8, 8)
    assert decoded.abs().max() <= 1
    assert torch.equal(decoded[:, 0], decoded[:, 1])
    assert torch.equal(decoded[:, 0], decoded[:, 2])


def test_patches_are_exact():
    """PatchLatents loses nothing of a grey image."""
    grey = images(3, 8)[:, :1].expand(-1, 3, -1, -1)
    assert torch.equal(PatchLatents().decode(PatchLatents().encode(grey)), grey)


@pytest.mark.parametrize("l2_norm", [True, False])
def test_codes_are_their_own_nearest_codes(l2_norm: bool):
    """Quantising the code of a token gives that token back."""
    quantizer = VectorQuantizer(40, 6, l2_norm)
    torch.nn.init.normal_(quantizer.codebook.weight, generator=torch.Generator().manual_seed(0))
    tokens = torch.arange(40).view(1, 5, 8)
    assert torch.equal(quantizer.encode(3 * quantizer.decode(tokens) if l2_norm else quantizer.decode(tokens)), tokens)


def test_phi_follows_the_authors_rounding_where_two_are_equally_close():
    """With ten scales and four convolutions the third and the eighth scale lie halfway; the authors' code rounds so."""
    assert phi_of_scales(10, 4) == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]


def multi_scale(scales: tuple[int, ...] = (1, 2, 3, 4)) -> MultiScaleQuantizer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MultiScaleQuantizer(64, 8, scales).requires_grad_(False)


def test_teacher_input_is_what_sampling_sees():
    """The input of each scale is the map of all coarser scales, shrunk: adding scale after scale gives the same."""
    quantizer = multi_scale()
    tokens = torch.randint(64, (2, 30), generator=torch.Generator().manual_seed(1))
    inputs = quantizer.teacher_input(tokens).split([4, 9, 16], dim=1)
    f_hat = torch.zeros(2, 8, 4, 4)
    for level, part in enumerate(quantizer.split(tokens)):
        f_hat = f_hat + quantizer.contribution(level, part)
        if level < 3:
            torch.testing.assert_close(quantizer.next_input(level, f_hat), inputs[level])
    torch.testing.assert_close(f_hat, quantizer.decode(tokens))


@pytest.mark.parametrize("quantizer", [VectorQuantizer(40, 8, l2_norm=False), multi_scale()], ids=["single", "multi"])
def test_quantising_passes_gradients_straight_through(quantizer: VectorQuantizer | MultiScaleQuantizer):
    """The coded map is `decode(encode(f))`, and its gradient is the gradient of f, as if nothing was rounded."""
    f = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(3)).requires_grad_()
    weight = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(4))
    coded, _ = quantizer.quantize(f)
    torch.testing.assert_close(coded, quantizer.decode(quantizer.encode(f)))
    torch.testing.assert_close(torch.autograd.grad((coded * weight).sum(), f)[0], weight)


@pytest.mark.parametrize("name", DIGITS)
def test_digits_tokenizers_learn(name: str):
    """A few steps on one batch lower the loss, and every parameter of encoder, decoder and quantiser is trained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AUTOENCODERS[name].network(**AUTOENCODERS[name].config)
    x = F.interpolate(images(8, 2)[:, :1], size=(8, 8), mode="bicubic").expand(-1, 3, -1, -1).clamp(-1, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = model.training_loss(x, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", DIGITS)
def test_half_precision(name: str):
    """In bfloat16 the quantiser stays in float32 and images stay close: 0.05 is six of bfloat16's steps at 1."""
    full = build_autoencoder(name, weights=None)
    half = build_autoencoder(name, weights=None, dtype=torch.bfloat16)
    assert half.quantizer.codebook.weight.dtype == torch.float32
    tokens = full.encode(images(4, 8))
    decoded = half.decode(tokens)
    assert decoded.dtype == torch.float32
    assert (decoded - full.decode(tokens)).abs().max() < 0.05


def test_converter_leaves_out_what_is_no_weight_and_nothing_else():
    """Our own files load through the door of released ones; a discriminator is left out; a stranger's key is kept."""
    model = build_autoencoder("vq-digits", weights=None)
    extra = {"loss.discriminator.weight": torch.zeros(1), "quantize.codebook_used": torch.zeros(1)}
    converted = model.from_official_state({**model.state_dict(), **extra, "encoder.strange": torch.zeros(1)})
    assert converted.keys() == model.state_dict().keys() | {"encoder.strange"}


def test_the_quantiser_of_every_family_reads_its_released_names():
    """VAR's phi: one for all scales, four, or one per scale."""
    for official, ours in (("qresi", "0"), ("qresi_ls.3", "3"), ("7", "7")):
        state = {f"quantize.quant_resi.{official}.weight": torch.zeros(1)}
        assert list(MultiScaleVQAutoencoder.from_official_state(state)) == [f"quantizer.phi.{ours}.weight"]


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="unknown autoencoder 'kl-8'; known: patch-2x2, kl-16"):
        build_autoencoder("kl-8")
    tokenizer = MultiScaleVQAutoencoder(
        vocab_size=8, code_dim=4, scales=(1, 4), channels=8, channel_mult=(1, 1), num_res_blocks=1, num_groups=4
    )
    with pytest.raises(ValueError, match=r"the image has 8 x 8 positions, expected 4 x 4"):
        tokenizer.encode(images(1, 16))
    with pytest.raises(ValueError, match="expected the same"):
        VQAutoencoder.from_official_config({"encoder_ch_mult": [1, 2, 4]})
