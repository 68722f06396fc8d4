"""`python -m bench score images GENERATED --reference REF`: audit the images, extract features, compute every score.

FID, KID, Inception Score, precision and recall as torch-fidelity has them on our features, FID once more by clean-fid;
95 % intervals over the generated images; beside them, at digits scale, the real-data floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.datasets import Source, digits, open_images, reference_statistics
from bench.datasets.image_folder import ImageFolder
from bench.datasets.npz_files import NpzImages
from bench.datasets.resizing import Resize
from bench.errors import CheckFailed, UsageError
from bench.evaluators.classes import Classes, check_fit, find_classes
from bench.evaluators.feature_scores import NAMES, ON_REQUEST, Scores, Side, compute_floor, compute_scores
from bench.evaluators.saved_statistics import check_room, named_statistics, write_statistics
from bench.metrics import METRICS
from bench.metrics.audit import (
    REFERENCE_CONSTANT_ALLOWED,
    Facts,
    audit,
    audit_classes,
    audit_facts,
    copies_share,
    facts_of,
)
from bench.metrics.fid import RESAMPLED_DIMENSIONS, Statistics
from bench.metrics.inception_score import SPLITS
from bench.metrics.kid import subset_size
from bench.metrics.precision_recall import NEIGHBOURS
from bench.stats import IMAGE_RESAMPLES

if TYPE_CHECKING:
    from bench.features.extractors import Extractor
    from bench.features.kinds import Features

__all__ = [
    "NAMES",
    "ON_REQUEST",
    "Scores",
    "Side",
    "compute_floor",
    "compute_scores",
    "make_statistics",
    "score_images",
]

LONG = 2000  # images; with more, extraction shows its progress


@dataclass(frozen=True)
class Collected:
    """Generated images of which only what scores need was kept."""

    features: Features
    facts: Facts
    image_size: tuple[int, int]
    labels: np.ndarray | None  # (N,) asked for; None: generated from prompts

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), 3, *self.image_size)

    def __len__(self) -> int:
        return len(self.facts.digests)

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        raise TypeError("the pixels of these images were not kept")


def score_images(
    generated: str | Path | np.ndarray | Collected,
    reference: str | Path,
    *,
    features: str | None = None,
    weights: Path | str | None = None,
    device: str = "cpu",
    seed: int = 0,
    floor: bool = True,
    names: Sequence[str] = NAMES,
    resize: Resize | None = None,
    num_classes: int | None = None,
    save_statistics: Path | None = None,
) -> dict[str, Any]:
    """Audit and score images. Keys of the answer, ready for JSON:

    metrics, floor: {name: {value, unit, ci_low, ci_high, n}}    refused, not_run: {name: reason}
    audit, reference_audit: see metrics/audit.py    protocol: how it was measured    environment: machine and versions

    reference: a folder, an .npz, a data set's name, or that of released statistics ("adm-imagenet-256")
    generated: a data set's name, a folder, an .npz, what was Collected, or an array uint8 (N, 3, H, W); image i of an
    array is taken to be of class i mod num_classes (None: as many as the extractor tells apart), see classes.py
    features: a name in features.EXTRACTORS; None: "digits" for 8x8 images, else "inception"    names: of NAMES and
    ON_REQUEST    resize: for folders and files of other sizes    save_statistics: an .npz for those of `generated`
    Raises UsageError for a wrong call; CheckFailed where the audit fails, values are NaN or weights are missing.
    """
    from bench.records import environment

    if isinstance(generated, np.ndarray):
        source = Source("array", generated, None)
    elif isinstance(generated, Collected):
        source = Source("samples", generated, None, labels=generated.labels)
    else:
        source = open_images(generated, "generated", resize)
    target = open_images(named_statistics(reference), "reference", resize)
    extractor = _extractor(source, target, features, weights, device)
    for side, role in ((source, "generated"), (target, "reference")):
        _check_made_alike(side, role, source, target, extractor, resize)
    if save_statistics is not None:
        check_room(save_statistics, extractor)
    spatial = ("sfid" in names and target.spatial is not None) or save_statistics is not None
    theirs = _reference(target, extractor, spatial=False)
    ours = _generated(source, target, extractor, num_classes, spatial=spatial and _has_spatial(extractor))
    if save_statistics is not None:
        write_statistics(save_statistics, source, ours.features, extractor, resize)
    sides = (
        _side(source, ours.features, ours.classes.strata),
        _side(target, theirs.features, target.labels),
    )
    scores = compute_scores(*sides, seed=seed, names=names)

    floor_scores = Scores({}, {}, {})
    is_digits = floor and target.name == "digits-train" and extractor is not None
    if is_digits and ours.features is not None and theirs.features is not None:
        assert extractor is not None
        held_out = _extract(extractor, open_images("digits-heldout"))
        count = len(ours.features.features)
        floor_scores = compute_floor(held_out, theirs.features, count, seed=seed, labels=target.labels)
    return {
        "metrics": {name: asdict(scores.measurements[name]) for name in METRICS if name in scores.measurements},
        "floor": {name: asdict(m) for name, m in floor_scores.measurements.items()},
        "refused": scores.refused,
        "not_run": scores.not_run,
        "audit": ours.audit,
        "reference_audit": theirs.audit,
        "protocol": _protocol(source, target, extractor, seed, names, ours, theirs, resize),
        "environment": environment.describe(device),
    }


def check_reference(
    reference: str | Path,
    made: Mapping[str, np.ndarray],
    image_size: int,
    resize: Resize | None = None,
    *,
    needs_statistics: bool = False,
) -> None:
    """UsageError where features of images of `image_size` pixels cannot be compared with a reference, CheckFailed where
    it is damaged: known before any image is generated.

    made: what the extractor makes of an image, "features" (N, D) and perhaps "spatial"    resize: for references that
    are folders and files of other sizes    needs_statistics: images alone are not enough
    """
    target = open_images(reference, "reference", resize)
    if isinstance(target.images, NpzImages):
        target.images.file.check_whole()
    if needs_statistics and target.statistics is None:
        raise UsageError(
            f"reference {reference}: holds no mu and sigma; expected the statistics of the whole training set, which "
            "printed scores are measured on"
        )
    for name, theirs in (("features", target.statistics), ("spatial", target.spatial)):
        if theirs is not None and name in made and len(theirs.mu) != made[name].shape[1]:
            what = "statistics" if name == "features" else "mu_s and sigma_s"
            raise UsageError(
                f"reference {reference}: {what} of {len(theirs.mu)} dimensions; this extractor's {name} have "
                f"{made[name].shape[1]}"
            )
    sizes = [] if target.images is None else [(int(target.images.shape[2]), int(target.images.shape[3]))]
    if target.statistics is not None and target.statistics.image_size is not None:
        sizes.append(target.statistics.image_size)
    for height, width in sizes:
        if (height, width) != (image_size, image_size):
            raise UsageError(
                f"reference {reference}: of images of {width}x{height}; expected {image_size}x{image_size}, as the "
                "generated ones"
            )


def make_statistics(
    images: str | Path,
    out: Path,
    *,
    features: str | None = None,
    weights: Path | str | None = None,
    device: str = "cpu",
    resize: Resize | None = None,
) -> dict[str, Any]:
    """Write the statistics of images to an .npz that everybody reads; returns the audit of the images, and of a folder
    under "found_words" what was found in it and left out."""
    source = open_images(images, "images", resize)
    if source.images is None:
        raise UsageError(f"images {images}: holds statistics already; expected images")
    extractor = _extractor(source, source, features, weights, device)
    assert extractor is not None
    check_room(out, extractor)
    found = _reference(source, extractor, spatial=_has_spatial(extractor))
    write_statistics(out, source, found.features, extractor, resize)
    words = {"found_words": source.images.words()} if isinstance(source.images, ImageFolder) else {}
    return found.audit | words


@dataclass(frozen=True)
class Read:
    """What was found in the images of one side."""

    features: Features | None
    audit: dict[str, Any]
    classes: Classes


def _generated(
    source: Source, target: Source, extractor: Extractor | None, num_classes: int | None, *, spatial: bool
) -> Read:
    """The generated side: audited before the extractor sees NaN."""
    if source.images is None or extractor is None:
        return Read(None, {}, Classes(None, "unknown: statistics given"))
    told = extractor.kind.num_classes
    classes = find_classes(source, num_classes or told)
    size = None if target.images is None else (int(target.images.shape[2]), int(target.images.shape[3]))
    collected = source.images if isinstance(source.images, Collected) else None
    facts = facts_of(source.images) if collected is None else collected.facts
    own_size = tuple(int(side) for side in source.images.shape[2:])
    found = _passed(audit_facts(facts, own_size, classes.strata, image_size=size))
    if isinstance(source.images, np.ndarray) and source.images.dtype != np.uint8:
        raise UsageError(f"generated images are {source.images.dtype}; expected uint8 (N, 3, H, W)")
    features = _extract(extractor, source, spatial=spatial) if collected is None else collected.features
    if told is not None:
        classes = check_fit(classes, features.posteriors)
        found |= _passed(audit_classes(features.posteriors, classes.strata if classes.numbered else None))
    if target.name.startswith("digits-"):
        found["copies_share"] = copies_share(np.asarray(source.images[:]), digits.load("train")[0])
    return Read(features, found, classes)


def _reference(target: Source, extractor: Extractor | None, *, spatial: bool) -> Read:
    """The reference side: audited too, its features kept between runs."""
    nothing = Classes(None, "")
    if target.images is None or extractor is None:
        return Read(None, {}, nothing)
    from bench.features.reference_cache import reference_features

    found = audit(target.images, constant_allowed=REFERENCE_CONSTANT_ALLOWED)
    if found["failures"]:
        raise CheckFailed(f"the audit of the reference failed, so there is no score: {'; '.join(found['failures'])}")
    with _progress(target) as bar:
        features = reference_features(
            extractor, target.images, found["content_sha256"], bar.update if bar else lambda done: None, spatial=spatial
        )
    return Read(features, found, nothing)


def _side(source: Source, features: Features | None, strata: np.ndarray | None) -> Side:
    return Side(
        features,
        _pair(source.statistics),
        None if source.statistics is None else source.statistics.num_images,
        _pair(source.spatial),
        strata,
    )


def _has_spatial(extractor: Extractor | None) -> bool:
    return extractor is not None and extractor.has_spatial


def _check_made_alike(
    side: Source, role: str, source: Source, target: Source, extractor: Extractor | None, resize: Resize | None
) -> None:
    """UsageError where a file says that its statistics were made another way than the other side's features."""
    made = side.statistics
    other = target if side is source else source
    if made is None:
        return
    expected: dict[str, object] = {}
    if other.images is not None and extractor is not None:
        expected = {"extractor": extractor.name, "extractor_sha256": extractor.weights_sha256}
        expected |= {"resize": "none" if resize is None else resize.what}
        expected |= {"image_size": tuple(int(length) for length in other.images.shape[2:])}
    elif other.statistics is not None:
        expected = {key: getattr(other.statistics, key) for key in ("extractor", "extractor_sha256", "resize")}
        expected |= {"image_size": other.statistics.image_size}
    for key, value in expected.items():
        told = getattr(made, key)
        if told is not None and value is not None and told != value:
            raise UsageError(
                f"{role} {side.name}: its statistics were made with {key} {told}, the other side has {value}; "
                "expected the same"
            )


