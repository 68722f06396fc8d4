"""MAR (arXiv:2406.11838): masked autoregression over continuous tokens, each token drawn by a small diffusion MLP.

A masked encoder-decoder (Sec. 3.4) turns the class and the tokens known so far into a condition z for every hidden
position; the denoising MLP (Sec. 3.2, 3.3) samples the next positions of a random order from p(x | z) by DDPM.
Departs from official: tokens are kept in the order of their decoding, so known and hidden ones are slices (attention
does not see the order, positions are added by index); the decoder's last block, and in training the MLP, run only where
their output is read; the MLP's adaLN projections are one matrix, applied to many diffusion steps at once; the null half
of the guided state is not evolved, only its eps is used. The dropout of 0.1 of their training, in all blocks of encoder
and decoder, is an argument of `loss`; the small model is trained without.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import rename
from reference_models.dropout import Dropout, attend
from reference_models.image_model import ImageModel
from reference_models.layers import Linear, TimeEmbedding, TransformerBlock, linear, merge_heads, silu, split_heads
from reference_models.noise import Noise
from reference_models.samplers import DDPM
from reference_models.sizes.mar import OFFICIAL_SIZES

NUM_TRAIN_STEPS = 1000  # diffusion steps in training, cosine schedule (Sec. 4)
MODULATED_ROWS = 64  # (step, token) pairs whose adaLN projections are made at a time: the weights are read once for all


class DenoiserBlock(nn.Module):
    """Residual block of the MLP: x + gate MLP(LN(x) scale + shift), scale holding the 1 + (Sec. 4, "Denoising MLP")."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.linear_1 = Linear(width, width)
        self.linear_2 = Linear(width, width)

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        h = torch.addcmul(shift, self.norm(x), scale)
        return torch.addcmul(x, gate, self.linear_2(silu(self.linear_1(h))))


