"""DiT (arXiv:2212.09748): a transformer that denoises all patches of a latent at once. SiT (sit.py) has it too.

DiT predicts the noise of a 1000-step Gaussian diffusion and a variance, and is sampled with 250 respaced steps.

Departs from official, with equal numbers: the adaLN layers of all blocks are one matrix, so that the modulations of
many steps are one product; under guidance the null class is embedded and modulated once for the whole batch, and only
the conditional half has a state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain, repeat
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.checkpoints import rename
from reference_models.image_model import ImageModel
from reference_models.layers import Linear, Mlp, SelfAttention, TimeEmbedding, silu, sincos_2d
from reference_models.noise import Noise
from reference_models.samplers import DDPM

SAMPLERS = ("ddpm", "ddim")
MODULATED_AT_ONCE = 16  # rows (steps x conditions) whose modulations are computed together: 13 MB in float32 for XL


def adaln(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LN(x) (1 + scale) + shift (2212.09748 fig. 3), the 1 + being in scale.  x: (B, N, D)  shift, scale: (B, 1, D)."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), scale)


class DiTBlock(nn.Module):
    """The adaLN-Zero block (2212.09748 figure 3): x + gate f(adaln(x)), of attention, then of the MLP."""

    def __init__(self, hidden_size: int, num_heads: int, mlp_ratio: float):
        super().__init__()
        self.attn = SelfAttention(hidden_size, num_heads)
        self.mlp = Mlp(hidden_size, int(hidden_size * mlp_ratio), approximate="tanh")

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """x: (B, N, D)  modulation: (B, 6, D)."""
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = modulation.unsqueeze(2).unbind(1)  # each (B, 1, D)
        x = torch.addcmul(x, gate_1, self.attn(adaln(x, shift_1, scale_1)))
        return torch.addcmul(x, gate_2, self.mlp(adaln(x, shift_2, scale_2)))


class DiffusionTransformer(ImageModel):
    """The network of DiT and SiT, with guidance; what it predicts and how it is sampled is the subclass's."""

    compiled_methods = ("predict",)
    stages: ClassVar[Mapping[str, tuple[str, ...]]] = {"network": ("modulate", "predict")}
    outputs_per_channel: ClassVar[int]  # channels predicted per latent channel

    def __init__(
        self,
        *,
        latent_channels: int = 4,
        latent_size: int = 32,
        patch_size: int = 2,
        hidden_size: int = 1152,
        depth: int = 28,
        num_heads: int = 16,
        mlp_ratio: float = 4.0,
        num_classes: int = 1000,
        label_dropout: float = 0.1,
        guided_channels: int = 3,  # of 4, as the authors
    ):
        """guided_channels: guidance acts on the first so many channels; the others stay conditional."""
        super().__init__()
        self.latent_shape = (latent_channels, latent_size, latent_size)
        self.patch_size = patch_size
        self.num_classes = num_classes
        self.label_dropout = label_dropout
        self.guided_channels = guided_channels
        self.hidden_size = hidden_size
        self.grid = latent_size // patch_size

        self.patch_embed = Linear(latent_channels * patch_size**2, hidden_size)
        self.time_embed = TimeEmbedding(hidden_size)
        self.label_embed = nn.Embedding(num_classes + (label_dropout > 0), hidden_size)  # the null class is the last
        self.blocks = nn.ModuleList(DiTBlock(hidden_size, num_heads, mlp_ratio) for _ in range(depth))
        self.adaln = Linear(hidden_size, (6 * depth + 2) * hidden_size)  # 6 vectors per block, 2 of the last layer
        self.final_layer = Linear(hidden_size, self.outputs_per_channel * latent_channels * patch_size**2)
        positions = np.arange(self.grid)
        self.register_buffer("pos_embed", sincos_2d(hidden_size, positions, positions)[None])  # (1, N, D), fixed
        self.initialize_weights()

    def initialize_weights(self) -> None:
        """Xavier for linear layers, 0.02 for the embedders; every block starts as the identity (adaLN-Zero)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for module in (self.label_embed, self.time_embed.linear_1, self.time_embed.linear_2):
            nn.init.normal_(module.weight, std=0.02)
        for module in (self.adaln, self.final_layer):
            nn.init.zeros_(module.weight)

    # -- the network ---------------------------------------------------------------------------------------------
    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The prediction at (x_t, t), float32 (B, outputs, h, w).  x_t: (B, C, h, w)  t, labels: (B,).

        Label num_classes is the null class.
        """
        return self.predict(x_t, self.modulate(self.time_embed(t) + self.label_embed(labels)))

    def modulate(self, condition: Tensor) -> Tensor:
        """Shift, 1 + scale, gate; shift, 1 + scale, gate; ... of all blocks, then shift, 1 + scale of the last layer.

        condition: (..., D) -> (..., 6 depth + 2, D).
        """
        modulation = self.adaln(silu(condition)).unflatten(-1, (-1, self.hidden_size))
        modulation[..., 1::3, :] += 1
        return modulation

    def predict(self, x: Tensor, modulation: Tensor, cfg_scale: float = 1.0) -> Tensor:
        """The network at x, float32 (B, outputs, h, w); guided where `modulation` has rows for [conditional, null].

        x: (B, C, h, w)  modulation: (B, 6 depth + 2, D), or (2B, ...) for guidance.
        """
        is_guided = len(modulation) == 2 * len(x)
        patches = F.pixel_unshuffle(x.to(self.patch_embed.weight.dtype), self.patch_size).flatten(2).transpose(1, 2)
        tokens = self.patch_embed(patches) + self.pos_embed  # (B, N, D)
        if is_guided:
            tokens = torch.cat([tokens, tokens])
        for i, block in enumerate(self.blocks):
            tokens = block(tokens, modulation[:, 6 * i : 6 * i + 6])
        shift, scale = modulation[:, -2:].unsqueeze(2).unbind(1)
        tokens = self.final_layer(adaln(tokens, shift, scale)).float()  # (B or 2B, N, outputs p p)
        prediction = F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (self.grid, self.grid)), self.patch_size)
        if not is_guided:
            return prediction
        conditional, null = prediction.chunk(2)
        null = null[:, : self.guided_channels]
        guided = null + cfg_scale * (conditional[:, : self.guided_channels] - null)
        return torch.cat([guided, conditional[:, self.guided_channels :]], dim=1)

    # -- conditions of a sampler ---------------------------------------------------------------------------------
    def _label_embeddings(self, labels: Tensor, cfg_scale: float) -> tuple[Tensor, Tensor]:
        """Embeddings of the labels and, under guidance, once of the null class; and which of them each row takes.

        labels: (B,) -> (B or B + 1, D) and int64 (B or 2B,).
        """
        rows = torch.arange(len(labels), device=labels.device)
        if cfg_scale == 1.0:
            return self.label_embed(labels), rows
        if self.label_dropout == 0:
            raise ValueError(f"cfg_scale must be 1.0 for a model trained without label dropout, got {cfg_scale}")
        labels = torch.cat([labels, torch.full_like(labels[:1], self.num_classes)])
        return self.label_embed(labels), torch.cat([rows, torch.full_like(rows, len(rows))])

    def modulations(self, grid: Tensor, labels: Tensor, cfg_scale: float) -> Iterator[Tensor]:
        """What `predict` takes, for each time of the grid.  grid: (S,)  labels: (B,)."""
        label_embeddings, rows = self._label_embeddings(labels, cfg_scale)
        for t in grid.split(max(1, MODULATED_AT_ONCE // len(label_embeddings))):
            yield from self.modulate(self.time_embed(t)[:, None] + label_embeddings)[:, rows].unbind()

    def drop_labels(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Labels for training: each the null label with probability `label_dropout`."""
        dropped = torch.rand(len(labels), generator=generator, device=generator.device) < self.label_dropout
        return torch.where(dropped.to(labels.device), self.num_classes, labels)

    # -- the authors' layout -------------------------------------------------------------------------------------
    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        names = {
            "input_size": "latent_size",
            "patch_size": "patch_size",
            "in_channels": "latent_channels",
            "hidden_size": "hidden_size",
            "depth": "depth",
            "num_heads": "num_heads",
            "mlp_ratio": "mlp_ratio",
            "num_classes": "num_classes",
            "class_dropout_prob": "label_dropout",
        }
        unknown = config.keys() - names.keys() - {"learn_sigma"}
        if unknown:
            known = ", ".join([*names, "learn_sigma"])
            raise ValueError(f"unknown {cls.__name__} argument {sorted(unknown)[0]!r}; known: {known}")
        return {names[key]: value for key, value in config.items() if key in names}

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Also stacks the adaLN layers and brings the patches' elements into the order (channel, row, column)."""
        state = dict(state)
        depth = sum(bool(re.fullmatch(r"blocks\.\d+\.adaLN_modulation\.1\.weight", key)) for key in state)
        adaln_layers = [f"blocks.{i}.adaLN_modulation.1" for i in range(depth)] + ["final_layer.adaLN_modulation.1"]
        for part in ("weight", "bias"):
            if all(f"{layer}.{part}" in state for layer in adaln_layers):
                state[f"adaln.{part}"] = torch.cat([state.pop(f"{layer}.{part}") for layer in adaln_layers])
        patches = state.get("x_embedder.proj.weight")
        if patches is not None:
            channels, p = patches.shape[1], patches.shape[2]
            state["x_embedder.proj.weight"] = patches.flatten(1)
            for key in {"final_layer.linear.weight", "final_layer.linear.bias"} & state.keys():  # rows (p, p, outputs)
                rows = state[key].unflatten(0, (p, p, -1)).movedim(2, 0)[: cls.outputs_per_channel * channels]
                state[key] = rows.flatten(0, 2).contiguous()
        return rename(
            state,
            [
                (r"x_embedder\.proj\.(\w+)", r"patch_embed.\1"),
                (r"t_embedder\.mlp\.0\.(\w+)", r"time_embed.linear_1.\1"),
                (r"t_embedder\.mlp\.2\.(\w+)", r"time_embed.linear_2.\1"),
                (r"y_embedder\.embedding_table\.weight", "label_embed.weight"),
                (r"final_layer\.linear\.(\w+)", r"final_layer.\1"),
            ],
        )


@cache
def training_diffusion(device: torch.device) -> DDPM:
    return DDPM("linear", num_steps=1000).to(device)


class DiT(DiffusionTransformer):
    """Predicts noise and variance (2C channels), trained on 1000 steps of the linear schedule."""

    outputs_per_channel = 2

    @torch.no_grad()
    def sample(  # type: ignore[override]
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_steps: int = 250,
        cfg_scale: float = 1.5,
        sampler: str = "ddpm",
        spacing: str = "even",
    ) -> Tensor:
        """Latents (B, C, h, w).  num_steps: how many of the 1000 steps are made.

        sampler: "ddpm" is ancestral sampling; "ddim" is deterministic (2010.02502 eq. 12 with eta = 0).
        spacing: a name in samplers.SPACINGS. The authors' "ddim50" is num_steps 50, sampler "ddim", spacing "ddim".
        """
        if sampler not in SAMPLERS:
            raise ValueError(f"unknown sampler {sampler!r}; known: {', '.join(SAMPLERS)}")
        diffusion = DDPM("linear", num_steps, spacing=spacing).to(labels.device)
        x = noise.normal(*self.latent_shape)
        modulations = self.modulations(diffusion.timesteps.flip(0), labels, cfg_scale)
        is_ddim = sampler == "ddim"
        draws: Iterable[Tensor | None] = repeat(None, num_steps)
        if not is_ddim:
            draws = chain(noise.normals(num_steps - 1, *self.latent_shape), [None])  # the last step draws nothing
        for idx, modulation, draw in zip(reversed(range(num_steps)), modulations, draws, strict=True):
            eps, variance = self.predict(x, modulation, cfg_scale).chunk(2, dim=1)
            x = diffusion.ddim_step(idx, x, eps) if is_ddim else diffusion.step(idx, x, eps, variance, draw)
        return x

    def network_evaluations(self, *, num_steps: int = 250, cfg_scale: float = 1.5, **settings: Any) -> dict[str, int]:
        return {"network": num_steps * (1 if cfg_scale == 1.0 else 2)}

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        t = torch.randint(0, 1000, (len(latents),), generator=generator, device=generator.device)
        noise = torch.randn(latents.shape, generator=generator, device=generator.device)
        labels = self.drop_labels(labels, generator)
        return self.loss(latents, labels, t.to(latents.device), noise.to(latents.device))

    def loss(self, latents: Tensor, labels: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """L_simple + L_vlb at the given steps and noise, mean over the batch.  t: (B,) int64 in 0..999."""
        diffusion = training_diffusion(latents.device)
        x_t = diffusion.q_sample(latents, t, noise)
        return diffusion.loss(self(x_t, t, labels), latents, x_t, t, noise).mean()

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        if not config.get("learn_sigma", True):
            raise ValueError("DiT without learned variance (learn_sigma false) has no published sampler")
        return super().from_official_config(config)
