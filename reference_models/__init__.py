"""Reference models of generators that join autoregression and diffusion, and of their baselines.

`build(name)` makes a model; `model.generate(labels, seeds)` makes images; `load_official(name, path)` loads the
authors' released weights. Plain PyTorch; nothing here imports the bench.
"""

from __future__ import annotations

import difflib
import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference_models.errors import CheckpointError, UnknownModelError

if TYPE_CHECKING:
    import torch

    from reference_models.image_model import ImageModel
    from reference_models.spec import Spec

# One line per family: the file that ends in its SPECS.
MODELS = {
    "transdiff": "reference_models.sizes.transdiff",
    "transdiff-mrar": "reference_models.sizes.transdiff_mrar",
    "mar": "reference_models.sizes.mar",
    "llamagen": "reference_models.sizes.llamagen",
    "var": "reference_models.sizes.var",
    "dit": "reference_models.sizes.dit",
    "sit": "reference_models.sizes.sit",
    "d-dit": "reference_models.sizes.d_dit",
    "ar-vlm": "reference_models.sizes.ar_vlm",  # a baseline of this project
}


@functools.cache
def specs() -> dict[str, Spec]:
    """Every model by name, in the order of MODELS."""
    return {spec.name: spec for module in MODELS.values() for spec in importlib.import_module(module).SPECS}


def find(name: str) -> Spec:
    """The spec of a model; UnknownModelError with the nearest name where there is none."""
    known = specs()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
        guess = f"; did you mean {near[0]}?" if near else ";"
        raise UnknownModelError(f"unknown model {name[:80]!r}{guess} known: {', '.join(known)}")
    return known[name]


def build(
    name: str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    weights: Path | str | None = "shipped",
    seed: int = 0,
) -> ImageModel:
    """A model in eval mode.

    weights: "shipped" (those of this package, which only small models have: the others get random ones), a safetensors
    file of ours, or None for random weights from `seed`. On device "meta" there are none: to count parameters.
    Raises UnknownModelError, and CheckpointError where the file does not fit or a small model's weights are missing.
    """
    import torch

    from reference_models.autoencoders import build_autoencoder
    from reference_models.checkpoints import load_into, read_own_state
    from reference_models.shipped import shipped_weights
    from reference_models.unfilled import drawn, empty

    spec = find(name)
    on_meta = torch.device(device).type == "meta"
    path = None if on_meta else shipped_weights(name) if weights == "shipped" else weights
    if path is None and weights == "shipped" and not on_meta and spec.recipe is not None and not spec.ingredient:
        raise CheckpointError(f"{name} has no weights here: python -m bench train {name}, or pass a file")
    model = empty(spec) if path is not None else drawn(spec, device, seed)
    if path is not None:
        load_into(model, read_own_state(path), str(path))
    model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)
    model.attach(spec, lambda: build_autoencoder(spec.autoencoder, device=model.device, dtype=model.dtype))
    return model


def load_official(
    name: str,
    path: Path | str,
    *,
    autoencoder: Path | str | None = None,
    ema: bool = True,
    entry: str | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    autoencoder_dtype: torch.dtype | None = None,
) -> ImageModel:
    """A model with the authors' released weights (formats: see checkpoints.py).

    Every key of the file must be used and every parameter filled; otherwise CheckpointError lists missing and
    unexpected keys and suggests the model that fits. ema: take the EMA weights where the file has both.
    entry: take this entry of the file. What was taken stands in the model's `weights_entry` and in the log.
    autoencoder: the released file of its autoencoder; None leaves it with random weights.
    autoencoder_dtype: None: as the model's.
    A folder that holds a whole pipeline (diffusers: `transformer`, `vae`, `text_encoder`, `tokenizer`) brings its own
    autoencoder and text encoder.
    """
    from reference_models.autoencoders import build_autoencoder
    from reference_models.checkpoints import convert, load_into, read_checkpoint
    from reference_models.text_encoders import T5Text
    from reference_models.unfilled import empty

    spec = find(name)
    read = read_checkpoint(path, ema=ema, entry=entry)
    model = empty(spec)
    load_into(model, convert(spec.network.load(), read.state, str(path)), str(path), hint=lambda: _fitting(read.state))
    model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)
    model.weights_entry = read.entry
    if Path(path, "text_encoder").is_dir():
        encoder = T5Text(path, dtype=model.dtype).to(device)
        expected = spec.config["vocab_size"]
        if encoder.vocab_size != expected:
            raise CheckpointError(f"weights {path}: a tokenizer of {encoder.vocab_size} tokens; expected {expected}")
        model.attach_text_encoder(encoder)  # type: ignore[operator]
    if autoencoder is None and Path(path, "vae").is_dir():
        autoencoder = Path(path, "vae")
    decoder_dtype = autoencoder_dtype or model.dtype
    model.attach(
        spec, lambda: build_autoencoder(spec.autoencoder, weights=autoencoder, device=model.device, dtype=decoder_dtype)
    )
    return model


def _fitting(state: dict[str, Any]) -> str:
    """A hint naming the models that a released state dict fits, empty where none does."""
    names = [name for name, spec in specs().items() if spec.scale != "digits" and _fits(name, spec, state)]
    return f"; it fits {' or '.join(names)}" if names else ""


def _fits(name: str, spec: Spec, state: dict[str, Any]) -> bool:
    try:
        converted = spec.network.load().from_official_state(state)
    except Exception:  # a converter that meets a stranger's keys may fail anyhow; then it does not fit
        return False
    own = build(name, device="meta", weights=None).state_dict()
    return own.keys() == converted.keys() and all(own[key].shape == converted[key].shape for key in own)
