"""Compliance of a timing: MLPerf's TEST01 and TEST04, scaled down.

The images of the timed calls are those that are scored: same seeds, same pixels. And generating one image again and
again is not faster than generating fresh ones: nothing is answered from a cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.records.parts import Compliance
from bench.sampling.images import generate_batch
from bench.stats import ratio_of_medians
from bench.timing.clock import once
from bench.timing.generation import rounds_of
from bench.timing.interleaved import time_pairs
from bench.timing.settings import DEFAULT, TimingSettings

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel


NUM_IMAGES = 8  # compared, at least, unless said otherwise
REPEAT_SUSPECT = 0.95  # a repeated image whose time is surely below this share of a fresh one's came from a cache


@contextmanager
def eager(model: ImageModel) -> Iterator[None]:
    """Within the block the model runs as it is scored: without its compiled methods."""
    compiled = {name: vars(model)[name] for name in model.compiled_methods if name in vars(model)}
    for name in compiled:
        delattr(model, name)
    try:
        yield
    finally:
        for name, method in compiled.items():
            setattr(model, name, method)


def compare_images(timed: np.ndarray, plain: np.ndarray) -> dict[str, Any]:
    """Two runs' images uint8 (N, 3, H, W), seed by seed: equal, the hash of each side, the largest difference in grey
    levels (1: rounding of another kernel), and how many images differ by more than 1."""
    differences = np.abs(timed.astype(int) - plain.astype(int)).reshape(len(timed), -1).max(axis=1)
    return {
        "num_images": len(timed),
        "num_different": int((differences > 1).sum()),
        "images_equal": bool((differences == 0).all()),
        "timed_sha256": hashlib.sha256(np.ascontiguousarray(timed).tobytes()).hexdigest(),
        "plain_sha256": hashlib.sha256(np.ascontiguousarray(plain).tobytes()).hexdigest(),
        "max_difference": int(differences.max()),
    }


def collect_compliance(
    model: ImageModel,
    *,
    settings: Mapping[str, Any],
    num_images: int = NUM_IMAGES,
    batch_size: int = 1,
    min_rounds: int = 10,
    min_duration_s: float = 0.0,
    max_duration_s: float | None = None,
    is_warm: bool = False,
    seed: int = 0,
    timing: TimingSettings = DEFAULT,
) -> Compliance:
    """Both tests of the calls that `collect_timings` times at `batch_size`. is_warm: of `time_pairs`.

    Images (of `compare_images`): those of the last timed rounds, `num_images` at least, as they came out of the clock,
    against those that the model without compiled methods generates for the same indices, as `collect_images` does.
    repeat_ratio: repeated / fresh, timed pair by pair; repeat_rounds_s: the rounds. valid: no
    difference above one grey level, and a repeat is not surely faster.
    """
    device, generate_round = str(model.device), rounds_of(model, batch_size, settings, seed)
    kept: dict[int, np.ndarray] = {}  # by round

    def fresh(round_idx: int) -> float:
        generated: list[Any] = []
        seconds = once(lambda idx: generated.append(generate_round(idx)), device, round_idx)
        kept[round_idx] = generated[0].cpu().numpy()
        while (len(kept) - 1) * batch_size >= num_images:
            del kept[min(kept)]
        return seconds

    def scored(round_idx: int) -> np.ndarray:
        if model.spec.network.conditioned_on != "labels":
            return generate_round(round_idx).cpu().numpy()
        indices = range(round_idx * batch_size, (round_idx + 1) * batch_size)
        return generate_batch(model, indices, seed, settings)

    pairs = time_pairs(
        {"fresh": fresh, "repeated": lambda _: once(generate_round, device, 0)},
        device=device,
        min_rounds=min_rounds,
        min_duration_s=min_duration_s,
        max_duration_s=max_duration_s,
        is_warm=is_warm,
        seed=seed,
        timing=timing,
    )
    with eager(model):
        plain = np.concatenate([scored(round_idx) for round_idx in kept])
    images = compare_images(np.concatenate(list(kept.values())), plain)
    ratio = ratio_of_medians(pairs["rounds_s"]["repeated"], pairs["rounds_s"]["fresh"])
    is_cached = ratio.ci_high is not None and ratio.ci_high < REPEAT_SUSPECT
    return Compliance(
        **images,
        repeat_ratio=ratio,
        repeat_rounds_s=pairs["rounds_s"],
        valid=images["num_different"] == 0 and not is_cached,
    )
