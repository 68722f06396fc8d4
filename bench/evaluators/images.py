"""Images, generated once and scored on every metric; real images scored as if they had been generated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import assets
from bench.console import progress
from bench.datasets import digits, open_images
from bench.datasets.resizing import Resize, find_resize
from bench.errors import UsageError
from bench.evaluators import Context
from bench.evaluators.collected import SHOWN, feature_extract, read_collected, thumbnails
from bench.evaluators.image_scores import NAMES, ON_REQUEST, Collected, check_reference, score_images
from bench.evaluators.prompted import LOADERS, prompts_of
from bench.evaluators.scene_examples import grid_png
from bench.evaluators.second_look import look_again
from bench.metrics import latency, size
from bench.metrics.feature_similarity import compute_feature_similarity
from bench.models import REAL_IMAGES, identity, image_size_of, precision_of, published_of, reseeding_of, resized_to
from bench.protocols import SECOND_LOOK, SMALL
from bench.protocols.at_paper_size import MODELS_OF
from bench.records.json_files import plain
from bench.records.parts import Images, Measurement, Sampled
from bench.records.schema import Protocol, RunSpec
from bench.sampling.identity import LABEL_RULES
from bench.sampling.images import Samples, collect_images
from bench.sampling.precision import precision_name, running_in
from bench.sampling.ranks import ALONE, Rank
from bench.sampling.semantic_features import collect_features
from bench.sampling.shards import STORE, shard_size
from bench.sampling.workers import batches
from bench.stats import normal_interval, standard_error_of_mean

GRID_ROWS = 6  # rows of the sample grid kept for the report, one class per column
COLUMNS = 8  # of the grid where there are many classes
FEATURE_IMAGES = 100  # images whose semantic features are compared
COUNTED_IMAGES = 64  # images whose network evaluations are counted, where the sampler chooses them


def collect(
    model: Any,
    spec: RunSpec,
    work: Path,
    *,
    rank: Rank = ALONE,
    batch_size: int = 0,
    leave_claimed: bool = False,
    keep_images: bool = False,
) -> Samples:
    """The images of a run, from the store in `work` or into it; at a paper's size what is scored of them and the pixels
    of the first few, or of all. batch_size: 0: the protocol's."""
    protocol, device = spec.protocol, str(model.device)
    extract = feature_extract(protocol.features, device, resize_of(protocol)) if is_streamed(protocol) else None
    if extract is not None:  # before hours of generating
        blank = np.zeros((1, 3, image_size_of(spec), image_size_of(spec)), np.uint8)
        check_reference(
            reference_of(protocol),
            extract.call(blank),
            scored_size(spec),
            resize_of(protocol),
            needs_statistics=bool(protocol.assets) and assets.find(protocol.reference).kind == "statistics",
        )
    with progress(f"{spec.model}: images", protocol.num_images) as bar, running_in(precision_of(spec), device):
        return collect_images(
            model,
            num_images=protocol.num_images,
            batch_size=batch_size or protocol.batch_size,
            checksums=identity(spec, work).files,
            extract=extract,
            keep_images=SHOWN if extract is not None and not keep_images else None,
            rank=rank,
            leave_claimed=leave_claimed,
            advance=bar.update,
            **wanted(spec, work),
        )


def wanted(spec: RunSpec, work: Path) -> dict[str, Any]:
    """Which images a run's are, as `collect_images` and `image_sets` take it."""
    protocol, rule = spec.protocol, reseeding_of(spec)
    num_all = protocol.pilot_of or protocol.num_images
    return {
        "seed": protocol.seed,
        "settings": spec.settings,
        "store": work / STORE,
        "labels": labels_of(spec),
        "prompts": prompts_of(protocol),
        "precision": precision_name(precision_of(spec)),
        "resize_to": resized_to(spec),
        "reseeding": None if rule is None else (rule, num_all),
        "size": shard_size(num_all),
    }


def scored_size(spec: RunSpec) -> int:
    """Pixels a side of a run's images as they are scored."""
    resize = resize_of(spec.protocol)
    return resize.size if resize is not None and resize.size else image_size_of(spec)


def is_streamed(protocol: Protocol) -> bool:
    """Whether the pixels are too many to be kept, and features are what is needed of them."""
    return protocol.scale not in SMALL and bool(protocol.features)


def resize_of(protocol: Protocol) -> Resize | None:
    """The rule by which a protocol brings images to one size."""
    rule, _, size = protocol.resize.partition(" ")
    return find_resize(rule, int(size) if size else None) if rule else None


def reference_of(protocol: Protocol) -> str | Path:
    """What a protocol compares images with: a data set's name, a file or, of a data set of photographs, their folder.
    UsageError where an asset is not there."""
    if not protocol.assets:
        return protocol.reference
    asset = assets.find(protocol.reference)
    folders = [part.names[0] for part in asset.parts if part.holds == "files"]
    return assets.parts(asset.name)[folders[0]] if folders else assets.require(asset.name)


def labels_of(spec: RunSpec) -> str:
    """The rule by which image i has its label (sampling.identity.LABEL_RULES), or "prompts"."""
    row = published_of(spec)
    if spec.protocol.scale in LOADERS:
        return "prompts"
    return "uniform" if row is not None and row.labels == "uniform" else "balanced"


