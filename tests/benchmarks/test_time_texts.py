"""Timing tests of reading, `pytest --benchmark-only`: what a batch of texts saves over one text at a time.

The families run on their shipped weights, or on random ones: the arithmetic is the same.
"""

from __future__ import annotations

import pytest

import reference_models
from bench.datasets.scenes import scene
from bench.sampling.texts import Item, collect_texts
from bench.stats import ratio_of_medians
from bench.timing.interleaved import time_pairs

SMALL = {name: spec for name, spec in reference_models.specs().items() if spec.recipe and not spec.ingredient}
READERS = [name for name, spec in SMALL.items() if spec.network.reading is not None]
BATCH_SIZE = 16


@pytest.mark.benchmark(group="16 texts, batch 16 against one by one")
@pytest.mark.parametrize("what", ["answers", "captions"])
@pytest.mark.parametrize("name", READERS)
def test_a_batch_of_texts(timed, benchmark, device, name, what):
    """The rounds are those of batch 16; `ratio`: how many times the texts per second of one by one, pair by pair."""
    model = reference_models.build(name, device=device)

    def say(batch_size):
        def call(round_idx):
            shown = [scene("heldout", 0, BATCH_SIZE * round_idx + i) for i in range(BATCH_SIZE)]
            prompts = [one.questions[0].text if what == "answers" else "" for one in shown]
            items = [Item(one.image, prompt) for one, prompt in zip(shown, prompts, strict=True)]
            return sum(collect_texts(model, items, seed=round_idx, batch_size=batch_size).rounds_s)

        return call

    timed(say(BATCH_SIZE))
    if not benchmark.enabled:  # under --benchmark-disable
        return
    sides = {"batch_16": say(BATCH_SIZE), "one_by_one": say(1)}
    raw = time_pairs(sides, device=device, min_rounds=10, min_duration_s=1.0, max_duration_s=20.0)
    ratio = ratio_of_medians(raw["rounds_s"]["one_by_one"], raw["rounds_s"]["batch_16"])
    benchmark.extra_info |= {
        "ratio": ratio.value,
        "ratio_ci": [ratio.ci_low, ratio.ci_high],
        **{key: raw[key] for key in ("rounds_s", "orders", "foreign_load", "disturbed")},
    }
