"""Samplers that several families share: Gaussian diffusion (DiT, MAR) and an adaptive ODE solver (SiT).

`DDPM` is Ho et al. (arXiv:2006.11239) with the learned variance, the cosine schedule and the respacing of Nichol and
Dhariwal (arXiv:2102.09672). `dopri5` is the Dormand-Prince 5(4) pair (Hairer, Norsett and Wanner, "Solving Ordinary
Differential Equations I", sections II.4 and II.5).

Departs from official: the reverse mean is the closed form in (x_t, eps) (2006.11239 eq. 11) instead of a detour over
x_0, which cancels in float32; dopri5 controls the error of each image for itself instead of the batch as a whole.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def linear_betas(num_steps: int) -> np.ndarray:
    """beta_t of Ho et al., 1e-4 to 0.02 at 1000 steps, scaled for other step counts."""
    return np.linspace(1e-4, 0.02, num_steps, dtype=np.float64) * (1000 / num_steps)


def cosine_betas(num_steps: int) -> np.ndarray:
    """beta_t of 2102.09672 eq. 17 (offset 0.008), at most 0.999."""
    alpha_bar = np.cos((np.arange(num_steps + 1) / num_steps + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], 0.999)


SCHEDULES = {"linear": linear_betas, "cosine": cosine_betas}


def respaced_timesteps(num_steps: int, num_train_steps: int) -> list[int]:
    """`num_steps` of the timesteps 0..num_train_steps - 1, evenly strided, both ends included, ascending."""
    stride = (num_train_steps - 1) / (num_steps - 1)
    position, timesteps = 0.0, []
    for _ in range(num_steps):
        timesteps.append(round(position))
        position += stride  # summed, not multiplied: the sum's rounding decides the ties, as in the authors' code
    return timesteps


def strided_timesteps(num_steps: int, num_train_steps: int) -> list[int]:
    """Every k-th timestep from 0, ascending, k being the smallest whole stride that gives `num_steps` (as in DDIM)."""
    for stride in range(1, num_train_steps):
        if len(range(0, num_train_steps, stride)) == num_steps:
            return list(range(0, num_train_steps, stride))
    raise ValueError(f"num_steps {num_steps}: no whole stride gives so many of {num_train_steps} timesteps")


SPACINGS = {"even": respaced_timesteps, "ddim": strided_timesteps}


def _per_image(values: Tensor, like: Tensor) -> Tensor:
    """values (B,) as (B, 1, ...), to broadcast against `like` (B, ...)."""
    return values.view(-1, *[1] * (like.ndim - 1))


class DDPM:
    """Gaussian diffusion over `num_steps` of `num_train_steps` timesteps; the network predicts eps and a variance.

    Steps are counted as the papers count t, from 0 (data) up: sampling runs `for idx in reversed(range(num_steps))`,
    and `timesteps[idx]` (int64, ascending) is the time to give to the network. x_t may have any shape (B, C, ...).
    """

    def __init__(
        self, schedule: str = "linear", num_steps: int = 250, num_train_steps: int = 1000, spacing: str = "even"
    ):
        if schedule not in SCHEDULES:
            raise ValueError(f"unknown noise schedule {schedule!r}; known: {', '.join(SCHEDULES)}")
        if spacing not in SPACINGS:
            raise ValueError(f"unknown spacing of timesteps {spacing!r}; known: {', '.join(SPACINGS)}")
        if not 2 <= num_steps <= num_train_steps:
            raise ValueError(f"num_steps must lie in 2..{num_train_steps}, got {num_steps}")
        self.num_steps = num_steps
        timesteps = SPACINGS[spacing](num_steps, num_train_steps)
        alpha_bar = np.cumprod(1 - SCHEDULES[schedule](num_train_steps))[timesteps]
        alpha_bar_prev = np.append(1.0, alpha_bar[:-1])
        alpha = alpha_bar / alpha_bar_prev
        beta = 1 - alpha
        posterior = beta * (1 - alpha_bar_prev) / (1 - alpha_bar)  # variance of q(x_{t-1} | x_t, x_0); 0 at t = 0,
        log_smallest = np.log(np.append(posterior[1], posterior[1:]))  # where its neighbour stands in
        log_largest = np.log(beta)

        def table(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).float()  # computed in float64

        self.timesteps = torch.tensor(timesteps)
        self.signal = table(np.sqrt(alpha_bar))  # x_t = signal x_0 + noise_level noise
        self.noise_level = table(np.sqrt(1 - alpha_bar))
        self.signal_before = table(np.sqrt(alpha_bar_prev))  # those of the step before
        self.noise_level_before = table(np.sqrt(1 - alpha_bar_prev))
        self.mean_x = table(1 / np.sqrt(alpha))  # mean of x_{t-1} = mean_x x_t - mean_eps eps
        self.mean_eps = table(beta / np.sqrt(alpha * (1 - alpha_bar)))
        self.log_variance_mid = table((log_largest + log_smallest) / 2)  # log variance = mid + half * fraction
        self.log_variance_half = table((log_largest - log_smallest) / 2)

    def to(self, device: torch.device | str) -> DDPM:
        """This diffusion with its tables on `device`."""
        if self.timesteps.device == torch.device(device):
            return self
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        return moved

    def step(
        self,
        idx: int,
        x_t: Tensor,
        eps: Tensor,
        log_variance_fraction: Tensor,
        noise: Tensor | None,
        temperature: float = 1.0,
    ) -> Tensor:
        """x_{t-1} from x_t, one reverse step: mean of 2006.11239 eq. 11, variance of 2102.09672 eq. 15.

        All tensors float32 of one shape.

        log_variance_fraction: the network's variance channels as they are; -1 is the smallest (posterior) variance, 1
        the largest (beta).  noise: standard normal; idx 0 needs none.  temperature: scales the noise.
        """
        mean = self.mean_x[idx] * x_t - self.mean_eps[idx] * eps
        if idx == 0 or noise is None:
            return mean
        log_variance = self.log_variance_mid[idx] + self.log_variance_half[idx] * log_variance_fraction
        return torch.addcmul(mean, (0.5 * log_variance).exp(), noise, value=temperature)

    def ddim_step(self, idx: int, x_t: Tensor, eps: Tensor) -> Tensor:
        """x_{t-1} from x_t without noise (2010.02502 eq. 12, eta = 0): the data by eps, one step less diffused."""
        x_0 = (x_t - self.noise_level[idx] * eps) / self.signal[idx]
        return self.signal_before[idx] * x_0 + self.noise_level_before[idx] * eps

    def q_sample(self, x_0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """x_t, that is x_0 diffused to step t.  x_0, noise: (B, C, ...)  t: (B,) int64, an index into `timesteps`."""
        return _per_image(self.signal[t], x_0) * x_0 + _per_image(self.noise_level[t], x_0) * noise

    def loss(self, eps_and_var: Tensor, x_0: Tensor, x_t: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """L_simple + L_vlb in bits (2102.09672 eq. 16), (B,).

        eps_and_var: (B, 2C, ...)  x_0, x_t, noise: (B, C, ...)  t: (B,). L_vlb teaches the variance only: the mean in
        it carries no gradient. One of its 1000 terms is drawn and not scaled up: hence the paper's lambda of 0.001.
        """
        eps, fraction = eps_and_var.float().chunk(2, dim=1)
        frozen_eps = eps.detach()
        half = _per_image(self.log_variance_half[t], x_t)
        mid = _per_image(self.log_variance_mid[t], x_t)
        mean_eps = _per_image(self.mean_eps[t], x_t)
        log_variance = mid + half * fraction
        log_posterior = mid - half
        gap = mean_eps * (frozen_eps - noise)  # the true posterior mean minus the predicted one
        log_ratio = log_posterior - log_variance
        kl = 0.5 * (log_ratio.exp() - 1 - log_ratio + gap.square() * (-log_variance).exp())
        mean = _per_image(self.mean_x[t], x_t) * x_t - mean_eps * frozen_eps
        bound = torch.where(_per_image(t == 0, x_t), _decoder_nll(x_0, mean, 0.5 * log_variance), kl)
        return (eps - noise).square().flatten(1).mean(1) + bound.flatten(1).mean(1) / math.log(2)


def _decoder_nll(x_0: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """-log p(x_0 | x_1) per element, in nats: a Gaussian integrated over one of 256 grey levels (2006.11239 eq. 13).

    With the tanh approximation of the normal distribution function that all descendants of that code use.
    """

    def cdf(value: Tensor) -> Tensor:
        return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)))

    inverse_std = (-log_std).exp()
    upper = cdf((x_0 - mean + 1 / 255) * inverse_std)
    lower = cdf((x_0 - mean - 1 / 255) * inverse_std)
    upper = torch.where(x_0 > 0.999, torch.ones_like(upper), upper)  # the outermost levels reach to infinity
    lower = torch.where(x_0 < -0.999, torch.zeros_like(lower), lower)
    return -(upper - lower).clamp(min=1e-12).log()


# The Dormand-Prince 5(4) pair: nodes, stages, and the difference of its 5th and 4th order weights.
# The last stage is the 5th order solution itself, so its slope is the first one of the next step.
NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
ERROR = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
SAFETY, SMALLEST_FACTOR, LARGEST_FACTOR = 0.9, 0.2, 10.0


def dopri5(
    velocity: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    *,
    rtol: float = 1e-3,
    atol: float = 1e-6,
    max_attempts: int = 1000,
) -> tuple[Tensor, Tensor]:
    """(x at t = 1 of dx/dt = velocity(x, t), from x at t = 0; how often the velocity of each image was needed, (B,)).

    x: float32 (B, ...)  t: (B,), each image at its own time.

    Every image has its own step size, from its own error, so that it does not depend on its batch; one that has
    arrived makes steps of length 0. One host sync per step: only the data know when to end. Raises RuntimeError after
    `max_attempts` steps.
    Departs from official: torchdiffeq takes the error of the batch as a whole, and steps past t = 1 and interpolates.
    """
    t = x.new_zeros(len(x))
    slope = velocity(x, t)
    h = _first_step(velocity, x, slope, rtol, atol)
    needed = torch.full_like(t, 2, dtype=torch.int64)  # the slope at the start, and the one that the first step is from
    for _ in range(max_attempts):
        needed += len(STAGES) * (t < 1)
        arrives = t + h >= 1
        h = torch.where(arrives, 1 - t, h)
        slopes, x_new = [slope], x
        for node, weights in zip(NODES, STAGES, strict=True):
            x_new = x + _per_image(h, x) * _weighted(weights, slopes)
            slopes.append(velocity(x_new, t + node * h))
        error = _per_image(h, x) * _weighted(ERROR, slopes)
        ratio = _size(error / (atol + rtol * torch.maximum(x.abs(), x_new.abs())))
        accepted = ratio <= 1
        t = torch.where(accepted, torch.where(arrives, 1.0, t + h), t)
        x = torch.where(_per_image(accepted, x), x_new, x)
        slope = torch.where(_per_image(accepted, x), slopes[-1], slope)
        if bool((t == 1).all()):
            return x, needed
        factor = (SAFETY * ratio**-0.2).clamp(SMALLEST_FACTOR, LARGEST_FACTOR)
        h = h * torch.where(accepted, factor, factor.clamp(max=1))
    raise RuntimeError(
        f"dopri5 has not reached t = 1 in {max_attempts} steps: rtol {rtol} and atol {atol} are too strict, "
        "or the velocity is not finite"
    )


def _first_step(
    velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, slope: Tensor, rtol: float, atol: float
) -> Tensor:
    """The first step length per image, (B,): the starting step of Hairer et al., section II.4, for order 5."""
    scale = atol + rtol * x.abs()
    d0, d1 = _size(x / scale), _size(slope / scale)
    h0 = torch.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1)
    d2 = _size((velocity(x + _per_image(h0, x) * slope, h0) - slope) / scale) / h0
    largest = torch.maximum(d1, d2)
    h1 = torch.where(largest <= 1e-15, (h0 * 1e-3).clamp(min=1e-6), (0.01 / largest) ** (1 / 5))
    return torch.minimum(100 * h0, h1)


def _weighted(weights: tuple[float, ...], slopes: list[Tensor]) -> Tensor:
    total = weights[0] * slopes[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=True):
        if weight:
            total = total + weight * slope
    return total


def _size(values: Tensor) -> Tensor:
    """Root mean square of each image, (B,)."""
    return values.flatten(1).square().mean(1).sqrt()
