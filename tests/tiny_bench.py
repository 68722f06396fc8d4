"""`python -m tests.tiny_bench ARGUMENTS`: the bench, to which the papers' models are tiny; for other processes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import reference_models
from bench.__main__ import main
from reference_models.autoencoders import KLAutoencoder
from reference_models.sizes.autoencoders import AUTOENCODERS
from tests.training.tiny_paper import tiny_specs

TINY_KL = {"latent_channels": 4, "channel_mult": (1, 1, 1, 1), "channels": 32, "scale": 0.5}


def know_tiny_models(patch):
    """The papers' names stand for tiny models, and their autoencoders for one of 32 pixels."""
    known = reference_models.specs() | tiny_specs()
    patch.setattr(reference_models, "specs", lambda: known)
    spec = replace(AUTOENCODERS["kl-16"], config=TINY_KL)
    patch.setitem(AUTOENCODERS, "kl-16", spec)
    patch.setitem(AUTOENCODERS, "sd-vae", replace(spec, name="sd-vae"))
    patch.setattr(KLAutoencoder, "from_official_state", classmethod(lambda cls, state: dict(state)))


def give_training_data(folder):
    """Twelve images of three classes and the autoencoder's file; the arguments that name them."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(folder / f"data/{name}/{i}.png")
    torch.manual_seed(0)
    save_file(KLAutoencoder(**TINY_KL).state_dict(), folder / "kl.safetensors")
    common = ["--data", folder / "data", "--autoencoder", folder / "kl.safetensors", "--results", folder / "work"]
    return [*common, "--batch-size", 8, "--steps", 2, "--device", "cpu"]


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patched:
        know_tiny_models(patched)
        main()
