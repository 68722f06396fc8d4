"""TransDiff (arXiv:2506.09482): an AR transformer turns a class into semantic features z, a diffusion decoder paints them.

1-step AR (`TransDiff`): all positions of z are predicted at once from the class. MRAR (`TransDiffMRAR`): four images of
one class in a row; each pass also sees the images painted before, and the last image is the answer.
Flow: x_t = (1 - t) image + t noise, velocity v = noise - image; sampled as an SDE from t = 1 to 0.04, then one plain step.

Departs from official, numbers unchanged: what does not depend on x_t (cross-attention K and V, the modulations of the
whole time grid) is computed once, not at every step; both guidance halves share the first self-attention; MRAR keeps
the encoder's K and V of earlier images. Left out: the authors' cast of one input of the time projection to bfloat16,
and dropout (0.1 in their training).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import load_into, rename
from reference_models.layers import Mlp, SelfAttention, TimestepEmbedder, TransformerBlock, merge_heads, split_heads
from reference_models.noise import Noise
from reference_models.spec import ImageModel, Official, Spec
from reference_models.training import Recipe

KeysValues = list[tuple[Tensor, Tensor]]  # one (K, V) per block, each (B, heads, tokens, D / heads)


# -- diffusion decoder ---------------------------------------------------------------------------------------------------
class CrossAttention(nn.Module):
    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(hidden_size, hidden_size)
        self.k = nn.Linear(hidden_size, hidden_size)
        self.v = nn.Linear(hidden_size, hidden_size)
        self.proj = nn.Linear(hidden_size, hidden_size)

    def keys_values(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return split_heads(self.k(z), self.num_heads), split_heads(self.v(z), self.num_heads)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        q = split_heads(self.q(x), self.num_heads)
        return self.proj(merge_heads(F.scaled_dot_product_attention(q, keys, values)))


class DecoderBlock(nn.Module):
    """Self-attention and MLP under shift, scale and gate (adaLN-single); cross-attention to z without any."""

    def __init__(self, hidden_size: int, num_heads: int, mlp_ratio: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.attn = SelfAttention(hidden_size, num_heads)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.cross = CrossAttention(hidden_size, num_heads)
        self.norm3 = nn.LayerNorm(hidden_size, eps=1e-6)
        self.mlp = Mlp(hidden_size, int(hidden_size * mlp_ratio))
        self.modulation = nn.Parameter(torch.randn(1, 6, hidden_size) / hidden_size**0.5)

    def self_attend(self, x: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        return torch.addcmul(x, self.attn(torch.addcmul(shift, self.norm1(x), scale)), gate)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        x = x + self.cross(self.norm2(x), keys, values)
        return torch.addcmul(x, self.mlp(torch.addcmul(shift, self.norm3(x), scale)), gate)


class Decoder(nn.Module):
    """Velocity of N tokens at time t, given features z."""

    def __init__(
        self, *, channels: int, num_tokens: int, hidden_size: int, depth: int, num_heads: int, mlp_ratio: float
    ):
        super().__init__()
        self.input_proj = nn.Linear(channels, hidden_size)
        self.pos = nn.Parameter(torch.zeros(1, num_tokens, hidden_size))
        self.time_embed = TimestepEmbedder(hidden_size)
        self.time_proj = nn.Linear(hidden_size, 6 * hidden_size)
        self.cond_proj = nn.Linear(hidden_size, hidden_size)
        self.blocks = nn.ModuleList(DecoderBlock(hidden_size, num_heads, mlp_ratio) for _ in range(depth))
        self.final_norm = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.final_modulation = nn.Parameter(torch.randn(1, 2, hidden_size) / hidden_size**0.5)
        self.final_proj = nn.Linear(hidden_size, channels)

    def keys_values(self, z: Tensor) -> KeysValues:
        """What the cross-attentions read of z (B, M, D). Once per image, not once per step."""
        z = self.cond_proj(z)
        return [block.cross.keys_values(z) for block in self.blocks]

    def modulations(self, t: Tensor) -> Tensor:
        """All shifts, scales (1 added) and gates at the times t (T,) in 0..1000.  -> (T, 6 * depth + 2, 1, D).

        Six per block (shift, scale, gate of the self-attention, then of the MLP), then shift and scale of the last layer.
        """
        embedding = self.time_embed(t)  # (T, D)
        shared = self.time_proj(F.silu(embedding)).unflatten(-1, (6, -1))  # (T, 6, D), the same for all blocks
        rows = [block.modulation + shared for block in self.blocks]
        rows.append(self.final_modulation + embedding[:, None])
        modulations = torch.cat(rows, dim=1)
        modulations[:, 1::3] += 1  # every scale, the last layer's too, is used as 1 + scale
        return modulations[:, :, None]

    def forward(self, x_t: Tensor, keys_values: KeysValues, modulations: Tensor) -> Tensor:
        """x_t: (B, N, C)  keys_values: of z (B or 2B, M, D)  modulations: at the time of each row, or (1, ...) for all.

        -> (B or 2B, N, C). With 2B rows of z (guidance) x_t serves both halves, which are one until they meet z.
        """
        *blocks, shift, scale = modulations.unbind(1)
        x = self.input_proj(x_t) + self.pos  # (B, N, D)
        for i, (block, (keys, values)) in enumerate(zip(self.blocks, keys_values, strict=True)):
            x = block.self_attend(x, *blocks[6 * i : 6 * i + 3])
            if len(x) != len(keys):
                x = x.repeat(2, 1, 1)
            x = block(x, keys, values, *blocks[6 * i + 3 : 6 * i + 6])
        return self.final_proj(torch.addcmul(shift, self.final_norm(x), scale))


# -- one-step AR ---------------------------------------------------------------------------------------------------------
class TransDiff(ImageModel):
    """The one-step model. Latents (B, C, h, w) become N = (h / p) (w / p) tokens of C p^2 channels.

    encoder_tokens: positions of z; 256 even where the decoder has 1024 (512 px).  buffer_size: class tokens before them.
    """

    compiled_methods = ("velocity",)
    label_dropout: ClassVar[float] = 0.1
    draws_per_image: ClassVar[int] = 4  # of t and noise, per image and training step (`diffusion_batch_mul`)
    # Of the mean pairwise cosine similarity of an image's features in the loss. The authors' loss weighs it with 0.001 but
    # leaves it out unless asked, and nothing in their code asks: so it is off here too.
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
        channels = latent_channels * patch_size**2
        num_tokens = (latent_size // patch_size) ** 2
        self.token_shape = (num_tokens, channels)

        self.class_embed = nn.Embedding(num_classes, hidden_size)
        self.null_embed = nn.Parameter(torch.zeros(1, hidden_size))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, hidden_size))
        self.reference_proj = nn.Linear(channels, hidden_size)  # idle here: MRAR embeds its references with it
        self.encoder_pos = nn.Parameter(torch.zeros(1, buffer_size + encoder_tokens, hidden_size))
        self.embed_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.encoder_blocks = nn.ModuleList(
            TransformerBlock(hidden_size, encoder_heads, mlp_ratio) for _ in range(encoder_depth)
        )
        self.encoder_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.feature_pos = nn.Parameter(torch.zeros(1, encoder_tokens, hidden_size))
        self.decoder = Decoder(
            channels=channels,
            num_tokens=num_tokens,
            hidden_size=hidden_size,
            depth=decoder_depth,
            num_heads=decoder_heads,
            mlp_ratio=mlp_ratio,
        )
        self.initialize()

    def initialize(self) -> None:
        """Xavier for every linear layer, normal(0.02) for embeddings; the last layer starts at zero (authors' code)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for table in (self.class_embed.weight, self.null_embed, self.mask_token):
            nn.init.normal_(table, std=0.02)
        for table in (self.encoder_pos, self.feature_pos, self.decoder.pos):
            nn.init.normal_(table, std=0.02)
        nn.init.zeros_(self.decoder.final_proj.weight)

    # -- encoder ---------------------------------------------------------------------------------------------------------
    def class_tokens(self, labels: Tensor) -> Tensor:
        """The buffer, (B, buffer_size, D): copies of the class embedding; `null_label` is the null class."""
        table = torch.cat([self.class_embed.weight, self.null_embed])
        return F.embedding(labels, table)[:, None].expand(-1, self.buffer_size, -1)

    def features(self, labels: Tensor) -> Tensor:
        """Semantic features of a class, (B, M, D), without the position table that the decoder sees."""
        num_masks = self.feature_pos.shape[1]
        tokens = torch.cat([self.class_tokens(labels), self.mask_token.expand(len(labels), num_masks, -1)], dim=1)
        x = self.embed_norm(tokens + self.encoder_pos)
        for block in self.encoder_blocks:
            x = block(x)
        return self.encoder_norm(x)[:, self.buffer_size :]

    def encode(self, labels: Tensor) -> Tensor:
        """z, what the decoder is conditioned on.  labels: (B,) -> (B, M, D)."""
        return self.features(labels) + self.feature_pos

    # -- decoder ---------------------------------------------------------------------------------------------------------
    def velocity(self, x_t: Tensor, keys_values: KeysValues, modulations: Tensor) -> Tensor:
        """The network call of one step: float32 in and out, the network in its own dtype. See `Decoder.forward`."""
        return self.decoder(x_t.to(self.decoder.pos.dtype), keys_values, modulations).float()

    def tokens(self, latents: Tensor, patch_size: int | None = None) -> Tensor:
        """(B, C, h, w) -> (B, N, C p^2), channels before rows and columns of the patch."""
        return F.pixel_unshuffle(latents, patch_size or self.patch_size).flatten(2).transpose(1, 2)

    def latents(self, tokens: Tensor) -> Tensor:
        """(B, N, C p^2) -> (B, C, h, w)."""
        side = self.latent_size // self.patch_size
        return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (side, side)), self.patch_size)

    def paint(
        self,
        x_t: Tensor,
        keys_values: KeysValues,
        modulations: Tensor,
        times: Sequence[float],
        noise: Noise,
        cfg_scale: float,
        scale_0: float,
        scale_1: float,
    ) -> Tensor:
        """Euler-Maruyama from noise x_t (B, N, C) to an image, along `times`, the last of which is 0.

        dx = (v - t * score) dt + sqrt(2 t) dw: diffusion coefficient 2t. On the linear path score = -((1 - t) v + x) / t,
        so the drift is (2 - t) v + x; guidance on the drift is therefore guidance on v.
        """

        def drift(x_t: Tensor, step: int) -> Tensor:
            v = self.velocity(x_t, keys_values, modulations[step : step + 1])
            if cfg_scale != 1.0:
                conditional, null = v.chunk(2)
                v = null + cfg_scale * (conditional - null)
            return (2 - times[step]) * v + x_t

        last = len(times) - 2
        for step, eps in enumerate(noise.normals(last, *self.token_shape)):
            t, dt = times[step], times[step + 1] - times[step]
            x_t = x_t + scale_0 * dt * drift(x_t, step) + scale_1 * math.sqrt(2 * t * -dt) * eps
        return x_t - times[last] * drift(x_t, last)  # from 0.04 to 0: no noise, no scale_0

    def time_grid(self, num_steps: int) -> tuple[list[float], Tensor]:
        """The times 1, ..., 0.04, 0 of a sampler of `num_steps` network calls, and the modulations at all but the last."""
        if num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {num_steps}")
        t = torch.linspace(1.0, 0.04, num_steps)
        return [*t.tolist(), 0.0], self.decoder.modulations(1000 * t.to(self.device))

    @torch.no_grad()
    def sample(
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_steps: int = 100,
        cfg_scale: float = 1.0,
        scale_0: float = 1.0,
        scale_1: float = 1.0,
    ) -> Tensor:
        """Latents, float32 (B, C, h, w).  scale_0 multiplies the drift steps, scale_1 the noise."""
        guided = cfg_scale != 1.0
        rows = F.pad(labels, (0, 1), value=self.null_label) if guided else labels  # one null row serves the whole batch
        keys_values = self.decoder.keys_values(self.encode(rows))
        if guided:
            keys_values = [(share_last(k, len(labels)), share_last(v, len(labels))) for k, v in keys_values]
        times, modulations = self.time_grid(num_steps)
        x_t = noise.normal(*self.token_shape)
        x = self.paint(x_t, keys_values, modulations, times, noise, cfg_scale, scale_0, scale_1)
        return self.latents(x)

    def network_evaluations(
        self, *, num_steps: int = 100, cfg_scale: float = 1.0, scale_0: float = 1.0, scale_1: float = 1.0
    ) -> dict[str, int]:
        passes = 1 if cfg_scale == 1.0 else 2
        return {"encoder": passes, "decoder": passes * num_steps}

    # -- training --------------------------------------------------------------------------------------------------------
    def flow_loss(self, latents: Tensor, keys_values: KeysValues, t: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error of the velocity.  latents: (B, C, h, w)  t: (K B,) in [0, 1], truncated to thousandths as
        the authors do  noise: (K B, N, C p^2), K draws per image, one after another for the whole batch.
        """
        num_draws = len(t) // len(latents)
        image = self.tokens(latents).repeat(num_draws, 1, 1)
        t_network = (1000 * t).long()
        t = (t_network / 1000)[:, None, None]
        x_t = (1 - t) * image + t * noise
        repeated = [(k.repeat(num_draws, 1, 1, 1), v.repeat(num_draws, 1, 1, 1)) for k, v in keys_values]
        v = self.velocity(x_t, repeated, self.decoder.modulations(t_network))
        return F.mse_loss(v, noise - image)

    def loss(self, latents: Tensor, labels: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Training loss at given draws (shapes: `flow_loss`), no label dropout."""
        features = self.features(labels)
        loss = self.flow_loss(latents, self.decoder.keys_values(features + self.feature_pos), t, noise)
        if self.diversity_weight:
            directions = F.normalize(features.float(), dim=-1)
            loss = loss + self.diversity_weight * (directions @ directions.mT).mean()
        return loss

    def drop_labels(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        dropped = torch.rand(len(labels), generator=generator, device=generator.device) < self.label_dropout
        return labels.masked_fill(dropped.to(labels.device), self.null_label)

    def draw_flow(self, generator: torch.Generator, *rows: int) -> tuple[Tensor, Tensor]:
        """t, logit-normal (0, 1), and noise, on the model's device.  -> (*rows), (*rows, N, C p^2)."""
        t = torch.randn(rows, generator=generator, device=generator.device).sigmoid()
        noise = torch.randn(*rows, *self.token_shape, generator=generator, device=generator.device)
        return t.to(self.device), noise.to(self.device)

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        labels = self.drop_labels(labels, generator)
        return self.loss(latents, labels, *self.draw_flow(generator, self.draws_per_image * len(labels)))

    # -- the authors' layout ---------------------------------------------------------------------------------------------
    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """From the authors' constructor arguments, or from the command line stored in their checkpoints (`model`)."""
        model = config.get("model", "transdiff_large")  # their class's own defaults are those of the large model
        if model not in OFFICIAL_SIZES:
            raise ValueError(f"unknown model {model!r} in the authors' config; known: {', '.join(OFFICIAL_SIZES)}")
        width, depth, heads = OFFICIAL_SIZES[model]
        width = config.get("encoder_embed_dim", width)
        if config.get("decoder_embed_dim", width) != width:
            raise ValueError(f"encoder and decoder of one width expected, got {width} and {config['decoder_embed_dim']}")
        scale = config.get("img_size", 256) // 256
        patch_size = config.get("patch_size", 1)
        return {
            "latent_size": 16 * scale * patch_size,
            "latent_channels": config.get("vae_embed_dim", 16),
            "patch_size": patch_size,
            "num_classes": config.get("class_num", 1000),
            "hidden_size": width,
            "encoder_depth": 2 * config.get("encoder_depth", depth),  # the authors count pairs of blocks
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


def extended(past: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """K and V of the tokens of `past`, then of `new`."""
    return torch.cat([past[0], new[0]], dim=2), torch.cat([past[1], new[1]], dim=2)


def share_last(rows: Tensor, batch_size: int) -> Tensor:
    """(B + 1, ...) -> (2B, ...): the last row repeated B times, after the others."""
    return torch.cat([rows[:-1], rows[-1:].expand(batch_size, *rows.shape[1:])])


# -- multi-reference AR --------------------------------------------------------------------------------------------------
class TransDiffMRAR(TransDiff):
    """Four images of one class in a row; image k is painted from feature blocks 0..k.

    The encoder's sequence is the buffer, m mask tokens (block 0), then m tokens for each earlier image (blocks 1..3): its
    latents in 2x2 patches, m = N / 4. Attention is causal by block. All four start from the same noise.
    """

    images_per_sample = 4

    def __init__(
        self,
        *,
        latent_size: int = 16,
        latent_channels: int = 16,
        num_classes: int = 1000,
        hidden_size: int = 1024,
        encoder_depth: int = 32,
        encoder_heads: int = 16,
        buffer_size: int = 64,
        decoder_depth: int = 16,
        decoder_heads: int = 16,
        mlp_ratio: float = 4.0,
    ):
        super().__init__(
            latent_size=latent_size,
            latent_channels=latent_channels,
            num_classes=num_classes,
            hidden_size=hidden_size,
            encoder_depth=encoder_depth,
            encoder_heads=encoder_heads,
            encoder_tokens=latent_size**2,
            buffer_size=buffer_size,
            decoder_depth=decoder_depth,
            decoder_heads=decoder_heads,
            mlp_ratio=mlp_ratio,
        )
        self.block_size = (latent_size // 2) ** 2
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, self.block_size, hidden_size))
        self.reference_proj = nn.Linear(4 * latent_channels, hidden_size)
        nn.init.xavier_uniform_(self.reference_proj.weight)
        nn.init.zeros_(self.reference_proj.bias)

    def init_from_one_step(self, state: Mapping[str, Tensor]) -> None:
        """Start from the weights of a one-step model (our names), from which MRAR is fine-tuned.

        Two parameters do not fit: the single mask token is repeated, and `reference_proj`, idle in the one-step model,
        keeps its fresh weights. How the authors filled these two is not released: their `load_state_dict(strict=False)`
        stops at them.
        """
        own = self.state_dict()
        start = dict(state)
        if "mask_token" in state:
            start["mask_token"] = state["mask_token"].expand_as(own["mask_token"])
        start |= {key: value for key, value in own.items() if key.startswith("reference_proj.")}
        load_into(self, start, "of the one-step model")

    # -- encoder ---------------------------------------------------------------------------------------------------------
    def reference_tokens(self, latents: Tensor) -> Tensor:
        """One earlier image as m encoder tokens.  latents: (B, C, h, w) -> (B, m, D)."""
        return self.reference_proj(self.tokens(latents, patch_size=2).to(self.mask_token.dtype))

    def encode(self, labels: Tensor, references: Tensor | None = None) -> Tensor:
        """z of blocks 0..k in one masked pass, given k earlier images.  references: (B, k, C, h, w) -> (B, (k + 1) m, D)."""
        earlier = [] if references is None else [self.reference_tokens(latents) for latents in references.unbind(1)]
        x = torch.cat([self.class_tokens(labels), self.mask_token.expand(len(labels), -1, -1), *earlier], dim=1)
        n, m = x.shape[1], self.block_size
        block_idx = torch.arange(n, device=x.device).sub(self.buffer_size).clamp(min=-m).div(m, rounding_mode="floor")
        mask = block_idx[:, None] >= block_idx  # the buffer is block -1
        x = self.embed_norm(x + self.encoder_pos[:, :n])
        for block in self.encoder_blocks:
            x = block(x, mask)
        z = self.encoder_norm(x)[:, self.buffer_size :]
        return z + self.feature_pos[:, : z.shape[1]]

    def encode_next(self, x: Tensor, past: KeysValues) -> tuple[Tensor, KeysValues]:
        """Encoder output of the tokens x (B, n, D) that follow those of `past`, and `past` with theirs added.

        A new block sees itself and everything before it: no mask is needed, and nothing before is computed again.
        """
        seen = past[0][0].shape[2] if past else 0
        x = self.embed_norm(x + self.encoder_pos[:, seen : seen + x.shape[1]])
        longer: KeysValues = []
        for i, block in enumerate(self.encoder_blocks):
            qkv = block.attn.qkv(block.norm1(x)).chunk(3, dim=-1)
            q, k, v = (split_heads(part, block.attn.num_heads) for part in qkv)
            longer.append(extended(past[i], (k, v)) if past else (k, v))
            x = x + block.attn.proj(merge_heads(F.scaled_dot_product_attention(q, *longer[i])))
            x = x + block.mlp(block.norm2(x))
        return self.encoder_norm(x), longer

    # -- sampling --------------------------------------------------------------------------------------------------------
    @torch.no_grad()
    def sample_series(
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_steps: int = 100,
        cfg_scale: float | Sequence[float] = 1.0,
        scale_0: float = 1.0,
        scale_1: float = 1.0,
        num_images: int = 4,
    ) -> tuple[Tensor, Tensor]:
        """The first `num_images` images of a row, (B, num_images, C, h, w), and the features that each pass added,
        (B, num_images, m, D): image k was painted from blocks 0..k.  cfg_scale: one for all images, or one for each.
        """
        scales = self.image_scales(cfg_scale, num_images)
        guided = any(scale != 1.0 for scale in scales)
        batch_size, m = len(labels), self.block_size
        # The null half has its own features of every earlier image: here no single null row can serve the batch.
        rows = torch.cat([labels, torch.full_like(labels, self.null_label)]) if guided else labels
        times, modulations = self.time_grid(num_steps)
        start = noise.normal(*self.token_shape)  # the same for all images of the row
        _, past = self.encode_next(self.class_tokens(rows), [])
        tokens = self.mask_token.expand(len(rows), -1, -1)
        keys_values: KeysValues = []
        images: list[Tensor] = []
        features: list[Tensor] = []
        for idx, scale in enumerate(scales):
            if idx > 0:
                tokens = self.reference_tokens(images[-1]).repeat(2 if guided else 1, 1, 1)
            encoded, past = self.encode_next(tokens, past)
            z = encoded + self.feature_pos[:, idx * m : (idx + 1) * m]
            new = self.decoder.keys_values(z)
            keys_values = [extended(*pair) for pair in zip(keys_values, new, strict=True)] if idx > 0 else new
            seen = keys_values if scale != 1.0 else [(k[:batch_size], v[:batch_size]) for k, v in keys_values]
            x = self.paint(start, seen, modulations, times, noise, scale, scale_0, scale_1)
            images.append(self.latents(x))
            features.append(z[:batch_size])
        return torch.stack(images, dim=1), torch.stack(features, dim=1)

    def sample(
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_steps: int = 100,
        cfg_scale: float | Sequence[float] = 1.0,
        scale_0: float = 1.0,
        scale_1: float = 1.0,
        num_images: int = 4,
    ) -> Tensor:
        """Latents of the last of `num_images` images (1: no reference), float32 (B, C, h, w)."""
        images, _ = self.sample_series(
            labels,
            noise,
            num_steps=num_steps,
            cfg_scale=cfg_scale,
            scale_0=scale_0,
            scale_1=scale_1,
            num_images=num_images,
        )
        return images[:, -1]

    def image_scales(self, cfg_scale: float | Sequence[float], num_images: int) -> list[float]:
        """The guidance scale of each image of a row."""
        if not 1 <= num_images <= self.images_per_sample:
            raise ValueError(f"num_images must lie in 1..{self.images_per_sample}, got {num_images}")
        scales = list(cfg_scale) if isinstance(cfg_scale, Sequence) else [cfg_scale] * num_images
        if len(scales) < num_images:
            raise ValueError(f"one cfg_scale, or one for each of {num_images} images expected, got {scales}")
        return scales[:num_images]

    def network_evaluations(
        self,
        *,
        num_steps: int = 100,
        cfg_scale: float | Sequence[float] = 1.0,
        scale_0: float = 1.0,
        scale_1: float = 1.0,
        num_images: int = 4,
    ) -> dict[str, int]:
        scales = self.image_scales(cfg_scale, num_images)
        passes = [1 if scale == 1.0 else 2 for scale in scales]
        return {"encoder": max(passes) * num_images, "decoder": sum(passes) * num_steps}

    # -- training --------------------------------------------------------------------------------------------------------
    def loss(self, latents: Tensor, labels: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Mean of the four images' losses, no label dropout.  latents: (B, 4, C, h, w), four different images of the class
        t: (4, K B)  noise: (4, K B, N, C).
        """
        keys_values = self.decoder.keys_values(self.encode(labels, latents[:, :-1]))
        losses = []
        for idx, image in enumerate(latents.unbind(1)):
            end = (idx + 1) * self.block_size
            seen = [(k[:, :, :end], v[:, :, :end]) for k, v in keys_values]
            losses.append(self.flow_loss(image, seen, t[idx], noise[idx]))
        return torch.stack(losses).mean()

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        labels = self.drop_labels(labels, generator)
        rows = (self.images_per_sample, self.draws_per_image * len(labels))
        return self.loss(latents, labels, *self.draw_flow(generator, *rows))

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        if config.get("patch_size", 2) != 2:
            raise ValueError(f"MRAR reads its references in 2x2 patches, patch_size 2 expected, got {config['patch_size']}")
        ours = super().from_official_config({**config, "patch_size": 1})  # the decoder's own tokens are single latents
        return {key: value for key, value in ours.items() if key not in ("patch_size", "encoder_tokens")}


# -- the authors' names and sizes ----------------------------------------------------------------------------------------
OFFICIAL_NAMES = (
    (r"class_emb\.weight", "class_embed.weight"),
    (r"fake_latent", "null_embed"),
    (r"z_proj\.(weight|bias)", r"reference_proj.\1"),
    (r"z_proj_ln\.(weight|bias)", r"embed_norm.\1"),
    (r"encoder_pos_embed_learned", "encoder_pos"),
    (r"diffusion_pos_embed_learned", "feature_pos"),
    (r"diffdecoder\.net\.diffusion_pos_embed_learned", "decoder.pos"),
    (r"diffdecoder\.net\.input_proj\.(.+)", r"decoder.input_proj.\1"),
    (r"diffdecoder\.net\.cond_embed\.(.+)", r"decoder.cond_proj.\1"),
    (r"diffdecoder\.net\.time_embed\.time_embedder\.(.+)", r"decoder.time_embed.\1"),
    (r"diffdecoder\.net\.time_embed\.time_proj\.(.+)", r"decoder.time_proj.\1"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.scale_shift_table", r"decoder.blocks.\1.modulation"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.attn1\.(.+)", r"decoder.blocks.\1.attn.\2"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.attn2\.w([qkv])\.(.+)", r"decoder.blocks.\1.cross.\2.\3"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.attn2\.proj\.(.+)", r"decoder.blocks.\1.cross.proj.\2"),
    (r"diffdecoder\.net\.res_blocks\.(\d+)\.((?:norm|mlp).+)", r"decoder.blocks.\1.\2"),
    (r"diffdecoder\.net\.final_layer\.scale_shift_table", "decoder.final_modulation"),
    (r"diffdecoder\.net\.final_layer\.linear\.(.+)", r"decoder.final_proj.\1"),
)
OFFICIAL_SIZES = {  # width, decoder blocks (half as many as encoder blocks), heads
    "transdiff_base": (768, 12, 12),
    "transdiff_large": (1024, 16, 16),
    "transdiff_huge": (1280, 20, 16),
}


# -- sizes ---------------------------------------------------------------------------------------------------------------
def _paper(
    size: str, folder: str, params: float, cfg_scale: float, scale_0: float, scale_1: float, image_size: int = 256
) -> Spec:
    """One row of the README's tables "#params" and "More settings for Benchmark in paper" (repository at 0081b3a)."""
    mrar = folder.endswith("mrar")
    network = TransDiffMRAR if mrar else TransDiff
    family = "transdiff-mrar" if mrar else "transdiff"
    sampling = {"num_steps": 100, "cfg_scale": cfg_scale, "scale_0": scale_0, "scale_1": scale_1}
    return Spec(
        name=f"{family}-{size[0]}" + ("" if image_size == 256 else f"-{image_size}"),
        family=family,
        network=network,
        config=network.from_official_config({"model": f"transdiff_{size}", "img_size": image_size}),
        sampling=sampling | ({"num_images": 4} if mrar else {}),
        autoencoder="kl-16",
        scale=f"imagenet-{image_size}",
        image_size=image_size,
        source="github.com/TransDiff/TransDiff README @0081b3a",
        num_params=params,
        official=Official("huggingface.co/zhendch/Transdiff", f"{folder}/checkpoint-last.pth", "MIT"),
    )


DIGITS = {
    "latent_size": 4,
    "latent_channels": 4,
    "num_classes": 10,
    "hidden_size": 84,
    "encoder_depth": 2,
    "encoder_heads": 3,
    "buffer_size": 4,  # as in the paper a quarter of the positions, one MRAR block
    "decoder_depth": 3,
    "decoder_heads": 3,
}


def _digits(family: str, network: type[TransDiff], config: dict[str, Any], sampling: dict[str, Any], recipe: Recipe) -> Spec:
    return Spec(
        name=f"{family}-digits",
        family=family,
        network=network,
        config=DIGITS | config,
        sampling={"num_steps": 100, "cfg_scale": 1.3, "scale_0": 1.0, "scale_1": 1.0} | sampling,
        autoencoder="patch-2x2",
        scale="digits",
        image_size=8,
        source="this project",
        recipe=recipe,
    )


SPECS: tuple[Spec, ...] = (
    #      size     folder at Hugging Face  params  cfg_scale scale_0 scale_1
    _paper("base", "transdiff_b", 290e6, 1.30, 0.87, 0.91),
    _paper("large", "transdiff_l", 683e6, 1.30, 0.89, 0.95),
    _paper("huge", "transdiff_h", 1.3e9, 1.23, 0.87, 0.93),
    _paper("large", "transdiff_l_512", 683e6, 1.30, 0.87, 0.87, image_size=512),
    _paper("base", "transdiff_b_mrar", 290e6, 1.30, 0.87, 0.91),
    _paper("large", "transdiff_l_mrar", 683e6, 1.30, 0.925, 0.95),
    _paper("huge", "transdiff_h_mrar", 1.3e9, 1.28, 0.87, 0.91),
    _digits("transdiff", TransDiff, {"encoder_tokens": 16}, {}, Recipe(num_steps=4000)),
    _digits("transdiff-mrar", TransDiffMRAR, {}, {"num_images": 4}, Recipe(num_steps=4000, start_from="transdiff-digits")),
)
