"""Layers that are truly the same in several families. What only looks alike stays in its family's file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.dropout import Dropout, attend


def time_waves(t: Tensor, size: int = 256, longest: float = 10000.0) -> Tensor:
    """What a network is told of the time t: cos(w_k t) for k = 0..n - 1, then sin(w_k t), with n = size / 2 waves of
    angular frequency w_k = longest^(-k / n), from 1 down to nearly 1 / longest (after arXiv:1706.03762, section 3.5).

    t: (B,) -> float32 (B, size).  Used by DiT, SiT, MAR, TransDiff and D-DiT alike.
    """
    num_waves = size // 2
    k = torch.arange(num_waves, device=t.device).float()
    phases = torch.outer(t.float(), (k * (-math.log(longest) / num_waves)).exp())  # (B, n)
    return torch.cat((phases.cos(), phases.sin()), dim=1)


class TimeEmbedding(nn.Module):
    """The waves of t, Linear, SiLU, Linear.  t: (B,) -> (B, hidden_size)."""

    def __init__(self, hidden_size: int, num_waves: int = 256):
        super().__init__()
        self.num_waves = num_waves
        self.linear_1 = Linear(num_waves, hidden_size)
        self.linear_2 = Linear(hidden_size, hidden_size)

    def forward(self, t: Tensor) -> Tensor:
        waves = time_waves(t, self.num_waves).to(self.linear_1.weight.dtype)
        return self.linear_2(silu(self.linear_1(waves)))


OWN_KERNELS = True  # whether `linear` and `gelu_tanh` take their faster ways on a CPU; see `torchs_kernels`


@contextmanager
def torchs_kernels() -> Iterator[None]:
    """Within the block torch's own kernels are taken where this file has faster ways: what `own_kernels` names."""
    global OWN_KERNELS
    before, OWN_KERNELS = OWN_KERNELS, False
    try:
        yield
    finally:
        OWN_KERNELS = before


VECTORS = 64  # elements; a multiple of every vector register that torch fills at once


def silu(x: Tensor) -> Tensor:
    """F.silu; on a CPU in float32 whole vectors of x, the last one filled with zeros.

    torch computes what does not fill a vector by another routine, which rounds otherwise: so which elements it rounds
    so would depend on how many rows there are, and an image on its batch.
    """
    if not x.is_cpu or x.dtype != torch.float32 or torch.compiler.is_compiling():
        return F.silu(x)
    lacking = -x.numel() % VECTORS
    if not lacking:
        return F.silu(x)
    return F.silu(F.pad(x.flatten(), (0, lacking)))[: x.numel()].view(x.shape)


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU in its tanh approximation, 0.5 x (1 + tanh u) (1606.08415 section 2).

    On a CPU without gradients as x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3), which is the same because
    (1 + tanh u) / 2 = sigmoid(2u): torch's kernel, which calls tanh, takes two to three times as long there.
    """
    if not OWN_KERNELS or not x.is_cpu or x.dtype != torch.float32 or torch.is_grad_enabled():
        return F.gelu(x, approximate="tanh")
    twice = 2 * math.sqrt(2 / math.pi)
    return x.square().mul_(0.044715 * twice).add_(twice).mul_(x).sigmoid_().mul_(x)


FEW_ROWS, MANY_WEIGHTS = 4, 2**18
ENOUGH_ROWS = 16  # from 12 rows on, and at most 8 threads, a row's product does not depend on their number (measured)


@contextmanager
def own_rows_alone() -> Iterator[None]:
    """Within the block no rows are added: the network's own work, for the stopwatch.

    They cost a model of one token a step a third of its time (llamagen-digits at batch 1: 1.37) and others nothing.
    """
    global ENOUGH_ROWS
    before, ENOUGH_ROWS = ENOUGH_ROWS, 1
    try:
        yield
    finally:
        ENOUGH_ROWS = before


def num_threads() -> int:
    """A function, so that `compile_steps` can name it a constant: torch's own breaks a graph."""
    return torch.get_num_threads()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b; on a CPU in float32 with few rows, as one token of each image, by another way.

    A small matrix: rows of zeros are added, because for few rows torch's BLAS takes kernels that round otherwise. So
    what a row becomes does not depend on how many rows there are, and an image not on its batch. (Left out where code
    is compiled, which rounds in its own ways.)
    A large matrix: a CPU's time is that of reading the weights. torch takes x W^T row by row, by one thread, and reads
    them for each row; (W x^T)^T, the same sums, is shared among the threads (tests/benchmarks/test_time_models.py). A
    single thread gains where the matrix is wide.
    """
    if not x.is_cpu or x.dtype != torch.float32:
        return F.linear(x, weight, bias)
    num_rows = x.numel() // x.shape[-1]
    if weight.numel() < MANY_WEIGHTS:
        if num_rows >= ENOUGH_ROWS or num_rows == 0 or torch.compiler.is_compiling():
            return F.linear(x, weight, bias)
        rows = F.pad(x.reshape(num_rows, -1), (0, 0, 0, ENOUGH_ROWS - num_rows))
        return F.linear(rows, weight, bias)[:num_rows].view(*x.shape[:-1], -1)
    if not OWN_KERNELS or num_rows > FEW_ROWS or (num_threads() == 1 and weight.shape[0] <= weight.shape[1]):
        return F.linear(x, weight, bias)
    product = (weight @ x.reshape(num_rows, -1).contiguous().t()).t().contiguous()
    return (product if bias is None else product + bias).view(*x.shape[:-1], -1)


class Linear(nn.Linear):
    """nn.Linear by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)


