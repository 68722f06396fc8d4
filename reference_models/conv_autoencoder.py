"""The convolutional encoder and decoder of VQGAN (arXiv:2012.09841) and latent diffusion (arXiv:2112.10752).

MAR's, Stable Diffusion's, LlamaGen's and VAR's autoencoders share them; only the names in their files differ, and
`from_official_state` knows them all. What happens between encoder and decoder is in autoencoders.py and vq.py.
Departs from official: q, k and v of an attention are one matrix, and it is fused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import rename

SMALL_CHANNELS = 32  # at full resolution; the paper sizes have 128 and more


class ResnetBlock(nn.Module):
    """GroupNorm, SiLU, 3x3 convolution, twice, around a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, num_groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(num_groups, in_channels, eps=1e-6)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(num_groups, out_channels, eps=1e-6)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x), inplace=True))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h), inplace=True))


class SpatialAttention(nn.Module):
    """softmax(Q K^T / sqrt(C)) V (1706.03762 eq. 1) with one head over all positions of a feature map (B, C, h, w)."""

    def __init__(self, channels: int, num_groups: int):
        super().__init__()
        self.norm = nn.GroupNorm(num_groups, channels, eps=1e-6)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (B, h * w, C)
        q, k, v = self.qkv(tokens).unsqueeze(1).chunk(3, dim=-1)  # (B, 1, h * w, C)
        h = self.proj(F.scaled_dot_product_attention(q, k, v).squeeze(1))
        return x + h.transpose(1, 2).unflatten(2, x.shape[2:])


class Downsample(nn.Module):
    """Half the size; padded at the right and the bottom only."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Twice the size."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """The blocks at one resolution (each with attention after it, or none), then the change of resolution."""

    def __init__(self, widths: list[int], attention: bool, resample: nn.Module, num_groups: int):
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.blocks = nn.ModuleList(ResnetBlock(i, o, num_groups) for i, o in pairs)
        self.attentions = nn.ModuleList(
            SpatialAttention(o, num_groups) if attention else nn.Identity() for _, o in pairs
        )
        self.resample = resample

    def forward(self, x: Tensor) -> Tensor:
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            x = attention(block(x))
        return self.resample(x)


def middle(channels: int, num_groups: int) -> nn.Sequential:
    return nn.Sequential(
        ResnetBlock(channels, channels, num_groups),
        SpatialAttention(channels, num_groups),
        ResnetBlock(channels, channels, num_groups),
    )


@dataclass(frozen=True)
class Shape:
    """Sizes of an encoder and its decoder."""

    channels: int = 128  # at full resolution
    channel_mult: tuple[int, ...] = (1, 1, 2, 2, 4)  # channels per level; each level halves the size
    num_res_blocks: int = 2  # per level; the decoder has one more
    num_groups: int = 32  # of every GroupNorm
    image_channels: int = 3  # 1: grey images, read from the first channel, returned in all three
    encoder_attention: tuple[int, ...] = ()  # the levels (0 = full resolution) that attend; the middle always does
    decoder_attention: tuple[int, ...] = ()


class Encoder(nn.Module):
    def __init__(self, shape: Shape, out_channels: int):
        super().__init__()
        widths = [shape.channels * mult for mult in shape.channel_mult]
        self.conv_in = nn.Conv2d(shape.image_channels, shape.channels, 3, padding=1)
        self.levels = nn.ModuleList()
        before = shape.channels
        for level, width in enumerate(widths):
            resample = Downsample(width) if level < len(widths) - 1 else nn.Identity()
            blocks = [before] + [width] * shape.num_res_blocks
            self.levels.append(Level(blocks, level in shape.encoder_attention, resample, shape.num_groups))
            before = width
        self.middle = middle(before, shape.num_groups)
        self.norm_out = nn.GroupNorm(shape.num_groups, before, eps=1e-6)
        self.conv_out = nn.Conv2d(before, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, image_channels, H, W) -> (B, out_channels, h, w)."""
        x = self.conv_in(x)
        for level in self.levels:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(self.middle(x)), inplace=True))


class Decoder(nn.Module):
    """The encoder backwards; its levels are listed as they run, smallest resolution first."""

    def __init__(self, shape: Shape, in_channels: int):
        super().__init__()
        widths = [shape.channels * mult for mult in shape.channel_mult]
        before = widths[-1]
        self.conv_in = nn.Conv2d(in_channels, before, 3, padding=1)
        self.middle = middle(before, shape.num_groups)
        self.levels = nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            resample = Upsample(width) if level > 0 else nn.Identity()
            blocks = [before] + [width] * (shape.num_res_blocks + 1)
            self.levels.append(Level(blocks, level in shape.decoder_attention, resample, shape.num_groups))
            before = width
        self.norm_out = nn.GroupNorm(shape.num_groups, before, eps=1e-6)
        self.conv_out = nn.Conv2d(before, shape.image_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """z: (B, in_channels, h, w) -> (B, image_channels, H, W)."""
        x = self.middle(self.conv_in(z))
        for level in self.levels:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(x), inplace=True))


