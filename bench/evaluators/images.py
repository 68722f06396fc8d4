"""Images, generated once and scored on every metric; real images scored as if they had been generated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.console import progress
from bench.datasets import digits
from bench.evaluators import Context
from bench.evaluators.image_scores import score_images
from bench.evaluators.scene_examples import grid_png
from bench.metrics import latency, size
from bench.metrics.feature_similarity import compute_feature_similarity
from bench.models import identity
from bench.records.json_files import plain
from bench.records.parts import Images, Measurement, Sampled
from bench.records.schema import RunSpec
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
            checksums=identity(spec, work).files,
            rank=rank,
            leave_claimed=leave_claimed,
            advance=bar.update,
        )


def measure_images(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """Generate once, score on all metrics."""
    protocol = spec.protocol
    samples = collect(model, spec, context.work)
    images, rounds_s = samples.images(), samples.rounds_s
    found = _scored(images, spec, model.num_classes)
    settings = {**model.spec.sampling, **spec.settings}
    nfe = model.network_evaluations(**settings)
    timed = tuple(rounds_s) if "throughput_per_s" in protocol.metrics else ()
    sampled = Sampled(store=samples.name, sha256=samples.sha256(), made_on=tuple(samples.made_on))
    found["images"] = replace(found["images"], samples=sampled, nfe=nfe, rounds_s=timed)
    found["measurements"] |= size.summarise({"nfe": nfe})
    if timed:
        found["measurements"]["throughput_per_s"] = latency.compute_throughput(rounds_s, protocol.batch_size)
    if "feature_similarity" in protocol.metrics and hasattr(model, "semantic_features"):
        count = min(FEATURE_IMAGES, protocol.num_images)
        features = collect_features(model, num_images=count, seed=protocol.seed, settings=spec.settings)
        found["measurements"]["feature_similarity"] = compute_feature_similarity(features)
    return found


def measure_real_images(model: None, spec: RunSpec, context: Context) -> dict[str, Any]:
    """The real-data floor as a run of its own: held-out scans, as many as a model's images, against training scans."""
    images, _ = digits.load("heldout")
    return _scored(images[: spec.protocol.num_images], spec, digits.NUM_CLASSES)


def _scored(images: np.ndarray, spec: RunSpec, num_classes: int) -> dict[str, Any]:
    protocol = spec.protocol
    scores = score_images(images, protocol.reference, features=protocol.features, floor=False)
    kept = {key: scores[key] for key in ("audit", "refused", "not_run")} | {"scoring": scores["protocol"]}
    grid = grid_png(images[: GRID_ROWS * num_classes], num_classes)
    return {
        "measurements": {name: Measurement(**fields) for name, fields in scores["metrics"].items()},
        "images": msgspec.convert(plain({**kept, "grid_png": grid}), Images),
    }
