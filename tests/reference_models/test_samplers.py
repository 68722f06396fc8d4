"""Gaussian diffusion: closed forms, and agreement with other people's formulas."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from reference_models.samplers import (
    DDPM,
    SCHEDULES,
    cosine_betas,
    linear_betas,
    respaced_timesteps,
    strided_timesteps,
)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_respacing():
    """Evenly strided over 0..999 with both ends; ties go to the even number, as Python rounds."""
    assert respaced_timesteps(1000, 1000) == list(range(1000))
    assert respaced_timesteps(3, 1000) == [0, 500, 999]  # 499.5
    assert respaced_timesteps(5, 1000) == [0, 250, 500, 749, 999]  # 249.75, 499.5, 749.25
    steps = respaced_timesteps(250, 1000)
    assert (len(steps), steps[0], steps[-1]) == (250, 0, 999)
    assert {b - a for a, b in itertools.pairwise(steps)} == {4, 5}  # the stride is 4.012


def test_whole_strides_are_the_smallest_from_the_first_timestep_on():
    """As DDIM's: 50 of 1,000 are every 20th. Of ten every third are four, and no stride gives seven."""
    assert strided_timesteps(50, 1000) == list(range(0, 1000, 20))
    assert strided_timesteps(10, 10) == list(range(10))
    assert strided_timesteps(4, 10) == [0, 3, 6, 9]
    assert strided_timesteps(2, 10) == [0, 5]  # the strides 5 to 9 all give two
    with pytest.raises(ValueError, match="num_steps 7: no whole stride gives so many of 10 timesteps"):
        strided_timesteps(7, 10)
    assert DDPM("linear", 50, spacing="ddim").timesteps.tolist() == list(range(0, 1000, 20))


def test_fewer_training_steps_add_as_much_noise_in_all():
    """The betas of 100 training steps are ten times those of 1,000; there are as many of them as steps."""
    assert linear_betas(100)[[0, -1]] == pytest.approx([1e-3, 0.2])
    assert len(linear_betas(100)) == len(cosine_betas(100)) == 100
    assert cosine_betas(100)[-1] == 0.999  # the last one is cut there, or nothing would be left
    assert cosine_betas(100)[-2] < 0.999


def test_as_usual_250_of_1000_steps_of_the_linear_schedule_are_sampled():
    usual, told = DDPM(), DDPM("linear", 250, 1000)
    assert (usual.num_steps, len(usual.timesteps)) == (250, 250)
    assert torch.equal(usual.timesteps, told.timesteps)
    assert torch.equal(usual.signal, told.signal)


def test_a_move_takes_all_tables_along_and_leaves_the_original():
    diffusion = DDPM("linear", num_steps=10)
    assert diffusion.to("cpu") is diffusion
    moved = diffusion.to("meta")
    assert {table.device.type for table in vars(moved).values() if isinstance(table, torch.Tensor)} == {"meta"}
    assert diffusion.signal.device.type == "cpu"


def test_linear_schedule_is_that_of_ddpm():
    """beta runs from 1e-4 to 0.02, so alpha_bar ends at 4e-5 (2006.11239 section 4)."""
    diffusion = DDPM("linear", num_steps=1000)
    assert diffusion.signal[0] ** 2 == pytest.approx(1 - 1e-4, rel=1e-6)
    assert diffusion.signal[-1] ** 2 == pytest.approx(4.036e-5, rel=1e-3)


