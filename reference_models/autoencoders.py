"""Autoencoders: images <-> latents or tokens. `encode` gives latents, `decode` images (B, 3, H, W) in [-1, 1].

All but PatchLatents are one convolutional network (conv_autoencoder.py): MAR's and TransDiff's KL-16, the VAEs of
Stable Diffusion and SD3, LlamaGen's VQ-16, VAR's multi-scale tokenizer. They differ in sizes and in how they round.

Latents of a KL autoencoder are float32 (B, C, h, w), shifted and scaled as the generators were trained on them; those
of VQ-16 are token ids (B, h, w), those of VAR's the token ids of all scales in a row, (B, L).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import convert, load_into, read_state
from reference_models.conv_autoencoder import ConvAutoencoder, Decoder, Encoder, Shape
from reference_models.errors import CheckpointError
from reference_models.noise import Noise
from reference_models.shipped import shipped_weights
from reference_models.sizes.autoencoders import AUTOENCODERS
from reference_models.unfilled import drawn, empty
from reference_models.vq import MultiScaleQuantizer, VectorQuantizer


class KLAutoencoder(ConvAutoencoder):
    """A Gaussian per position. quant_convs: 1x1 convolutions around the latents (SD3's has none)."""

    def __init__(
        self,
        *,
        latent_channels: int,
        channel_mult: tuple[int, ...],
        encoder_attention: tuple[int, ...] = (),
        channels: int = 128,
        quant_convs: bool = True,
        scale: float = 1.0,
        shift: float = 0.0,
    ):
        super().__init__()
        self.scale, self.shift = scale, shift
        self.shape = Shape(channels=channels, channel_mult=channel_mult, encoder_attention=encoder_attention)
        self.encoder = Encoder(self.shape, 2 * latent_channels)
        self.decoder = Decoder(self.shape, latent_channels)
        self.quant_conv = nn.Conv2d(2 * latent_channels, 2 * latent_channels, 1) if quant_convs else nn.Identity()
        self.post_quant_conv = nn.Conv2d(latent_channels, latent_channels, 1) if quant_convs else nn.Identity()

    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the unscaled latents, each (B, C, h, w)."""
        mean, logvar = self.features(images).chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def encode(self, images: Tensor, noise: Noise | None = None) -> Tensor:
        """Latents (z - shift) * scale.  z: the posterior's mean, or with `noise` a draw, mean + std * noise.

        All authors draw while they train, and D-DiT also when it reads an image.
        """
        mean, logvar = self.moments(images)
        z = mean if noise is None else mean + (0.5 * logvar).exp() * noise.normal(*mean.shape[1:])
        return (z - self.shift) * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        return self.to_images(latents.float() / self.scale + self.shift).clamp(-1, 1)

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """For MAR's AutoencoderKL. Its encoder attends where 256 pixels have become 16 (whatever the image's size)."""
        channel_mult = tuple(config["ch_mult"])
        return {
            "latent_channels": config["embed_dim"],
            "channel_mult": channel_mult,
            "encoder_attention": tuple(level for level in range(len(channel_mult)) if 256 >> level == 16),
            "scale": 0.2325,
        }


class TokenAutoencoder(ConvAutoencoder):
    """Latents are the token ids of its quantizer."""

    quantizer: VectorQuantizer | MultiScaleQuantizer

    def encode(self, images: Tensor) -> Tensor:
        """Token ids, int64."""
        return self.quantizer.encode(self.features(images))

    def decode(self, latents: Tensor) -> Tensor:
        """latents: token ids as `encode` gives them."""
        return self.to_images(self.quantizer.decode(latents)).clamp(-1, 1)

    def training_loss(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Squared error + codebook + commitment loss (L_VQ and L_AE of LlamaGen; VAR's equation 5 sums the latter two
        over its scales); it draws nothing.

        Departs from official: no perceptual and no adversarial term. They judge 8x8 digits by features of large photos.
        """
        codes, loss = self.quantizer.quantize(self.features(images))
        return F.mse_loss(self.to_images(codes), images) + loss


class VQAutoencoder(TokenAutoencoder):
    """One token per position (LlamaGen's tokenizer): ids (B, h, w)."""

    def __init__(
        self,
        *,
        vocab_size: int,
        code_dim: int,
        latent_channels: int = 256,
        channels: int = 128,
        channel_mult: tuple[int, ...] = (1, 1, 2, 2, 4),
        num_res_blocks: int = 2,
        num_groups: int = 32,
        image_channels: int = 3,
        l2_norm: bool = True,
    ):
        super().__init__()
        last = (len(channel_mult) - 1,)
        self.shape = Shape(channels, channel_mult, num_res_blocks, num_groups, image_channels, last, last)
        self.encoder = Encoder(self.shape, latent_channels)
        self.decoder = Decoder(self.shape, latent_channels)
        self.quant_conv = nn.Conv2d(latent_channels, code_dim, 1)
        self.post_quant_conv = nn.Conv2d(code_dim, latent_channels, 1)
        self.quantizer = VectorQuantizer(vocab_size, code_dim, l2_norm)

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """For the ModelArgs of LlamaGen's VQModel."""
        encoder_mult = tuple(config.get("encoder_ch_mult", (1, 1, 2, 2, 4)))
        decoder_mult = tuple(config.get("decoder_ch_mult", (1, 1, 2, 2, 4)))
        if encoder_mult != decoder_mult:
            raise ValueError(f"encoder_ch_mult {encoder_mult} and decoder_ch_mult {decoder_mult}: expected the same")
        return {
            "vocab_size": config.get("codebook_size", 16384),
            "code_dim": config.get("codebook_embed_dim", 8),
            "latent_channels": config.get("z_channels", 256),
            "channel_mult": encoder_mult,
            "l2_norm": config.get("codebook_l2_norm", True),
        }


