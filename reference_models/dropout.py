"""Dropout (arXiv:1207.0580) of a training step: what is dropped depends on a sample's seed and the place alone.

So any number of processes, and of parts that a batch is taken in, drop the same. A loss hands one `Dropout` through its
network; a place is the how-manieth time it is asked. Masks are drawn on the device of what they fall on: those of a
GPU are not those of a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

STRIDE = 0x9E3779B97F4A7C15  # between the seeds of two places: odd, so that each place has its own
ROW_STRIDE = 0xD1B54A32D192ED03  # between those of two rows of one sample


class Dropout:
    """Zeros with probability `rate`, the rest divided by 1 - rate, for a batch of samples with a seed each."""

    def __init__(self, seeds: Sequence[int], rate: float):
        if not 0 <= rate < 1:
            raise ValueError(f"a dropout rate lies in [0, 1), got {rate}")
        self.seeds, self.rate, self.places = list(seeds), rate, 0

    def repeated(self, times: int) -> Dropout:
        """For a batch that comes `times` times, one after the other: each row drops by itself, at places of its own."""
        rows = [seed + ROW_STRIDE * (k + 1) for k in range(times) for seed in self.next_place()]
        return Dropout(rows, self.rate)

    def next_place(self) -> list[int]:
        """A seed per row, of the place that is asked for now."""
        self.places += 1
        return [(seed + STRIDE * self.places) % 2**63 for seed in self.seeds]

    def __call__(self, x: Tensor) -> Tensor:
        """x: (B, ...), of which each row drops by its own seed."""
        return drop(x, self.next_place(), self.rate)


def drop(x: Tensor, seeds: Sequence[int], rate: float) -> Tensor:
    """x (B, ...) with the values that B seeds name set to zero, the rest divided by 1 - rate."""
    if len(seeds) != len(x):
        raise ValueError(f"dropout: {len(seeds)} seeds for {len(x)} rows")
    dropped, generator = torch.empty(x.shape, dtype=torch.bool, device=x.device), torch.Generator(x.device)
    for row, seed in zip(dropped, seeds, strict=True):
        row.bernoulli_(rate, generator=generator.manual_seed(seed))
    return x.masked_fill(dropped, 0) / (1 - rate)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, dropout: Dropout | None = None) -> Tensor:
    """softmax(Q K^T / sqrt(d)) V (1706.03762 eq. 1), with dropout of its weights.

    q: (B, heads, N, d)  k, v: (B, heads, M, d)  mask: (N, M), True = may look.
    With dropout the weights are computed again in the backward pass: those of all blocks would fill a GPU.
    """
    if dropout is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    seeds, rate = dropout.next_place(), dropout.rate

    def dropped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return drop(scores.softmax(-1), seeds, rate).to(v.dtype) @ v

    # The masks come from seeds, so there is no state of a generator to keep.
    out: Tensor = checkpoint(dropped, q, k, v, use_reentrant=False, preserve_rng_state=False)
    return out
