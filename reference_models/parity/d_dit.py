"""Parity of D-DiT: velocity, logits, both losses, both samplers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_models.d_dit import CAPTION_DROPOUT, DDiT
from reference_models.noise import GivenNoise
from reference_models.parity import Case
from reference_models.text_encoders import TextEncoder


class TableEncoder(TextEncoder):
    """The case's stand-in for T5: one state per token, whatever its neighbours."""

    def __init__(self, states: Tensor):
        super().__init__()
        self.states = states

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.states)


def outputs(case: Case) -> dict[str, Tensor]:
    call = case.call
    model = DDiT(**DDiT.from_official_config(case.config), mask_id=call["mask_id"])
    state = case.weights()
    state["pos_embed.pos_embed"] = table = model.pos_embed.clone()  # fixed, not filled by the rule
    case.load(model, state)
    model.attach_text_encoder(TableEncoder(case["in.token_states"]))

    latents, text_states = case["in.latents"], case["in.text_states"]
    length = text_states.shape[1]
    null_states = case["in.token_states"][:1].expand(length, -1)[None]
    dropped = case["in.caption_dropout"][:, None, None] < CAPTION_DROPOUT
    captions = torch.where(dropped, null_states, text_states)
    prompt = torch.where(case["in.prompt_mask"], case["in.prompt"], model.mask_id)

    def text(draws: str) -> Tensor:
        noise = GivenNoise(case[draws])
        return model.sample_text(latents[:1], prompt, noise, num_steps=call["num_steps"], ancestral=True)[0]

    image_noise = case["noise.image"]
    return {
        "out.pos_embed": table,
        "out.velocity": model.velocity(latents, text_states, case["in.t"]),
        "out.logits": model.text_logits(latents, text_states, case["in.t"]),
        "out.image_loss": model.image_loss(latents, captions, case["in.image_loss_u"], case["noise.image_loss"])[None],
        "out.text_loss": model.text_loss(
            latents, case["in.tokens"], case["in.label_mask"], case["noise.text_loss_t"], case["noise.text_loss_mask"]
        )[None],
        "out.text_cached": text("noise.text_cached"),
        "out.text_plain": text("noise.text_plain"),
        "out.latents": model.sample_images(
            text_states,
            null_states,
            GivenNoise([image_noise]),
            num_steps=call["num_steps"],
            cfg_scale=call["cfg"],
            shift=call["shift"],
            latent_size=(image_noise.shape[-2], image_noise.shape[-1]),
        ),
    }