def measure_images(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """Generate once, score on all metrics."""
    protocol = spec.protocol
    samples = collect(model, spec, context.work, keep_images=context.keep_images)
    found = _scored_samples(samples, model, spec, context)
    nfe, counted = evaluations_of(model, spec)
    timed = tuple(samples.rounds_s) if "throughput_per_s" in protocol.metrics else ()
    found["images"] = replace(found["images"], samples=sampled_of(samples, spec, model), nfe=nfe, rounds_s=timed)
    found["measurements"] |= counted
    if timed:
        found["measurements"]["throughput_per_s"] = latency.compute_throughput(timed, protocol.batch_size)
    if "feature_similarity" in protocol.metrics and hasattr(model, "semantic_features"):
        count = min(FEATURE_IMAGES, protocol.num_images)
        features = collect_features(model, num_images=count, seed=protocol.seed, settings=spec.settings)
        found["measurements"]["feature_similarity"] = compute_feature_similarity(features)
    return found


def evaluations_of(model: Any, spec: RunSpec) -> tuple[dict[str, float], dict[str, Measurement]]:
    """How often the network runs for one image of a run: (by part, the measurement "nfe").

    Where the sampler chooses its steps, the mean over the run's first images, which are generated once more for it,
    with its interval.
    """
    settings, protocol = {**model.spec.sampling, **spec.settings}, spec.protocol
    if not model.spec.network.chooses_steps(**settings):
        nfe = model.network_evaluations(**settings)
        return nfe, size.summarise({"nfe": nfe})
    from reference_models.noise import image_seeds

    rule, found = LABEL_RULES[labels_of(spec)], []
    with running_in(precision_of(spec), str(model.device)):
        for batch in batches(min(COUNTED_IMAGES, protocol.num_images), protocol.batch_size):
            labels = [rule(i, protocol.seed, model.num_classes) for i in batch]
            found.append(model.counted_evaluations(labels, image_seeds(protocol.seed, batch), **settings))
    by_part = {part: np.concatenate([one[part] for one in found]) for part in found[0]}
    total = np.sum(list(by_part.values()), axis=0)
    value = float(total.mean())
    low, high = normal_interval(value, standard_error_of_mean(total)) or (None, None)
    measured = replace(size.summarise({"nfe": value})["nfe"], ci_low=low, ci_high=high, n=len(total))
    return {part: float(counts.mean()) for part, counts in by_part.items()}, {"nfe": measured}


def sampled_of(samples: Samples, spec: RunSpec, model: Any) -> Sampled:
    """Where the images of a run are kept, for its record."""
    return Sampled(
        store=samples.name,
        sha256=samples.sha256(),
        labels=labels_of(spec),
        precision=precision_name(precision_of(spec)),
        made_on=tuple(samples.made_on),
        weights_entry=model.weights_entry,
    )


def _scored_samples(samples: Samples, model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    protocol = spec.protocol
    if not is_streamed(protocol):
        return scored(samples.images(), spec, model.num_classes, context.device)
    from_prompts, resize = protocol.scale in LOADERS, resize_of(protocol)
    num_classes = None if from_prompts else model.num_classes
    collected = read_collected(
        samples,
        labels=labels_of(spec),
        seed=protocol.seed,
        num_classes=num_classes,
        image_size=scored_size(spec),
    )
    return scored(collected, spec, num_classes, context.device, shown=samples.images(SHOWN), resize=resize)


def measure_real_images(model: None, spec: RunSpec, context: Context) -> dict[str, Any]:
    """The real-data floor as a run of its own, against the reference of the generated images.

    Of the digits held-out scans, as many as a model's images; of ImageNet the 50,000 validation images.
    """
    if spec.protocol.scale == "digits":
        images, _ = digits.load("heldout")
        return scored(images[: spec.protocol.num_images], spec, digits.NUM_CLASSES, context.device)
    folder = assets.require(REAL_IMAGES)
    scale = MODELS_OF.get(spec.protocol.scale, spec.protocol.scale)
    resize = Resize("adm", int(scale.rpartition("-")[2]))
    shown = open_images(folder, "real images", resize).images
    assert shown is not None, "a folder holds images"
    if len(shown) < spec.protocol.num_images:
        raise UsageError(
            f"real images {folder}: {len(shown):,} images; {spec.protocol.name} needs {spec.protocol.num_images:,}"
        )
    return scored(folder, spec, None, context.device, shown=shown[0:SHOWN], resize=resize)


def scored(
    images: np.ndarray | Collected | Path,
    spec: RunSpec,
    num_classes: int | None,
    device: str,
    *,
    shown: np.ndarray | None = None,
    resize: Resize | None = None,
) -> dict[str, Any]:
    """measurements and images of a record, of images that are there.

    shown: the images of the grid, where it is not made of `images` with a class per column
    num_classes: of image i mod so many; None: unknown
    """
    protocol = spec.protocol
    scores = score_images(
        images,
        reference_of(protocol),
        features=protocol.features,
        device=device,
        floor=False,
        names=[name for name in protocol.metrics if name in (*NAMES, *ON_REQUEST)],
        resize=resize,
        num_classes=num_classes,
    )
    kept = {key: scores[key] for key in ("audit", "refused", "not_run")} | {"scoring": scores["protocol"]}
    if shown is None:
        assert isinstance(images, np.ndarray)
        assert num_classes is not None
        grid = grid_png(images[: GRID_ROWS * num_classes], num_classes)
    else:
        grid = grid_png(thumbnails(shown[:SHOWN]), min(COLUMNS, len(shown)))
    measurements = {name: Measurement(**fields) for name, fields in scores["metrics"].items()}
    if not set(SECOND_LOOK).isdisjoint(protocol.metrics) and isinstance(images, np.ndarray):
        again = look_again(images)
        measurements |= again["measurements"]
        kept["refused"] = {**kept["refused"], **again["refused"]}
        kept["class_distances"] = again["class_distances"]
    return {
        "measurements": measurements,
        "images": msgspec.convert(plain({**kept, "grid_png": grid}), Images),
    }
