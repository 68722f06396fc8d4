"""The conditions of one timed side, as records/comparable.py compares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from bench.records import environment
from bench.records.parts import Conditions

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel


ATTENTION_KERNELS = {  # torch's fused attention, by the switches that allow it to use them
    "flash": torch.backends.cuda.flash_sdp_enabled,
    "memory-efficient": torch.backends.cuda.mem_efficient_sdp_enabled,
    "cudnn": torch.backends.cuda.cudnn_sdp_enabled,
    "math": torch.backends.cuda.math_sdp_enabled,
}


def conditions(model: ImageModel, settings: Mapping[str, Any], *, batch_size: int) -> Conditions:
    """The conditions under which `model.generate(..., **settings)` is timed now.

    settings: all that are in force, the spec's included
    """
    from reference_models.layers import own_kernels

    device = str(model.device)
    evaluations = model.network_evaluations(**settings)
    unguided = model.network_evaluations(**{**settings, "cfg_scale": 1.0}) if "cfg_scale" in settings else evaluations
    return Conditions(
        machine=environment.machine(device),
        device=model.device.type,
        num_threads=torch.get_num_threads(),
        dtype=str(model.dtype).removeprefix("torch."),
        float32_matmul_precision=torch.get_float32_matmul_precision(),
        tf32_convolution=torch.backends.cudnn.allow_tf32 if model.device.type == "cuda" else None,
        attention_kernels=tuple(name for name, enabled in ATTENTION_KERNELS.items() if enabled()),
        compiled=any(name in vars(model) for name in model.compiled_methods),
        kv_cache=model.kv_cache,
        conditioned_on=model.spec.network.conditioned_on,
        text_encoder=text_encoder(model),
        guided=sum(evaluations.values()) > sum(unguided.values()),
        cfg_scale=settings.get("cfg_scale"),
        network_evaluations=evaluations,
        autoencoder="in",  # `generate` ends in pixels
        image_size=model.spec.image_size,
        batch_size=batch_size,
        own_kernels=own_kernels(model),
    )


def text_encoder(model: ImageModel) -> str | None:
    """Whether the states of the prompts are made within the timed call; None where there are no prompts."""
    if model.spec.network.conditioned_on != "prompts":
        return None
    return "out (random states)" if model.text_encoder is None else "in"