def test_cosine_schedule_halves_the_signal_half_way():
    """alpha_bar is cos^2((t + 0.008) / 1.008 pi / 2), divided by its value at t = 0: 0.494 at t = 1/2."""
    alpha_bar = (DDPM("cosine", num_steps=1000).signal ** 2)[499]
    angle = (0.5 + 0.008) / 1.008 * math.pi / 2
    assert alpha_bar == pytest.approx(math.cos(angle) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2, rel=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("num_steps", [2, 20, 1000])
def test_a_single_image_is_found_exactly(schedule: str, num_steps: int):
    """Where the data are one point, eps is known, and sampling ends in that point whatever was drawn."""
    diffusion, point = DDPM(schedule, num_steps), normal(1, 4, 2, 2, seed=1)
    x = normal(5, 4, 2, 2)
    for idx in reversed(range(num_steps)):
        eps = (x - diffusion.signal[idx] * point) / diffusion.noise_level[idx]
        x = diffusion.step(idx, x, eps, torch.full_like(x, -1.0), normal(5, 4, 2, 2, seed=idx))
    torch.testing.assert_close(x, point.expand_as(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_standard_normal_data_stay_standard_normal(schedule: str):
    """Where the data are N(0, 1), eps = sqrt(1 - alpha_bar) x, and a step of largest variance keeps variance 1."""
    diffusion = DDPM(schedule, num_steps=50)
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)
    for idx in range(1, 50):
        shrink = diffusion.step(idx, one, diffusion.noise_level[idx] * one, one, zero)
        spread = diffusion.step(idx, zero, zero, one, one)
        assert shrink**2 + spread**2 == pytest.approx(1, abs=1e-6)


def test_temperature_scales_the_noise_and_the_last_step_has_none():
    diffusion, x, eps, noise = DDPM("linear", 10), *(normal(3, 4, seed=seed) for seed in range(3))
    fraction = torch.zeros_like(x)
    mean = diffusion.step(5, x, eps, fraction, noise, temperature=0.0)
    full, half = (diffusion.step(5, x, eps, fraction, noise, temperature=temperature) for temperature in (1.0, 0.5))
    torch.testing.assert_close(half - mean, (full - mean) / 2)
    assert torch.equal(diffusion.step(0, x, eps, fraction, noise), diffusion.step(0, x, eps, fraction, None))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_step_of_ddim_keeps_the_data_and_the_noise_and_mixes_them_as_one_step_before(schedule: str):
    """Where eps is the noise that was added; the first step of all leaves the data alone."""
    diffusion, x_0, noise = DDPM(schedule, num_steps=20), normal(2, 4, 2, 2), normal(2, 4, 2, 2, seed=1)
    for idx in range(19):  # at the 20th of the cosine schedule a signal of 0.0003 is left, which float32 cannot undo
        x_t = diffusion.q_sample(x_0, torch.full((2,), idx), noise)
        before = x_0 if idx == 0 else diffusion.q_sample(x_0, torch.full((2,), idx - 1), noise)
        torch.testing.assert_close(diffusion.ddim_step(idx, x_t, noise), before, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(6, 4, 2, 2), (6, 16)], ids=["images", "tokens"])
def test_loss_is_mse_plus_kl(shape: tuple[int, ...]):
    """Against torch.distributions, with the posterior of 2006.11239 eq. 7 written out in (x_0, x_t)."""
    diffusion = DDPM("linear", num_steps=1000)
    x_0, noise, eps, fraction = (normal(*shape, seed=seed) for seed in range(4))
    t = torch.tensor([1, 2, 10, 100, 500, 999])
    x_t = diffusion.q_sample(x_0, t, noise)

    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar = (1 - beta).cumprod(0)
    at, before, beta = (v.view(-1, *[1] * (len(shape) - 1)) for v in (alpha_bar[t], alpha_bar[t - 1], beta[t]))
    posterior_mean = (before.sqrt() * beta * x_0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - at)
    posterior_variance = beta * (1 - before) / (1 - at)
    found_x_0 = (x_t - (1 - at).sqrt() * eps) / at.sqrt()
    mean = (before.sqrt() * beta * found_x_0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - at)
    share = (fraction + 1) / 2
    variance = (share * beta.log() + (1 - share) * posterior_variance.log()).exp()
    kl = kl_divergence(Normal(posterior_mean, posterior_variance.sqrt()), Normal(mean, variance.sqrt()))
    expected = (eps - noise).square().flatten(1).mean(1) + kl.flatten(1).mean(1) / math.log(2)

    ours = diffusion.loss(torch.cat([eps, fraction], dim=1), x_0, x_t, t, noise)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-4, atol=0)  # float32 against float64


