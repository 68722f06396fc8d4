"""What a model is, apart from its network: size, sampling settings, autoencoder, weights, recipe. Imports no torch.

A `Spec` is one row of sizes/ or digits.py. It names its network, which is imported when the model is built.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reference_models.errors import UnknownModelError


@dataclass(frozen=True)
class Network:
    """A class of networks by the place where it stands, and what a plan must know of it before it is imported.

    `network(**config)` is one of them, with random weights.
    """

    place: str  # "module:class", as "reference_models.dit:DiT"
    conditioned_on: str = "labels"  # what `generate` takes first: class labels, or prompts
    # The settings of `say` unless told otherwise, those left out that follow the model's own sizes; None: it reads no
    # images.
    reading: Mapping[str, Any] | None = None
    # Values of the setting `sampler` with which it looks at what it generates before it asks the network again. Then
    # `network_evaluations` cannot know how often it will, and `counted_evaluations` counts.
    adaptive_samplers: tuple[str, ...] = ()

    def load(self) -> Any:
        """The class, imported now. UnknownModelError where there is none at its place."""
        place, _, name = self.place.partition(":")
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            if not f"{place}.".startswith(f"{error.name}."):  # the module is there; what it imports is not
                raise
            raise UnknownModelError(
                f"no network {self.place!r}: no module {place}; expected a place as 'my_models:Mine'"
            ) from error
        classes = {key: value for key, value in vars(module).items() if isinstance(value, type)}
        if name not in classes:
            own = [key for key, value in classes.items() if value.__module__ == place]
            raise UnknownModelError(f"no network {self.place!r}: no such class; {place} has {', '.join(own) or 'none'}")
        return classes[name]

    def __call__(self, **config: Any) -> Any:
        return self.load()(**config)

    def chooses_steps(self, **settings: Any) -> bool:
        """Whether its sampler, with these settings, chooses its steps by what it generates."""
        return settings.get("sampler") in self.adaptive_samplers


@dataclass(frozen=True)
class Official:
    """Where the authors publish the weights of a model, and under which licence."""

    # Where it is published, as "huggingface.co/zhendch/Transdiff" or "github.com/FoundationVision/LlamaGen".
    repository: str
    file: str  # the file (or folder) inside it
    licence: str  # licence of the weights, as the authors state it


@dataclass(frozen=True)
class Recipe:
    """How a digits model is trained. Images seen = num_steps * batch_size, the same for all families compared."""

    num_steps: int  # optimiser steps
    batch_size: int = 64  # images per step
    lr: float = 1e-3  # peak learning rate of AdamW, betas (0.9, 0.95)
    warmup_steps: int = 200  # linear warm-up, then cosine decay to a tenth
    weight_decay: float = 0.02  # of every parameter; see `decay_on` for what the papers do
    # "all"; "matrices": not on biases, norms and the model's `undecayed` modules (TransDiff, MAR)
    decay_on: str = "all"
    # Of t and noise per latent; None: the model's own (TransDiff 4; MRAR as printed 2).
    draws_per_image: int | None = None
    ema_decay: float = 0.999
    grad_clip: float = 3.0  # largest gradient norm; 0: none
    jitter: float = 0.0  # deviation of noise on the images (in [-1, 1]) before they are tokenised or read
    start_from: str | None = None  # name of the digits model whose weights it is fine-tuned from

    def learning_rate(self, step: int) -> float:
        """Linear warm-up to `lr`, then a cosine down to a tenth of it."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.num_steps - self.warmup_steps)
        return self.lr * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))

    def ema_decay_at(self, step: int) -> float:
        """`ema_decay`, less at the beginning, so that the average of a short run forgets its random start."""
        return min(self.ema_decay, (1 + step) / (10 + step))

    @property
    def betas(self) -> tuple[float, float]:
        """AdamW's."""
        return 0.9, 0.95


@dataclass(frozen=True)
class ScenesRecipe(Recipe):
    """How a model of the scenes scale is trained: one caption of each scene in every step, and questions."""

    num_questions: int = 3  # of each scene, drawn anew in every step
    text_weight: float | None = None  # of the text's part of the loss, the image's being 1; None: the model's own


@dataclass(frozen=True)
class Spec:
    """One model: a network class at one size, with the settings its paper samples it with."""

    name: str  # `family-size` in lower case, as "transdiff-mrar-l"
    family: str  # the row of MODELS it comes from, as "transdiff-mrar"
    network: Network
    config: Mapping[str, Any]  # the constructor arguments of `network`
    sampling: Mapping[str, Any]  # the settings of its `sample` that the paper's numbers were made with
    autoencoder: str  # a name in sizes/autoencoders.py; latents <-> images
    scale: str  # "digits", "imagenet-256" or "imagenet-512"
    image_size: int  # pixels per side of a generated image
    source: str  # where sizes and settings are printed
    num_params: float | None = None  # as the paper prints it, None where it prints none
    gflops: float | None = None  # multiply-adds of one forward as the paper prints them, in 1e9
    official: Official | None = None  # None: nobody publishes weights for it
    recipe: Recipe | None = None  # how the digits model is trained; None for paper sizes
    version: int = 1  # raised when the code changes what the model generates: older records are measured again
    ingredient: bool = False  # trained only for another model to be fine-tuned from; measured nowhere
    notes: tuple[str, ...] = field(default=())  # what a reader of its numbers must know


@dataclass(frozen=True)
class AutoencoderSpec:
    """One autoencoder: a class at one size."""

    name: str
    network: Network
    config: Mapping[str, Any]  # the constructor arguments of `network`; `scale` and `shift` are those of the latents
    source: str  # where sizes and scale are printed
    official: Official | None = None  # None: nobody publishes weights for it
    recipe: Recipe | None = None  # how a digits tokenizer is trained; None elsewhere
    version: int = 1  # as Spec.version
