"""`python -m bench score images GENERATED --reference REF`: audit the images, extract features, compute every score.

FID, KID, Inception Score, precision and recall by torch-fidelity's own functions on our features, FID once more by
clean-fid; 95 % intervals over the generated images; beside them, at digits scale, the real-data floor.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.datasets import Source, digits, open_images
from bench.errors import CheckFailed, UsageError
from bench.features.sqrtm_cache import reference_root
from bench.metrics import METRICS
from bench.metrics.audit import audit, audit_classes, copies_share
from bench.metrics.fid import (
    RESAMPLED_DIMENSIONS,
    Statistics,
    check_agreement,
    compute_fid,
    compute_fid_clean,
    compute_statistics,
    fid_interval,
    frechet_distance,
)
from bench.metrics.inception_score import SPLITS, compute_inception_score, inception_score_interval
from bench.metrics.kid import SUBSET_SIZE, compute_kid, kid_interval
from bench.metrics.precision_recall import NEIGHBOURS, compute_precision_recall, precision_recall_intervals
from bench.records.parts import Measurement
from bench.stats import IMAGE_RESAMPLES, Bounds

if TYPE_CHECKING:
    from bench.features.extractors import Extractor, Features


NAMES = ("fid", "fid_clean", "kid", "inception_score", "precision", "recall")
GIVEN = "needs images, statistics given"
LONG = 2000  # images; with more, extraction shows its progress


@dataclass(frozen=True)
class Side:
    """One of the two clouds that are compared: features of images, or their mean and covariance, or both.

    Where both are there the statistics give the FID (ADM's reference file: statistics of more images than it holds).
    """

    features: Features | None
    statistics: Statistics | None = None

    def fid_statistics(self, whose: str) -> Statistics:
        if self.statistics is not None:
            return self.statistics
        assert self.features is not None, "a side is never empty"
        return compute_statistics(self.features.features, whose)


@dataclass(frozen=True)
class Scores:
    """What came out, by metric name. A metric is in exactly one of the three."""

    measurements: dict[str, Measurement]
    refused: dict[str, str]  # why the number would mean nothing; the call fails
    not_run: dict[str, str]  # what is missing; the call does not fail


def compute_scores(generated: Side, reference: Side, *, strata: np.ndarray | None = None, seed: int = 0) -> Scores:
    """Every score of generated features against reference features.

    strata: (N,) class labels of the generated images if they were drawn class-balanced; seed: of the resampling.
    Raises CheckFailed for NaN or infinite features; a FID whose three engines disagree is refused.
    """
    for whose, side in (("generated", generated), ("reference", reference)):
        if side.features is not None and not np.isfinite(side.features.features).all():
            raise CheckFailed(f"the {whose} images have NaN or infinite features")
    ours, theirs = generated.features, reference.features
    scores = Scores({}, {}, {})
    num = None if ours is None else len(ours.features)

    def keep(name: str, value: float, bounds: Bounds | None) -> None:
        low, high = bounds or (None, None)
        scores.measurements[name] = Measurement(value, METRICS[name].unit, low, high, num)

    try:
        sides = generated.fid_statistics("the generated images"), reference.fid_statistics("the reference images")
        fid, fid_clean, root = compute_fid(*sides), compute_fid_clean(*sides), reference_root(sides[1][1])
        check_agreement(fid, fid_clean)
        check_agreement(fid, frechet_distance(*sides[1], *sides[0], root), "the eigenvalues of L^T S L")
    except CheckFailed as error:
        scores.refused.update(fid=str(error), fid_clean=str(error))
    else:
        bounds = None
        if ours is not None:
            bounds = fid_interval(fid, ours.features, sides[1], root=root, seed=seed, strata=strata)
        keep("fid", fid, bounds)
        keep("fid_clean", fid_clean, bounds)

    if ours is None:
        scores.not_run["inception_score"] = GIVEN
    else:
        try:
            value = compute_inception_score(ours.posteriors)
            keep("inception_score", value, inception_score_interval(value, ours.posteriors, seed=seed, strata=strata))
        except CheckFailed as error:
            scores.refused["inception_score"] = str(error)

    if ours is None or theirs is None:
        scores.not_run.update(dict.fromkeys(("kid", "precision", "recall"), GIVEN))
        return scores
    clouds = ours.features, theirs.features
    try:
        value = compute_kid(*clouds)
        keep("kid", value, kid_interval(value, *clouds, seed=seed, strata=strata))
    except CheckFailed as error:
        scores.refused["kid"] = str(error)
    try:
        values = compute_precision_recall(*clouds)
        both = precision_recall_intervals(values, *clouds, seed=seed, strata=strata)
        keep("precision", values[0], both[0])
        keep("recall", values[1], both[1])
    except CheckFailed as error:
        scores.refused.update(precision=str(error), recall=str(error))
    return scores


def compute_floor(held_out: Features, train: Features, count: int, *, seed: int = 0) -> Scores:
    """The real-data floor: what real images that nobody trained on score against the training images.

    At the same count as the generated images: a smaller count scores a higher FID. held_out: in an order whose first
    images are class-balanced; the first `count` are taken, or all where there are fewer (the floor's `n` says so).
    """
    chosen = replace(held_out, features=held_out.features[:count], posteriors=held_out.posteriors[:count])
    strata = np.arange(len(chosen.features)) % held_out.posteriors.shape[1]
    return compute_scores(Side(chosen), Side(train), strata=strata, seed=seed)


def score_images(
    generated: str | Path | np.ndarray,
    reference: str | Path,
    *,
    features: str | None = None,
    weights: Path | str | None = None,
    device: str = "cpu",
    seed: int = 0,
    floor: bool = True,
) -> dict[str, Any]:
    """Audit and score images. Keys of the answer, ready for JSON:

    metrics, floor: {name: {value, unit, ci_low, ci_high, n}}    refused, not_run: {name: reason}
    audit: see metrics/audit.py    protocol: how it was measured    environment: the machine and its versions

    generated: a data set's name, a folder, an .npz, or an array uint8 (N, 3, H, W); image i is taken to be of class
    i mod num_classes. features: a name in features.EXTRACTORS; None: "digits" for 8x8 images, else "inception".
    Raises UsageError for a wrong call; CheckFailed where the audit fails, values are NaN or weights are missing.
    """
    from bench.records import environment

    if isinstance(generated, np.ndarray):
        source = Source("array", generated, None)
    else:
        source = open_images(generated, "generated")
    target = open_images(reference, "reference")
    extractor = _extractor(source, target, features, weights, device)
    found: dict[str, Any] = {}
    ours = theirs = strata = None
    if source.images is not None and extractor is not None:
        size = None if target.images is None else (int(target.images.shape[2]), int(target.images.shape[3]))
        num_classes = extractor.kind.num_classes
        strata = None if num_classes is None else np.arange(len(source.images)) % num_classes
        found = _passed(audit(source.images, strata, image_size=size))  # before the extractor sees NaN
        if isinstance(generated, np.ndarray) and generated.dtype != np.uint8:
            raise UsageError(f"generated images are {generated.dtype}; expected uint8 (N, 3, H, W)")
        ours = _extract(extractor, source)
        if num_classes is not None:
            found |= _passed(audit_classes(ours.posteriors, strata))
        if target.name.startswith("digits-"):
            found["copies_share"] = copies_share(np.asarray(source.images[:]), digits.load("train")[0])
    if target.images is not None and extractor is not None:
        theirs = _extract(extractor, target)
    sides = Side(ours, _statistics(source)), Side(theirs, _statistics(target))
    scores = compute_scores(*sides, strata=strata, seed=seed)

    floor_scores = Scores({}, {}, {})
    if floor and target.name == "digits-train" and ours is not None and theirs is not None and extractor is not None:
        held_out = _extract(extractor, open_images("digits-heldout"))
        floor_scores = compute_floor(held_out, theirs, len(ours.features), seed=seed)
    return {
        "metrics": {name: asdict(scores.measurements[name]) for name in NAMES if name in scores.measurements},
        "floor": {name: asdict(m) for name, m in floor_scores.measurements.items()},
        "refused": scores.refused,
        "not_run": scores.not_run,
        "audit": found,
        "protocol": _protocol(source, target, extractor, seed),
        "environment": environment.describe(device),
    }


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


def _extract(extractor: Extractor, source: Source) -> Features:
    from bench.console import progress

    assert source.images is not None
    num = len(source.images)
    with progress(f"features of {source.name}", num) if num > LONG else nullcontext() as bar:
        return extractor(source.images, bar.update if bar else lambda done: None)


def _statistics(source: Source) -> Statistics | None:
    return None if source.statistics is None else (source.statistics.mu, source.statistics.sigma)


def _passed(found: dict[str, Any]) -> dict[str, Any]:
    if found["failures"]:
        raise CheckFailed(f"the audit failed, so there is no score: {'; '.join(found['failures'])}")
    return found


def _protocol(source: Source, target: Source, extractor: Extractor | None, seed: int) -> dict[str, Any]:
    def side(which: Source) -> dict[str, Any]:
        return {
            "name": which.name,
            "num_images": None if which.images is None else len(which.images),
            "image_size": None if which.images is None else [int(n) for n in which.images.shape[2:]],
            "statistics": which.statistics is not None,
        }

    interval = f"95 %, generated images resampled {IMAGE_RESAMPLES} times, reference fixed, recentred percentile"
    if extractor is not None and extractor.kind.num_features > RESAMPLED_DIMENSIONS:
        interval += "; FID: to first order, by its influence function"
    return {
        "generated": side(source),
        "reference": side(target),
        "features": None if extractor is None else extractor.name,
        "features_what": None if extractor is None else extractor.kind.what,
        "features_sha256": None if extractor is None else extractor.weights_sha256,
        "inception_score_splits": SPLITS,
        "kid_subset_size": SUBSET_SIZE,
        "precision_recall_neighbours": NEIGHBOURS,
        "interval": interval,
        "resampling_seed": seed,
        "metric_versions": {name: METRICS[name].version for name in NAMES},
    }
