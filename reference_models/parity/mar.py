"""Parity of MAR with github.com/LTH14/mar."""

from __future__ import annotations

import torch
from torch import Tensor

from reference_models.mar import MAR, decoded_per_iteration
from reference_models.noise import GivenNoise
from reference_models.parity import Case


def outputs(case: Case) -> dict[str, Tensor]:
    model = case.load(MAR(**MAR.from_official_config(case.config)))
    assert isinstance(model, MAR)
    latents, labels, mask = case["in.target"], case["in.labels"], case["in.mask"]

    order = mask.argsort(dim=1, stable=True)  # the known tokens, then the hidden ones
    num_known = int((mask[0] == 0).sum())
    known = model.patchify(latents).gather(1, order[:, :num_known, None].expand(-1, -1, model.token_size))
    z = model.condition(labels, known, order, torch.arange(model.num_tokens))
    condition = z.gather(1, order.argsort(dim=1)[..., None].expand_as(z))

    rows = len(case["in.t"])
    denoiser = model.denoiser(case["in.x_t"], case["in.t"], condition.flatten(0, 1)[:rows])

    # The authors draw t and noise for every token, ours only for the hidden ones.
    hidden = order[:, num_known:]
    t = case["in.loss_t"].view(-1, *mask.shape)  # (draws, B, N)
    noise = case["noise.loss"].view(*t.shape, -1)
    hidden_t = t.gather(2, hidden.expand(len(t), -1, -1))
    hidden_noise = noise.gather(2, hidden[..., None].expand(len(t), -1, -1, noise.shape[-1]))
    return {
        "out.condition": condition,
        "out.denoiser": denoiser,
        "out.latents": _sample(model, case),
        "out.loss": model.loss(latents, labels, order, hidden_t, hidden_noise).view(1),
    }


def _sample(model: MAR, case: Case) -> Tensor:
    """The sampler on the authors' draws. Of those made for both guidance halves the conditional half comes first and is
    all that matters; the draw of an iteration's last diffusion step has no effect and ours does not ask for it."""
    call, labels = case.call, case["in.labels"]
    counts = decoded_per_iteration(model.num_tokens, call["num_iter"])
    made = [draw for name, draw in sorted(case.tensors.items()) if name.startswith("noise.") and name != "noise.loss"]
    per_iteration = 1 + call["num_steps"]
    used = []
    for k, count in enumerate(counts):
        for draw in made[k * per_iteration : (k + 1) * per_iteration - 1]:
            used.append(draw[: len(labels) * count].unflatten(0, (len(labels), count)))
    return model.sample(
        labels,
        GivenNoise(used, case["in.orders"]),
        num_iter=call["num_iter"],
        num_steps=call["num_steps"],
        cfg_scale=call["cfg"],
        cfg_schedule=call["cfg_schedule"],
        temperature=call["temperature"],
        spacing="ddim" if str(case.config.get("num_sampling_steps", "")).startswith("ddim") else "even",
    )
