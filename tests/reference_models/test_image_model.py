"""What every image model shares: compiled steps."""

from __future__ import annotations

import pytest
import torch

import reference_models
from reference_models.image_model import copied, to_uint8
from reference_models.spec import Network

PLACES = sorted({spec.network.place for spec in reference_models.specs().values()})


def test_a_copied_result_outlives_the_next_run():
    """A CUDA graph answers in the same memory every time; whoever keeps two results must find two."""
    memory = torch.zeros(1)
    step = copied(lambda x, plus=0: memory.fill_(x + plus))
    first, second = step(1), step(2, plus=5)
    assert (first.item(), second.item()) == (1, 7)


@pytest.mark.parametrize("place", PLACES)
def test_compiled_and_growing_methods_exist(place):
    network = Network(place).load()
    assert all(callable(getattr(network, name)) for name in network.compiled_methods)
    assert set(network.growing_methods) <= set(network.compiled_methods)


def test_images_are_resized_before_they_are_rounded():
    """As LlamaGen's authors bring 384 pixels to 256: bicubic, no antialiasing, on what the decoder gives."""
    model = reference_models.build("llamagen-digits")
    latents = []
    decode = model.autoencoder.decode
    model.autoencoder.decode = lambda tokens: latents.append(decode(tokens)) or latents[-1]
    plain = model.generate([1, 2], [3, 4])
    resized = model.generate([1, 2], [3, 4], resize_to=6)
    expected = torch.nn.functional.interpolate(latents[1], size=(6, 6), mode="bicubic", antialias=False)
    assert torch.equal(resized, to_uint8(expected))
    assert torch.equal(model.generate([1, 2], [3, 4]), plain)
