"""Parity of TransDiff and TransDiff-MRAR: features, one velocity, the sampler, the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.noise import GivenNoise
from reference_models.parity import Case
from reference_models.transdiff import TransDiff
from reference_models.transdiff_mrar import TransDiffMRAR


def outputs(case: Case) -> dict[str, Tensor]:
    network = TransDiffMRAR if case.family == "transdiff-mrar" else TransDiff
    model = network(**network.from_official_config(case.config))
    case.load(model)
    labels = case["in.labels"]
    both = torch.cat([labels, torch.full_like(labels, model.null_label)])
    t, noise = case["in.time"], case["noise.loss"]
    if isinstance(model, TransDiffMRAR):
        references = torch.stack(case.series("in.reference_"), dim=1)  # (B, 3, C, h, w)
        condition = model.encode(both, references.repeat(2, 1, 1, 1, 1))
        row = torch.cat([references, case["in.target"][:, None]], dim=1)
        loss = model.loss(row, labels, t.expand(len(noise), -1), noise)
    else:
        condition = model.encode(both)
        loss = model.loss(case["in.target"], labels, t, noise[0])
    keys_values = model.decoder.keys_values(condition)
    return {
        "out.condition": condition,
        "out.velocity": model.velocity(case["in.x_t"], keys_values, model.decoder.modulations(case["in.t"])),
        "out.latents": model.sample(
            labels,
            GivenNoise([case["noise.initial"], *case["noise.steps"]]),
            num_steps=case.call["num_steps"],
            cfg_scale=case.call["cfg"],
            scale_0=case.call["scale_0"],
            scale_1=case.call["scale_1"],
        ),
        "out.loss": loss.reshape(1),
    }
