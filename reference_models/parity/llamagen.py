"""LlamaGen's parity outputs: teacher-forced logits and loss, and arg-max decoding under guidance."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.llamagen import LlamaGen
from reference_models.noise import GivenNoise
from reference_models.parity import Case


def outputs(case: Case) -> dict[str, Tensor]:
    model = LlamaGen(**LlamaGen.from_official_config(case.config))
    case.load(model)
    tokens, labels = case["in.tokens"], case["in.labels"]
    # Arg-max decoding is sampling from the likeliest token alone, whatever the draw.
    draws = GivenNoise([torch.zeros(len(labels), model.num_tokens)])
    return {
        "out.logits": model.logits(tokens, labels),
        "out.loss": model.token_loss(tokens, labels)[None],
        "out.greedy_tokens": model.sample(labels, draws, cfg_scale=case.call["cfg"], top_k=1).flatten(1),
    }