class MultiScaleVQAutoencoder(TokenAutoencoder):
    """VAR's tokenizer: the feature map as token maps of growing size (VAR, section 3.2).

    Ids of all scales, coarsest first, (B, L).
    """

    quantizer: MultiScaleQuantizer

    def __init__(
        self,
        *,
        vocab_size: int,
        code_dim: int,
        scales: tuple[int, ...],
        channels: int = 160,
        channel_mult: tuple[int, ...] = (1, 1, 2, 2, 4),
        num_res_blocks: int = 2,
        num_groups: int = 32,
        image_channels: int = 3,
        num_phi: int = 4,
        phi_ratio: float = 0.5,
    ):
        super().__init__()
        last = (len(channel_mult) - 1,)
        self.shape = Shape(channels, channel_mult, num_res_blocks, num_groups, image_channels, last, last)
        self.encoder = Encoder(self.shape, code_dim)
        self.decoder = Decoder(self.shape, code_dim)
        self.quant_conv = nn.Conv2d(code_dim, code_dim, 3, padding=1)
        self.post_quant_conv = nn.Conv2d(code_dim, code_dim, 3, padding=1)
        self.quantizer = MultiScaleQuantizer(vocab_size, code_dim, scales, num_phi, phi_ratio)

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """For VAR's VQVAE, with `patch_nums` for its `v_patch_nums`."""
        scales = tuple(config["patch_nums"])
        return {
            "vocab_size": config.get("vocab_size", 4096),
            "code_dim": config.get("z_channels", 32),
            "scales": scales,
            "channels": config.get("ch", 128),
            "num_phi": config.get("share_quant_resi", 4) or len(scales),  # 0: one per scale
            "phi_ratio": abs(config.get("quant_resi", 0.5)),
        }


class PatchLatents(nn.Module):
    """The digits scale's stand-in for an autoencoder: a grey image in 2x2 patches, exact and invertible, no weights.

    images (B, 3, 8, 8) in [-1, 1] <-> latents (B, 4, 4, 4).
    """

    def encode(self, images: Tensor) -> Tensor:
        return F.pixel_unshuffle(images[:, :1], 2)

    def decode(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(latents.float(), 2).clamp(-1, 1).expand(-1, 3, -1, -1)


class RGBPatchLatents(nn.Module):
    """The scenes scale's: a colour image in 4x4 patches, shifted and scaled to unit variance; invertible, no weights.

    images (B, 3, 16, 16) in [-1, 1] <-> latents (B, 48, 4, 4).
    """

    shift, scale = -0.808, 1 / 0.508  # mean and spread of the pixels of training scenes

    def encode(self, images: Tensor) -> Tensor:
        return (F.pixel_unshuffle(images, 4) - self.shift) * self.scale

    def decode(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(latents.float() / self.scale + self.shift, 4).clamp(-1, 1)


def build_autoencoder(
    name: str,
    *,
    weights: Path | str | None = "shipped",
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    seed: int = 0,
) -> nn.Module:
    """An autoencoder in eval mode; its quantiser stays in float32.

    weights: "shipped" (those of this package, which only small tokenizers have: the others get random ones), a released
    file or one of ours, or None for random weights from `seed`.
    Raises ValueError for an unknown name, CheckpointError for a file that does not fit or is missing.
    """
    if name not in AUTOENCODERS:
        raise ValueError(f"unknown autoencoder {name!r}; known: {', '.join(AUTOENCODERS)}")
    spec = AUTOENCODERS[name]
    path = shipped_weights(name) if weights == "shipped" else weights
    if path is None and weights == "shipped" and spec.recipe is not None:
        raise CheckpointError(f"tokenizer {name} has no weights here: python -m bench train {name}, or pass a file")
    network = spec.network.load()
    if path is not None and issubclass(network, ConvAutoencoder):
        model: nn.Module = empty(spec)
        load_into(model, convert(network, read_state(path), str(path)), str(path))
    else:
        model = drawn(spec, "meta" if torch.device(device).type == "meta" else "cpu", seed)
    for part_name, part in model.named_children():
        part.to(dtype=None if part_name == "quantizer" else dtype)
    if torch.device(device).type == "cpu":  # oneDNN's convolutions: KL-16 decodes 1.14 times as fast
        model = model.to(memory_format=torch.channels_last)
    return model.to(device).eval().requires_grad_(False)
