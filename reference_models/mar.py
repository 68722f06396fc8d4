"""MAR (arXiv:2406.11838): masked autoregression over continuous tokens, each token painted by a small diffusion MLP.

A masked encoder-decoder (Sec. 3.4) turns the class and the tokens known so far into a condition z for every hidden
position; the denoising MLP (Sec. 3.2, 3.3) samples the next positions of a random order from p(x | z) by DDPM.
Departs from official: tokens are kept in the order of their decoding, so known and hidden ones are slices (attention
does not see the order, positions are added by index); the decoder's last block, and in training the MLP, run only where
their output is read; the MLP's adaLN projections are one matrix, applied to many diffusion steps at once; the null half
of the guided state is not evolved, only its eps is used; no dropout in training (theirs: 0.1 in attention and MLPs).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import rename
from reference_models.layers import TimestepEmbedder, TransformerBlock, merge_heads, split_heads
from reference_models.noise import Noise
from reference_models.samplers import DDPM
from reference_models.spec import ImageModel, Official, Spec
from reference_models.training import Recipe

NUM_TRAIN_STEPS = 1000  # diffusion steps in training, cosine schedule (Sec. 4)
MODULATED_ROWS = 1024  # (step, token) pairs whose adaLN projections are made at a time: large enough to fill a matmul


class DenoiserBlock(nn.Module):
    """Residual block of the MLP: LayerNorm modulated by adaLN, Linear, SiLU, Linear, gate (Sec. 4, "Denoising MLP")."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.linear_1 = nn.Linear(width, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        h = torch.addcmul(shift, self.norm(x), scale)
        return torch.addcmul(x, gate, self.linear_2(F.silu(self.linear_1(h))))


