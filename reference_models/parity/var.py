"""Parity of VAR: its tokenizer and its transformer."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models import find
from reference_models.autoencoders import MultiScaleVQAutoencoder
from reference_models.noise import GivenNoise
from reference_models.parity import Case
from reference_models.var import VAR


def outputs(case: Case) -> dict[str, Tensor]:
    tokenizer = MultiScaleVQAutoencoder(**MultiScaleVQAutoencoder.from_official_config(case.config))
    case.load(tokenizer, case.weights(case.vae_keys))
    model = VAR(**VAR.from_official_config(case.config))
    case.load(model)
    model.attach(find("var-d16"), lambda: tokenizer)
    labels = case["in.labels"]
    tokens = tokenizer.encode(case["in.image"])
    teacher_input = tokenizer.quantizer.teacher_input(tokens)
    # The authors write (1 + cfg) conditional - cfg null. Top-1 decoding draws nothing: any uniform number will do.
    draws = GivenNoise([torch.full((len(labels), model.num_tokens), 0.5)])
    greedy = model.sample(labels, draws, cfg_scale=1 + case.call["cfg"], top_k=case.call["top_k"])
    return {
        "out.tokens": tokens,
        "out.image": tokenizer.decode(tokens),
        "out.teacher_input": teacher_input,
        "out.logits": model(labels, teacher_input),
        "out.loss": model.token_loss(tokens, labels).view(1),
        "out.greedy_image": tokenizer.decode(greedy) / 2 + 0.5,  # the authors return [0, 1]
    }
