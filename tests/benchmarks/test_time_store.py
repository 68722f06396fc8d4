"""Timing tests of the store, `pytest --benchmark-only`: what shards, checksums and claims add to generating.

The share is largest for the smallest images and the fastest model, so it is taken there.
"""

from __future__ import annotations

import itertools
from functools import partial

import pytest

import reference_models
from bench.sampling import images
from bench.sampling.images import collect_images, generate_batch
from bench.sampling.shards import shard_size
from bench.timing.clock import once
from bench.timing.interleaved import time_pairs

NUM = 500  # images of digits-quality, in four shards
MOST = 0.03  # share of the time of sampling that the store may take
SMALL = {name: spec for name, spec in reference_models.specs().items() if spec.recipe and not spec.ingredient}
FROM_LABELS = [name for name, spec in SMALL.items() if spec.network.conditioned_on == "labels"]


@pytest.mark.benchmark(group="the store, against generating what is in it")
@pytest.mark.parametrize("name", FROM_LABELS)
def test_the_store_costs_little(timed, benchmark, device, monkeypatch, tmp_path, name):
    """A shard generated, beside a shard's share of a whole run in the store, written, checked and read again.

    `ratio`: time in the store over time of generating; the rounds are those of the store.
    """
    model, size, folders = reference_models.build(name, device=device), shard_size(NUM), itertools.count()
    made = {range(k, k + size): generate_batch(model, range(k, k + size), 0, {}) for k in range(0, NUM, size)}
    monkeypatch.setattr(images, "generate_batch", lambda model, indices, *a, **k: made[indices])

    def store(round_idx):
        fixed = {"num_images": NUM, "seed": 0, "settings": {}, "checksums": {}}
        samples = collect_images(model, **fixed, batch_size=size, store=tmp_path / str(next(folders)))
        samples.images()
        samples.sha256()

    def generate(round_idx):
        generate_batch(model, range(size * round_idx, size * (round_idx + 1)), 0, {})

    timed(store)
    if not benchmark.enabled:  # under --benchmark-disable
        return
    raw = time_pairs(
        {side.__name__: partial(once, side, device) for side in (generate, store)},
        device=device,
        min_rounds=5,
        min_duration_s=1.0,
        max_duration_s=60.0,
    )
    num_shards = NUM // size
    ratio = min(raw["rounds_s"]["store"]) / num_shards / min(raw["rounds_s"]["generate"])  # both undisturbed
    benchmark.extra_info |= {"ratio": ratio, **{key: raw[key] for key in ("rounds_s", "foreign_load", "disturbed")}}
    assert ratio <= MOST