def _extractor(
    source: Source, target: Source, name: str | None, weights: Path | str | None, device: str
) -> Extractor | None:
    """The extractor that both sides need; None where both are statistics. UsageError where the sides cannot meet."""
    images = [side.images for side in (source, target) if side.images is not None]
    statistics = [side.statistics for side in (source, target) if side.statistics is not None]
    if not images or (source.images is None and target.statistics is not None):
        dimensions = [len(side.mu) for side in statistics]
        if len(set(dimensions)) > 1:
            raise UsageError(f"generated statistics have {dimensions[0]} dimensions, the reference's {dimensions[1]}")
        if name is not None or weights is not None:
            option = "--features" if name is not None else "--weights"
            raise UsageError(f"{option}: nothing is extracted where statistics are given: leave it out")
        return None
    from bench.features.extractors import Extractor

    if name is None:
        name = "digits" if images[0].shape[2:] == (digits.IMAGE_SIZE, digits.IMAGE_SIZE) else "inception"
    extractor = Extractor(name, weights, device)
    for side in statistics:
        if len(side.mu) != extractor.kind.num_features:
            raise UsageError(
                f"statistics of {len(side.mu)} dimensions; features {name!r} have {extractor.kind.num_features}"
            )
    return extractor


def _progress(source: Source) -> Any:
    from bench.console import progress

    num = 0 if source.images is None else len(source.images)
    return progress(f"features of {source.name}", num) if num > LONG else nullcontext()


