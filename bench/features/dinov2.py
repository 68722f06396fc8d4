"""DINOv2 ViT-L/14 (Oquab et al. 2023, arXiv:2304.07193), whose class token gives FD-DINOv2 (arXiv:2306.04675).

torch-fidelity's extractor of this name can only download its network; this one reads the released state dict
(dinov2_vitl14_pretrain.pth) and prepares images as torch-fidelity's does: resized to 224 x 224 as TensorFlow 1 would,
normalised by ImageNet's mean and deviation. Other sizes of the family load too where the file holds them.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from bench.errors import CheckFailed
from reference_models.checkpoints import load_into, read_state

DINOV2_FILE = "dinov2_vitl14_pretrain.pth"
INPUT_SIZE, PATCH = 224, 14
GRID = INPUT_SIZE // PATCH
HEAD_DIM = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OFFSET = 0.1  # added to the grid when its released positions, 37 x 37, are resized


class _Scale(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Attention(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, length, 3, width // HEAD_DIM, HEAD_DIM).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width))


class _Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.attn, self.ls1 = nn.LayerNorm(width, eps=1e-6), _Attention(width), _Scale(width)
        self.norm2, self.mlp, self.ls2 = nn.LayerNorm(width, eps=1e-6), _Mlp(width), _Scale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class _PatchEmbed(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)  # (B, 256, D)


class DinoV2(nn.Module):
    """The vision transformer; parameter names as released."""

    def __init__(self, width: int, depth: int, num_positions: int):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of its training; in the file, not used
        self.pos_embed = nn.Parameter(torch.zeros(1, num_positions, width))
        self.patch_embed = _PatchEmbed(width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.register_buffer("mean", 255 * torch.tensor(MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(DEVIATION).reshape(1, 3, 1, 1), persistent=False)

    def positions(self) -> Tensor:
        """Position embeddings of the 16 x 16 grid, after that of the class token, (1, 257, D)."""
        first, rest = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        side = math.isqrt(rest.shape[1])
        if side == GRID:
            return self.pos_embed
        planes = rest.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        scale = (GRID + OFFSET) / side
        planes = F.interpolate(planes, scale_factor=(scale, scale), mode="bicubic", antialias=False)
        return torch.cat([first, planes.permute(0, 2, 3, 1).flatten(1, 2)], 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """(class token (B, D), None, None) of uint8 images (B, 3, H, W)."""
        x = interpolate_bilinear_2d_like_tensorflow1x(
            images.to(torch.float32), size=(INPUT_SIZE, INPUT_SIZE), align_corners=False
        )
        x = self.patch_embed((x - self.mean) / self.deviation)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.positions()
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0], None, None


def build_dinov2(path: Path) -> nn.Module:
    """The network of a released state dict, its size read from the file. CheckpointError or CheckFailed in one line."""
    state = read_state(path)
    try:
        num_positions, width = state["pos_embed"].shape[1:]
        depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    except (KeyError, ValueError, IndexError) as error:
        found = ", ".join(list(state)[:3])
        raise CheckFailed(f"weights {path}: of another model: expected {DINOV2_FILE}, found keys as {found}") from error
    network = DinoV2(width, depth, num_positions)
    load_into(network, state, str(path))
    return network
