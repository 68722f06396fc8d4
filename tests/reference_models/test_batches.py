"""An image depends on its label, its seed and the settings alone: the same pixels in any batch (CPU, float32)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import reference_models
from reference_models.noise import SeededNoise, image_seeds

FEWER_STEPS = {  # the sampler's path, shorter: what depends on a batch does so in every step
    "transdiff-digits": {"num_steps": 10},
    "transdiff-mrar-digits": {"num_steps": 5},
    "mar-digits": {"num_steps": 10},
    "llamagen-digits": {},
    "var-digits": {},
    "dit-digits": {"num_steps": 10},
    "sit-digits": {"num_steps": 10},
}
BATCH_SIZES = (1, 2, 3, 7, 32)


def in_batches(name: str, num_images: int, batch_size: int, settings: dict[str, int]) -> Tensor:
    model = reference_models.build(name)
    labels, seeds = [i % 10 for i in range(num_images)], image_seeds(11, range(num_images))
    starts = range(0, num_images, batch_size)
    parts = [model.generate(labels[i : i + batch_size], seeds[i : i + batch_size], **settings) for i in starts]
    return torch.cat(parts)


@pytest.mark.parametrize("name", FEWER_STEPS)
def test_no_logit_and_no_pixel_depends_on_the_batch(name: str) -> None:
    """Latents before they are rounded to grey levels, bit for bit: stronger than hundreds of rounded images."""
    model = reference_models.build(name)
    num_images = 14
    labels, seeds = torch.arange(num_images) % 10, image_seeds(11, range(num_images))
    settings = {**model.spec.sampling, **FEWER_STEPS[name]}

    def decoded(batch_size: int) -> Tensor:
        parts = []
        with torch.inference_mode():
            for start in range(0, num_images, batch_size):
                here = slice(start, start + batch_size)
                noise = SeededNoise(seeds[here])
                parts.append(model.autoencoder.decode(model.sample(labels[here], noise, **settings)))
        return torch.cat(parts)

    together = decoded(num_images)
    for batch_size in BATCH_SIZES:
        assert torch.equal(decoded(batch_size), together), batch_size


@pytest.mark.slow
@pytest.mark.skipif("not config.getoption('-m')", reason="minutes a family: pytest -m slow")
@pytest.mark.parametrize("name", FEWER_STEPS)
def test_two_thousand_images_are_the_same_alone_and_among_others(name: str) -> None:
    settings = FEWER_STEPS[name]
    together = in_batches(name, 2000, 64, settings)
    for batch_size in (1, 7):
        assert torch.equal(in_batches(name, 2000, batch_size, settings), together)