def _extract(extractor: Extractor, source: Source, *, spatial: bool = False) -> Features:
    assert source.images is not None
    with _progress(source) as bar:
        return extractor(source.images, bar.update if bar else lambda done: None, spatial=spatial)


def _pair(statistics: reference_statistics.Statistics | None) -> Statistics | None:
    return None if statistics is None else (statistics.mu, statistics.sigma)


def _passed(found: dict[str, Any]) -> dict[str, Any]:
    if found["failures"]:
        raise CheckFailed(f"the audit failed, so there is no score: {'; '.join(found['failures'])}")
    return found


def _protocol(
    source: Source,
    target: Source,
    extractor: Extractor | None,
    seed: int,
    names: Sequence[str],
    ours: Read,
    theirs: Read,
    resize: Resize | None,
) -> dict[str, Any]:
    def side(which: Source) -> dict[str, Any]:
        described: dict[str, Any] = {
            "name": which.name,
            "num_images": None if which.images is None else len(which.images),
            "image_size": None if which.images is None else [int(n) for n in which.images.shape[2:]],
            "statistics": which.statistics is not None,
        }
        if isinstance(which.images, ImageFolder):
            described |= {"found": which.images.summary(), "found_words": which.images.words()}
        return described

    interval = f"95 %, generated images resampled {IMAGE_RESAMPLES} times, reference fixed, recentred percentile"
    if extractor is not None and extractor.kind.num_features > RESAMPLED_DIMENSIONS:
        interval += "; FID: to first order, by its influence function"
    counts = [0 if read.features is None else len(read.features.features) for read in (ours, theirs)]
    return {
        "generated": side(source),
        "reference": side(target),
        "features": None if extractor is None else extractor.name,
        "features_what": None if extractor is None else extractor.kind.what,
        "features_sha256": None if extractor is None else extractor.weights_sha256,
        "resize": None if resize is None else resize.what,
        "classes": ours.classes.how,
        "inception_score_splits": SPLITS,
        "kid_subset_size": subset_size(counts[0], counts[1]) if all(counts) else None,
        "precision_recall_neighbours": NEIGHBOURS,
        "interval": interval,
        "resampling_seed": seed,
        "metric_versions": {name: METRICS[name].version for name in names},
    }
