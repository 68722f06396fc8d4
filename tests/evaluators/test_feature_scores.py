"""Scores of two small clouds of features: which metrics come out, of what, with which interval, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import CheckFailed
from bench.evaluators import feature_scores
from bench.evaluators.feature_scores import (
    GIVEN,
    NAMES,
    NO_CLASSES,
    NO_SPATIAL,
    Side,
    _all_finite,
    compute_floor,
    compute_scores,
)
from bench.features.extractors import Features
from bench.metrics.fid import compute_fid_infinity, compute_statistics, frechet_distance

DIMENSIONS, CLASSES = 3, 5
AXES = np.diag([1.0, 2.0, 3.0]) + 0.5  # correlated, and unlike in all directions


def cloud(num: int, shift: float = 0.0, seed: int = 0, classes: int = CLASSES) -> Features:
    generator = np.random.default_rng(seed)
    features = generator.normal(shift, 1, (num, DIMENSIONS)) @ AXES
    posteriors = generator.dirichlet(np.full(classes, 0.3), num) if classes else np.zeros((num, 0))
    return Features(features, posteriors)


OURS, THEIRS = cloud(120, 1.0), cloud(200, seed=1)
STATISTICS = compute_statistics(THEIRS.features)


def scored(generated: Side, reference: Side, *names: str, **changes):
    found = compute_scores(generated, reference, names=names, **changes)
    kept = [*found.measurements, *found.refused, *found.not_run]
    assert sorted(kept) == sorted(set(names)), "a metric that was asked for is in exactly one of the three"
    return found


@pytest.mark.parametrize("name", [*NAMES, "fid_infinity"])
def test_what_was_asked_for_is_scored_of_all_images_and_nothing_else(name):
    found = scored(Side(OURS), Side(THEIRS), name).measurements[name]
    assert (found.n, found.ci_low <= found.value <= found.ci_high) == (120, True)


def test_both_engines_give_one_fid_with_one_interval():
    found = scored(Side(OURS), Side(THEIRS), *NAMES).measurements
    expected = frechet_distance(*compute_statistics(OURS.features), *STATISTICS)
    assert found["fid"].value == pytest.approx(expected, rel=1e-6)
    assert replace(found["fid_clean"], value=0) == replace(found["fid"], value=0)
    turned = scored(Side(THEIRS), Side(OURS), "fid").measurements["fid"]
    assert (turned.value, turned.n) == (pytest.approx(expected, rel=1e-6), 200)


def test_the_interval_is_taken_of_the_generated_images_and_of_their_statistics(monkeypatch):
    """In many dimensions it follows from the statistics alone, which must be those of the images that are resampled."""
    asked = []

    def interval(fid, features, reference, **known):
        asked.append((features, reference, known["statistics"]))

    monkeypatch.setattr(feature_scores, "fid_interval", interval)
    found = scored(Side(OURS), Side(THEIRS), "fid").measurements["fid"]
    assert (found.ci_low, found.ci_high, found.n) == (None, None, 120)
    ((features, reference, statistics),) = asked
    assert features is OURS.features
    np.testing.assert_allclose(reference[1], STATISTICS[1])
    np.testing.assert_allclose(statistics[1], compute_statistics(OURS.features)[1])


def test_the_resampling_depends_on_its_seed_and_the_values_do_not():
    one, other = (scored(Side(OURS), Side(THEIRS), *NAMES, seed=seed).measurements for seed in (0, 1))
    for name in NAMES:
        assert one[name].value == other[name].value
        assert one[name].ci_low != other[name].ci_low, name
    assert scored(Side(OURS), Side(THEIRS), *NAMES).measurements == one


def test_classes_that_were_drawn_alike_narrow_the_intervals_whoever_tells_them():
    """Images of two far classes, as many of each: resampled within the classes, their mean hardly moves."""
    strata = np.arange(120) % 2
    apart = replace(OURS, features=OURS.features + 40.0 * strata[:, None])
    told = scored(Side(apart), Side(THEIRS), "fid", strata=strata).measurements["fid"]
    known = scored(Side(apart, strata=strata), Side(THEIRS), "fid").measurements["fid"]
    unknown = scored(Side(apart), Side(THEIRS), "fid").measurements["fid"]
    assert told == known
    assert told.ci_high - told.ci_low < 0.5 * (unknown.ci_high - unknown.ci_low)


# -- statistics in the place of images ---------------------------------------------------------------------------------


def test_statistics_of_the_reference_give_the_same_fid():
    of_images = scored(Side(OURS), Side(THEIRS), "fid").measurements["fid"]
    assert scored(Side(OURS), Side(None, STATISTICS), "fid").measurements["fid"] == of_images
    assert scored(Side(OURS), Side(OURS, STATISTICS), "fid").measurements["fid"] == of_images  # they win


@pytest.mark.parametrize("features", [None, OURS])
def test_statistics_of_the_generated_images_have_no_interval(features):
    """Nor has FID where images lie beside them: they may be of other images."""
    side = Side(features, STATISTICS, num_images=50_000)
    found = scored(side, Side(None, STATISTICS), "fid", "fid_clean", "fid_infinity")
    assert found.measurements["fid"].value == pytest.approx(0, abs=1e-6)
    for name in ("fid", "fid_clean"):
        kept = found.measurements[name]
        assert (kept.ci_low, kept.ci_high, kept.n) == (None, None, 50_000)
    assert found.not_run == {"fid_infinity": GIVEN}


def test_what_needs_images_is_not_run_of_statistics():
    found = scored(Side(None, STATISTICS), Side(THEIRS), "kid", "precision", "recall", "inception_score")
    assert found.not_run == dict.fromkeys(("kid", "precision", "recall", "inception_score"), GIVEN)
    found = scored(Side(OURS), Side(None, STATISTICS), "kid", "precision", "recall", "inception_score")
    assert found.not_run == dict.fromkeys(("kid", "precision", "recall"), GIVEN)
    assert list(found.measurements) == ["inception_score"]


def test_features_that_tell_no_classes_have_no_inception_score():
    found = scored(Side(cloud(120, classes=0)), Side(THEIRS), "inception_score")
    assert found.not_run == {"inception_score": NO_CLASSES}


# -- FID of infinitely many images -------------------------------------------------------------------------------------


def test_the_interval_of_fid_infinity_is_that_of_fid_and_the_fits_error_in_quadrature():
    found = scored(Side(OURS), Side(THEIRS), "fid", "fid_infinity", seed=3).measurements
    fid, infinite = found["fid"], found["fid_infinity"]
    value, error = compute_fid_infinity(OURS.features, STATISTICS, seed=3)
    assert infinite.value == pytest.approx(value, rel=1e-9)
    half = np.hypot(fid.ci_high - fid.value, 1.96 * error)
    assert (infinite.ci_low, infinite.ci_high) == pytest.approx((value - half, value + half), rel=1e-3)


def test_too_few_images_for_the_line_leave_fid_alone():
    found = scored(Side(cloud(11)), Side(THEIRS), "fid", "fid_infinity")
    assert list(found.measurements) == ["fid"]
    assert "needs at least 12 images for 3 features, got 11" in found.not_run["fid_infinity"]


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_fewer_images_than_features_are_refused_one_metric_after_the_other():
    few = cloud(1)
    names = ("fid", "fid_clean", "fid_infinity", "kid", "inception_score", "precision", "recall")
    found = scored(Side(few), Side(THEIRS), *names)
    assert found.measurements == {}
    assert set(found.refused) == set(NAMES)
    assert "FID needs at least 4 images for 3 features, the generated images are 1" in found.refused["fid"]
    assert found.not_run == {"fid_infinity": found.refused["fid"]}
    other = scored(Side(OURS), Side(few), "fid")
    assert "the reference images are 1" in other.refused["fid"]


def test_engines_that_disagree_refuse_their_fid(monkeypatch):
    monkeypatch.setattr(feature_scores, "compute_fid_clean", lambda *sides: 1e6)
    found = scored(Side(OURS), Side(THEIRS), "fid", "fid_clean", "kid")
    assert set(found.refused) == {"fid", "fid_clean"}
    monkeypatch.undo()
    monkeypatch.setattr(feature_scores, "frechet_distance", lambda *sides: 1e6)
    assert "L^T S L" in scored(Side(OURS), Side(THEIRS), "fid").refused["fid"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("whose", ["generated", "reference"])
def test_one_value_that_is_not_finite_refuses_all(value, whose):
    features = OURS.features.copy()
    features[-1, 1] = value
    sides = {"generated": Side(OURS), "reference": Side(THEIRS), whose: Side(replace(OURS, features=features))}
    with pytest.raises(CheckFailed, match=f"the {whose} images have NaN or infinite features"):
        compute_scores(*sides.values(), names=("kid",))


@pytest.mark.parametrize("num", [1, 4095, 4096, 10_000])
def test_every_block_of_features_is_looked_at(num):
    features = np.zeros((num, 2))
    assert _all_finite(features)
    for row in (0, num // 2, num - 1):
        features[row, 0] = np.nan
        assert not _all_finite(features)
        features[row, 0] = 0


# -- spatial features --------------------------------------------------------------------------------------------------


def test_sfid_is_of_spatial_features_on_both_sides_however_they_are_given():
    spatial, theirs = cloud(90, 2.0, seed=5).features, compute_statistics(cloud(150, seed=6).features)
    expected = frechet_distance(*compute_statistics(spatial), *theirs)
    reference = Side(THEIRS, spatial=theirs)
    found = scored(Side(replace(OURS, spatial=spatial)), reference, "sfid").measurements["sfid"]
    assert (found.value, found.n) == (pytest.approx(expected, rel=1e-6), 90)
    assert found.ci_low < found.value < found.ci_high
    given = Side(None, spatial=compute_statistics(spatial), num_images=50_000)
    known = scored(given, reference, "sfid").measurements["sfid"]
    assert (known.value, known.ci_low, known.n) == (pytest.approx(expected, rel=1e-6), None, 50_000)
    both = replace(given, features=replace(OURS, spatial=spatial))
    assert scored(both, reference, "sfid").measurements["sfid"] == known
    for lacking in (Side(OURS), Side(None, STATISTICS)):
        assert scored(lacking, reference, "sfid").not_run == {"sfid": NO_SPATIAL}
    assert scored(given, Side(THEIRS), "sfid").not_run == {"sfid": NO_SPATIAL}
    few = scored(Side(replace(OURS, spatial=spatial[:2])), reference, "sfid").refused["sfid"]
    assert few.startswith("sFID needs at least 4 images")


# -- the floor ---------------------------------------------------------------------------------------------------------


def test_the_floor_is_of_as_many_real_images_drawn_class_by_class():
    held_out, count = cloud(150, seed=8), 100
    first = replace(held_out, features=held_out.features[:count], posteriors=held_out.posteriors[:count])
    expected = compute_scores(Side(first), Side(THEIRS), strata=np.arange(count) % CLASSES, seed=4)
    assert compute_floor(held_out, THEIRS, count, seed=4) == expected
    assert {found.n for found in expected.measurements.values()} == {100}
    assert {found.n for found in compute_floor(held_out, THEIRS, 1000).measurements.values()} == {150}
