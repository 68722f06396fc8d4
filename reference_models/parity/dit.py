"""DiT and SiT on a parity case."""

from __future__ import annotations

from torch import Tensor

from reference_models.dit import DiT
from reference_models.noise import GivenNoise
from reference_models.parity import Case
from reference_models.sit import SiT


def outputs(case: Case) -> dict[str, Tensor]:
    """Every output of a `dit` or `sit` case."""
    network = DiT if case.family == "dit" else SiT
    model = network(**network.from_official_config(case.config))
    pos_embed = model.get_buffer("pos_embed").clone()  # our own table; the rule that fills the weights leaves it out
    case.load(model, {**case.weights(), "pos_embed": pos_embed})
    labels = case["in.labels"]
    settings = {"num_steps": case.call["num_steps"], "cfg_scale": case.call["cfg"]}

    def noise() -> GivenNoise:
        """The conditional half of the draws: the null half's never reach the images."""
        return GivenNoise(draw[: len(labels)] for draw in (case["noise.initial"], *case["noise.steps"]))

    prediction = model(case["in.x_t"], case["in.t"], labels)
    if isinstance(model, DiT):
        return {
            "out.pos_embed": pos_embed,
            "out.prediction": prediction,
            "out.latents": model.sample(labels, noise(), **settings),
            "out.loss": model.loss(case["in.target"], labels, case["in.t"], case["noise.loss"]).reshape(1),
        }
    sde = {key: case.call[key] for key in ("last_step_size", "diffusion_form")}
    return {
        "out.pos_embed": pos_embed,
        "out.velocity": prediction,
        "out.latents_ode_euler": model.sample(labels, noise(), sampler="euler", **settings),
        "out.latents_sde": model.sample(labels, noise(), sampler="sde", **settings, **sde),
        "out.loss": model.loss(case["in.target"], labels, case["in.loss_t"], case["noise.loss"]).reshape(1),
    }
