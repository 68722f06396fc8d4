"""TransDiff (arXiv:2506.09482): an AR transformer proposes semantic features, a diffusion decoder makes the image.

1-step AR: all positions of z are predicted at once from the class. Multi-reference AR is transdiff_mrar.py.
Flow: x_t = (1 - t) image + t noise, velocity v = noise - image; sampled as an SDE from t = 1 to 0.04, then one step
without noise.

Departs from official, with the same numbers: cross-attention K and V are computed once, not at every step, and the
modulations of many steps together; both guidance halves share the first self-attention. With other numbers: guidance
below 1 extrapolates (see `sample`). Left out: their cast of one input of the time projection to bfloat16. The dropout
of 0.1 of their training, in all blocks, is an argument of `loss`; the small models are trained without.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import rename
from reference_models.dropout import Dropout, attend
from reference_models.image_model import ImageModel
from reference_models.layers import (
    Linear,
    Mlp,
    SelfAttention,
    TimeEmbedding,
    TransformerBlock,
    merge_heads,
    split_heads,
)
from reference_models.noise import Noise
from reference_models.sizes.transdiff import OFFICIAL_SIZES

MODULATED_AT_ONCE = 25  # times whose modulations are computed together: 6 MB in float32 for B
KeysValues = list[tuple[Tensor, Tensor]]  # (K, V) of each block, each (B, heads, tokens, D / heads)


class CrossAttention(nn.Module):
    """Multi-head attention from x to features whose K and V are computed beforehand."""

    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.q = Linear(hidden_size, hidden_size)
        self.k = Linear(hidden_size, hidden_size)
        self.v = Linear(hidden_size, hidden_size)
        self.proj = Linear(hidden_size, hidden_size)

    def keys_values(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return split_heads(self.k(z), self.num_heads), split_heads(self.v(z), self.num_heads)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, dropout: Dropout | None = None) -> Tensor:
        q = split_heads(self.q(x), self.num_heads)
        out = self.proj(merge_heads(attend(q, keys, values, dropout=dropout)))
        return out if dropout is None else dropout(out)


class DecoderBlock(nn.Module):
    """x + gate f(LN(x) (1 + scale) + shift) of self-attention and MLP, with vectors of the time (adaLN-single:
    2310.00426); cross-attention has none. Shift and scale are folded into the LayerNorms, see `modulations`.
    """

    def __init__(self, hidden_size: int, num_heads: int, mlp_ratio: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.attn = SelfAttention(hidden_size, num_heads)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.cross = CrossAttention(hidden_size, num_heads)
        self.norm3 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.mlp = Mlp(hidden_size, int(hidden_size * mlp_ratio))
        self.table = nn.Parameter(torch.randn(1, 6, hidden_size) / hidden_size**0.5)

    def modulations(self, shared: Tensor) -> list[Tensor]:
        """Weight, bias, gate of the self-attention, then of the MLP, each (T, D).  shared: (T, 6, D), of the time."""
        shift_1, scale_1, gate_1, shift_3, scale_3, gate_3 = (self.table + shared).unbind(1)
        return [*folded(self.norm1, shift_1, scale_1), gate_1, *folded(self.norm3, shift_3, scale_3), gate_3]

    def self_attend(
        self, x: Tensor, weight: Tensor, bias: Tensor, gate: Tensor, dropout: Dropout | None = None
    ) -> Tensor:
        return torch.addcmul(x, self.attn(adaptive_norm(x, weight, bias), dropout=dropout), gate)

    def forward(
        self,
        x: Tensor,
        keys: Tensor,
        values: Tensor,
        weight: Tensor,
        bias: Tensor,
        gate: Tensor,
        dropout: Dropout | None = None,
    ) -> Tensor:
        x = x + self.cross(self.norm2(x), keys, values, dropout)
        return torch.addcmul(x, self.mlp(adaptive_norm(x, weight, bias), dropout), gate)


def folded(norm: nn.LayerNorm, shift: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """(weight, bias) with which a LayerNorm gives norm(x) * (1 + scale) + shift."""
    return norm.weight * (1 + scale), norm.bias * (1 + scale) + shift


def adaptive_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """LayerNorm of x (B, N, D) with a weight and bias per row, (B, 1, D), or one for all, (1, 1, D)."""
    size = x.shape[-1:]
    if len(weight) == 1:  # sampling: one fused kernel
        return F.layer_norm(x, size, weight[0, 0], bias[0, 0], eps=1e-6)
    return torch.addcmul(bias, F.layer_norm(x, size, eps=1e-6), weight)


class Decoder(nn.Module):
    """Velocity of N tokens at time t, given features z."""

    def __init__(self, channels: int, num_tokens: int, hidden_size: int, depth: int, num_heads: int, mlp_ratio: float):
        super().__init__()
        self.input_proj = Linear(channels, hidden_size)
        self.pos_embed = nn.Parameter(torch.zeros(1, num_tokens, hidden_size))
        self.time_embed = TimeEmbedding(hidden_size)
        self.time_proj = Linear(hidden_size, 6 * hidden_size)
        self.cond_proj = Linear(hidden_size, hidden_size)
        blocks = [DecoderBlock(hidden_size, num_heads, mlp_ratio) for _ in range(depth)]
        self.blocks: Sequence[DecoderBlock] = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.final_table = nn.Parameter(torch.randn(1, 2, hidden_size) / hidden_size**0.5)
        self.final_layer = Linear(hidden_size, channels)

    def keys_values(self, z: Tensor) -> KeysValues:
        """What the cross-attentions read of z (B, M, D)."""
        z = self.cond_proj(z)
        return [block.cross.keys_values(z) for block in self.blocks]

    def modulations(self, t: Tensor) -> Tensor:
        """All that depends on the times t (T,) in 0..1000: six rows per block, then weight and bias of the last norm.

        -> (T, 6 depth + 2, 1, D)
        """
        embedding = self.time_embed(t)  # (T, D)
        shared = self.time_proj(F.silu(embedding)).unflatten(-1, (6, -1))  # (T, 6, D), one projection for all blocks
        rows = [row for block in self.blocks for row in block.modulations(shared)]
        shift, scale = (self.final_table + embedding[:, None]).unbind(1)  # the last norm has no weight of its own
        return torch.stack([*rows, 1 + scale, shift], dim=1)[:, :, None]

    def forward(
        self, x_t: Tensor, keys_values: KeysValues, modulations: Tensor, dropout: Dropout | None = None
    ) -> Tensor:
        """Velocity of the tokens x_t (B, N, C).  modulations: one per row of x_t, or one for all.

        keys_values of B rows, or of 2B under guidance: x_t serves both halves, which are one until they meet z.
        """
        *rows, weight, bias = modulations.unbind(1)
        x = self.input_proj(x_t) + self.pos_embed  # (B, N, D)
        for i, (block, (keys, values)) in enumerate(zip(self.blocks, keys_values, strict=True)):
            weight_1, bias_1, gate_1, weight_3, bias_3, gate_3 = rows[6 * i : 6 * i + 6]
            x = block.self_attend(x, weight_1, bias_1, gate_1, dropout)
            if len(x) != len(keys):
                x = x.repeat(2, 1, 1)
            x = block(x, keys, values, weight_3, bias_3, gate_3, dropout)
        return self.final_layer(adaptive_norm(x, weight, bias))


class TransDiff(ImageModel):
    """The one-step model. Latents (B, C, h, w) become N = (h / p) (w / p) tokens of C p^2 channels.

    encoder_tokens: positions M of z; 256 even where the decoder has 1024 (512 px).  buffer_size: class tokens before.
    """

    compiled_methods = ("velocity",)
    stages: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "encoder": ("encode",),
        "decoder": ("decoder.keys_values", "decoder.modulations", "velocity"),
    }
    undecayed = ("decoder.",)  # the diffusion part: no weight decay on it in the authors' recipe
    label_dropout: ClassVar[float] = 0.1
    draws_per_image: int = 4  # of t and noise, per image and training step (their `diffusion_batch_mul`)
    # Weight in the loss of the mean pairwise cosine similarity of an image's features. The authors multiply that term
    # by 0.001, but compute it only when asked, and nothing in their code asks: so it is off here too.
    diversity_weight: float = 0.0

    def __init__(
        self,
        *,
        latent_size: int = 16,
        latent_channels: int = 16,
        patch_size: int = 1,
        num_classes: int = 1000,
        hidden_size: int = 1024,
        encoder_depth: int = 32,
        encoder_heads: int = 16,
        encoder_tokens: int = 256,
        buffer_size: int = 64,
        decoder_depth: int = 16,
        decoder_heads: int = 16,
        mlp_ratio: float = 4.0,
    ):
        super().__init__()
        self.num_classes = self.null_label = num_classes
        self.latent_size, self.patch_size, self.buffer_size = latent_size, patch_size, buffer_size
        self.block_size = encoder_tokens // self.images_per_sample  # features that one pass adds
        is_mrar = self.images_per_sample > 1
        channels, num_tokens = latent_channels * patch_size**2, (latent_size // patch_size) ** 2
        self.token_shape = (num_tokens, channels)
        self.label_embed = nn.Embedding(num_classes, hidden_size)
        self.null_embed = nn.Parameter(torch.zeros(1, hidden_size))
        self.mask_token = nn.Parameter(torch.zeros(1, self.block_size if is_mrar else 1, hidden_size))
        self.reference_proj = Linear(4 * channels if is_mrar else channels, hidden_size)  # idle in one-step AR
        self.encoder_pos = nn.Parameter(torch.zeros(1, buffer_size + encoder_tokens, hidden_size))
        self.embed_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        blocks = [TransformerBlock(hidden_size, encoder_heads, mlp_ratio) for _ in range(encoder_depth)]
        self.encoder_blocks: Sequence[TransformerBlock] = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.encoder_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.feature_pos = nn.Parameter(torch.zeros(1, encoder_tokens, hidden_size))
        self.decoder = Decoder(channels, num_tokens, hidden_size, decoder_depth, decoder_heads, mlp_ratio)
        self.initialize_weights()

    def initialize_weights(self) -> None:
        """Xavier for every linear layer, normal(0.02) for embeddings; the last layer starts at zero (authors' code)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for table in (self.label_embed.weight, self.null_embed, self.mask_token):
            nn.init.normal_(table, std=0.02)
        for table in (self.encoder_pos, self.feature_pos, self.decoder.pos_embed):
            nn.init.normal_(table, std=0.02)
        nn.init.zeros_(self.decoder.final_layer.weight)

    def class_tokens(self, labels: Tensor) -> Tensor:
        """The buffer, (B, buffer_size, D): copies of the class embedding; `null_label` is the null class."""
        table = torch.cat([self.label_embed.weight, self.null_embed])
        return F.embedding(labels, table)[:, None].expand(-1, self.buffer_size, -1)

    def features(self, labels: Tensor, dropout: Dropout | None = None) -> Tensor:
        """Semantic features (B, M, D) before the position table is added."""
        masks = self.mask_token.expand(len(labels), self.block_size, -1)
        x = self.embed_norm(torch.cat([self.class_tokens(labels), masks], dim=1) + self.encoder_pos)
        for block in self.encoder_blocks:
            x = block(x, dropout=dropout)
        return self.encoder_norm(x)[:, self.buffer_size :]

    def encode(self, labels: Tensor) -> Tensor:
        """z, what the decoder is conditioned on, (B, M, D)."""
        return self.features(labels) + self.feature_pos

    def semantic_features(self, labels: Tensor, noise: Noise, **settings: Any) -> Tensor:
        """The features that the images of `sample` are decoded from, (B, M, D); they depend on the class alone."""
        return self.features(labels)

    def velocity(
        self, x_t: Tensor, keys_values: KeysValues, modulations: Tensor, dropout: Dropout | None = None
    ) -> Tensor:
        """The network call of one step: float32 in and out, the network in its own dtype. See `Decoder.forward`."""
        return self.decoder(x_t.to(self.decoder.pos_embed.dtype), keys_values, modulations, dropout).float()

    def tokens(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, N, C p^2)."""
        return F.pixel_unshuffle(latents, self.patch_size).flatten(2).transpose(1, 2)

    def latents(self, tokens: Tensor) -> Tensor:
        """(B, N, C p^2) -> (B, C, h, w)."""
        side = self.latent_size // self.patch_size
        return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (side, side)), self.patch_size)

    def modulations(self, times: Sequence[float]) -> Iterator[Tensor]:
        """What `velocity` takes at each of the times, (1, 6 depth + 2, 1, D)."""
        for t in torch.tensor(times).to(self.device).split(MODULATED_AT_ONCE):
            yield from self.decoder.modulations(1000 * t).split(1)

    def integrate(
        self,
        x_t: Tensor,
        keys_values: KeysValues,
        num_steps: int,
        noise: Noise,
        cfg_scale: float,
        scale_0: float,
        scale_1: float,
    ) -> Tensor:
        """Euler-Maruyama from noise x_t (B, N, C) to an image, float32, at the times 1, ..., 0.04 and on to 0.

        dx = (v - t score) dt + sqrt(2t) dw, that is diffusion coefficient 2t. On the linear path
        score = -((1 - t) v + x) / t, so the drift is (2 - t) v + x, and guidance on the drift is guidance on v.
        """

        def drift(x_t: Tensor, t: float, modulation: Tensor) -> Tensor:
            v = self.velocity(x_t, keys_values, modulation)
            if cfg_scale != 1.0:
                conditional, null = v.chunk(2)
                v = null + cfg_scale * (conditional - null)
            return (2 - t) * v + x_t

        if num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {num_steps}")
        times = torch.linspace(1.0, 0.04, num_steps).tolist()
        modulations = self.modulations(times)
        for (t, following), eps in zip(pairwise(times), noise.normals(num_steps - 1, *self.token_shape), strict=True):
            dt = following - t
            x_t = x_t + scale_0 * dt * drift(x_t, t, next(modulations)) + scale_1 * math.sqrt(2 * t * -dt) * eps
        return x_t - times[-1] * drift(x_t, times[-1], next(modulations))  # to 0: no noise, and no scale_0

    @torch.no_grad()
    def sample(  # type: ignore[override]
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_steps: int = 100,
        cfg_scale: float = 1.0,
        scale_0: float = 1.0,
        scale_1: float = 1.0,
    ) -> Tensor:
        """Latents, float32 (B, C, h, w).  scale_0 multiplies the drift of a step, scale_1 its noise.

        cfg_scale: 1 is off. Departs from official below 1: their sampler guides only above 1 while their encoder still
        doubles the rows, so that what comes out is not guided; here it extrapolates away from the class.
        """
        batch_size, guided = len(labels), cfg_scale != 1.0
        rows = F.pad(labels, (0, 1), value=self.null_label) if guided else labels
        keys_values = self.decoder.keys_values(self.encode(rows))
        if guided:  # one null row serves the whole batch
            keys_values = [(expand_last(k, batch_size), expand_last(v, batch_size)) for k, v in keys_values]
        start = noise.normal(*self.token_shape)
        return self.latents(self.integrate(start, keys_values, num_steps, noise, cfg_scale, scale_0, scale_1))

    def network_evaluations(self, *, num_steps: int = 100, cfg_scale: float = 1.0, **settings: Any) -> dict[str, int]:
        passes = 1 if cfg_scale == 1.0 else 2
        return {"encoder": passes, "decoder": passes * num_steps}

    def flow_loss(
        self, latents: Tensor, keys_values: KeysValues, t: Tensor, noise: Tensor, dropout: Dropout | None = None
    ) -> Tensor:
        """Mean squared error of the velocity.  latents: (B, C, h, w)  t: (K B,) in [0, 1]  noise: (K B, N, C p^2).

        K draws per image, the whole batch again for each draw. t is truncated to thousandths, as the authors do.
        """
        num_draws = len(t) // len(latents)
        image = self.tokens(latents).repeat(num_draws, 1, 1)
        t_network = (1000 * t).long()
        t = (t_network / 1000)[:, None, None]
        repeated = [(k.repeat(num_draws, 1, 1, 1), v.repeat(num_draws, 1, 1, 1)) for k, v in keys_values]
        each = None if dropout is None else dropout.repeated(num_draws)
        v = self.velocity((1 - t) * image + t * noise, repeated, self.decoder.modulations(t_network), each)
        return F.mse_loss(v, noise - image)

    def loss(self, latents: Tensor, labels: Tensor, t: Tensor, noise: Tensor, dropout: Dropout | None = None) -> Tensor:
        """Training loss at given draws (shapes: `flow_loss`), without label dropout."""
        features = self.features(labels, dropout)
        loss = self.flow_loss(latents, self.decoder.keys_values(features + self.feature_pos), t, noise, dropout)
        if self.diversity_weight:
            directions = F.normalize(features.float(), dim=-1)
            loss = loss + self.diversity_weight * (directions @ directions.mT).mean()
        return loss

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        labels = self.drop_labels(labels, generator)
        return self.loss(latents, labels, *self.draw_flow(generator, self.draws_per_image * len(labels)))

    def drop_labels(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        dropped = torch.rand(len(labels), generator=generator, device=generator.device) < self.label_dropout
        return labels.masked_fill(dropped.to(labels.device), self.null_label)

    def draw_flow(self, generator: torch.Generator, *rows: int) -> tuple[Tensor, Tensor]:
        """t, logit-normal(0, 1), and noise, on the model's device: (*rows), (*rows, N, C p^2)."""
        t = torch.randn(rows, generator=generator, device=generator.device).sigmoid()
        noise = torch.randn(*rows, *self.token_shape, generator=generator, device=generator.device)
        return t.to(self.device), noise.to(self.device)

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """From the authors' constructor arguments, or from the command line that their checkpoints hold (`model`)."""
        model = config.get("model", "transdiff_large")  # the defaults of their constructor are the large model
        if model not in OFFICIAL_SIZES:
            raise ValueError(f"unknown model {model!r} in the authors' config; known: {', '.join(OFFICIAL_SIZES)}")
        width, depth, heads = OFFICIAL_SIZES[model]
        patch_size = config.get("patch_size", 1)
        return {
            "latent_size": 16 * (config.get("img_size", 256) // 256) * patch_size,
            "latent_channels": config.get("vae_embed_dim", 16),
            "patch_size": patch_size,
            "num_classes": config.get("class_num", 1000),
            "hidden_size": config.get("encoder_embed_dim", width),  # the decoder's too, or their tables do not fit
            "encoder_depth": 2 * config.get("encoder_depth", depth),
            "encoder_heads": config.get("encoder_num_heads", heads),
            "encoder_tokens": 256,
            "buffer_size": config.get("buffer_size", 64),
            "decoder_depth": config.get("decoder_depth", depth),
            "decoder_heads": config.get("decoder_num_heads", heads),
            "mlp_ratio": config.get("mlp_ratio", 4.0),
        }

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return rename(state, OFFICIAL_NAMES)


def expand_last(rows: Tensor, batch_size: int) -> Tensor:
    """(B + 1, ...) -> (2B, ...): the last row B times."""
    return torch.cat([rows[:-1], rows[-1:].expand(batch_size, *rows.shape[1:])])


OFFICIAL_NAMES = [
    (r"class_emb\.weight", "label_embed.weight"),
    (r"fake_latent", "null_embed"),
    (r"z_proj\.(.+)", r"reference_proj.\1"),
    (r"z_proj_ln\.(.+)", r"embed_norm.\1"),
    (r"encoder_pos_embed_learned", "encoder_pos"),
    (r"diffusion_pos_embed_learned", "feature_pos"),
    (r"diffdecoder\.net\.diffusion_pos_embed_learned", "decoder.pos_embed"),
    (r"diffdecoder\.net\.input_proj\.(.+)", r"decoder.input_proj.\1"),
    (r"diffdecoder\.net\.cond_embed\.(.+)", r"decoder.cond_proj.\1"),
    (r"diffdecoder\.net\.time_embed\.time_embedder\.(.+)", r"decoder.time_embed.\1"),
    (r"diffdecoder\.net\.time_embed\.time_proj\.(.+)", r"decoder.time_proj.\1"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.scale_shift_table", r"decoder.blocks.\1.table"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.attn1\.(.+)", r"decoder.blocks.\1.attn.\2"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.attn2\.w([qkv])\.(.+)", r"decoder.blocks.\1.cross.\2.\3"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.attn2\.proj\.(.+)", r"decoder.blocks.\1.cross.proj.\2"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.(norm\d|mlp)\.(.+)", r"decoder.blocks.\1.\2.\3"),
    (r"diffdecoder\.net\.final_layer\.scale_shift_table", "decoder.final_table"),
    (r"diffdecoder\.net\.final_layer\.linear\.(.+)", r"decoder.final_layer.\1"),
]
