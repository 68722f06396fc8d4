"""The digits models on a GPU: the images of a CPU, whatever the batch; compiled steps and half precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bench.datasets.scenes import scenes
from bench.sampling.precision import PLAIN, running_in
from bench.sampling.texts import Item, say_batch
from reference_models import build
from reference_models.noise import image_seeds

FEWER_STEPS = {
    "transdiff-digits": {"num_steps": 10},
    "transdiff-mrar-digits": {"num_steps": 5},
    "mar-digits": {"num_steps": 10},
    "llamagen-digits": {},
    "var-digits": {},
    "dit-digits": {"num_steps": 25},
    "sit-digits": {"num_steps": 10},
}
NUM_IMAGES = 40


def images(name: str, device: str, batch_size: int = NUM_IMAGES, *, compiled: bool = False) -> Tensor:
    model = build(name, device=device)
    if compiled:
        model.compile_steps()
    labels, seeds = [i % 10 for i in range(NUM_IMAGES)], image_seeds(3, range(NUM_IMAGES))
    with running_in(PLAIN, device):
        parts = [
            model.generate(labels[i : i + batch_size], seeds[i : i + batch_size], **FEWER_STEPS[name]).cpu()
            for i in range(0, NUM_IMAGES, batch_size)
        ]
    return torch.cat(parts)


def apart(a: Tensor, b: Tensor) -> dict[int, int]:
    """Image -> grey levels, where a pixel differs by more than the next level: than another order of sums explains."""
    most = (a.int() - b.int()).abs().flatten(1).amax(1)
    return {i: levels for i, levels in enumerate(most.tolist()) if levels > 1}


@pytest.mark.parametrize("name", FEWER_STEPS)
def test_a_gpu_generates_the_images_of_a_cpu(name: str, gpu: str) -> None:
    assert apart(images(name, gpu), images(name, "cpu")) == {}


@pytest.mark.parametrize("name", FEWER_STEPS)
@pytest.mark.parametrize("batch_size", [1, 7])
def test_an_image_is_the_same_in_any_batch(name: str, batch_size: int, gpu: str) -> None:
    assert apart(images(name, gpu, batch_size), images(name, gpu)) == {}


@pytest.mark.parametrize("name", FEWER_STEPS)
def test_compiled_steps_generate_the_same_images(name: str, gpu: str) -> None:
    """As CUDA graphs where shapes are fixed: a graph's memory that is overwritten too early would show here."""
    torch._dynamo.reset()
    assert apart(images(name, gpu, compiled=True), images(name, gpu)) == {}


@pytest.mark.parametrize("name", FEWER_STEPS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_generates_digits(name: str, dtype: torch.dtype, gpu: str) -> None:
    """Near float32's where no token is drawn; drawn tokens part ways at the first that differs."""
    model = build(name, device=gpu, dtype=dtype)
    half = model.generate(range(10), image_seeds(3, range(10)), **FEWER_STEPS[name]).cpu().double()
    full = images(name, gpu)[:10].double()
    assert 0.5 < half.std() / full.std() < 2
    if name in ("dit-digits", "sit-digits"):
        assert (half - full).abs().mean() < 8  # grey levels


@pytest.mark.parametrize("asked", [False, True])
def test_captions_and_answers_are_those_of_a_cpu(asked: bool, gpu: str) -> None:
    items = [Item(scene.image, scene.questions[0].text if asked else "") for scene in scenes("heldout", 8)]
    said = {
        device: say_batch(build("d-dit-digits", device=device), items, range(8), 5, {})[0] for device in ("cpu", gpu)
    }
    assert [one.text for one in said[gpu]] == [one.text for one in said["cpu"]]