def test_the_variance_term_does_not_teach_the_mean():
    """Gradients of the noise channels are those of the squared error alone (2102.09672 section 3.1)."""
    diffusion, t = DDPM("cosine", num_steps=1000), torch.tensor([0, 5, 700])
    x_0, noise = normal(3, 4), normal(3, 4, seed=1)
    out = normal(3, 8, seed=2).requires_grad_()
    diffusion.loss(out, x_0, diffusion.q_sample(x_0, t, noise), t, noise).sum().backward()
    torch.testing.assert_close(out.grad[:, :4], 2 * (out[:, :4] - noise).detach() / 4)
    assert (out.grad[:, 4:] != 0).all()


def test_the_last_step_is_a_distribution_over_grey_levels():
    """At t = 0 the 256 grey levels have probabilities that sum to 1, wherever the mean is."""
    diffusion = DDPM("linear", num_steps=1000)
    levels = torch.linspace(-1, 1, 256)[:, None]
    t, noise = torch.zeros(256, dtype=torch.int64), torch.zeros(256, 1)
    for centre in (-1.3, 0.0, 0.31, 1.0):
        x_t = torch.full_like(levels, centre)  # one x_t for all levels, eps 0
        bits = diffusion.loss(torch.zeros(256, 2), levels, x_t, t, noise)
        assert (2.0**-bits).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("fraction", [-1.0, 0.5])
def test_the_last_step_gives_a_grey_level_the_normal_probability_of_its_width(fraction: float):
    """Against the exact distribution function, from which tanh departs by less than 1 % or 0.0003."""
    diffusion = DDPM("linear", num_steps=1000)
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)[120:136, None]
    eps, x_t = torch.full((16, 1), 0.7), torch.full((16, 1), 0.013)
    out = torch.cat([eps, torch.full_like(eps, fraction)], dim=1)
    t, noise = torch.zeros(16, dtype=torch.int64), normal(16, 1)
    bits = diffusion.loss(out, levels.float(), x_t, t, noise).double() - (eps - noise).double().square().mean(1)

    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)  # of 0: alpha_bar is 1 - beta
    mean = (x_t.double() - beta[0].sqrt() * 0.7) / (1 - beta[0]).sqrt()
    posterior = beta[1] * beta[0] / (1 - (1 - beta[0]) * (1 - beta[1]))  # of step 1, in the place of that of step 0
    share = (fraction + 1) / 2
    variance = (share * beta[0].log() + (1 - share) * posterior.log()).exp()
    law = Normal(mean, variance.sqrt())
    probability = law.cdf(levels + 1 / 255) - law.cdf(levels - 1 / 255)
    torch.testing.assert_close(2.0 ** -bits[:, None], probability, rtol=1e-2, atol=3e-4)
    assert probability.max() > 0.2


def test_a_grey_level_far_from_the_mean_costs_no_more_than_1e_12():
    """Of the 256 levels the black one costs 40 bits where the mean is white, not infinitely many."""
    zero, t = torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64)
    black, white = torch.full((1, 1), -0.5), torch.ones(1, 1)
    assert DDPM("linear", 1000).loss(zero, black, white, t, zero[:, :1]).item() == pytest.approx(12 * math.log2(10))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schedule": "quadratic"}, "unknown noise schedule 'quadratic'; known: linear, cosine"),
        ({"spacing": "odd"}, "unknown spacing of timesteps 'odd'; known: even, ddim"),
        ({"num_steps": 1}, r"num_steps must lie in 2\.\.1000, got 1"),
        ({"num_steps": 1001}, r"num_steps must lie in 2\.\.1000, got 1001"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        DDPM(**arguments)