class Denoiser(nn.Module):
    """eps(x_t | t, z) of single tokens, with the variance channels of Nichol and Dhariwal."""

    def __init__(self, token_size: int, condition_size: int, width: int, depth: int):
        super().__init__()
        self.time_embed = TimeEmbedding(width)
        self.condition_embed = Linear(condition_size, width)
        self.input_proj = Linear(token_size, width)
        self.blocks = nn.ModuleList([DenoiserBlock(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.final_layer = Linear(width, 2 * token_size)
        # adaLN of all layers: shift, scale, gate of each block, then shift, scale of the output.
        self.modulation = Linear(width, (3 * depth + 2) * width)

    def modulations(self, time: Tensor, condition: Tensor) -> Tensor:
        """What `denoise` needs to know of t and z, (..., (3 depth + 2) W); time and condition: embedded, (..., W) each.

        Holds 1 + scale in the place of scale.
        """
        modulations = self.modulation(silu(time + condition))
        modulations.unflatten(-1, (-1, time.shape[-1]))[..., 1::3, :] += 1
        return modulations

    def denoise(self, x_t: Tensor, modulations: Tensor) -> Tensor:
        """eps and variance channels.  x_t: (R, C)  modulations: (R, (3 depth + 2) W) -> (R, 2C)."""
        x = self.input_proj(x_t)
        parts = modulations.chunk(3 * len(self.blocks) + 2, dim=-1)
        for i, block in enumerate(self.blocks):
            x = block(x, *parts[3 * i : 3 * i + 3])
        shift, scale = parts[-2:]
        return self.final_layer(torch.addcmul(shift, self.norm(x), scale))

    def forward(self, x_t: Tensor, t: Tensor, z: Tensor) -> Tensor:
        """x_t: (R, C)  t: (R,) in 0..999  z: (R, D) -> (R, 2C)."""
        return self.denoise(x_t, self.modulations(self.time_embed(t), self.condition_embed(z)))


def block_at(block: TransformerBlock, x: Tensor, rows: Tensor, dropout: Dropout | None = None) -> Tensor:
    """block(x)[:, rows] without computing the other rows.  x: (B, N, D)  rows: (n,) -> (B, n, D).

    A row of softmax(Q K^T / sqrt(d)) V (1706.03762 eq. 1) needs its own query, and the keys and values of all.
    """
    attn, size = block.attn, x.shape[-1]
    h = block.norm1(x)
    q = linear(h[:, rows], attn.qkv.weight[:size], attn.qkv.bias[:size])
    k, v = linear(h, attn.qkv.weight[size:], attn.qkv.bias[size:]).chunk(2, dim=-1)
    q, k, v = (split_heads(part, attn.num_heads) for part in (q, k, v))
    out = attn.proj(merge_heads(attend(q, k, v, dropout=dropout)))
    x = x[:, rows] + (out if dropout is None else dropout(out))
    return x + block.mlp(block.norm2(x), dropout)


def decoded_per_iteration(num_tokens: int, num_iter: int) -> list[int]:
    """How many tokens each iteration decodes; they sum to num_tokens.

    After iteration k, floor(N cos(pi/2 (k + 1) / num_iter)) tokens stay hidden (MaskGIT's cosine schedule, Sec. 4), but
    each iteration decodes at least one and leaves at least one to the last.
    """
    if not 1 <= num_iter <= num_tokens:
        raise ValueError(f"num_iter must lie in 1..{num_tokens} (the number of tokens), got {num_iter}")
    counts, hidden = [], num_tokens
    for k in range(num_iter - 1):
        left = max(1, min(hidden - 1, math.floor(num_tokens * math.cos(math.pi / 2 * (k + 1) / num_iter))))
        counts.append(hidden - left)
        hidden = left
    return [*counts, hidden]


def guidance_of_iteration(cfg_scale: float, cfg_schedule: str, num_known: int, num_tokens: int) -> float:
    """Guidance of the iteration that brings the known tokens to num_known: linear in it (as Muse), or constant."""
    if cfg_schedule == "constant":
        return cfg_scale
    if cfg_schedule != "linear":
        raise ValueError(f"unknown cfg_schedule {cfg_schedule!r}; known: linear, constant")
    # The last iteration counts as if it left one token hidden, as in the authors' code: cfg_scale is never reached.
    return 1 + (cfg_scale - 1) * min(num_known, num_tokens - 1) / num_tokens


class MAR(ImageModel):
    """Images as N = (latent_size / patch_size)^2 tokens of C = latent_channels * patch_size^2 numbers.

    `order` (B, N) holds the positions in the order of decoding: at any time order[:, :K] are known, the others hidden.
    """

    undecayed = ("denoiser.",)  # no weight decay on it in the authors' recipe
    compiled_methods: ClassVar[tuple[str, ...]] = ("encode", "decode", "denoise")
    growing_methods: ClassVar[tuple[str, ...]] = ("encode", "decode")
    stages: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "encoder": ("encode",),
        "decoder": ("decode",),
        "denoiser": ("denoiser.modulations", "denoise"),
    }

    def __init__(
        self,
        *,
        hidden_size: int,
        depth: int,
        num_heads: int,
        denoiser_size: int,
        denoiser_depth: int,
        decoder_hidden_size: int | None = None,  # None, here and below: as the encoder
        decoder_depth: int | None = None,
        decoder_num_heads: int | None = None,
        mlp_ratio: float = 4.0,
        num_classes: int = 1000,
        latent_size: int = 16,
        latent_channels: int = 16,
        patch_size: int = 1,
        buffer_size: int = 64,  # copies of the class embedding in front of the sequence
        mask_ratio_min: float = 0.7,
        label_dropout: float = 0.1,
        diffusion_batch_mul: int = 4,  # draws of (t, noise) per token in the loss
    ):
        super().__init__()
        decoder_size = decoder_hidden_size or hidden_size
        self.num_classes = self.null_label = num_classes
        self.patch_size = patch_size
        self.grid_size = latent_size // patch_size
        self.num_tokens = self.grid_size**2
        self.token_size = latent_channels * patch_size**2
        self.buffer_size = buffer_size
        self.mask_ratio_min = mask_ratio_min
        self.label_dropout = label_dropout
        self.draws_per_image = diffusion_batch_mul

        def stack(size: int, num_blocks: int, heads: int) -> nn.ModuleList:
            return nn.ModuleList([TransformerBlock(size, heads, mlp_ratio) for _ in range(num_blocks)])

        self.label_embed = nn.Embedding(num_classes + 1, hidden_size)  # the last row is the null class
        self.token_embed = Linear(self.token_size, hidden_size)
        self.encoder_pos = nn.Parameter(torch.empty(buffer_size + self.num_tokens, hidden_size))
        self.encoder_in = nn.LayerNorm(hidden_size, eps=1e-6)
        self.encoder = stack(hidden_size, depth, num_heads)
        self.encoder_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.decoder_embed = Linear(hidden_size, decoder_size)
        self.mask_token = nn.Parameter(torch.empty(1, decoder_size))
        self.decoder_pos = nn.Parameter(torch.empty(buffer_size + self.num_tokens, decoder_size))
        self.decoder = stack(decoder_size, decoder_depth or depth, decoder_num_heads or num_heads)
        self.decoder_norm = nn.LayerNorm(decoder_size, eps=1e-6)
        self.condition_pos = nn.Parameter(torch.empty(self.num_tokens, decoder_size))
        self.denoiser = Denoiser(self.token_size, decoder_size, denoiser_size, denoiser_depth)
        self.initialize_weights()

    def initialize_weights(self) -> None:
        """Xavier-uniform linears, normal(0.02) embeddings and time MLP, zero adaLN and output of the denoiser."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        embeddings = (self.label_embed.weight, self.mask_token, self.encoder_pos, self.decoder_pos, self.condition_pos)
        time_embed = self.denoiser.time_embed
        for weight in (*embeddings, time_embed.linear_1.weight, time_embed.linear_2.weight):
            nn.init.normal_(weight, std=0.02)
        nn.init.zeros_(self.denoiser.modulation.weight)
        nn.init.zeros_(self.denoiser.final_layer.weight)

    # -- network -------------------------------------------------------------------------------------------------
    def condition(
        self, labels: Tensor, tokens: Tensor, order: Tensor, wanted: Tensor, dropout: Dropout | None = None
    ) -> Tensor:
        """Condition z of the tokens order[:, wanted].  tokens: (B, K, C) at order[:, :K]  wanted: (n,) -> (B, n, D).

        The encoder sees the class tokens and the known tokens, nothing else; mask tokens join in the decoder.
        """
        buffer = self.label_embed(labels)[:, None] + self.encoder_pos[: self.buffer_size]
        known_pos = F.embedding(order[:, : tokens.shape[1]], self.encoder_pos[self.buffer_size :])
        known = self.token_embed(tokens.to(self.dtype)) + known_pos
        x = self.encode(self.encoder_in(torch.cat([buffer, known], dim=1)), dropout)  # (B, 64 + K, D)

        masks = self.mask_token.expand(len(x), self.num_tokens - tokens.shape[1], -1)
        buffer_pos = self.decoder_pos[: self.buffer_size].expand(len(x), -1, -1)
        pos = torch.cat([buffer_pos, F.embedding(order, self.decoder_pos[self.buffer_size :])], dim=1)
        z = self.decode(torch.cat([x, masks.to(x.dtype)], dim=1) + pos, self.buffer_size + wanted, dropout)
        return z + F.embedding(order[:, wanted], self.condition_pos)

    def encode(self, x: Tensor, dropout: Dropout | None = None) -> Tensor:
        """(B, 64 + K, D) -> (B, 64 + K, D of the decoder)."""
        for block in self.encoder:
            x = block(x, dropout=dropout)
        return self.decoder_embed(self.encoder_norm(x))

    def decode(self, x: Tensor, rows: Tensor, dropout: Dropout | None = None) -> Tensor:
        """x: (B, 64 + N, D)  rows: (n,), those to return -> (B, n, D)."""
        *blocks, last = self.decoder
        for block in blocks:
            x = block(x, dropout=dropout)
        return self.decoder_norm(block_at(last, x, rows, dropout))  # type: ignore[arg-type]

    def denoise(self, x_t: Tensor, modulations: Tensor) -> Tensor:
        """One run of the denoising MLP, float32 (R, 2C), see `Denoiser.denoise`."""
        return self.denoiser.denoise(x_t.to(self.dtype), modulations).float()

    # -- sampling ------------------------------------------------------------------------------------------------
    @torch.no_grad()
    def sample(  # type: ignore[override]
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_iter: int = 256,
        num_steps: int = 100,
        cfg_scale: float = 1.0,
        cfg_schedule: str = "linear",
        temperature: float = 1.0,
        spacing: str = "even",
    ) -> Tensor:
        """Latents, float32 (B, latent_channels, latent_size, latent_size).

        num_iter: autoregressive iterations.  num_steps: diffusion steps in each.  temperature: scales their noise.
        spacing: of the diffusion steps among the 1000 of training, a name in samplers.SPACINGS.
        Draws: an order; then per iteration the initial tokens, and one draw per diffusion step but the last.
        """
        counts = decoded_per_iteration(self.num_tokens, num_iter)
        order = self.decoding_order(noise.permutation(self.num_tokens), counts)
        diffusion = DDPM("cosine", num_steps, NUM_TRAIN_STEPS, spacing).to(order.device)
        times = self.denoiser.time_embed(diffusion.timesteps)  # (num_steps, W)
        passes = 1 if cfg_scale == 1.0 else 2
        rows = torch.cat([labels, torch.full_like(labels, self.null_label)]) if passes == 2 else labels
        row_order = order.repeat(passes, 1)
        slots = torch.arange(self.num_tokens, device=order.device)
        tokens = torch.zeros(len(labels), self.num_tokens, self.token_size, device=order.device)  # in order of decoding
        known = 0
        for count in counts:
            chosen = slice(known, known + count)
            z = self.condition(rows, tokens[:, :known].repeat(passes, 1, 1), row_order, slots[chosen])
            known += count
            guidance = guidance_of_iteration(cfg_scale, cfg_schedule, known, self.num_tokens)
            z = z.unflatten(0, (passes, -1))
            tokens[:, chosen] = self.sample_tokens(z, diffusion, times, noise, guidance, temperature)
        return self.unpatchify(tokens.gather(1, order.argsort(dim=1)[..., None].expand_as(tokens)))

    def decoding_order(self, permutation: Tensor, counts: list[int]) -> Tensor:
        """Positions in the order of decoding: the permutation from its end, each iteration's by position.

        (The authors hide the first of their order longest and draw an iteration's noise in the order of positions.)
        """
        iteration = torch.tensor([k for k, count in enumerate(counts) for _ in range(count)], device=permutation.device)
        return (iteration * self.num_tokens + permutation.flip(1)).sort(dim=1).values % self.num_tokens

    def sample_tokens(
        self, z: Tensor, diffusion: DDPM, times: Tensor, noise: Noise, guidance: float, temperature: float
    ) -> Tensor:
        """Tokens (B, n, C) from p(x | z), eq. 2.  z: (G, B, n, D), conditional[, null]  times: (num_steps, W).

        With G = 2, eps = eps_null + guidance (eps_conditional - eps_null); only the conditional half has a state.
        """
        passes, _, count, _ = z.shape
        condition = self.denoiser.condition_embed(z.flatten(0, 2))  # (G R, W) with R = B n
        x_t = noise.normal(count, self.token_size).flatten(0, 1)  # (R, C)
        draws = (draw.flatten(0, 1) for draw in noise.normals(diffusion.num_steps - 1, count, self.token_size))
        chunk = max(1, MODULATED_ROWS // len(condition))
        for end in range(diffusion.num_steps, 0, -chunk):
            start = max(0, end - chunk)
            modulations = self.denoiser.modulations(times[start:end, None], condition)  # (chunk, G R, (3 depth + 2) W)
            for idx in reversed(range(start, end)):
                out = self.denoise(x_t.repeat(passes, 1), modulations[idx - start]).unflatten(0, (passes, -1))
                eps, fraction = out.chunk(2, dim=-1)  # (G, R, C) each
                guided = eps[0] if passes == 1 else eps[1] + guidance * (eps[0] - eps[1])
                x_t = diffusion.step(idx, x_t, guided, fraction[0], next(draws, None), temperature)
        return x_t.unflatten(0, (-1, count))

    def network_evaluations(
        self, *, num_iter: int = 256, num_steps: int = 100, cfg_scale: float = 1.0, **settings: Any
    ) -> dict[str, int]:
        passes = 1 if cfg_scale == 1.0 else 2
        return {"encoder": num_iter * passes, "decoder": num_iter * passes, "denoiser": num_iter * num_steps * passes}

    # -- training ------------------------------------------------------------------------------------------------
    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """`loss` with a random order per image, dropped labels, and one mask ratio for the batch (Sec. 4)."""
        batch, device = len(latents), generator.device
        num_hidden = self.num_hidden(torch.rand((), generator=generator, device=device).item())
        order = torch.rand(batch, self.num_tokens, generator=generator, device=device).argsort(dim=1)
        dropped = torch.rand(batch, generator=generator, device=device) < self.label_dropout
        shape = (self.draws_per_image, batch, num_hidden)
        t = torch.randint(NUM_TRAIN_STEPS, shape, generator=generator, device=device)
        noise = torch.randn(*shape, self.token_size, generator=generator, device=device)
        order, dropped, t, noise = (draw.to(latents.device) for draw in (order, dropped, t, noise))
        return self.loss(latents, labels.masked_fill(dropped, self.null_label), order, t, noise)

    def num_hidden(self, u: float) -> int:
        """Tokens to hide for a uniform draw u in [0, 1).

        The ratio comes from the normal distribution of mean 1 and deviation 0.25, truncated to mask_ratio_min..1.
        """
        ratios = NormalDist(1.0, 0.25)
        lowest = ratios.cdf(self.mask_ratio_min)
        return math.ceil(self.num_tokens * ratios.inv_cdf(lowest + u * (0.5 - lowest)))

    def loss(
        self,
        latents: Tensor,
        labels: Tensor,
        order: Tensor,
        t: Tensor,
        noise: Tensor,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Diffusion loss (eq. 1, and L_vlb for the variance), mean over the hidden tokens, the last ones of `order`.

        latents: (B, c, h, w)  order: (B, N)  t: (draws, B, num_hidden) in 0..999  noise: (draws, B, num_hidden, C).
        """
        diffusion = DDPM("cosine", NUM_TRAIN_STEPS, NUM_TRAIN_STEPS).to(latents.device)
        num_known = self.num_tokens - t.shape[-1]
        tokens = self.patchify(latents.float())
        tokens = tokens.gather(1, order[..., None].expand_as(tokens))
        slots = torch.arange(self.num_tokens, device=latents.device)
        z = self.condition(labels, tokens[:, :num_known], order, slots[num_known:], dropout)  # (B, num_hidden, D)
        x_0 = tokens[:, num_known:].expand_as(noise).flatten(0, 2)
        z = z.expand(len(t), -1, -1, -1).flatten(0, 2)
        t, noise = t.flatten(), noise.flatten(0, 2)
        x_t = diffusion.q_sample(x_0, t, noise)
        return diffusion.loss(self.denoiser(x_t.to(self.dtype), t, z), x_0, x_t, t, noise).mean()

    def patchify(self, latents: Tensor) -> Tensor:
        """(B, c, h, w) -> tokens (B, N, C), row by row, each (c, p, p)."""
        return F.pixel_unshuffle(latents, self.patch_size).flatten(2).transpose(1, 2)

    def unpatchify(self, tokens: Tensor) -> Tensor:
        return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (self.grid_size, -1)), self.patch_size)

    # -- the authors' layout -------------------------------------------------------------------------------------
    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        size, depth, heads = OFFICIAL_SIZES[config.get("model", "mar_large")]  # mar_large: the defaults of their class
        ours = {
            "hidden_size": config.get("encoder_embed_dim", size),
            "depth": config.get("encoder_depth", depth),
            "num_heads": config.get("encoder_num_heads", heads),
            "decoder_hidden_size": config.get("decoder_embed_dim", size),
            "decoder_depth": config.get("decoder_depth", depth),
            "decoder_num_heads": config.get("decoder_num_heads", heads),
            "denoiser_size": config.get("diffloss_w", 1024),
            "denoiser_depth": config.get("diffloss_d", 3),
            "latent_size": config.get("img_size", 256) // config.get("vae_stride", 16),
        }
        same = ("mlp_ratio", "patch_size", "buffer_size", "mask_ratio_min", "diffusion_batch_mul")
        renamed = {"class_num": "num_classes", "vae_embed_dim": "latent_channels", "label_drop_prob": "label_dropout"}
        names = {**dict(zip(same, same, strict=True)), **renamed}
        return ours | {name: config[theirs] for theirs, name in names.items() if theirs in config}

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        ours = rename(
            state,
            [
                (r"class_emb\.weight", "label_embed.weight"),
                (r"z_proj\.(\w+)", r"token_embed.\1"),
                (r"z_proj_ln\.(\w+)", r"encoder_in.\1"),
                (r"(encoder|decoder)_pos_embed_learned", r"\1_pos"),
                (r"diffusion_pos_embed_learned", "condition_pos"),
                (r"(encoder|decoder)_blocks\.(.+)", r"\1.\2"),
                (r"diffloss\.net\.time_embed\.mlp\.0\.(\w+)", r"denoiser.time_embed.linear_1.\1"),
                (r"diffloss\.net\.time_embed\.mlp\.2\.(\w+)", r"denoiser.time_embed.linear_2.\1"),
                (r"diffloss\.net\.cond_embed\.(\w+)", r"denoiser.condition_embed.\1"),
                (r"diffloss\.net\.input_proj\.(\w+)", r"denoiser.input_proj.\1"),
                (r"diffloss\.net\.res_blocks\.(\d+)\.in_ln\.(\w+)", r"denoiser.blocks.\1.norm.\2"),
                (r"diffloss\.net\.res_blocks\.(\d+)\.mlp\.0\.(\w+)", r"denoiser.blocks.\1.linear_1.\2"),
                (r"diffloss\.net\.res_blocks\.(\d+)\.mlp\.2\.(\w+)", r"denoiser.blocks.\1.linear_2.\2"),
                (r"diffloss\.net\.final_layer\.linear\.(\w+)", r"denoiser.final_layer.\1"),
            ],
        )
        for name in {"encoder_pos", "decoder_pos", "condition_pos", "mask_token"} & ours.keys():
            ours[name] = ours[name].squeeze(0)  # no batch dimension
        if {"label_embed.weight", "fake_latent"} <= ours.keys():
            ours["label_embed.weight"] = torch.cat([ours["label_embed.weight"], ours.pop("fake_latent")])
        for part in ("weight", "bias"):  # one matrix of all adaLN layers
            depth = sum(bool(re.fullmatch(rf"denoiser\.blocks\.\d+\.norm\.{part}", key)) for key in ours)
            layers = [*(f"res_blocks.{i}" for i in range(depth)), "final_layer"]
            keys = [f"diffloss.net.{layer}.adaLN_modulation.1.{part}" for layer in layers]
            if set(keys) <= ours.keys():
                ours[f"denoiser.modulation.{part}"] = torch.cat([ours.pop(key) for key in keys])
        return ours
