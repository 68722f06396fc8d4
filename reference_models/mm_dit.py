"""The joint block of SD3's MM-DiT (arXiv:2403.03206, figure 2b): two streams, one attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.layers import Linear, Mlp, merge_heads, scale_and_shift, split_heads


def norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


class Stream(nn.Module):
    """One stream of a joint block.  Its modulation: shift, scale and gate of the attention, then of the MLP."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.modulation = Linear(hidden_size, 6 * hidden_size)
        self.qkv = Linear(hidden_size, 3 * hidden_size)
        self.proj = Linear(hidden_size, hidden_size)
        self.mlp = Mlp(hidden_size, 4 * hidden_size, "tanh")

    def enter(self, x: Tensor, m: Tensor) -> Tensor:
        """Queries, keys and values (B, N, 3 D) of x (B, N, D).  m: (B or 1, 6, 1, D)."""
        return self.qkv(scale_and_shift(norm(x), m[:, 0], m[:, 1]))

    def leave(self, x: Tensor, attended: Tensor, m: Tensor) -> Tensor:
        x = x + m[:, 2] * self.proj(attended)
        return x + m[:, 5] * self.mlp(scale_and_shift(norm(x), m[:, 3], m[:, 4]))


class JointBlock(nn.Module):
    """Two streams, one attention over [image, text] (2403.03206 figure 2b).

    Attention is softmax(Q K^T / sqrt(d)) V (1706.03762 eq. 1) row by row: where one stream alone is read afterwards,
    the queries of the other are left out.
    """

    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.image = Stream(hidden_size)
        self.text = Stream(hidden_size)

    def forward(self, image: Tensor, text: Tensor, modulation: Tensor, keep: str = "both") -> tuple[Tensor, Tensor]:
        """image: (B, N, D)  text: (B, L, D)  modulation: (B or 1, 2, 6, D)  keep: what is read afterwards."""
        num_image = image.shape[1]
        image_m, text_m = modulation.unsqueeze(-2).unbind(1)
        qkv = torch.cat([self.image.enter(image, image_m), self.text.enter(text, text_m)], dim=1)
        q, k, v = (split_heads(part, self.num_heads) for part in qkv.chunk(3, dim=-1))
        if keep != "both":
            q = q[:, :, :num_image] if keep == "image" else q[:, :, num_image:]
        attended = merge_heads(F.scaled_dot_product_attention(q, k, v))
        if keep != "text":
            image = self.image.leave(image, attended[:, :num_image], image_m)
        if keep != "image":
            text = self.text.leave(text, attended[:, -text.shape[1] :], text_m)
        return image, text
