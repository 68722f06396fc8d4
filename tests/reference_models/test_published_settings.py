"""Settings that the authors' scripts have beside their default: what each of them does, in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import reference_models
from reference_models.autoencoders import KLAutoencoder
from reference_models.llamagen import LlamaGen
from reference_models.noise import SeededNoise
from reference_models.samplers import DDPM

LABELS, SEEDS = torch.tensor([3, 1]), [1, 2]


def sit(last_step: str, **settings: float) -> Tensor:
    model = reference_models.build("sit-digits")
    return model.sample(LABELS, SeededNoise(SEEDS), num_steps=8, cfg_scale=1.0, last_step=last_step, **settings)


def test_the_last_steps_of_sit():
    """Tweedie's estimate is the Euler step on the straight path; the mean step adds the score; "none" ends in noise."""
    mean, euler, tweedie, none = (sit(name) for name in ("mean", "euler", "tweedie", "none"))
    torch.testing.assert_close(tweedie, euler)
    assert 0 < (mean - euler).abs().max() < 0.5
    assert not torch.allclose(none, mean, atol=1e-3)
    model = reference_models.build("sit-digits")
    assert model.network_evaluations(num_steps=8, cfg_scale=1.0, last_step="none") == {"network": 7}
    with pytest.raises(ValueError, match="unknown last_step 'last'; known: mean, tweedie, euler, none"):
        sit("last")


def test_the_euler_step_goes_along_the_velocity_alone():
    """A path of one step from t = 0 to 1: x + v, without the score."""
    model = reference_models.build("sit-digits")
    x, v = torch.full((2, 4, 4, 4), 0.5), torch.full((2, 4, 4, 4), 0.25)
    model.predict = lambda x, modulation, cfg_scale: v
    model.modulations = lambda grid, labels, cfg_scale: iter(grid)
    moved = model._sample_sde(x, LABELS, SeededNoise(SEEDS), 1, 1.0, 0.999, "euler", "sigma")
    torch.testing.assert_close(moved, x + v)


def test_ddim_follows_the_noise_that_it_is_told():
    """With the true eps every step lands on the same data, one step less diffused, and the last on the data."""
    diffusion = DDPM("linear", 50, spacing="ddim")
    assert diffusion.timesteps.tolist() == list(range(0, 1000, 20))
    generator = torch.Generator().manual_seed(0)
    x_0, eps = (torch.randn(2, 4, 4, 4, generator=generator) for _ in "xe")
    x = diffusion.signal[49] * x_0 + diffusion.noise_level[49] * eps
    for idx in reversed(range(50)):
        x = diffusion.ddim_step(idx, x, eps)
        if idx:
            expected = diffusion.signal[idx - 1] * x_0 + diffusion.noise_level[idx - 1] * eps
            torch.testing.assert_close(x, expected, atol=1e-4, rtol=1e-4)  # 50 divisions by a signal down to 0.006
    torch.testing.assert_close(x, x_0, atol=1e-4, rtol=1e-4)


def test_ddim_draws_only_the_start():
    model = reference_models.build("dit-digits")
    settings = {"num_steps": 50, "sampler": "ddim", "spacing": "ddim", "cfg_scale": 1.0}
    noise = SeededNoise(SEEDS)
    x = model.sample(LABELS, noise, **settings)
    fresh = SeededNoise(SEEDS)
    fresh.normal(*model.latent_shape)
    assert torch.equal(noise.normal(1), fresh.normal(1))
    assert torch.equal(x, model.sample(LABELS, SeededNoise(SEEDS), **settings))
    with pytest.raises(ValueError, match="unknown sampler 'plms'; known: ddpm, ddim"):
        model.sample(LABELS, noise, sampler="plms")


def test_latents_of_a_kl_autoencoder_are_the_mean_or_a_draw():
    """(draw - mean) is std * noise, scaled as latents are; an image's draw depends on its own seed."""
    torch.manual_seed(0)
    model = KLAutoencoder(latent_channels=2, channel_mult=(1, 1), channels=32, scale=0.5, shift=0.1).eval()
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    with torch.no_grad():
        mean, logvar = model.moments(images)
        torch.testing.assert_close(model.encode(images), (mean - 0.1) * 0.5)
        drawn = model.encode(images, SeededNoise(SEEDS))
        noise = SeededNoise(SEEDS).normal(2, 4, 4)
        torch.testing.assert_close(drawn, (mean + (0.5 * logvar).exp() * noise - 0.1) * 0.5)


def test_temperature_0_of_llamagen_is_greedy():
    """The same tokens as top_k = 1, whatever the seed; below 0 is refused."""
    model = reference_models.build("llamagen-digits")
    assert isinstance(model, LlamaGen)
    greedy = model.sample(LABELS, SeededNoise(SEEDS), temperature=0.0)
    assert torch.equal(greedy, model.sample(LABELS, SeededNoise([8, 9]), top_k=1))
    with pytest.raises(ValueError, match="temperature must be at least 0"):
        model.sample(LABELS, SeededNoise(SEEDS), temperature=-1.0)
