"""Vector quantisers: feature maps <-> token ids of a learned codebook.

VectorQuantizer: one token per position (VQGAN, arXiv:2012.09841; LlamaGen, arXiv:2406.06525).
MultiScaleQuantizer: one residual token map per scale, coarse to fine (VAR, arXiv:2404.02905, algorithms 1 and 2).
Both compute in float32 whatever the dtype of the networks around them: a rounded distance picks another code.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

COMMITMENT = 0.25  # beta, the weight of the commitment loss in both papers


def float32_arithmetic(device: torch.device) -> AbstractContextManager[object]:
    """Within it autocast is off; the meta device has none."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def nearest(z: Tensor, codebook: Tensor) -> Tensor:
    """Index of the code closest to each row, by |z|^2 - 2 z.e + |e|^2.  z: (N, C)  codebook: (V, C) -> int64 (N,)."""
    with float32_arithmetic(z.device):
        lengths = z.square().sum(dim=1, keepdim=True) + codebook.square().sum(dim=1)
        return torch.addmm(lengths, z, codebook.T, alpha=-2).argmin(dim=1)


class VectorQuantizer(nn.Module):
    """One code per position. l2_norm: codes and features are compared, and passed on, on the unit sphere (LlamaGen)."""

    def __init__(self, vocab_size: int, code_dim: int, l2_norm: bool = True):
        super().__init__()
        self.l2_norm = l2_norm
        self.codebook = nn.Embedding(vocab_size, code_dim)
        nn.init.uniform_(self.codebook.weight, -1.0 / vocab_size, 1.0 / vocab_size)
        if l2_norm:
            self.codebook.weight.data = F.normalize(self.codebook.weight.data, dim=-1)

    def _on_sphere(self, z: Tensor) -> Tensor:
        return F.normalize(z.float(), dim=-1) if self.l2_norm else z.float()

    def encode(self, f: Tensor) -> Tensor:
        """Tokens of a feature map.  f: (B, C, h, w) -> int64 (B, h, w)."""
        z = self._on_sphere(f.permute(0, 2, 3, 1))
        return nearest(z.flatten(0, 2), self._on_sphere(self.codebook.weight)).view(z.shape[:3])

    def decode(self, tokens: Tensor) -> Tensor:
        """Codes of the tokens.  tokens: (B, h, w) -> float32 (B, C, h, w)."""
        return F.embedding(tokens, self._on_sphere(self.codebook.weight)).permute(0, 3, 1, 2)

    def quantize(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """(codes with the gradient of f, straight-through; codebook + commitment loss).  f: (B, C, h, w)."""
        codes = self.decode(self.encode(f.detach()))
        z = self._on_sphere(f.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        loss = F.mse_loss(codes, z.detach()) + COMMITMENT * F.mse_loss(z, codes.detach())
        return z + (codes - z).detach(), loss


def phi_of_scales(num_scales: int, num_phi: int) -> list[int]:
    """Which convolution phi each scale uses: the one whose tick is closest to k / (K - 1) (VAR's quant.py).

    Scales can fall halfway between two ticks (K = 10: the third and the eighth); there the rounding of these very
    float64 expressions decides, as in the authors' code.
    """
    margin = 1 / 3 / num_phi if num_phi == 4 else 1 / 2 / num_phi
    ticks = np.linspace(margin, 1 - margin, num_phi)
    return [int(np.argmin(np.abs(ticks - k / (num_scales - 1)))) for k in range(num_scales)]


class MultiScaleQuantizer(nn.Module):
    """K token maps of s x s positions, s in `scales`; each codes what the coarser ones left over of the feature map.

    The tokens of an image are one row (B, L), L = sum of s^2, coarsest scale first. A scale adds to the map
    phi_k(upsampled codes), phi(h) = (1 - phi_ratio) h + phi_ratio conv(h): a convolution that mends the upsampling.
    """

    def __init__(
        self, vocab_size: int, code_dim: int, scales: tuple[int, ...], num_phi: int = 4, phi_ratio: float = 0.5
    ):
        super().__init__()
        self.scales = scales
        self.phi_ratio = phi_ratio
        self.codebook = nn.Embedding(vocab_size, code_dim)
        # The spread of a young encoder's features: after 400 steps of the digits tokenizer all 256 codes are in use,
        # after VQGAN's 1 / vocab_size 108, after 1.0 only 64. The authors do not say how theirs start.
        nn.init.normal_(self.codebook.weight, std=0.1)
        self.phi = nn.ModuleList(nn.Conv2d(code_dim, code_dim, 3, padding=1) for _ in range(num_phi))
        self.phi_idx = phi_of_scales(len(scales), num_phi)

    def split(self, tokens: Tensor) -> list[Tensor]:
        """Tokens of each scale.  (B, L) -> K times (B, s * s)."""
        return list(tokens.split([s * s for s in self.scales], dim=1))

    def contribution(self, level: int, tokens: Tensor) -> Tensor:
        """What the tokens of one scale add to the feature map.  tokens: (B, s * s) -> float32 (B, C, h, w).

        On a CPU one image is computed as two equal ones: oneDNN's convolution rounds otherwise in a batch of one.
        """
        if len(tokens) == 1 and tokens.device.type == "cpu":
            return self.contribution(level, tokens.expand(2, -1))[:1]
        size = (self.scales[level], self.scales[level])
        h = F.embedding(tokens, self.codebook.weight.float()).transpose(1, 2).unflatten(2, size)
        h = F.interpolate(h, size=(self.scales[-1], self.scales[-1]), mode="bicubic")  # the last scale: unchanged
        weight, bias = (parameter.float() for parameter in self.phi[self.phi_idx[level]].parameters())
        with float32_arithmetic(h.device):
            return (1 - self.phi_ratio) * h + self.phi_ratio * F.conv2d(h, weight, bias, padding=1)

    def next_input(self, level: int, f_hat: Tensor) -> Tensor:
        """The map so far, shrunk (area) to the scale after `level`.  f_hat: (B, C, h, w) -> (B, s * s, C)."""
        size = self.scales[level + 1]
        return F.interpolate(f_hat, size=(size, size), mode="area").flatten(2).transpose(1, 2)

    def encode(self, f: Tensor) -> Tensor:
        """Tokens of all scales, by residual quantisation (algorithm 1).  f: (B, C, h, w) -> int64 (B, L)."""
        if f.shape[2:] != (self.scales[-1], self.scales[-1]):
            found, side = f"{f.shape[2]} x {f.shape[3]}", self.scales[-1]
            raise ValueError(f"the image has {found} positions, expected {side} x {side}, the last scale")
        rest, tokens = f.float(), []
        for level, size in enumerate(self.scales):
            z = F.interpolate(rest, size=(size, size), mode="area").permute(0, 2, 3, 1).flatten(0, 2)
            tokens.append(nearest(z, self.codebook.weight.float()).view(len(f), -1))
            rest = rest - self.contribution(level, tokens[-1])
        return torch.cat(tokens, dim=1)

    def decode(self, tokens: Tensor) -> Tensor:
        """The feature map that the tokens add up to (algorithm 2).  tokens: (B, L) -> float32 (B, C, h, w)."""
        f_hat = torch.zeros((), device=tokens.device)
        for level, part in enumerate(self.split(tokens)):
            f_hat = f_hat + self.contribution(level, part)
        return f_hat

    def teacher_input(self, tokens: Tensor) -> Tensor:
        """What a transformer reads when every earlier scale is right: inputs of scales 2..K, (B, L - first, C)."""
        f_hat = torch.zeros((), device=tokens.device)
        inputs = []
        for level, part in enumerate(self.split(tokens)[:-1]):
            f_hat = f_hat + self.contribution(level, part)
            inputs.append(self.next_input(level, f_hat))
        return torch.cat(inputs, dim=1)

    def quantize(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """(the coded map with the gradient of f, straight-through; mean over scales of codebook + commitment loss)."""
        f = f.float()
        f_hat, loss = torch.zeros_like(f), torch.zeros((), device=f.device)
        with torch.no_grad():
            tokens = self.encode(f)
        for level, part in enumerate(self.split(tokens)):
            f_hat = f_hat + self.contribution(level, part)
            loss = loss + F.mse_loss(f_hat, f.detach()) + COMMITMENT * F.mse_loss(f, f_hat.detach())
        return f + (f_hat - f).detach(), loss / len(self.scales)