class Denoiser(nn.Module):
    """eps(x_t | t, z) of single tokens, with the variance channels of Nichol and Dhariwal."""

    def __init__(self, token_size: int, condition_size: int, width: int, depth: int):
        super().__init__()
        self.time_embed = TimestepEmbedder(width)
        self.condition_embed = nn.Linear(condition_size, width)
        self.input_proj = nn.Linear(token_size, width)
        self.blocks = nn.ModuleList([DenoiserBlock(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.output_proj = nn.Linear(width, 2 * token_size)
        # adaLN of all layers: shift, scale, gate of each block, then shift, scale of the output.
        self.modulation = nn.Linear(width, (3 * depth + 2) * width)

    def modulations(self, time: Tensor, condition: Tensor) -> Tensor:
        """What `denoise` needs to know of t and z, (..., (3 depth + 2) W); time and condition: embedded, (..., W) each.

        Holds 1 + scale in the place of scale.
        """
        modulations = self.modulation(F.silu(time + condition))
        modulations.unflatten(-1, (-1, time.shape[-1]))[..., 1::3, :] += 1
        return modulations

    def denoise(self, x_t: Tensor, modulations: Tensor) -> Tensor:
        """eps and variance channels.  x_t: (R, C)  modulations: ([G,] R, (3 depth + 2) W) -> ([G,] R, 2C)."""
        x = self.input_proj(x_t)  # (R, W), the same for the conditional and the null pass G
        parts = modulations.chunk(3 * len(self.blocks) + 2, dim=-1)
        for i, block in enumerate(self.blocks):
            x = block(x, *parts[3 * i : 3 * i + 3])
        shift, scale = parts[-2:]
        return self.output_proj(torch.addcmul(shift, self.norm(x), scale))

    def forward(self, x_t: Tensor, t: Tensor, z: Tensor) -> Tensor:
        """x_t: (R, C)  t: (R,) in 0..999  z: (R, D) -> (R, 2C)."""
        return self.denoise(x_t, self.modulations(self.time_embed(t), self.condition_embed(z)))


def block_at(block: TransformerBlock, x: Tensor, rows: Tensor) -> Tensor:
    """block(x)[:, rows] without computing the other rows.  x: (B, N, D)  rows: (n,) -> (B, n, D)."""
    attn, size = block.attn, x.shape[-1]
    h = block.norm1(x)
    q = F.linear(h[:, rows], attn.qkv.weight[:size], attn.qkv.bias[:size])
    k, v = F.linear(h, attn.qkv.weight[size:], attn.qkv.bias[size:]).chunk(2, dim=-1)
    q, k, v = (split_heads(part, attn.num_heads) for part in (q, k, v))
    x = x[:, rows] + attn.proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))
    return x + block.mlp(block.norm2(x))


def decoded_per_iteration(num_tokens: int, num_iter: int) -> list[int]:
    """How many tokens each iteration decodes; they sum to num_tokens.

    After iteration k, floor(N cos(pi/2 (k + 1) / num_iter)) tokens stay hidden (MaskGIT's cosine schedule), but at least
    one is decoded each time and at least one is left for the last.
    """
    if not 1 <= num_iter <= num_tokens:
        raise ValueError(f"num_iter must lie in 1..{num_tokens} (the number of tokens), got {num_iter}")
    counts, hidden = [], num_tokens
    for k in range(num_iter - 1):
        still_hidden = math.floor(num_tokens * math.cos(math.pi / 2 * (k + 1) / num_iter))
        still_hidden = max(1, min(hidden - 1, still_hidden))
        counts.append(hidden - still_hidden)
        hidden = still_hidden
    return [*counts, hidden]


def guidance_of_iteration(cfg_scale: float, cfg_schedule: str, num_tokens: int, num_hidden: int) -> float:
    """Guidance of an iteration that leaves num_hidden tokens hidden: "linear" in the number decoded (as Muse), or "constant"."""
    if cfg_schedule == "constant":
        return cfg_scale
    if cfg_schedule != "linear":
        raise ValueError(f"unknown cfg_schedule {cfg_schedule!r}; known: linear, constant")
    return 1 + (cfg_scale - 1) * (num_tokens - num_hidden) / num_tokens


class MAR(ImageModel):
    """Images as sequences of N = (latent_size / patch_size)^2 tokens of C = latent_channels * patch_size^2 numbers.

    `order` (B, N) holds positions in the order of decoding: at any time, order[:, :K] are known, the others hidden.
    """

    compiled_methods: ClassVar[tuple[str, ...]] = ("condition", "denoise")

    def __init__(
        self,
        *,
        hidden_size: int,
        depth: int,
        num_heads: int,
        denoiser_width: int,
        denoiser_depth: int,
        decoder_hidden_size: int | None = None,  # None: as the encoder
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
        self.grid = latent_size // patch_size
        self.patch_size = patch_size
        self.num_tokens = self.grid**2
        self.token_size = latent_channels * patch_size**2
        self.buffer_size = buffer_size
        self.mask_ratio_min = mask_ratio_min
        self.label_dropout = label_dropout
        self.diffusion_batch_mul = diffusion_batch_mul

        self.class_embed = nn.Embedding(num_classes + 1, hidden_size)  # the last row is the null class
        self.token_embed = nn.Linear(self.token_size, hidden_size)
        self.token_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.encoder_pos = nn.Parameter(torch.empty(buffer_size + self.num_tokens, hidden_size))
        self.encoder = nn.ModuleList([TransformerBlock(hidden_size, num_heads, mlp_ratio) for _ in range(depth)])
        self.encoder_norm = nn.LayerNorm(hidden_size, eps=1e-6)

        self.decoder_embed = nn.Linear(hidden_size, decoder_size)
        self.mask_token = nn.Parameter(torch.empty(decoder_size))
        self.decoder_pos = nn.Parameter(torch.empty(buffer_size + self.num_tokens, decoder_size))
        self.decoder = nn.ModuleList(
            [TransformerBlock(decoder_size, decoder_num_heads or num_heads, mlp_ratio) for _ in range(decoder_depth or depth)]
        )
        self.decoder_norm = nn.LayerNorm(decoder_size, eps=1e-6)
        self.condition_pos = nn.Parameter(torch.empty(self.num_tokens, decoder_size))
        self.denoiser = Denoiser(self.token_size, decoder_size, denoiser_width, denoiser_depth)
        self.initialise()

    def initialise(self) -> None:
        """Xavier-uniform linears, normal(0.02) embeddings and time MLP, zero adaLN and output of the denoiser."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        embeddings = (self.class_embed.weight, self.mask_token, self.encoder_pos, self.decoder_pos, self.condition_pos)
        time_embed = self.denoiser.time_embed
        for weight in (*embeddings, time_embed.linear_1.weight, time_embed.linear_2.weight):
            nn.init.normal_(weight, std=0.02)
        nn.init.zeros_(self.denoiser.modulation.weight)
        nn.init.zeros_(self.denoiser.output_proj.weight)

    # -- network -------------------------------------------------------------------------------------------------
    def encoder_input(self, labels: Tensor, tokens: Tensor, order: Tensor) -> Tensor:
        """The class tokens and the known tokens, nothing else (Sec. 3.4).  tokens: (B, K, C) at order[:, :K] -> (B, 64 + K, D)."""
        buffer = self.class_embed(labels)[:, None] + self.encoder_pos[: self.buffer_size]
        known = F.embedding(order[:, : tokens.shape[1]], self.encoder_pos[self.buffer_size :])
        known = known + self.token_embed(tokens.to(self.dtype))
        return self.token_norm(torch.cat([buffer, known], dim=1))

    def condition(self, x: Tensor, order: Tensor, wanted: Tensor) -> Tensor:
        """Condition z of the tokens order[:, wanted].  x: (B, 64 + K, D), see `encoder_input`  wanted: (n,) -> (B, n, D)."""
        for block in self.encoder:
            x = block(x)
        x = self.decoder_embed(self.encoder_norm(x))
        num_hidden = self.buffer_size + self.num_tokens - x.shape[1]
        x = torch.cat([x, self.mask_token.expand(len(x), num_hidden, -1).to(x.dtype)], dim=1)  # (B, 64 + N, D)
        buffer_pos = self.decoder_pos[: self.buffer_size].expand(len(x), -1, -1)
        x = x + torch.cat([buffer_pos, F.embedding(order, self.decoder_pos[self.buffer_size :])], dim=1)
        for block in self.decoder[:-1]:
            x = block(x)
        x = block_at(self.decoder[-1], x, self.buffer_size + wanted)
        return self.decoder_norm(x) + F.embedding(order[:, wanted], self.condition_pos)

    def denoise(self, x_t: Tensor, modulations: Tensor) -> Tensor:
        """One step of the denoising MLP, float32 (G, R, 2C), see `Denoiser.denoise`.  G: conditional[, null]."""
        return self.denoiser.denoise(x_t.to(self.dtype), modulations).float()

    # -- sampling ------------------------------------------------------------------------------------------------
    def sample(
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_iter: int,
        num_steps: int,
        cfg_scale: float,
        cfg_schedule: str = "linear",
        temperature: float = 1.0,
    ) -> Tensor:
        """Latents (B, latent_channels, latent_size, latent_size), float32.

        num_iter: autoregressive iterations.  num_steps: diffusion steps per iteration.  cfg_scale: of the last iteration.
        Draws: an order; per iteration the initial tokens, then one draw per diffusion step but the last.
        """
        counts = decoded_per_iteration(self.num_tokens, num_iter)
        order = self.decoding_order(noise.permutation(self.num_tokens), counts)
        diffusion = DDPM("cosine", num_steps, NUM_TRAIN_STEPS).to(order.device)
        times = self.denoiser.time_embed(diffusion.timesteps)  # (num_steps, W)
        batch, passes = len(labels), 1 if cfg_scale == 1.0 else 2
        if passes == 2:
            labels = torch.cat([labels, torch.full_like(labels, self.null_label)])
        pass_order = order.repeat(passes, 1)
        slots = torch.arange(self.num_tokens, device=order.device)
        tokens = torch.zeros(batch, self.num_tokens, self.token_size, device=order.device)  # in the order of decoding
        known = 0
        for count in counts:
            x = self.encoder_input(labels, tokens[:, :known].repeat(passes, 1, 1), pass_order)
            z = self.condition(x, pass_order, slots[known : known + count])
            drawn = self.sample_tokens(
                z.unflatten(0, (passes, batch)),
                diffusion,
                times,
                noise,
                # The last iteration counts as leaving one token hidden, as in the authors' code.
                guidance_of_iteration(cfg_scale, cfg_schedule, self.num_tokens, max(1, self.num_tokens - known - count)),
                temperature,
            )
            tokens[:, known : known + count] = drawn
            known += count
        in_place = tokens.gather(1, order.argsort(dim=1)[..., None].expand_as(tokens))
        return self.unpatchify(in_place)

    def decoding_order(self, permutation: Tensor, counts: list[int]) -> Tensor:
        """Positions in the order of decoding: the permutation from its end, and within an iteration by position.

        (The authors hide the first positions of their order and draw an iteration's noise in the order of positions.)
        """
        iteration = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)).to(permutation.device)
        return (iteration * self.num_tokens + permutation.flip(1)).sort(dim=1).values % self.num_tokens

    def sample_tokens(
        self, z: Tensor, diffusion: DDPM, times: Tensor, noise: Noise, guidance: float, temperature: float
    ) -> Tensor:
        """n tokens per image drawn from p(x | z).  z: (G, B, n, D)  times: (num_steps, W) -> (B, n, C).

        Eq. 2, with eps = eps_null + guidance (eps - eps_null) where G = 2; temperature scales the noise of each step.
        """
        count = z.shape[2]
        condition = self.denoiser.condition_embed(z.flatten(1, 2))  # (G, R, W) with R = B n
        x_t = noise.normal(count, self.token_size).flatten(0, 1)  # (R, C)
        step_noise = noise.normals(diffusion.num_steps - 1, count, self.token_size)
        chunk = max(1, MODULATED_ROWS // (condition.shape[0] * condition.shape[1]))
        for end in range(diffusion.num_steps, 0, -chunk):
            start = max(0, end - chunk)
            modulations = self.denoiser.modulations(times[start:end, None, None], condition)
            for idx in reversed(range(start, end)):
                eps, fraction = self.denoise(x_t, modulations[idx - start]).chunk(2, dim=-1)  # (G, R, C) each
                guided = eps[0] if len(eps) == 1 else eps[1] + guidance * (eps[0] - eps[1])
                draw = next(step_noise).flatten(0, 1) if idx > 0 else None
                x_t = diffusion.step(idx, x_t, guided, fraction[0], draw, temperature)
        return x_t.unflatten(0, (-1, count))

    def network_evaluations(self, *, num_iter: int, num_steps: int, cfg_scale: float, **settings: Any) -> dict[str, int]:
        passes = 1 if cfg_scale == 1.0 else 2
        return {"encoder": num_iter * passes, "decoder": num_iter * passes, "denoiser": num_iter * num_steps * passes}

    # -- training ------------------------------------------------------------------------------------------------
    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """`loss` with a random order per image, one mask ratio per batch (Sec. 4), and labels dropped.

        The ratio is a normal around 1 with deviation 0.25, truncated to mask_ratio_min..1.
        """
        batch, device = len(latents), generator.device
        order = torch.rand(batch, self.num_tokens, generator=generator, device=device).argsort(dim=1)
        ratios = NormalDist(1.0, 0.25)
        lowest = ratios.cdf(self.mask_ratio_min)
        u = torch.rand((), generator=generator, device=device).item()
        num_hidden = math.ceil(self.num_tokens * ratios.inv_cdf(lowest + u * (0.5 - lowest)))
        dropped = torch.rand(batch, generator=generator, device=device) < self.label_dropout
        shape = (self.diffusion_batch_mul, batch, num_hidden)
        t = torch.randint(NUM_TRAIN_STEPS, shape, generator=generator, device=device)
        noise = torch.randn(*shape, self.token_size, generator=generator, device=device)
        order, dropped, t, noise = (draw.to(latents.device) for draw in (order, dropped, t, noise))
        return self.loss(latents, labels.masked_fill(dropped, self.null_label), order, t, noise)

    def loss(self, latents: Tensor, labels: Tensor, order: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Diffusion loss (eq. 1, and L_vlb for the variance) of the hidden tokens, the last ones of `order`.

        latents: (B, c, h, w)  order: (B, N)  t: (draws, B, num_hidden) in 0..999  noise: (draws, B, num_hidden, C).
        """
        diffusion = DDPM("cosine", NUM_TRAIN_STEPS, NUM_TRAIN_STEPS).to(latents.device)
        num_known = self.num_tokens - t.shape[-1]
        tokens = self.patchify(latents.float())
        tokens = tokens.gather(1, order[..., None].expand_as(tokens))
        x = self.encoder_input(labels, tokens[:, :num_known], order)
        z = self.condition(x, order, torch.arange(num_known, self.num_tokens, device=order.device))  # (B, num_hidden, D)
        t, noise, z, x_0 = t.flatten(), noise.flatten(0, 2), *(
            part.expand(len(t), *part.shape).flatten(0, 2) for part in (z, tokens[:, num_known:])
        )
        x_t = diffusion.q_sample(x_0, t, noise)
        return diffusion.loss(self.denoiser(x_t.to(self.dtype), t, z), x_0, x_t, t, noise).mean()

    # -- layouts -------------------------------------------------------------------------------------------------
    def patchify(self, latents: Tensor) -> Tensor:
        """(B, c, h, w) -> tokens (B, N, C), row by row, each (c, p, p)."""
        return F.pixel_unshuffle(latents, self.patch_size).flatten(2).transpose(1, 2)

    def unpatchify(self, tokens: Tensor) -> Tensor:
        return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (self.grid, self.grid)), self.patch_size)

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        if "model" in config:  # the name of a constructor, in a checkpoint's arguments
            width, depth, heads = OFFICIAL_SIZES[config["model"]]
        else:
            width, depth, heads = 1024, 16, 16  # the defaults of the authors' class
        return {
            "hidden_size": config.get("encoder_embed_dim", width),
            "depth": config.get("encoder_depth", depth),
            "num_heads": config.get("encoder_num_heads", heads),
            "decoder_hidden_size": config.get("decoder_embed_dim", width),
            "decoder_depth": config.get("decoder_depth", depth),
            "decoder_num_heads": config.get("decoder_num_heads", heads),
            "mlp_ratio": config.get("mlp_ratio", 4.0),
            "denoiser_width": config.get("diffloss_w", 1024),
            "denoiser_depth": config.get("diffloss_d", 3),
            "num_classes": config.get("class_num", 1000),
            "latent_size": config.get("img_size", 256) // config.get("vae_stride", 16),
            "latent_channels": config.get("vae_embed_dim", 16),
            "patch_size": config.get("patch_size", 1),
            "buffer_size": config.get("buffer_size", 64),
            "mask_ratio_min": config.get("mask_ratio_min", 0.7),
            "label_dropout": config.get("label_drop_prob", 0.1),
            "diffusion_batch_mul": config.get("diffusion_batch_mul", 4),
        }

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        ours = rename(state, OFFICIAL_NAMES)
        for name in ("encoder_pos", "decoder_pos", "condition_pos", "mask_token"):
            if name in ours:
                ours[name] = ours[name].flatten(0, -2) if name != "mask_token" else ours[name].flatten()
        if {"class_embed.weight", "fake_latent"} <= ours.keys():
            ours["class_embed.weight"] = torch.cat([ours["class_embed.weight"], ours.pop("fake_latent")])
        for kind in ("weight", "bias"):
            depth = sum(key.endswith(f".norm.{kind}") for key in ours)
            names = [f"diffloss.net.res_blocks.{i}.adaLN_modulation.1.{kind}" for i in range(depth)]
            names.append(f"diffloss.net.final_layer.adaLN_modulation.1.{kind}")
            if set(names) <= ours.keys():
                ours[f"denoiser.modulation.{kind}"] = torch.cat([ours.pop(name) for name in names])
        return ours


OFFICIAL_SIZES = {"mar_base": (768, 12, 12), "mar_large": (1024, 16, 16), "mar_huge": (1280, 20, 16)}  # width, depth, heads
OFFICIAL_NAMES = [
    (r"class_emb\.weight", "class_embed.weight"),
    (r"z_proj\.(\w+)", r"token_embed.\1"),
    (r"z_proj_ln\.(\w+)", r"token_norm.\1"),
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
    (r"diffloss\.net\.final_layer\.linear\.(\w+)", r"denoiser.output_proj.\1"),
]


def _imagenet_256(size: str, denoiser: tuple[int, int], cfg_scale: float, num_params: float) -> Spec:
    width, depth, heads = OFFICIAL_SIZES[size]
    return Spec(
        name=f"mar-{size[4]}",
        family="mar",
        network=MAR,
        config={
            "hidden_size": width,
            "depth": depth,
            "num_heads": heads,
            "denoiser_width": denoiser[0],
            "denoiser_depth": denoiser[1],
        },
        sampling={
            "num_iter": 256,
            "num_steps": 100,
            "cfg_scale": cfg_scale,
            "cfg_schedule": "linear",
            "temperature": 1.0,
        },
        autoencoder="kl-16",
        scale="imagenet-256",
        image_size=256,
        source="arXiv:2406.11838 table 4; sizes and settings: github.com/LTH14/mar README @fe470ac",
        num_params=num_params,
        official=Official("github.com/LTH14/mar (links in its README)", f"mar/{size}/checkpoint-last.pth", "MIT"),
        notes=(
            "num_iter is 256 in table 4 and the README's evaluation commands, 64 by default in the paper (Sec. 4) and the scripts",
            "without guidance the authors evaluate with cfg_scale 1.0 and temperature 0.95",
        ),
    )


SPECS: tuple[Spec, ...] = (
    _imagenet_256("mar_base", denoiser=(1024, 6), cfg_scale=2.9, num_params=208e6),
    _imagenet_256("mar_large", denoiser=(1280, 8), cfg_scale=3.0, num_params=479e6),
    _imagenet_256("mar_huge", denoiser=(1536, 12), cfg_scale=3.2, num_params=943e6),
    Spec(
        name="mar-digits",
        family="mar",
        network=MAR,
        config={
            "hidden_size": 80,
            "depth": 2,
            "num_heads": 4,
            "denoiser_width": 112,
            "denoiser_depth": 3,
            "num_classes": 10,
            "latent_size": 4,
            "latent_channels": 4,
            "buffer_size": 16,
        },
        sampling={"num_iter": 8, "num_steps": 100, "cfg_scale": 2.0, "cfg_schedule": "linear", "temperature": 1.0},
        autoencoder="patch-2x2",
        scale="digits",
        image_size=8,
        source="this project",
        recipe=Recipe(num_steps=4000),
    ),
)
