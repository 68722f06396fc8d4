"""Timings that cheat are caught: other images than those that are scored, answers from a cache."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.evaluators.compliance import collect_compliance, compare_images, eager
from bench.timing import clock
from bench.timing.settings import TimingSettings
from reference_models.autoencoders import PatchLatents
from tests.ticking import Ticking, spend
from tests.toy import SPEC, Toy


class Slow(Toy):
    """20 ms an image."""

    def sample(self, labels, noise, *, spread):
        spend(0.02)
        return super().sample(labels, noise, spread=spread)


class Cached(Slow):
    """Remembers what it generated."""

    def generate(self, labels, seeds, **settings):
        known = self.__dict__.setdefault("known", {})
        key = (*labels, *seeds)
        if key not in known:
            known[key] = super().generate(labels, seeds, **settings)
        return known[key]


class Moody(Slow):
    """Generates another image every time."""

    def sample(self, labels, noise, *, spread):
        return -super().sample(labels, noise, spread=spread) * torch.rand(1)


@pytest.fixture(autouse=True)
def ticking(monkeypatch):
    monkeypatch.setattr(clock, "time", Ticking)


def compliance(network):
    model = network().eval()
    model.attach(SPEC, PatchLatents)
    timing = TimingSettings(min_warmup=2, window=1)
    return collect_compliance(model, settings={}, batch_size=3, min_rounds=8, timing=timing)


def test_an_honest_model_passes():
    found = compliance(Slow)
    assert found.valid is True
    assert found.images_equal is True
    assert found.timed_sha256 == found.plain_sha256
    assert found.num_images == 9  # three rounds of three: eight at least
    assert found.max_difference == 0
    assert len(found.repeat_rounds_s["fresh"]) == len(found.repeat_rounds_s["repeated"]) == 8


def test_a_cached_answer_shows():
    """A repeated image that costs nothing beside fresh ones of 20 ms."""
    found = compliance(Cached)
    assert found.valid is False
    assert found.repeat_ratio.ci_high < 0.5
    assert found.images_equal is True


def test_other_images_than_the_scored_ones_show():
    found = compliance(Moody)
    assert found.valid is False
    assert found.images_equal is False


def test_a_grey_level_is_rounding_and_two_are_not():
    images = np.full((2, 3, 4, 4), 100, np.uint8)
    other = images.copy()
    other[1, 0, 0, 0] = 99
    found = compare_images(images, other)
    assert (found["images_equal"], found["max_difference"]) == (False, 1)
    other[1, 0, 0, 0] = 102
    found = compare_images(images, other)
    assert (found["max_difference"], found["num_different"], found["num_images"]) == (2, 1, 2)


def test_scored_images_come_from_the_model_without_its_compiled_methods():
    model = Slow()
    model.compiled_methods = ("predict",)  # type: ignore[misc]
    compiled = model.predict = lambda: "compiled"
    with eager(model):
        assert "predict" not in vars(model)
    assert model.predict is compiled
