"""Images, generated once and scored on every metric; real images scored as if they had been generated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.console import progress
from bench.datasets import digits
from bench.evaluators.image_scores import score_images
from bench.evaluators.scene_examples import grid_png
from bench.metrics import latency, size
from bench.metrics.feature_similarity import compute_feature_similarity
from bench.models import weights_of
from bench.records.schema import REAL_DATA, Measurement, RunSpec
from bench.sampling.identity import file_checksums
from bench.sampling.images import Samples, collect_images
from bench.sampling.ranks import ALONE, Rank
from bench.sampling.semantic_features import collect_features
from bench.sampling.shards import STORE

GRID_ROWS = 6  # rows of the sample grid kept for the report
FEATURE_IMAGES = 100  # images whose semantic features are compared


def collect(
    model: Any, spec: RunSpec, work: Path, *, rank: Rank = ALONE, batch_size: int = 0, leave_claimed: bool = False
) -> Samples:
    """The images of a run, from the store in `work` or into it. batch_size: 0: the protocol's."""
    protocol = spec.protocol
    with progress(f"{spec.model}: images", protocol.num_images) as bar:
        return collect_images(
            model,
            num_images=protocol.num_images,
            seed=protocol.seed,
            batch_size=batch_size or protocol.batch_size,
            settings=spec.settings,
            store=work / STORE,
            checksums=file_checksums(model.spec, weights_of(spec, work)),
            rank=rank,
            leave_claimed=leave_claimed,
            advance=bar.update,
        )


def measure_images(model: Any, spec: RunSpec, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    """Generate once, score on all metrics."""
    protocol = spec.protocol
    samples = collect(model, spec, work)
    images, rounds_s = samples.images(), samples.rounds_s
    found = _scored(images, spec, model.num_classes)
    settings = {**model.spec.sampling, **spec.settings}
    found["raw"]["samples"] = {"store": samples.name, "sha256": samples.sha256(), "made_on": samples.made_on}
    found["raw"]["nfe"] = model.network_evaluations(**settings)
    found["measurements"] |= size.summarise({"nfe": found["raw"]["nfe"]})
    if rounds_s and "throughput_per_s" in protocol.metrics:
        found["raw"]["painting_rounds_s"] = rounds_s
        found["measurements"]["throughput_per_s"] = latency.compute_throughput(rounds_s, protocol.batch_size)
    if "feature_similarity" in protocol.metrics and hasattr(model, "semantic_features"):
        count = min(FEATURE_IMAGES, protocol.num_images)
        features = collect_features(model, num_images=count, seed=protocol.seed, settings=spec.settings)
        found["measurements"]["feature_similarity"] = compute_feature_similarity(features)
    return found


def measure_real_data(spec: RunSpec) -> dict[str, Any]:
    """The real-data floor as a run of its own: held-out scans, as many as a model's images, against training scans."""
    images, _ = digits.load("heldout")
    return {"family": "real", **_scored(images[: spec.protocol.num_images], spec, digits.NUM_CLASSES)}


def _scored(images: np.ndarray, spec: RunSpec, num_classes: int) -> dict[str, Any]:
    protocol = spec.protocol
    scores = score_images(images, protocol.reference, features=protocol.features, floor=spec.model != REAL_DATA)
    return {
        "measurements": {name: Measurement(**fields) for name, fields in scores["metrics"].items()},
        "raw": {key: scores[key] for key in ("audit", "floor", "refused", "not_run")} | {"scoring": scores["protocol"]},
        "images_png": grid_png(images[: GRID_ROWS * num_classes], num_classes),
    }
