"""The small models: sizes, sampling settings and recipes of every family in one table, so that equal chances are seen.

Scale "digits": 8x8 scans, 16 positions of 2x2 pixels, 10 classes. Every generator has about 0.6 million parameters
(tokenizers left out, as the papers count) and sees 256,000 images; MRAR is fine-tuned on 128,000 more.
Scale "scenes": 16x16 colour images with captions and questions. Both models see 352,000 scenes.
A family's file in sizes/ adds its row to its `SPECS` with `small_spec(name, network)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reference_models.spec import Network, Recipe, ScenesRecipe, Spec

# The scenes scale: its closed vocabulary, and the tokens of its longest texts, the end token included.
_WORDS = """0 1 2 3 4 5 6 7 8 9 red green blue yellow top bottom left right above below yes no , ? a and are at colour
    digit digits how in is many of or the there what where which"""
SCENE_WORDS = tuple(_WORDS.split())
SCENE_TEXT = {"text_length": 24, "question_length": 12}


@dataclass(frozen=True)
class Small:
    """One row. The fields are those of `Spec`."""

    config: Mapping[str, Any]
    sampling: Mapping[str, Any]
    recipe: Recipe
    autoencoder: str = "patch-2x2"
    scale: str = "digits"
    image_size: int = 8
    version: int = 1
    ingredient: bool = False
    notes: tuple[str, ...] = ()


def small_spec(name: str, network: Network, family: str | None = None) -> Spec:
    """The spec of a small model.  family: None, where the name is the family's and "-digits"."""
    row = SMALL[name]
    return Spec(
        name=name,
        family=family or name.removesuffix("-digits"),
        network=network,
        config=row.config,
        sampling=row.sampling,
        autoencoder=row.autoencoder,
        scale=row.scale,
        image_size=row.image_size,
        source="this project",
        recipe=row.recipe,
        version=row.version,
        ingredient=row.ingredient,
        notes=row.notes,
    )


# Guidance of each row: the best by FID at a seed that no report uses, of the values in the comment beside it.
_TRANSDIFF = {
    "latent_size": 4,
    "latent_channels": 4,
    "num_classes": 10,
    "hidden_size": 84,
    "encoder_depth": 2,
    "encoder_heads": 3,
    "encoder_tokens": 16,
    "buffer_size": 4,  # a quarter of the positions, as in the paper
    "decoder_depth": 3,
    "decoder_heads": 3,
}
_TRANSDIFF_SAMPLING = {"num_steps": 100, "cfg_scale": 1.15, "scale_0": 1.0, "scale_1": 1.0}  # 1.0, 1.15, 1.3
_DIT = {
    "latent_size": 4,
    "patch_size": 1,
    "hidden_size": 72,
    "depth": 6,
    "num_heads": 3,
    "num_classes": 10,
    "guided_channels": 4,  # the channels are the four pixels of a patch: none is special
}
_D_DIT = {
    "hidden_size": 80,
    "depth": 4,
    "num_heads": 4,
    "vocab_size": len(SCENE_WORDS) + 2,
    "text_size": 80,
    "in_channels": 48,
    "patch_size": 1,
    "latent_size": 4,
    "position_size": 4,
    "position_base": 4,
    **SCENE_TEXT,
    "least_time": 0.2,  # below, the loss's 1 / t makes more noise than gradient
    "text_encoder": {"words": SCENE_WORDS, "depth": 2, "num_heads": 4, "length": SCENE_TEXT["text_length"]},
}
_D_DIT_SAMPLING = {"num_steps": 28, "cfg_scale": 3.0, "shift": 1.0}
_SCENES: Mapping[str, Any] = {"autoencoder": "patch-4x4-rgb", "scale": "scenes", "image_size": 16}

