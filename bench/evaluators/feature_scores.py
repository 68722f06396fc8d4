"""Every score of two clouds of features, with its interval; pure numbers, no file and no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import CheckFailed
from bench.features.sqrtm_cache import reference_root
from bench.metrics import METRICS, kid, precision_recall
from bench.metrics.fid import (
    Statistics,
    check_agreement,
    compute_fid,
    compute_fid_clean,
    compute_fid_infinity,
    compute_statistics,
    fid_interval,
    frechet_distance,
)
from bench.metrics.inception_score import compute_inception_score, inception_score_interval
from bench.records.parts import Measurement
from bench.stats import Bounds, normal_interval

if TYPE_CHECKING:
    from bench.features.kinds import Features

NAMES = ("fid", "fid_clean", "kid", "inception_score", "precision", "recall")
ON_REQUEST = ("sfid", "fid_infinity")  # more work, or more than a reference usually holds
GIVEN = "needs images, statistics given"
NO_SPATIAL = "needs a reference with mu_s and sigma_s (ADM's), and images on the generated side"
NO_CLASSES = "these features tell no classes"


@dataclass(frozen=True)
class Side:
    """One of the two clouds that are compared: features of images, or their mean and covariance, or both.

    Where both are there the statistics give the FID (ADM's reference file: statistics of more images than it holds).
    """

    features: Features | None
    statistics: Statistics | None = None
    num_images: int | None = None  # that the statistics come from; None: unknown
    spatial: Statistics | None = None  # of spatial features
    strata: np.ndarray | None = None  # (N,) classes of the images, where so many of each were drawn

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

    def keep(self, name: str, value: float, bounds: Bounds | None, num: int | None) -> None:
        low, high = bounds or (None, None)
        self.measurements[name] = Measurement(value, METRICS[name].unit, low, high, num)


def compute_scores(
    generated: Side,
    reference: Side,
    *,
    strata: np.ndarray | None = None,
    seed: int = 0,
    names: Sequence[str] = NAMES,
) -> Scores:
    """Scores of generated features against reference features, those of `names`.

    strata: (N,) class labels of the generated images if they were drawn class-balanced; seed: of the resampling.
    Raises CheckFailed for NaN or infinite features; a FID whose three engines disagree is refused.
    """
    for whose, side in (("generated", generated), ("reference", reference)):
        if side.features is not None and not _all_finite(side.features.features):
            raise CheckFailed(f"the {whose} images have NaN or infinite features")
    if strata is not None:
        generated = replace(generated, strata=strata)
    scores = Scores({}, {}, {})
    if {"fid", "fid_clean", "fid_infinity"} & set(names):
        _score_fid(scores, generated, reference, names, seed)
    if "sfid" in names:
        _score_sfid(scores, generated, reference, seed)
    if "inception_score" in names:
        _score_inception(scores, generated, seed)
    if "kid" in names:
        _score_kid(scores, generated, reference, seed)
    if {"precision", "recall"} & set(names):
        _score_precision_recall(scores, generated, reference, names, seed)
    return scores


def _all_finite(features: np.ndarray) -> bool:
    return all(np.isfinite(part).all() for part in np.array_split(features, 1 + len(features) // 4096))


def _score_fid(scores: Scores, generated: Side, reference: Side, names: Sequence[str], seed: int) -> None:
    asked = [name for name in ("fid", "fid_clean") if name in names]
    try:
        sides = generated.fid_statistics("the generated images"), reference.fid_statistics("the reference images")
        root = reference_root(sides[1][1])
        fid, fid_clean = compute_fid(*sides), compute_fid_clean(*sides)
        check_agreement(fid, fid_clean)
        check_agreement(fid, frechet_distance(*sides[1], *sides[0], root), "the eigenvalues of L^T S L")
    except CheckFailed as error:
        scores.refused.update(dict.fromkeys(asked, str(error)))
        if "fid_infinity" in names:
            scores.not_run["fid_infinity"] = str(error)
        return
    bounds, num = None, generated.num_images
    ours = generated.features
    if ours is not None and generated.statistics is None:  # else the interval would be of other images than the value
        bounds = fid_interval(
            fid, ours.features, sides[1], root=root, seed=seed, strata=generated.strata, statistics=sides[0]
        )
        num = len(ours.features)
    for name in asked:
        scores.keep(name, {"fid": fid, "fid_clean": fid_clean}[name], bounds, num)
    if "fid_infinity" not in names:
        return
    if ours is None or generated.statistics is not None:
        scores.not_run["fid_infinity"] = GIVEN
        return
    try:
        value, error_of_fit = compute_fid_infinity(ours.features, sides[1], root=root, seed=seed)
    except CheckFailed as error:
        scores.not_run["fid_infinity"] = str(error)
        return
    # The images' own chance moves the whole line as it moves FID; the fit's comes on top.
    of_images = None if bounds is None else (bounds[1] - fid) / 1.96
    spread = None if of_images is None else float(np.hypot(of_images, error_of_fit))
    scores.keep("fid_infinity", value, normal_interval(value, spread), num)


def _score_sfid(scores: Scores, generated: Side, reference: Side, seed: int) -> None:
    spatial = None if generated.features is None else generated.features.spatial
    if reference.spatial is None or (spatial is None and generated.spatial is None):
        scores.not_run["sfid"] = NO_SPATIAL
        return
    try:
        ours = generated.spatial
        if ours is None:
            assert spatial is not None
            ours = compute_statistics(spatial, "the generated images")
        value = compute_fid(ours, reference.spatial)
        root = reference_root(reference.spatial[1])
        check_agreement(value, frechet_distance(*reference.spatial, *ours, root), "the eigenvalues of L^T S L")
    except CheckFailed as error:
        scores.refused["sfid"] = str(error).replace("FID", "sFID")
        return
    bounds, num = None, generated.num_images
    if generated.spatial is None and spatial is not None:
        bounds = fid_interval(
            value, spatial, reference.spatial, root=root, seed=seed, strata=generated.strata, statistics=ours
        )
        num = len(spatial)
    scores.keep("sfid", value, bounds, num)


def _score_inception(scores: Scores, generated: Side, seed: int) -> None:
    ours = generated.features
    if ours is None or not ours.posteriors.shape[1]:
        scores.not_run["inception_score"] = GIVEN if ours is None else NO_CLASSES
        return
    try:
        value = compute_inception_score(ours.posteriors)
    except CheckFailed as error:
        scores.refused["inception_score"] = str(error)
        return
    bounds = inception_score_interval(value, ours.posteriors, seed=seed, strata=generated.strata)
    scores.keep("inception_score", value, bounds, len(ours.features))


def _score_kid(scores: Scores, generated: Side, reference: Side, seed: int) -> None:
    if generated.features is None or reference.features is None:
        scores.not_run["kid"] = GIVEN
        return
    clouds = generated.features.features, reference.features.features
    try:
        subsets = kid.compute_subsets(*clouds)
    except CheckFailed as error:
        scores.refused["kid"] = str(error)
        return
    value = kid.compute_kid(*clouds, strata=generated.strata, reference_strata=reference.strata, subsets=subsets)
    bounds = kid.kid_interval(value, *clouds, seed=seed, strata=generated.strata, subsets=subsets)
    scores.keep("kid", value, bounds, len(clouds[0]))


def _score_precision_recall(scores: Scores, generated: Side, reference: Side, names: Sequence[str], seed: int) -> None:
    asked = [name for name in ("precision", "recall") if name in names]
    if generated.features is None or reference.features is None:
        scores.not_run.update(dict.fromkeys(asked, GIVEN))
        return
    try:
        clouds = precision_recall.meet(generated.features.features, reference.features.features)
    except CheckFailed as error:
        scores.refused.update(dict.fromkeys(asked, str(error)))
        return
    values = precision_recall.shares(clouds)
    both = precision_recall.precision_recall_intervals(values, clouds, seed=seed, strata=generated.strata)
    for name, value, bounds in zip(("precision", "recall"), values, both, strict=True):
        if name in asked:
            scores.keep(name, value, bounds, len(generated.features.features))


def compute_floor(
    held_out: Features, train: Features, count: int, *, seed: int = 0, labels: np.ndarray | None = None
) -> Scores:
    """The real-data floor: what real images that nobody trained on score against the training images.

    At the same count as the generated images: a smaller count scores a higher FID. held_out: in an order whose first
    images are class-balanced; the first `count` are taken, or all where there are fewer (the floor's `n` says so).
    labels: classes of the training images, where they are known.
    """
    chosen = replace(held_out, features=held_out.features[:count], posteriors=held_out.posteriors[:count])
    strata = np.arange(len(chosen.features)) % held_out.posteriors.shape[1]
    return compute_scores(Side(chosen), Side(train, strata=labels), strata=strata, seed=seed)
