"""LlamaGen (arXiv:2406.06525): a Llama decoder writes an image token by token, in raster order.

The sequence is [class, token 1, ..., token N - 1]; what stands at place i predicts token i + 1 of a VQ codebook.
RMSNorm, SwiGLU, no biases, rotary positions in two dimensions. Classifier-free guidance mixes the logits with those of
the null class, the last row of the class table. The AR-only baseline with discrete tokens.
Departs from official: a uniform number per token picks it by inverse CDF (there: torch.multinomial on a global
generator); attention looks at the filled part of the key/value cache, not at all of it; SwiGLU's w1 and w3 are one
matrix; the setting `cfg_interval`, which no published number uses, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import rename
from reference_models.image_model import ImageModel
from reference_models.layers import Linear
from reference_models.noise import Noise
from reference_models.sizes.llamagen import swiglu_size

CACHE_STEP = 64  # attention sees the cache up to the next multiple of this many positions: few shapes, little waste
Cache = tuple[Tensor, Tensor]  # keys and values of one block, each (B, H, length, d)


def rotary_table(grid: int, head_size: int, base: float, device: torch.device) -> Tensor:
    """Cosines and signed sines of the 2-D positions, float32 (2, 1 + grid^2, head_size).

    The first half of a head turns with the row, the second with the column; channels 2k and 2k + 1 are one plane.
    The class position has zeros, not the identity: its query and key vanish, and every token gives it the score 0.
    """
    exponents = torch.arange(0, head_size // 2, 2, dtype=torch.float32, device=device) / (head_size // 2)
    angles = torch.arange(grid, dtype=torch.float32, device=device)[:, None] / base**exponents  # (grid, d / 4)
    rows = angles[:, None].expand(grid, grid, -1)
    angles = torch.cat([rows, rows.transpose(0, 1)], dim=-1).flatten(0, 1)  # (N, d / 2)
    cos, sin = angles.cos(), angles.sin()
    table = torch.stack([torch.stack([cos, cos], dim=-1), torch.stack([-sin, sin], dim=-1)]).flatten(2)
    return F.pad(table, (0, 0, 1, 0))


def rotate(x: Tensor, rotary: Tensor) -> Tensor:
    """Turn each plane of x by its angle, in float32.  x: (B, N, H, d)  rotary: (2, N, d)."""
    cos, sin = rotary[:, :, None]
    swapped = x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)  # (x0, x1) -> (x1, x0)
    return (x * cos + swapped * sin).to(x.dtype)


def dropout(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Dropout from an explicit generator; None: off."""
    if generator is None or rate == 0.0:
        return x
    kept = torch.rand(x.shape, generator=generator, device=generator.device).to(x.device) >= rate
    return x * kept / (1 - rate)


def draw(logits: Tensor, uniform: Tensor, top_k: int, top_p: float) -> Tensor:
    """One token per row by inverse CDF: the first whose cumulative probability exceeds `uniform`.

    In float64: CUDA does not promise to add in the same order twice, and in float32 the order decides a draw in 10,000.

    logits: float32 (B, V)  uniform: (B, 1) in [0, 1) -> int64 (B,).  top_k: keep so many of the likeliest, 0: all;
    then top_p: keep the likeliest until their sum exceeds it, 1: all.
    """
    logits, uniform = logits.double(), uniform.double()
    if top_k > 0:
        smallest_kept = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < smallest_kept, -torch.inf)
    if top_p < 1.0:
        ordered, order = logits.sort(descending=True)
        beyond = ordered.softmax(-1).cumsum(-1) > top_p
        removed = F.pad(beyond, (1, 0))[:, :-1]  # the token that crosses the line stays
        logits = logits.masked_fill(removed.scatter(1, order, removed), -torch.inf)
    cdf = logits.softmax(-1).cumsum(-1)
    # Times the total, which rounding leaves a little off 1: so that no draw falls behind the last token.
    return torch.searchsorted(cdf, uniform * cdf[:, -1:], right=True)[:, 0]