class ConvAutoencoder(nn.Module):
    """An encoder and a decoder with a convolution between them and the latents. A subclass says what latents are."""

    shape: Shape
    encoder: Encoder
    decoder: Decoder
    quant_conv: nn.Module
    post_quant_conv: nn.Module

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def features(self, images: Tensor) -> Tensor:
        """Encoder output, float32.  images: (B, 3, H, W) in [-1, 1]."""
        return self.quant_conv(self.encoder(images[:, : self.shape.image_channels].to(self.dtype))).float()

    def to_images(self, z: Tensor) -> Tensor:
        """Images of features, float32 (B, 3, H, W), not clipped.  z: (B, C, h, w), unscaled.

        A small network decodes one image as two equal ones: oneDNN rounds otherwise in a batch of one.
        """
        num_images = len(z)
        if num_images == 1 and z.is_cpu and self.shape.channels <= SMALL_CHANNELS:
            z = z.expand(2, -1, -1, -1)
        images = self.decoder(self.post_quant_conv(z.to(self.dtype))).float()
        return images[:num_images].expand(-1, 3, -1, -1)

    def encode(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        raise NotImplementedError

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A state dict in CompVis' (MAR, TransDiff, VAR), LlamaGen's or diffusers' layout, under our names."""
        return _our_layout(state)


# -- the names in released files ---------------------------------------------------------------------------------------
# CompVis: down/up.{level}.block/attn; LlamaGen: conv_blocks.{i}.res/attn; diffusers: down_blocks.{i}.resnets, ...
_LEVEL = r"(.+\.)(?:down|up|conv_blocks|down_blocks|up_blocks)\.(\d+)\."
_MODULES = (
    (_LEVEL + r"(?:block|res|resnets)\.(.+)", r"\1levels.\2.blocks.\3"),
    (_LEVEL + r"attn\.(.+)", r"\1levels.\2.attentions.\3"),
    (_LEVEL + r"(?:downsample|upsample|downsamplers\.0|upsamplers\.0)\.(.+)", r"\1levels.\2.resample.\3"),
    (r"(.+\.)(?:mid\.block_1|mid\.0|mid_block\.resnets\.0)\.(.+)", r"\1middle.0.\2"),
    (r"(.+\.)(?:mid\.attn_1|mid\.1|mid_block\.attentions\.0)\.(.+)", r"\1middle.1.\2"),
    (r"(.+\.)(?:mid\.block_2|mid\.2|mid_block\.resnets\.1)\.(.+)", r"\1middle.2.\2"),
    (r"(.+\.)conv_norm_out\.(.+)", r"\1norm_out.\2"),
    (r"quantize\.embedding\.(.+)", r"quantizer.codebook.\1"),
    (r"quantize\.quant_resi\.(?:qresi_ls\.)?(\d+\..+)", r"quantizer.phi.\1"),  # partly shared, or one per scale
    (r"quantize\.quant_resi\.qresi\.(.+)", r"quantizer.phi.0.\1"),  # one for all
)
_LEAVES = (
    (r"(.+\.)(?:nin_shortcut|conv_shortcut)\.(.+)", r"\1shortcut.\2"),
    (r"(.+\.)group_norm\.(.+)", r"\1norm.\2"),
    (r"(.+\.)(?:proj_out|to_out\.0|proj_attn)\.(.+)", r"\1proj.\2"),
    (r"(.+\.)(?:to_q|query)\.(.+)", r"\1q.\2"),
    (r"(.+\.)(?:to_k|key)\.(.+)", r"\1k.\2"),
    (r"(.+\.)(?:to_v|value)\.(.+)", r"\1v.\2"),
)
# Kept by the authors beside the weights: the discriminator and perceptual nets, and statistics of codebook use.
_NOT_WEIGHTS = re.compile(r"loss\..+|quantize\.(?:codebook_used|ema_vocab_hit_SV)")


def _our_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    num_levels = 1 + max((int(key.split(".")[2]) for key in state if re.match(r"decoder\.up\.\d+\.", key)), default=0)
    in_order = {}
    for key, value in state.items():
        if (match := re.fullmatch(r"decoder\.up\.(\d+)\.(.+)", key)) is not None:  # CompVis counts from full resolution
            key = f"decoder.up.{num_levels - 1 - int(match[1])}.{match[2]}"
        if not _NOT_WEIGHTS.fullmatch(key):
            in_order[key] = value
    renamed = rename(rename(in_order, _MODULES), _LEAVES)
    ours = {}
    for key, value in renamed.items():
        prefix, _, leaf = key.rpartition(".")
        stem, _, part = prefix.rpartition(".")
        is_attention = re.search(r"\.(attentions\.\d+|middle\.1)$", stem) is not None
        if is_attention and part in ("k", "v") and f"{stem}.q.{leaf}" in renamed:
            continue
        if is_attention and part == "q" and {f"{stem}.k.{leaf}", f"{stem}.v.{leaf}"} <= renamed.keys():
            key, value = f"{stem}.qkv.{leaf}", torch.cat([renamed[f"{stem}.{p}.{leaf}"] for p in "qkv"])
        if is_attention and part in ("q", "qkv", "proj") and leaf == "weight":
            value = value.flatten(1)  # a 1x1 convolution is a linear map
        ours[key] = value
    return ours
