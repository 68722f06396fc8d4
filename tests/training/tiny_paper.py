"""Models of paper size made tiny, latents that mean nothing, and one run of them all by several processes.

RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python -m tests.training.tiny_paper OUT.pt
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace

import numpy as np
import torch

import reference_models
from bench.sampling.ranks import this_rank
from bench.training.paper_scale import Layout, process_group, train_at_paper_scale
from bench.training.recipes import PUBLISHED_BY_FAMILY

CLASSES, IMAGES, SIZE, CHANNELS = 3, 24, 4, 4
TRANSDIFF = {
    "latent_size": SIZE,
    "latent_channels": CHANNELS,
    "num_classes": CLASSES,
    "hidden_size": 16,
    "encoder_depth": 2,
    "encoder_heads": 2,
    "encoder_tokens": 16,
    "buffer_size": 4,
    "decoder_depth": 1,
    "decoder_heads": 2,
}
DIT = {
    "latent_size": SIZE,
    "latent_channels": CHANNELS,
    "num_classes": CLASSES,
    "hidden_size": 16,
    "depth": 2,
    "num_heads": 2,
    "patch_size": 2,
}
MAR = {
    "latent_size": SIZE,
    "latent_channels": CHANNELS,
    "num_classes": CLASSES,
    "hidden_size": 16,
    "depth": 1,
    "num_heads": 2,
    "buffer_size": 4,
    "denoiser_size": 16,
    "denoiser_depth": 1,
}
CONFIGS = {
    "transdiff-b": TRANSDIFF,
    "transdiff-mrar-b": TRANSDIFF,
    "mar-b": MAR,
    "dit-b-2": DIT,
    "sit-xl-2": DIT,
}


def tiny_specs():
    """The specs of these names at tiny size, 32 pixels."""
    found = reference_models.specs()
    return {name: replace(found[name], config=config, image_size=32) for name, config in CONFIGS.items()}


def tiny_model(name, seed=0):
    spec = tiny_specs()[name]
    torch.manual_seed(seed)
    model = spec.network(**spec.config)
    model.attach(spec, lambda: None)
    return model


@dataclass
class Latents:
    """Random moments of IMAGES images; the second view is the first turned round."""

    views: int = 2
    labels: np.ndarray = field(default_factory=lambda: np.arange(IMAGES) % CLASSES)

    def moments(self, index, view=0):
        rng = np.random.default_rng(index)
        mean, deviation = rng.standard_normal((2, CHANNELS, SIZE, SIZE)).astype(np.float32)
        turned = slice(None, None, -1 if view else 1)
        return mean[..., turned].copy(), np.abs(deviation)[..., turned].copy() / 10


def train_tiny(
    name,
    *,
    layout=None,
    num_steps=4,
    batch_size=16,
    precision="float32",
    seed=0,
    draws_per_image=None,
    dropout=None,
    **options,
):
    """(EMA, Progress) by the published recipe, but a warm-up of 2 steps and an average that forgets."""
    recipe = PUBLISHED_BY_FAMILY[tiny_specs()[name].family].recipe(IMAGES, batch_size=batch_size, num_steps=num_steps)
    if draws_per_image is not None:
        recipe = replace(recipe, draws_per_image=draws_per_image)
    if dropout is not None:
        recipe = replace(recipe, dropout=dropout)
    return train_at_paper_scale(
        tiny_model(name),
        Latents(),
        replace(recipe, warmup_steps=2, lr=1e-3, ema_decay=0.5),
        seed=seed,
        layout=layout or Layout(),
        precision=precision,
        identity={"data": "random"},
        **options,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    rank = this_rank()
    layout = Layout(rank.rank, rank.world_size)
    found = {}
    with process_group(layout, "cpu"):
        for name in CONFIGS:
            ema, progress = train_tiny(name, layout=layout)
            found[name] = (ema.state_dict(), progress.losses)
    if rank.rank == 0:
        torch.save(found, sys.argv[1])