class Attention(nn.Module):
    """Self-attention with rotary positions. With fewer heads of keys and values, groups of queries share them."""

    def __init__(self, hidden_size: int, num_heads: int, num_kv_heads: int):
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_size = num_heads, num_kv_heads, hidden_size // num_heads
        self.qkv = Linear(hidden_size, (num_heads + 2 * num_kv_heads) * self.head_size, bias=False)
        self.proj = Linear(hidden_size, hidden_size, bias=False)

    def forward(
        self,
        x: Tensor,
        rotary: Tensor,
        cache: Cache | None = None,
        position: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Causal over x (B, N, D); with a cache, x (B, 1, D) is put at `position` (1,) and looks where mask is 0."""
        qkv = self.qkv(x).unflatten(-1, (-1, self.head_size))  # (B, N, H + 2 Hkv, d)
        qk, v = qkv.split([self.num_heads + self.num_kv_heads, self.num_kv_heads], dim=2)
        q, k = rotate(qk, rotary).split([self.num_heads, self.num_kv_heads], dim=2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        if cache is not None and position is not None:
            k, v = cache[0].index_copy_(2, position, k), cache[1].index_copy_(2, position, v)
        grouped = self.num_kv_heads != self.num_heads
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=cache is None, enable_gqa=grouped)
        return self.proj(x.transpose(1, 2).flatten(2))


class SwiGlu(nn.Module):
    """FFN_SwiGLU (2002.05202 eq. 6): down(silu(gate(x)) * up(x)), with gate and up in one matrix."""

    def __init__(self, hidden_size: int, mlp_size: int):
        super().__init__()
        self.gate_up = Linear(hidden_size, 2 * mlp_size, bias=False)
        self.down = Linear(mlp_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Block(nn.Module):
    """Pre-norm attention and SwiGLU.

    `step` gives the last row of `forward`: of softmax(Q K^T / sqrt(d)) V (1706.03762 eq. 1) it computes one query, on
    the keys and values of the positions before, which a causal mask leaves as they are.
    """

    def __init__(self, hidden_size: int, num_heads: int, num_kv_heads: int, mlp_size: int, norm_eps: float):
        super().__init__()
        self.norm1 = nn.RMSNorm(hidden_size, eps=norm_eps)
        self.attn = Attention(hidden_size, num_heads, num_kv_heads)
        self.norm2 = nn.RMSNorm(hidden_size, eps=norm_eps)
        self.mlp = SwiGlu(hidden_size, mlp_size)

    def forward(self, x: Tensor, rotary: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
        """All positions, with dropout at `rate` where there is a generator.  x: (B, N, D)  rotary: (2, N, d)."""
        x = x + dropout(self.attn(self.norm1(x), rotary), rate, generator)
        return x + dropout(self.mlp(self.norm2(x)), rate, generator)

    def step(self, x: Tensor, rotary: Tensor, cache: Cache, position: Tensor, mask: Tensor) -> Tensor:
        """One position.  x: (B, 1, D)  rotary: (2, 1, d)  position: (1,)  mask: (1, length)."""
        x = x + self.attn(self.norm1(x), rotary, cache, position, mask)
        return x + self.mlp(self.norm2(x))


class LlamaGen(ImageModel):
    """p(token i + 1 | class, tokens 1..i).  Latents are token ids, int64 (B, latent_size, latent_size)."""

    compiled_methods = ("next_logits",)  # without the draw, whose sums in float64 torch's compiler cannot write
    stages: ClassVar[Mapping[str, tuple[str, ...]]] = {"transformer": ("next_logits",)}
    kv_cache = True

    def __init__(
        self,
        *,
        hidden_size: int,
        depth: int,
        num_heads: int,
        mlp_size: int,
        vocab_size: int = 16384,
        num_classes: int = 1000,
        latent_size: int = 16,
        num_kv_heads: int | None = None,  # None: as many as num_heads
        norm_eps: float = 1e-5,
        rotary_base: float = 10000.0,
        label_dropout: float = 0.1,  # 0: there is no null class
        dropout_rate: float = 0.1,  # of the embedded tokens and of each attention's and each SwiGLU's output
    ):
        super().__init__()
        self.num_classes, self.latent_size, self.num_tokens = num_classes, latent_size, latent_size**2
        self.label_dropout, self.dropout_rate = label_dropout, dropout_rate
        self.head_size, self.num_kv_heads = hidden_size // num_heads, num_kv_heads or num_heads
        self.rotary_base, self.cache_step = rotary_base, CACHE_STEP
        self.kept_caches: list[Cache] | None = None  # see `caches`
        self.label_embed = nn.Embedding(num_classes + (label_dropout > 0), hidden_size)
        self.token_embed = nn.Embedding(vocab_size, hidden_size)
        self.blocks = nn.ModuleList(
            Block(hidden_size, num_heads, self.num_kv_heads, mlp_size, norm_eps) for _ in range(depth)
        )
        self.norm = nn.RMSNorm(hidden_size, eps=norm_eps)
        self.head = Linear(hidden_size, vocab_size, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(self.head.weight)  # training starts from the uniform distribution

    def rotary(self) -> Tensor:
        """Of the N inputs: the class and all tokens but the last, (2, N, d).  Made anew: no cast has rounded it."""
        return rotary_table(self.latent_size, self.head_size, self.rotary_base, self.device)[:, : self.num_tokens]

    # -- training ------------------------------------------------------------------------------------------------
    def logits(self, tokens: Tensor, labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Teacher-forced logits, float32 (B, N, V).  tokens: (B, N)  labels: (B,)  generator: dropout's; None: off."""
        x = torch.cat([self.label_embed(labels)[:, None], self.token_embed(tokens[:, :-1])], dim=1)  # (B, N, D)
        x = dropout(x, self.dropout_rate, generator)
        rotary = self.rotary()
        for block in self.blocks:
            x = block(x, rotary, self.dropout_rate, generator)
        return self.head(self.norm(x)).float()

    def token_loss(self, tokens: Tensor, labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean cross-entropy of the tokens (B, N), in nats; without a generator nothing is random."""
        return F.cross_entropy(self.logits(tokens, labels, generator).flatten(0, 1), tokens.flatten())

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """`token_loss` with label dropout and, in train mode, dropout.  latents: token ids (B, h, w)."""
        dropped = torch.rand(len(labels), generator=generator, device=generator.device) < self.label_dropout
        labels = torch.where(dropped.to(labels.device), self.num_classes, labels)
        return self.token_loss(latents.flatten(1), labels, generator if self.training else None)

    # -- sampling ------------------------------------------------------------------------------------------------
    def next_logits(
        self, x: Tensor, position: Tensor, caches: list[Cache], rotary: Tensor, mask: Tensor, cfg_scale: float
    ) -> Tensor:
        """Logits of the token that follows `position`, guided, float32 (B, V).

        x: (B, 1, D), under guidance (2B, 1, D): conditional, then null.  position: int64 (1,), where the caches get
        filled.  rotary: (2, 1, d) and mask: (1, length) of this position.
        """
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block.step(x, rotary, cache, position, mask)  # type: ignore[operator]
        logits = self.head(self.norm(x))[:, 0].float()
        if cfg_scale > 1.0:
            cond, null = logits.chunk(2)
            logits = null + (cond - null) * cfg_scale
        return logits

    def caches(self, num_rows: int, dtype: torch.dtype) -> list[Cache]:
        """Room for the keys and values of all positions, per block.

        Compiled, the same memory serves image after image, because a CUDA graph writes to fixed addresses; what the
        last image left there is finite and masked.
        """
        shape = num_rows, self.num_kv_heads, self.num_tokens, self.head_size
        kept = self.kept_caches
        if kept is not None and kept and kept[0][0].shape == shape and kept[0][0].dtype == dtype:
            return kept
        with torch.inference_mode(False):
            keys, values = ([torch.zeros(shape, dtype=dtype, device=self.device) for _ in self.blocks] for _ in "kv")
        new = list(zip(keys, values, strict=True))
        if kept is not None:
            self.kept_caches = new
            for tensor in (*keys, *values):
                torch._dynamo.mark_static_address(tensor)
        return new

    @torch.no_grad()
    def sample(  # type: ignore[override]
        self,
        labels: Tensor,
        noise: Noise,
        *,
        cfg_scale: float = 1.0,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> Tensor:
        """Token ids, int64 (B, h, w), from one uniform draw per token and image.

        cfg_scale <= 1: no guidance, as the authors have it.  temperature: 0 takes the likeliest token (the authors
        divide by 1e-5 at least, which is the same but for ties).  top_k, top_p: see `draw`; 0 and 1 keep every token.
        Raises ValueError for guidance without a null class, and for a temperature below 0.
        """
        if temperature < 0:
            raise ValueError(f"temperature must be at least 0, got {temperature}")
        n, device = self.num_tokens, self.device
        uniform = noise.uniform(n)
        if cfg_scale > 1.0:
            if self.label_dropout == 0.0:
                raise ValueError(f"cfg_scale {cfg_scale} needs a null class; this model has none (label_dropout 0)")
            labels = torch.cat([labels, torch.full_like(labels, self.num_classes)])
        dtype = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else self.dtype
        whole = self.caches(len(labels), dtype)
        causal = torch.full((n, n), -torch.inf, dtype=dtype, device=device).triu(1)  # 0 where a position may look
        rotary, positions = self.rotary(), torch.arange(n, device=device)

        x, tokens = self.label_embed(labels)[:, None], []
        for i in range(n):
            here = slice(i, i + 1)
            if i % self.cache_step == 0:
                filled = min(i + self.cache_step, n)
                caches = whole if filled == n else [(k[:, :, :filled], v[:, :, :filled]) for k, v in whole]
            logits = self.next_logits(x, positions[here], caches, rotary[:, here], causal[here, :filled], cfg_scale)
            if temperature == 0.0:
                tokens.append(logits.argmax(-1))
            else:
                tokens.append(draw(logits / temperature, uniform[:, here], top_k, top_p))
            x = self.token_embed(tokens[-1].repeat(2) if cfg_scale > 1.0 else tokens[-1])[:, None]
        return torch.stack(tokens, dim=1).unflatten(1, (self.latent_size, self.latent_size))

    def compile_steps(self, **options: Any) -> None:
        """As every model; and attention sees the whole cache, so that one shape serves all positions."""
        super().compile_steps(**options)
        self.cache_step, self.kept_caches = self.num_tokens, []

    def network_evaluations(self, *, cfg_scale: float = 1.0, **settings: Any) -> dict[str, int]:
        """Passes of one position each: one per token, doubled by guidance."""
        return {"transformer": self.num_tokens * (2 if cfg_scale > 1.0 else 1)}

    # -- the authors' layout -------------------------------------------------------------------------------------
    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """From the authors' `ModelArgs`, class-conditional; what is left out has their defaults."""
        if config.get("model_type", "c2i") != "c2i" or config.get("cls_token_num", 1) != 1:
            raise ValueError("LlamaGen config: expected a class-conditional model (model_type 'c2i', cls_token_num 1)")
        hidden_size, multiplier = config.get("dim", 4096), config.get("ffn_dim_multiplier")
        return {
            "hidden_size": hidden_size,
            "depth": config.get("n_layer", 32),
            "num_heads": config.get("n_head", 32),
            "num_kv_heads": config.get("n_kv_head"),
            "mlp_size": swiglu_size(hidden_size, config.get("multiple_of", 256), multiplier or 1.0),
            "vocab_size": config.get("vocab_size", 16384),
            "num_classes": config.get("num_classes", 1000),
            "latent_size": math.isqrt(config.get("block_size", 256)),
            "norm_eps": config.get("norm_eps", 1e-5),
            "rotary_base": config.get("rope_base", 10000.0),
            "label_dropout": config.get("class_dropout_prob", 0.1),
            "dropout_rate": config.get("resid_dropout_p", 0.1),
        }

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """w1 and w3 become one matrix; a rotary table (`freqs_cis`), which some files hold, is left out."""
        own = {key: value for key, value in state.items() if key != "freqs_cis"}
        for gate in [key for key in own if key.endswith(".feed_forward.w1.weight")]:
            up = gate.replace(".w1.", ".w3.")
            if up in own:
                own[gate.replace(".w1.", ".gate_up.")] = torch.cat([own.pop(gate), own.pop(up)])
        return rename(own, OFFICIAL_NAMES)


OFFICIAL_NAMES = (
    (r"cls_embedding\.embedding_table\.(.*)", r"label_embed.\1"),
    (r"tok_embeddings\.(.*)", r"token_embed.\1"),
    (r"layers\.(\d+)\.attention_norm\.(.*)", r"blocks.\1.norm1.\2"),
    (r"layers\.(\d+)\.attention\.wqkv\.(.*)", r"blocks.\1.attn.qkv.\2"),
    (r"layers\.(\d+)\.attention\.wo\.(.*)", r"blocks.\1.attn.proj.\2"),
    (r"layers\.(\d+)\.ffn_norm\.(.*)", r"blocks.\1.norm2.\2"),
    (r"layers\.(\d+)\.feed_forward\.gate_up\.(.*)", r"blocks.\1.mlp.gate_up.\2"),
    (r"layers\.(\d+)\.feed_forward\.w2\.(.*)", r"blocks.\1.mlp.down.\2"),
    (r"output\.(.*)", r"head.\1"),
)
