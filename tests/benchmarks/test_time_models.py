"""Timing tests of the models, `pytest --benchmark-only`: every family at digits size, and what samplers do every step.

Families without shipped weights run on random ones: the arithmetic is the same.
"""

from __future__ import annotations

import pytest
import torch

import reference_models
from bench.timing.generation import rounds_of
from reference_models.layers import Linear
from reference_models.noise import SeededNoise, image_seeds
from reference_models.samplers import DDPM
from reference_models.vq import nearest

SMALL = {
    name: spec
    for name, spec in reference_models.specs().items()
    if spec.scale in ("digits", "scenes") and not spec.ingredient
}
GENERATORS = [name for name, spec in SMALL.items() if spec.sampling]  # a reader has no settings of a sampler
READERS = [name for name, spec in SMALL.items() if spec.network.reading is not None]
LATENTS = (4, 32, 32)  # of a 256-pixel image


@pytest.mark.benchmark(group="generating one image")
@pytest.mark.parametrize("name", GENERATORS)
def test_generating(timed, benchmark, device, name):
    model = reference_models.build(name, device=device)
    timed(rounds_of(model, 1, {}))
    benchmark.extra_info["nfe"] = model.network_evaluations(**model.spec.sampling)


@pytest.mark.benchmark(group="one caption")
@pytest.mark.parametrize("name", READERS)
def test_captioning(timed, device, name):
    model = reference_models.build(name, device=device)
    size = (1, 3, model.spec.image_size, model.spec.image_size)

    def caption(round_idx):
        image = torch.randint(256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(round_idx))
        return model.describe(image, [""], image_seeds(0, [round_idx]))

    timed(caption)


@pytest.mark.benchmark(group="250 steps of a sampler, the network left out")
def test_ddpm_steps(timed, device):
    """Ancestral sampling of DiT: mean, variance and noise."""
    diffusion = DDPM("linear", 250).to(device)
    x, eps, fraction, noise = torch.randn(4, 1, *LATENTS, device=device)

    def sample(round_idx):
        x_t = x
        for idx in reversed(range(250)):
            x_t = diffusion.step(idx, x_t, eps, fraction, noise)
        return x_t

    timed(sample)


@pytest.mark.benchmark(group="250 steps of a sampler, the network left out")
def test_sde_steps(timed, device):
    """Euler-Maruyama of TransDiff with guidance: drift, score and noise, its draws included."""
    model = reference_models.build("transdiff-digits", device=device)
    model.velocity = lambda x_t, keys_values, modulations: torch.cat([x_t, x_t])
    start = torch.randn(1, *model.token_shape, device=device)
    timed(lambda i: model.integrate(start, [], 250, SeededNoise([i], device), 1.3, 0.9, 0.9))


@pytest.mark.benchmark(group="nearest of a codebook")
@pytest.mark.parametrize(("num_vectors", "vocab_size", "code_dim"), [(256, 16384, 8), (680, 4096, 32)])
def test_nearest_code(timed, device, num_vectors, vocab_size, code_dim):
    """The tokens of one image: LlamaGen's and VAR's."""
    codebook = torch.randn(vocab_size, code_dim, device=device)
    features = torch.randn(16, num_vectors, code_dim, device=device)
    timed(lambda i: nearest(features[i % 16], codebook))


@pytest.mark.benchmark(group="two rows through 24 matrices of 1024 x 3072")
@pytest.mark.parametrize("linear", [Linear, torch.nn.Linear], ids=["ours", "torch"])
def test_few_rows(timed, device, linear):
    """One token and its unguided twin in LlamaGen-L: the matrices together fit into no cache."""
    layers = [linear(1024, 3072, bias=False, device=device) for _ in range(24)]
    x = torch.randn(2, 1, 1024, device=device)

    @torch.inference_mode()
    def step(round_idx):
        return [layer(x) for layer in layers]

    timed(step)