def own_kernels(model: nn.Module) -> tuple[str, ...]:
    """What a model computes here, without gradients, in ways of this file that are faster than torch's: ways that some
    families gain from and others do not, so that a time is told with them (bench/timing/conditions.py).

    "few rows": the product of a large matrix with up to FEW_ROWS rows (`linear`), which gains where a family takes few
    tokens at a time; "gelu": `gelu_tanh`. Empty where torch's ways are taken: on a GPU, in another arithmetic than
    float32, and within `torchs_kernels`. Rows that `linear` adds are none: they cost time, and `own_rows_alone` leaves
    them out of timings.
    """
    here = [p for p in model.parameters() if p.device.type == "cpu" and p.dtype == torch.float32]
    if not here or not OWN_KERNELS:
        return ()
    matrices = [module.weight for module in model.modules() if isinstance(module, Linear)]
    large = [weight for weight in matrices if weight.numel() >= MANY_WEIGHTS]
    found = []
    if any(num_threads() > 1 or weight.shape[0] > weight.shape[1] for weight in large):
        found.append("few rows")
    if any(isinstance(module, Mlp) and module.approximate == "tanh" for module in model.modules()):
        found.append("gelu")
    return tuple(found)


class Mlp(nn.Module):
    """Linear, GELU, Linear.  approximate: "none" (timm's ViT) or "tanh" (DiT)."""

    def __init__(self, hidden_size: int, mlp_size: int, approximate: str = "none"):
        super().__init__()
        self.fc1 = Linear(hidden_size, mlp_size)
        self.fc2 = Linear(mlp_size, hidden_size)
        self.approximate = approximate

    def forward(self, x: Tensor, dropout: Dropout | None = None) -> Tensor:
        """dropout: of the hidden values and of the output, as timm has it."""
        x = self.fc1(x)
        x = gelu_tanh(x) if self.approximate == "tanh" else F.gelu(x)
        return self.fc2(x) if dropout is None else dropout(self.fc2(dropout(x)))


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(B, N, D) -> (B, heads, N, D / heads)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, N, d) -> (B, N, heads * d)."""
    return x.transpose(1, 2).flatten(2)


def add_to_cache(cache: Tensor, start: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """K and V of all tokens up to those of k and v (B, heads, n, d), which are put at `start`.

    cache: (2, B, heads, L, d), filled up to `start`; what comes back are views of it.
    """
    num = k.shape[2]
    new_k, new_v = cache.narrow(3, start, num)
    new_k.copy_(k)
    new_v.copy_(v)
    k, v = cache.narrow(3, 0, start + num)
    return k, v


class SelfAttention(nn.Module):
    """Multi-head self-attention (1706.03762 eq. 1) with one qkv projection (timm's layout: q, k, v, each all heads)."""

    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = Linear(hidden_size, 3 * hidden_size)
        self.proj = Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, mask: Tensor | None = None, dropout: Dropout | None = None) -> Tensor:
        """x: (B, N, D)  mask: (N, N), True = may look -> (B, N, D).  dropout: of the weights and of the output."""
        q, k, v = (split_heads(part, self.num_heads) for part in self.qkv(x).chunk(3, dim=-1))
        out = self.proj(merge_heads(attend(q, k, v, mask, dropout)))
        return out if dropout is None else dropout(out)


class TransformerBlock(nn.Module):
    """The pre-norm ViT block of TransDiff's encoder and of MAR: qkv bias, exact GELU, MLP ratio 4, norm eps 1e-6."""

    def __init__(self, hidden_size: int, num_heads: int, mlp_ratio: float = 4.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.attn = SelfAttention(hidden_size, num_heads)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.mlp = Mlp(hidden_size, int(hidden_size * mlp_ratio))

    def forward(self, x: Tensor, mask: Tensor | None = None, dropout: Dropout | None = None) -> Tensor:
        x = x + self.attn(self.norm1(x), mask, dropout)
        return x + self.mlp(self.norm2(x), dropout)


def scale_and_shift(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x (1 + scale) + shift; shift and scale must broadcast against x (B, N, D)."""
    return x * (1 + scale) + shift


def sincos_2d(dim: int, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """Fixed positions of a grid, float32 (len(rows) * len(columns), dim), row by row.

    Half of the channels tell the column, half the row, in this order (as MAE, DiT and SD3 have them). Each half holds
    sin(w_k c), then cos(w_k c), of its coordinate c, for n = dim / 4 frequencies w_k = 10000^(-k / n).
    """
    num_waves = dim // 4
    frequencies = 10000.0 ** -(np.arange(num_waves) / num_waves)
    row_phases, column_phases = np.outer(rows, frequencies), np.outer(columns, frequencies)  # float64
    table = np.empty((len(rows), len(columns), 4, num_waves))
    table[:, :, 0], table[:, :, 1] = np.sin(column_phases), np.cos(column_phases)
    table[:, :, 2], table[:, :, 3] = np.sin(row_phases)[:, None], np.cos(row_phases)[:, None]
    return torch.from_numpy(table.reshape(len(rows) * len(columns), dim)).float()
