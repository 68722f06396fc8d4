"""VAR (arXiv:2404.02905): autoregression over scales; every token map is drawn at once, given all coarser ones.

A tokenizer (autoencoders.MultiScaleVQAutoencoder) codes an image as K residual token maps. The transformer reads, at
each scale, the map that the coarser scales add up to, shrunk to the size of the scale, and predicts all its tokens in
parallel: K network calls for an image. It needs the tokenizer's codebook for that: `self.autoencoder.quantizer`.

"Latents" of this family are the token ids of all scales in a row, int64 (B, L), as `autoencoder.encode` returns them.
Departs from official: the AdaLN vectors depend on the class alone and are computed once per image (for the null class
once per batch), not at every scale; keys and values go into one preallocated cache; one uniform number per token picks
it by inverse CDF, instead of torch.multinomial on a generator of the whole batch. Left out: `more_smooth`, which mixes
codes by Gumbel-softmax for smoother looking pictures (the authors evaluate without it).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.autoencoders import MultiScaleQuantizer, MultiScaleVQAutoencoder
from reference_models.checkpoints import rename
from reference_models.image_model import ImageModel
from reference_models.layers import Linear, Mlp, add_to_cache, linear, merge_heads, silu
from reference_models.noise import Noise

LABEL_DROPOUT = 0.1
MAX_LOG_SCALE = math.log(100)


class Attention(nn.Module):
    """softmax(s Q K^T) V (1706.03762 eq. 1), of the new tokens' queries; keys and values of coarser scales are kept.

    l2_norm: cosine attention, s a learned scale per head (its logarithm; at most 100).
    """

    k_bias: Tensor

    def __init__(self, hidden_size: int, num_heads: int, l2_norm: bool):
        super().__init__()
        self.num_heads = num_heads
        self.softmax_scale = 1.0 if l2_norm else 0.25 / math.sqrt(hidden_size // num_heads)
        self.log_scale = nn.Parameter(torch.full((1, num_heads, 1, 1), math.log(4))) if l2_norm else None
        self.qkv = Linear(hidden_size, 3 * hidden_size, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(hidden_size))
        self.v_bias = nn.Parameter(torch.zeros(hidden_size))
        self.register_buffer("k_bias", torch.zeros(hidden_size))  # constant; the authors' files hold it
        self.proj = Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, mask: Tensor | None, cache: Tensor | None, start: int) -> Tensor:
        """x: (B, n, D)  mask: (n, n), True = may look  cache: (2, B, H, L, d), k and v, filled up to `start`."""
        batch, n, _ = x.shape
        bias = torch.cat([self.q_bias, self.k_bias, self.v_bias])
        qkv = linear(x, self.qkv.weight, bias).view(batch, n, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv  # each (B, H, n, d)
        if self.log_scale is not None:
            q, k = F.normalize(qkv[:2], dim=-1)
            q, k = (q * self.log_scale.clamp_max(MAX_LOG_SCALE).exp()).to(v.dtype), k.to(v.dtype)
        if cache is not None:
            k, v = add_to_cache(cache, start, k, v)
        return self.proj(merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=self.softmax_scale)))


class Block(nn.Module):
    """Attention and MLP, each x + gate f(LN(x) (1 + scale) + shift) with vectors of the class (AdaLN, 2212.09748).

    shared_adaln: the class's six vectors come from one linear map for all blocks; the block adds its own six.
    """

    def __init__(self, hidden_size: int, num_heads: int, mlp_ratio: float, l2_norm: bool, shared_adaln: bool):
        super().__init__()
        self.attn = Attention(hidden_size, num_heads, l2_norm)
        self.mlp = Mlp(hidden_size, round(hidden_size * mlp_ratio), approximate="tanh")
        if shared_adaln:
            self.adaln_table = nn.Parameter(torch.randn(6, hidden_size) / hidden_size**0.5)
        else:
            self.adaln = Linear(hidden_size, 6 * hidden_size)

    def forward(
        self, x: Tensor, modulation: Tensor, mask: Tensor | None = None, cache: Tensor | None = None, start: int = 0
    ) -> Tensor:
        """x: (B, n, D)  modulation: (6, B, 1, D), two gates, two scales (1 added), two shifts."""
        gate_1, gate_2, scale_1, scale_2, shift_1, shift_2 = modulation
        h = torch.addcmul(shift_1, F.layer_norm(x, x.shape[-1:], eps=1e-6), scale_1)
        x = torch.addcmul(x, self.attn(h, mask, cache, start), gate_1)
        h = torch.addcmul(shift_2, F.layer_norm(x, x.shape[-1:], eps=1e-6), scale_2)
        return torch.addcmul(x, self.mlp(h), gate_2)


class VAR(ImageModel):
    """The transformer.

    scales: sides of the token maps; vocab_size, code_dim: those of the tokenizer; gate_init: factor on the initial
    weights of the gates; drop_path: how often training skips the last block (the first never; linear in between).
    """

    compiled_methods: ClassVar[tuple[str, ...]] = ("step",)
    growing_methods: ClassVar[tuple[str, ...]] = ("step",)
    stages: ClassVar[Mapping[str, tuple[str, ...]]] = {"transformer": ("modulations", "step")}
    kv_cache = True

    def __init__(
        self,
        *,
        hidden_size: int,
        depth: int,
        num_heads: int,
        num_classes: int = 1000,
        scales: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16),
        vocab_size: int = 4096,
        code_dim: int = 32,
        mlp_ratio: float = 4.0,
        l2_norm: bool = True,
        shared_adaln: bool = False,
        drop_path: float = 0.0,
        gate_init: float = 1e-3,
    ):
        super().__init__()
        self.num_classes, self.null_label, self.num_heads = num_classes, num_classes, num_heads
        self.scales, self.drop_path = scales, drop_path
        counts = [size * size for size in scales]
        self.num_tokens = sum(counts)
        self.word_embed = Linear(code_dim, hidden_size)
        self.label_embed = nn.Embedding(num_classes + 1, hidden_size)
        self.level_embed = nn.Embedding(len(scales), hidden_size)
        self.start_embed = nn.Parameter(torch.empty(1, counts[0], hidden_size))
        self.pos_embed = nn.Parameter(torch.empty(1, self.num_tokens, hidden_size))
        self.shared_adaln = Linear(hidden_size, 6 * hidden_size) if shared_adaln else None
        self.blocks = nn.ModuleList(
            Block(hidden_size, num_heads, mlp_ratio, l2_norm, shared_adaln) for _ in range(depth)
        )
        self.head_adaln = Linear(hidden_size, 2 * hidden_size)
        self.head = Linear(hidden_size, vocab_size)
        self.initialize_weights(gate_init)

    @torch.no_grad()
    def initialize_weights(self, gate_init: float) -> None:
        """As the authors: normal weights, zero biases, small residual branches, a smaller head and tiny gates."""
        width = self.head.in_features
        std = math.sqrt(1 / width / 3)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=std)  # the authors truncate at +-2, beyond 30 std
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.start_embed, std=std)
        nn.init.normal_(self.pos_embed, std=std)
        self.head.weight.mul_(0.02)
        self.head_adaln.weight.mul_(0.5)
        for block in cast(Iterable[Block], self.blocks):
            block.attn.proj.weight.div_(math.sqrt(2 * len(self.blocks)))
            block.mlp.fc2.weight.div_(math.sqrt(2 * len(self.blocks)))
            table = block.adaln.weight.view(6, width, width) if self.shared_adaln is None else block.adaln_table
            table[:2].mul_(gate_init)
            table[2:].mul_(0.5)

    # -- the network ---------------------------------------------------------------------------------------------------
    @property
    def quantizer(self) -> MultiScaleQuantizer:
        """The tokenizer's, needed while sampling: it turns tokens into the input of the next scale."""
        return cast(MultiScaleVQAutoencoder, self.autoencoder).quantizer

    def modulations(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """AdaLN vectors of each block, (depth, 6, B, 1, D), and of the head, (2, B, 1, D).  classes: (B,)."""
        c, own = silu(self.label_embed(classes)), cast(list[Block], self.blocks)
        if self.shared_adaln is None:
            blocks = torch.stack([block.adaln(c).unflatten(-1, (6, -1)) for block in own])  # (depth, B, 6, D)
        else:
            shared = self.shared_adaln(c).unflatten(-1, (6, -1))
            blocks = torch.stack([shared + block.adaln_table for block in own])
        scale, shift = self.head_adaln(c)[:, None].chunk(2, dim=-1)  # (B, 1, D)
        gates, scales, shifts = blocks.movedim(2, 1).unsqueeze(3).chunk(3, dim=1)  # each (depth, 2, B, 1, D)
        return torch.cat([gates, 1 + scales, shifts], dim=1), torch.stack([1 + scale, shift])

    def levels(self) -> Tensor:
        """The scale of every position, int64 (L,)."""
        counts = torch.tensor([size * size for size in self.scales], device=self.device)
        return torch.arange(len(counts), device=self.device).repeat_interleave(counts, output_size=self.num_tokens)

    def positions(self) -> Tensor:
        """Place and scale of every token, (1, L, D)."""
        return self.pos_embed + self.level_embed(self.levels())

    def step(
        self, x: Tensor, blocks: Tensor, head: Tensor, cache: Tensor | None, start: int, mask: Tensor | None = None
    ) -> Tensor:
        """Logits of the tokens at positions start, start + 1, ..., float32 (B, n, V).

        x: (B, n, D) embedded inputs  blocks, head: from `modulations`  cache: (depth, 2, B, H, L, d), written to
        """
        for i, block in enumerate(self.blocks):
            x = block(x, blocks[i], mask, None if cache is None else cache[i], start)
        return self.head(torch.addcmul(head[1], F.layer_norm(x, x.shape[-1:], eps=1e-6), head[0])).float()

    def forward(self, labels: Tensor, teacher_input: Tensor, keep: Tensor | float = 1.0) -> Tensor:
        """Logits of all tokens at once, (B, L, V).

        labels: (B,)  teacher_input: (B, L - first, code_dim), from the quantizer
        keep: (depth, 2, B, 1, 1), factor on the residual branches (stochastic depth)
        """
        blocks, head = self.modulations(labels)
        blocks = torch.cat([blocks[:, :2] * keep, blocks[:, 2:]], dim=1)
        start = self.label_embed(labels)[:, None] + self.start_embed
        x = torch.cat([start, self.word_embed(teacher_input.to(self.dtype))], dim=1) + self.positions()
        level = self.levels()
        return self.step(x, blocks, head, None, 0, level[:, None] >= level)  # a scale sees itself and coarser ones

    # -- sampling ------------------------------------------------------------------------------------------------------
    @torch.no_grad()
    def sample(  # type: ignore[override]
        self, labels: Tensor, noise: Noise, *, cfg_scale: float = 2.5, top_k: int = 900, top_p: float = 0.96
    ) -> Tensor:
        """Token ids of all scales, int64 (B, L).

        cfg_scale: guidance at the last scale, linear from 1.0 at the first; the authors' `cfg` is cfg_scale - 1.
        top_k: 0 = the whole codebook  top_p: 1.0 = off. Draws: uniform (L,) per image.
        """
        batch, guided = len(labels), cfg_scale != 1.0
        draws = noise.uniform(self.num_tokens)
        classes = torch.cat([labels, labels.new_full((1,), self.null_label)]) if guided else labels
        blocks, head = self.modulations(classes)
        start = self.label_embed(classes)[:, None]
        if guided:  # the null class, computed once, stands for every image
            rows = torch.arange(2 * batch, device=labels.device).clamp_max(batch)
            blocks, head, start = blocks[:, :, rows], head[:, rows], start[rows]
        positions = self.positions()
        x = start + self.start_embed + positions[:, : self.scales[0] ** 2]
        depth, width = len(self.blocks), x.shape[-1]
        cache = x.new_empty(depth, 2, len(x), self.num_heads, self.num_tokens, width // self.num_heads)
        f_hat = torch.zeros((), device=labels.device)
        tokens: list[Tensor] = []
        begin = 0
        for k, size in enumerate(self.scales):
            end = begin + size * size
            logits = self.step(x, blocks, head, cache, begin)
            if guided:
                t = (cfg_scale - 1) * k / (len(self.scales) - 1)
                conditional, null = logits.chunk(2)
                logits = (1 + t) * conditional - t * null
            tokens.append(draw_tokens(logits, draws[:, begin:end], top_k, top_p))
            if k + 1 < len(self.scales):
                f_hat = f_hat + self.quantizer.contribution(k, tokens[-1])
                x = self.word_embed(self.quantizer.next_input(k, f_hat).to(self.dtype))
                x = x + positions[:, end : end + self.scales[k + 1] ** 2]
                x = x.repeat(2, 1, 1) if guided else x
            begin = end
        return torch.cat(tokens, dim=1)

    def network_evaluations(self, *, cfg_scale: float = 2.5, **settings: Any) -> dict[str, int]:
        """Calls of the transformer, of growing size: one per scale, two under guidance."""
        return {"transformer": len(self.scales) * (2 if cfg_scale != 1.0 else 1)}

    # -- training ------------------------------------------------------------------------------------------------------
    def token_loss(self, tokens: Tensor, labels: Tensor, keep: Tensor | float = 1.0) -> Tensor:
        """Cross-entropy of the teacher-forced tokens, every token weighing the same.  tokens: (B, L)  labels: (B,)."""
        with torch.no_grad():
            teacher_input = self.quantizer.teacher_input(tokens)
        return F.cross_entropy(self(labels, teacher_input, keep).flatten(0, 1), tokens.flatten())

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """latents: the tokens of all scales, (B, L), as `autoencoder.encode` returns them."""
        draws = torch.rand(1 + 2 * len(self.blocks), len(labels), generator=generator, device=generator.device)
        draws = draws.to(labels.device)
        labels = torch.where(draws[0] < LABEL_DROPOUT, self.null_label, labels)
        survival = 1 - torch.linspace(0, self.drop_path, len(self.blocks), device=labels.device)[:, None, None]
        keep = (draws[1:].unflatten(0, (-1, 2)) < survival) / survival  # (depth, 2, B)
        return self.token_loss(latents, labels, keep[..., None, None].to(self.dtype))

    # -- the authors' layout -------------------------------------------------------------------------------------------
    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """For VAR's constructor arguments (its defaults) together with those of its VQVAE."""
        return {
            "hidden_size": config.get("embed_dim", 1024),
            "depth": config.get("depth", 16),
            "num_heads": config.get("num_heads", 16),
            "num_classes": config.get("num_classes", 1000),
            "scales": tuple(config.get("patch_nums", (1, 2, 3, 4, 5, 6, 8, 10, 13, 16))),
            "vocab_size": config.get("vocab_size", 4096),
            "code_dim": config.get("z_channels", 32),
            "mlp_ratio": config.get("mlp_ratio", 4.0),
            "l2_norm": config.get("attn_l2_norm", False),
            "shared_adaln": config.get("shared_aln", False),
            "drop_path": config.get("drop_path_rate", 0.0),
        }

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        constants = ("lvl_1L", "attn_bias_for_masking")
        ours = rename({key: value for key, value in state.items() if key not in constants}, _RENAMES)
        return {key: value.flatten(0, 2) if key.endswith("adaln_table") else value for key, value in ours.items()}


_RENAMES = (
    (r"pos_start", "start_embed"),
    (r"pos_1LC", "pos_embed"),
    (r"class_emb\.weight", "label_embed.weight"),
    (r"lvl_embed\.weight", "level_embed.weight"),
    (r"shared_ada_lin\.1\.(.+)", r"shared_adaln.\1"),
    (r"head_nm\.ada_lin\.1\.(.+)", r"head_adaln.\1"),
    (r"(blocks\.\d+)\.attn\.scale_mul_1H11", r"\1.attn.log_scale"),
    (r"(blocks\.\d+)\.attn\.zero_k_bias", r"\1.attn.k_bias"),
    (r"(blocks\.\d+)\.attn\.mat_qkv\.weight", r"\1.attn.qkv.weight"),
    (r"(blocks\.\d+)\.ffn\.(.+)", r"\1.mlp.\2"),
    (r"(blocks\.\d+)\.ada_lin\.1\.(.+)", r"\1.adaln.\2"),
    (r"(blocks\.\d+)\.ada_gss", r"\1.adaln_table"),
)


def draw_tokens(logits: Tensor, uniform: Tensor, top_k: int, top_p: float) -> Tensor:
    """One token per position from the likeliest `top_k`, of these the fewest that hold `top_p` of the mass.

    logits: float32 (B, n, V)  uniform: (B, n) in [0, 1) -> int64 (B, n).
    By the inverse of the cumulative distribution, in codebook order, in float64: CUDA does not promise to add in
    the same order twice, and in float32 the order decides a draw in 10,000. top_k = 1 is arg-max.
    """
    logits, uniform, vocab_size = logits.double(), uniform.double(), logits.shape[-1]
    best = logits.topk(min(top_k or vocab_size, vocab_size), dim=-1).values  # descending
    mass = best.softmax(dim=-1)
    num_kept = (mass.cumsum(dim=-1) - mass < top_p).sum(dim=-1, keepdim=True)
    least = best.gather(-1, (num_kept - 1).clamp_min(0))
    weights = torch.where(logits >= least, (logits - best[..., :1]).exp(), 0.0)
    cumulative = weights.cumsum(dim=-1)
    return torch.searchsorted(cumulative, (1 - uniform[..., None]) * cumulative[..., -1:]).squeeze(-1)
