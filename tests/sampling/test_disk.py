"""The disk that a store takes is what the forecast says: pixels, features, and what `bench clean` gives back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import reference_models
from bench.analysis.forecast import FEATURE_BYTES, disk_bytes
from bench.commands.clean import kept_pixels, remove
from bench.evaluators.collected import feature_extract
from bench.features.kinds import EXTRACTORS
from bench.protocols import PROTOCOLS
from bench.sampling import images
from bench.sampling.images import Extract, collect_images
from tests.stand_ins import FEATURES, SPATIAL, give_inception, use_assets
from tests.toy import SPEC

NUM = 4000
DIGITS = replace(PROTOCOLS["digits-quality"], num_images=NUM)


def pixels(model, indices, seed, settings, **how):
    """Noise of the toy's size: nothing is generated."""
    return np.random.default_rng(indices[0]).integers(0, 256, (len(indices), 3, 8, 8), np.uint8)


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


@pytest.fixture
def collected(monkeypatch, tmp_path):
    """Collects NUM images of noise: (samples, folder of the store)."""
    monkeypatch.setattr(reference_models, "specs", lambda: {SPEC.name: SPEC})
    monkeypatch.setattr(images, "generate_batch", pixels)
    model = reference_models.build(SPEC.name)

    def collect(**options):
        fixed = {"num_images": NUM, "seed": 0, "batch_size": 500, "settings": {}, "checksums": {}}
        return collect_images(model, **fixed, store=tmp_path / "store", **options), tmp_path / "store"

    return collect


def test_pixels_take_what_was_forecast(collected):
    _, folder = collected()
    assert size(folder) == pytest.approx(disk_bytes(DIGITS, 8, False), rel=0.01)


def test_features_and_kept_pixels_take_what_was_forecast_and_clean_gives_the_pixels_back(collected):
    """Features of Inception's sizes; with --keep-images 4,000 images of pixels too, without it those of one shard."""
    row = np.zeros(FEATURE_BYTES, np.uint8)
    extract = Extract("inception", {}, lambda found: {"features": np.tile(row, (len(found), 1))})
    protocol = replace(PROTOCOLS["imagenet-256-quality"], num_images=NUM)
    few, folder = collected(extract=extract, keep_images=64)
    assert size(folder) == pytest.approx(disk_bytes(protocol, 8, False), rel=0.01)
    all_, folder = collected(extract=extract, keep_images=NUM)
    assert size(folder) == pytest.approx(disk_bytes(protocol, 8, True), rel=0.01)
    (kept,) = kept_pixels([one.folder for one in (all_.pixels, all_.extracted)])
    assert remove(kept)
    assert size(folder) == pytest.approx(disk_bytes(protocol, 8, False), rel=0.01)
    assert few.is_complete()


def test_what_is_kept_of_an_image_has_the_sizes_of_the_forecast(monkeypatch, tmp_path):
    """Features and spatial ones in float32, posteriors in float64, 34 bytes of the audit."""
    give_inception(monkeypatch, use_assets(monkeypatch, tmp_path))
    assert EXTRACTORS["inception"].num_features == FEATURES
    kept = feature_extract("inception", "cpu").call(np.zeros((2, 3, 16, 16), np.uint8))
    per_image = {name: array[0].nbytes for name, array in kept.items()}
    audit = per_image["digests"] + per_image["constant"] + per_image["finite"]
    assert (per_image["features"], per_image["posteriors"], per_image["spatial"], audit) == (
        4 * FEATURES,
        8 * 10,
        4 * SPATIAL,
        34,
    )
    assert FEATURE_BYTES == 4 * 2048 + 8 * 1008 + 4 * 2023 + 34
