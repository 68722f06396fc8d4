"""SiT (arXiv:2401.08740): DiT's network trained on the straight line from noise (t = 0) to data (t = 1).

It predicts the velocity, and is sampled by Euler-Maruyama on an SDE or by an ODE solver.

Departs from official, with equal numbers, beside what dit.py says: the SDE evaluates the network once per step (the
authors: twice, for drift and for score); the variance channels that SiT predicts and never uses are left out. With
other numbers: dopri5 chooses the steps of each image for itself (samplers.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reference_models.dit import DiffusionTransformer
from reference_models.noise import Noise, SeededNoise
from reference_models.samplers import dopri5

# The diffusion coefficient w_t of SiT's SDE (2401.08740 section 3.3), t = 1 is data; it can be chosen after training.
DIFFUSION_FORMS = {
    "sigma": lambda t: 1 - t,
    "linear": lambda t: 1 - t,  # the same on the straight path
    "decreasing": lambda t: np.cos(np.pi * t / 2) ** 4,
    "increasing-decreasing": lambda t: np.sin(np.pi * t) ** 2,
}
LAST_STEPS = ("mean", "tweedie", "euler", "none")
SAMPLERS = ("sde", "euler", "heun", "dopri5")


class SiT(DiffusionTransformer):
    """Predicts the velocity x - noise (C channels) on the straight path x_t = t x + (1 - t) noise."""

    outputs_per_channel = 1

    @torch.no_grad()
    def sample(  # type: ignore[override]
        self,
        labels: Tensor,
        noise: Noise,
        *,
        sampler: str = "sde",
        num_steps: int = 250,
        cfg_scale: float = 1.5,
        last_step_size: float = 0.04,
        last_step: str = "mean",
        diffusion_form: str = "sigma",
        rtol: float = 1e-3,
        atol: float = 1e-6,
    ) -> Tensor:
        """Latents (B, C, h, w).

        sampler: "sde" is Euler-Maruyama with a last step of `last_step_size` (see `_sample_sde`); "euler" and "heun"
        solve the ODE in num_steps - 1 equal steps (the authors count the points of the grid); "dopri5" chooses its
        steps by rtol and atol. A setting that the sampler has no use for is ignored.
        """
        if sampler not in SAMPLERS:
            raise ValueError(f"unknown sampler {sampler!r}; known: {', '.join(SAMPLERS)}")
        if num_steps < 2:
            raise ValueError(f"num_steps must be at least 2, got {num_steps}")
        x = noise.normal(*self.latent_shape)
        if sampler == "sde":
            return self._sample_sde(x, labels, noise, num_steps, cfg_scale, last_step_size, last_step, diffusion_form)
        if sampler == "dopri5":
            return self._solve(x, labels, cfg_scale, rtol, atol)[0]
        step = 1 / (num_steps - 1)
        grid = torch.linspace(0, 1, num_steps, device=labels.device)
        for here, there in pairwise(self.modulations(grid, labels, cfg_scale)):
            v = self.predict(x, here, cfg_scale)
            if sampler == "heun":
                v = (v + self.predict(x + step * v, there, cfg_scale)) / 2
            x = x + step * v
        return x

    def _solve(self, x: Tensor, labels: Tensor, cfg_scale: float, rtol: float, atol: float) -> tuple[Tensor, Tensor]:
        """(latents, how often each image's velocity was needed, (B,)) by dopri5."""
        label_embeddings, rows = self._label_embeddings(labels, cfg_scale)

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            times = self.time_embed(t).repeat(len(rows) // len(t), 1)
            return self.predict(x, self.modulate(times + label_embeddings[rows]), cfg_scale)

        return dopri5(velocity, x, rtol=rtol, atol=atol)

    def _sample_sde(
        self,
        x: Tensor,
        labels: Tensor,
        noise: Noise,
        num_steps: int,
        cfg_scale: float,
        last_step_size: float,
        last_step: str,
        diffusion_form: str,
    ) -> Tensor:
        """dx = (v + w_t score) dt + sqrt(2 w_t) dW (2401.08740 eq. 7 and 9).

        On the straight path score = (t v - x) / (1 - t): a step is x <- keep x + push v + spread noise.
        last_step: "mean", along the drift of the SDE; "euler", along v; "tweedie", to the posterior mean of the data,
        which on the straight path is the same point as "euler": x / t + (1 - t)^2 / t score = x + (1 - t) v; "none":
        the steps reach t = 1 themselves, the last one with noise.
        """
        if diffusion_form not in DIFFUSION_FORMS:
            raise ValueError(f"unknown diffusion_form {diffusion_form!r}; known: {', '.join(DIFFUSION_FORMS)}")
        if not 0 < last_step_size < 1:  # the score is unbounded at t = 1
            raise ValueError(f"last_step_size must lie between 0 and 1, got {last_step_size}")
        if last_step not in LAST_STEPS:
            raise ValueError(f"unknown last_step {last_step!r}; known: {', '.join(LAST_STEPS)}")
        is_noisy = last_step == "none"
        grid_end = 1.0 if is_noisy else 1 - last_step_size
        ends = np.append(np.linspace(0, grid_end, num_steps), [] if is_noisy else [1.0])
        t, dt = ends[:-1], np.diff(ends)
        w = DIFFUSION_FORMS[diffusion_form](t)
        if last_step in ("euler", "tweedie"):
            w[-1] = 0.0  # the drift without the score
        keep, push, spread = 1 - dt * w / (1 - t), dt * (1 + w * t / (1 - t)), np.sqrt(2 * w * dt)
        coefficients = torch.from_numpy(np.stack([keep, push, spread], axis=1)).float().to(labels.device)
        grid = torch.from_numpy(t).float().to(labels.device)
        last = [] if is_noisy else [None]  # the last step draws nothing
        draws = chain(noise.normals(num_steps - 1, *self.latent_shape), last)
        for modulation, step, draw in zip(self.modulations(grid, labels, cfg_scale), coefficients, draws, strict=True):
            x = step[0] * x + step[1] * self.predict(x, modulation, cfg_scale)
            if draw is not None:
                x = x + step[2] * draw
        return x

    def network_evaluations(
        self, *, sampler: str = "sde", num_steps: int = 250, cfg_scale: float = 1.5, **settings: Any
    ) -> dict[str, int]:
        if sampler == "dopri5":
            raise ValueError("dopri5 chooses its own steps: its network evaluations are not known beforehand")
        evaluations = {
            "sde": num_steps - (settings.get("last_step") == "none"),
            "euler": num_steps - 1,
            "heun": 2 * (num_steps - 1),
        }[sampler]
        return {"network": evaluations * (1 if cfg_scale == 1.0 else 2)}

    @torch.inference_mode()
    def counted_evaluations(
        self, labels: Sequence[int], seeds: Sequence[int], *, cfg_scale: float = 1.5, **settings: Any
    ) -> dict[str, list[int]]:
        x = SeededNoise(seeds, self.device).normal(*self.latent_shape)
        tolerances = {name: settings[name] for name in ("rtol", "atol")}
        needed = self._solve(x, torch.as_tensor(labels).to(self.device), cfg_scale, **tolerances)[1]
        return {"network": (needed * (1 if cfg_scale == 1.0 else 2)).tolist()}

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        t = torch.rand(len(latents), generator=generator, device=generator.device)
        noise = torch.randn(latents.shape, generator=generator, device=generator.device)
        labels = self.drop_labels(labels, generator)
        return self.loss(latents, labels, t.to(latents.device), noise.to(latents.device))

    def loss(self, latents: Tensor, labels: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error of the velocity (2401.08740 eq. 4).  t: (B,) in [0, 1]."""
        x_t = torch.lerp(noise, latents, t.view(-1, 1, 1, 1))
        return F.mse_loss(self(x_t, t, labels), latents - noise)
