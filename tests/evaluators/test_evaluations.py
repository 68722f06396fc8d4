"""How often a network runs for an image: known beforehand, or counted where the sampler chooses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench.evaluators import images
from bench.evaluators.images import evaluations_of
from bench.protocols import PROTOCOLS
from bench.records.schema import RunSpec
from bench.sampling.images import generate_batch
from tests.training.tiny_paper import tiny_model

PROTOCOL = replace(PROTOCOLS["imagenet-256-quality"], num_images=10, batch_size=3)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = tiny_model("sit-xl-2").eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(std=0.3)  # its last layer starts at zero: no step would be refused
    return model


def test_the_steps_that_a_sampler_chooses_are_counted_for_the_images_of_the_run(model, monkeypatch):
    """The mean over the first images; each counted as often as the network was called for it alone."""
    run = RunSpec("sit-xl-2", PROTOCOL, {"sampler": "dopri5", "cfg_scale": 1.5})
    nfe, measured = evaluations_of(model, run)
    calls, predict = [], model.predict
    model.attach(model.spec, lambda: type("Same", (), {"decode": staticmethod(lambda latents: latents)}))
    monkeypatch.setattr(model, "predict", lambda *args: calls.append(2) or predict(*args))  # conditional and null
    each = []
    for i in range(PROTOCOL.num_images):
        calls.clear()
        generate_batch(model, [i], PROTOCOL.seed, run.settings, labels="uniform")
        each.append(sum(calls))
    assert len(set(each)) > 1
    found = measured["nfe"]
    assert found.value == nfe["network"] == pytest.approx(sum(each) / len(each))
    assert found.n == PROTOCOL.num_images
    assert found.ci_low < found.value < found.ci_high
    assert found.unit == "evaluations"


def test_no_more_images_are_counted_than_tell(model, monkeypatch):
    monkeypatch.setattr(images, "COUNTED_IMAGES", 3)
    assert evaluations_of(model, RunSpec("sit-xl-2", PROTOCOL, {"sampler": "dopri5"}))[1]["nfe"].n == 3


def test_what_is_known_beforehand_is_not_counted(model, monkeypatch):
    monkeypatch.setattr(model, "predict", lambda *args: pytest.fail("generated"))
    nfe, measured = evaluations_of(model, RunSpec("sit-xl-2", PROTOCOL))
    assert (nfe, measured["nfe"].value, measured["nfe"].n) == ({"network": 500}, 500, None)