SMALL: dict[str, Small] = {
    "transdiff-digits": Small(_TRANSDIFF, _TRANSDIFF_SAMPLING, Recipe(num_steps=4000)),
    # As the authors of MRAR: 2 draws of t and noise per image, no decay on vectors nor the diffusion part. Departs
    # from official in TransDiff and MAR (decay on every parameter) and in DiT and SiT (decay at all).
    "transdiff-mrar-digits": Small(
        _TRANSDIFF,
        _TRANSDIFF_SAMPLING | {"num_images": 4},
        Recipe(
            num_steps=2000,
            lr=5e-4,
            warmup_steps=100,
            start_from="transdiff-digits",
            draws_per_image=2,
            decay_on="matrices",
        ),
    ),
    "mar-digits": Small(
        {
            "latent_size": 4,
            "latent_channels": 4,
            "num_classes": 10,
            "hidden_size": 80,
            "depth": 2,
            "num_heads": 4,
            "buffer_size": 4,  # a quarter of the positions, as in the paper
            "denoiser_size": 112,
            "denoiser_depth": 3,
            "mask_ratio_min": 0.1,  # the paper's 0.7 of 16 positions never shows more than 4 known tokens
        },
        {
            "num_iter": 8,
            "num_steps": 100,
            "cfg_scale": 3.0,  # 1.0, 1.5, 2.0, 2.5, 3.0
            "cfg_schedule": "linear",
            "temperature": 1.0,
            "spacing": "ddim",
        },
        Recipe(num_steps=8000, batch_size=32),
        notes=(
            "even steps begin at t = 999, where the MLP's error is multiplied by 316 (a digit in ten spoilt); "
            "the stride of DDIM (num_sampling_steps=ddim100 in the authors' scripts) begins at t = 990",
        ),
    ),
    "llamagen-digits": Small(
        {
            "hidden_size": 96,
            "depth": 5,
            "num_heads": 4,
            "mlp_size": 256,
            "vocab_size": 256,
            "num_classes": 10,
            "latent_size": 4,
        },
        {"cfg_scale": 1.25, "temperature": 1.0, "top_k": 0, "top_p": 1.0},  # 1.0, 1.25, 1.5, 2.0
        # Without jitter 1,297 rows of tokens are learnt by heart: after 6,000 steps loss 0.3, on held-out scans 7.5;
        # 104 of 500 images equal an earlier one.
        Recipe(num_steps=8000, batch_size=32, jitter=0.2),
        autoencoder="vq-digits",
        version=2,  # draws in float64
    ),
    "var-digits": Small(
        {
            "hidden_size": 72,
            "depth": 6,
            "num_heads": 6,
            "num_classes": 10,
            "scales": (1, 2, 3, 4),
            "vocab_size": 256,
            "code_dim": 8,
        },
        {"cfg_scale": 1.25, "top_k": 0, "top_p": 0.96},  # 1.0, 1.25, 1.5, 2.0, 2.5
        Recipe(num_steps=8000, batch_size=32, jitter=0.2),  # as llamagen-digits
        autoencoder="var-vq-digits",
        version=2,  # draws in float64
    ),
    # As many images as the others; more, smaller steps suit it.
    "dit-digits": Small(
        _DIT,
        {"num_steps": 250, "cfg_scale": 1.5, "sampler": "ddpm", "spacing": "even"},
        Recipe(num_steps=8000, batch_size=32),
    ),
    "sit-digits": Small(
        _DIT,
        {
            "sampler": "sde",
            "num_steps": 250,
            "cfg_scale": 1.25,  # 1.0, 1.25, 1.5
            "last_step_size": 0.04,
            "last_step": "mean",
            "diffusion_form": "sigma",
            "rtol": 1e-3,
            "atol": 1e-6,
        },
        Recipe(num_steps=8000, batch_size=32),
    ),
    "d-dit-digits-base": Small(
        _D_DIT,
        _D_DIT_SAMPLING,
        ScenesRecipe(num_steps=8000, batch_size=32, lr=1.5e-3, warmup_steps=400, jitter=0.2),
        ingredient=True,
        **_SCENES,
    ),
    "d-dit-digits": Small(
        _D_DIT,
        _D_DIT_SAMPLING,
        # The authors' second stage: text weighs more, and every scene is asked more.
        ScenesRecipe(
            num_steps=3000,
            batch_size=32,
            lr=7e-4,
            warmup_steps=100,
            jitter=0.2,
            start_from="d-dit-digits-base",
            num_questions=8,
            text_weight=1.0,
        ),
        **_SCENES,
    ),
    "ar-vlm-digits": Small(
        {
            "hidden_size": 128,
            "depth": 6,
            "num_heads": 4,
            "words": SCENE_WORDS,
            "in_channels": 48,
            "num_patches": 16,
            **SCENE_TEXT,
        },
        {},
        ScenesRecipe(num_steps=11000, batch_size=32, lr=1e-3, warmup_steps=400, jitter=0.2, num_questions=4),
        notes=("it reads images and generates none",),
        **_SCENES,
    ),
}
