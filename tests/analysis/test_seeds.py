"""Records over seeds and scenes: which are taken together, and numbers by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.analysis import seeds as analysis
from bench.records.parts import Measurement, Samples, SceneScores
from bench.records.schema import Comparison
from tests.fake_records import latency, record

SIDE = Comparison("direction", "fid", "transdiff-mrar-digits", ("transdiff-digits",), protocol="digits-quality")
SUBJECT, BASELINE = "transdiff-mrar-digits", "transdiff-digits"


def made(model=SUBJECT, training_seed=0, seed=0, fid=1.0, **changes):
    found = record(model, "digits-study", **{"measurements": {"fid": Measurement(fid, "")}, **changes})
    return replace(found, protocol=replace(found.protocol, training_seed=training_seed, seed=seed))


def with_protocol(found, **changes):
    return replace(found, protocol=replace(found.protocol, **changes))


def with_weights(found, weights, minute=0):
    return replace(
        found,
        inputs=replace(found.inputs, weights_sha256=weights),
        created_utc=f"2026-01-01T00:{minute:02d}:00+00:00",
    )


# -- which are taken ---------------------------------------------------------------------------------------------------


def test_settings_agree_where_both_have_them():
    agree = analysis.settings_agree
    assert agree({"a": 1, "b": 2}, {"b": 2, "c": 3})
    assert agree({"a": 1}, {"c": 3})
    assert not agree({"a": 1, "b": 2}, {"a": 1, "b": 3})


def test_a_model_s_study_is_what_went_well_at_its_settings():
    here = made(training_seed=1, seed=2)
    others = [
        made(BASELINE, 1, 3),
        replace(made(training_seed=1, seed=4), status="failed"),
        replace(made(training_seed=1, seed=5), settings={"num_steps": 9}),
        with_protocol(made(training_seed=1, seed=6), name="digits-quality"),
    ]
    assert analysis.at_seeds(SUBJECT, here.settings, [*others, here]) == {(1, 2): here}


def test_of_two_networks_of_a_seed_the_one_with_more_samplings_is_kept_or_the_later_one():
    """By the time of a network's last record, whichever came first."""
    old = [with_weights(made(training_seed=1, seed=0), "old", 1), with_weights(made(training_seed=1, seed=1), "old", 9)]
    new = [with_weights(made(training_seed=1, seed=0), "new", 5), with_weights(made(training_seed=1, seed=2), "new", 6)]
    assert list(analysis.of_one_network([*new, *old])) == [(1, 0), (1, 1)]  # as many, and its last is the last
    assert list(analysis.of_one_network([*new, old[0]])) == [(1, 0), (1, 2)]
    assert list(analysis.of_one_network([new[0], *old])) == [(1, 0), (1, 1)]
    again = with_weights(made(training_seed=1, seed=0, fid=3.0), "old", 7)
    assert analysis.of_one_network([again, *old])[1, 0] is again  # of one network and its seeds the later record
    several = [made(training_seed=t, seed=s) for t, s in ((2, 1), (0, 3), (2, 0), (0, 1))]
    assert list(analysis.of_one_network(several)) == [(0, 1), (0, 3), (2, 0), (2, 1)]


def test_pairs_are_of_seeds_that_both_have_and_of_records_that_may_be_compared():
    ours, theirs = [made(training_seed=t) for t in range(5)], [made(BASELINE, t) for t in range(1, 6)]
    theirs[1] = with_protocol(theirs[1], dtype="bfloat16")  # training seed 2: not comparable
    theirs[2] = replace(theirs[2], measurements={})  # 3
    found = analysis.seed_records(SIDE, ours[0], theirs[0], [*ours, *theirs])
    assert found == {(1, 0): (ours[1], theirs[0]), (4, 0): (ours[4], theirs[3])}


def test_two_training_seeds_are_a_sample_and_speeds_have_none():
    ours, theirs = ([made(model, t, s) for t in (0, 1) for s in (0, 1)] for model in (SUBJECT, BASELINE))
    assert len(analysis.seed_records(SIDE, ours[0], theirs[0], [*ours, *theirs])) == 4
    assert analysis.seed_records(SIDE, ours[0], theirs[0], [*ours[:2], *theirs]) is None
    fast = replace(SIDE, metric="throughput_per_s")
    rate = {"throughput_per_s": Measurement(2.0, "")}
    timed = [replace(found, measurements=rate) for found in (*ours, *theirs)]
    assert analysis.seed_records(fast, timed[0], timed[4], timed) is None


def test_a_difference_is_the_first_s_less_the_second_s_and_known_where_one_run_was_sampled_twice():
    gaps = {(0, 0): (3.0, 1.0), (0, 1): (4.0, 1.5), (1, 0): (2.0, 1.0)}
    pairs = {place: (made(fid=a), made(BASELINE, fid=b)) for place, (a, b) in gaps.items()}
    found = analysis.paired_difference("fid", pairs)
    assert found.value == pytest.approx((2.25 + 1.0) / 2)
    assert found.is_known
    once = {place: pairs[place] for place in ((0, 0), (1, 0))}
    found = analysis.paired_difference("fid", once)
    assert (found.value, found.is_known) == (1.5, False)


VALUES = {(1, 0): 4.0, (0, 1): 3.0, (0, 0): 1.0, (1, 5): 8.0}


def test_means_of_training_seeds_are_over_their_samplings():
    assert analysis.by_training_seed(VALUES) == {0: [1.0, 3.0], 1: [4.0, 8.0]}
    assert analysis.seed_means(VALUES) == {0: 2.0, 1: 6.0}
    assert analysis.mean_over_training_seeds(VALUES).value == 4
    between, within = analysis.spreads_of(VALUES)
    assert within == pytest.approx(math.sqrt((2 + 8) / 2))
    assert between == pytest.approx(math.sqrt(8 - 5 / 2))


def test_seeds_in_words():
    words = analysis.seeds_words
    assert words([(0, 0)]) == "1 training seed with 1 sampling seed each"
    assert words(VALUES) == "2 training seeds with 2 sampling seeds each"
    assert words([*VALUES, (3, 0)]) == "3 training seeds with 2, 2 and 1 sampling seeds"


def image(num_images, training_seed=0, weights="w", **changes):
    settings = {"num_steps": 9, "num_images": num_images}
    return with_weights(made(training_seed=training_seed, **{"settings": settings, **changes}), weights)


def test_images_are_paired_where_all_but_their_place_is_alike():
    later, earlier = image(4), image(3)
    assert analysis.image_pairs([earlier, later], 4, 3, "fid") == {(0, 0): (later, earlier)}
    for odd in (
        image(2),
        image(3, training_seed=1),
        image(3, weights="other"),
        image(3, settings={"num_steps": 8, "num_images": 3}),
        image(3, measurements={}),
        replace(image(3), model=BASELINE),
        with_protocol(image(3), dtype="bfloat16"),
    ):
        assert analysis.image_pairs([odd, later], 4, 3, "fid") == {}
    assert analysis.image_pairs([replace(later, measurements={}), earlier], 4, 3, "fid") == {}
    again = with_weights(replace(later, file="again"), "w", 5)
    found = analysis.image_pairs([later, again, earlier], 4, 3, "fid")
    assert found == {(0, 0): (again, earlier)}  # of one network the later record, by itself


# -- scenes ------------------------------------------------------------------------------------------------------------


def scenes(totals, num=None, metric="vqa_accuracy", first=0):
    num = [1] * len(totals) if num is None else num
    rows = [
        SceneScores(scene=first + place, num=count, totals={metric: float(total)})
        for place, (count, total) in enumerate(zip(num, totals, strict=True))
    ]
    return replace(record("d-dit-digits", "scenes-answers"), samples=Samples(scenes=tuple(rows)))


def resampled(of, num):
    """Percentiles of what `of` gives for 2,000 draws of scenes, by a plain loop."""
    draws = np.random.default_rng(0).integers(0, num, (2000, num))
    return np.percentile([of(draw) for draw in draws], [2.5, 97.5])


def test_gaps_and_error_ratios_are_of_sums_over_the_scenes_drawn():
    rng = np.random.default_rng(1)
    num = rng.integers(1, 5, 12)
    ours, theirs = num * rng.uniform(20, 90, 12), num * rng.uniform(20, 90, 12)
    a, b = scenes(ours, num), scenes(theirs, num)
    found = analysis.paired_over_scenes("vqa_accuracy", a, b)
    assert found.value == pytest.approx((ours.sum() - theirs.sum()) / num.sum())
    expected = resampled(lambda draw: (ours - theirs)[draw].sum() / num[draw].sum(), 12)
    assert [found.low, found.high] == pytest.approx(expected)
    found = analysis.errors_over_scenes("vqa_accuracy", 100.0, a, b)
    mine, other = 100 * num - ours, 100 * num - theirs
    assert found.value == pytest.approx(mine.sum() / other.sum())
    expected = resampled(lambda draw: mine[draw].sum() / other[draw].sum(), 12)
    assert [found.low, found.high] == pytest.approx(expected)


def test_the_gap_over_scenes_covers():
    """Forty scenes of one or two texts, both models wrong on the hard ones: 95 of 100 intervals hold the true gap."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(200):
        num, hardness = rng.integers(1, 3, 40), rng.normal(0, 20, 40)
        a, b = (scenes(num * (50 + gap + hardness + rng.normal(0, 5, 40)), num) for gap in (3, 0))
        gap = analysis.paired_over_scenes("vqa_accuracy", a, b)
        held += gap.low <= 3 <= gap.high
    assert 0.89 < held / 200 < 0.99  # 200 redraws know the share to 1.5 %


def test_six_scenes_tell_an_interval_and_five_do_not():
    ours, theirs = np.array([10.0, 20, 30, 40, 50, 60]), np.array([15.0, 10, 30, 20, 50, 70])
    for num, known in ((6, True), (5, False)):
        a, b = scenes(ours[:num]), scenes(theirs[:num])
        gap = analysis.paired_over_scenes("vqa_accuracy", a, b)
        errors = analysis.errors_over_scenes("vqa_accuracy", 100.0, a, b)
        assert (gap.is_known, errors.is_known) == (known, known)
        assert gap.value == pytest.approx((ours - theirs)[:num].mean())
        assert errors.value == pytest.approx((100 - ours[:num]).sum() / (100 - theirs[:num]).sum())


def test_scenes_that_differ_all_alike_tell_no_spread():
    """By the text: 10 of a scene of one text and 20 of one of two are alike; a gap of 0.5 is a gap."""
    num = [1, 2, 1, 2, 1, 2]
    gap = analysis.paired_over_scenes("vqa_accuracy", scenes([20, 40] * 3, num), scenes([10, 20] * 3, num))
    assert (gap.value, gap.is_known) == (10, False)
    gap = analysis.paired_over_scenes("vqa_accuracy", scenes([1.0, 1.5] * 3), scenes([1.0] * 6))
    assert gap.is_known
    assert gap.value == 0.25


def test_scenes_without_a_difference_bound_it_in_per_cent_alone():
    same = [100.0, 50.0] * 5
    gap = analysis.paired_over_scenes("vqa_accuracy", scenes(same), scenes(same))
    reach = 100 * (1 - 0.025 ** (1 / 10))
    assert (gap.value, gap.low, gap.high) == (0, pytest.approx(-reach), pytest.approx(reach))
    gap = analysis.paired_over_scenes("cider", scenes(same, metric="cider"), scenes(same, metric="cider"))
    assert (gap.value, gap.is_known) == (0, False)
    some = [100.0, 50.0] * 4 + [100.0, 0.0]  # one scene differs
    gap = analysis.paired_over_scenes("vqa_accuracy", scenes(same), scenes(some))
    assert (gap.value, gap.low) == (5, 0)
    assert gap.high < 25


def test_a_ratio_of_errors_needs_errors_of_the_other_in_every_draw():
    """Errors of a hundredth are errors; none in all is no ratio, and none in one draw no interval."""
    ours = scenes([90.0] * 8)
    few = analysis.errors_over_scenes("vqa_accuracy", 100.0, ours, scenes([99.99] * 8))
    assert few.value == pytest.approx(1000, rel=1e-6)
    assert (few.low, few.high) == pytest.approx((1000, 1000), rel=1e-6)
    assert analysis.errors_over_scenes("vqa_accuracy", 100.0, ours, scenes([100.0] * 8)) is None
    rare = analysis.errors_over_scenes("vqa_accuracy", 100.0, ours, scenes([100.0] * 7 + [0.0]))
    assert (rare.value, rare.is_known) == (pytest.approx(0.8), False)


def test_only_the_same_scenes_with_as_many_texts_and_the_metric_are_paired():
    a = scenes([1.0] * 7)
    for b in (
        scenes([1.0] * 6),
        scenes([1.0] * 7, first=1),
        scenes([1.0] * 7, [2] * 7),
        scenes([1.0] * 7, metric="cider"),
        scenes([]),
    ):
        for one, other in ((a, b), (b, a)):
            assert analysis.paired_over_scenes("vqa_accuracy", one, other) is None
            assert analysis.errors_over_scenes("vqa_accuracy", 100.0, one, other) is None
    assert analysis.paired_over_scenes("vqa_accuracy", scenes([]), scenes([])) is None
    num, ours, theirs = analysis.totals_by_scene("vqa_accuracy", a, scenes([2.0] * 7))
    assert (num.tolist(), ours.tolist(), theirs.tolist()) == ([1.0] * 7, [1.0] * 7, [2.0] * 7)


def test_timings_are_no_records_of_a_study():
    assert analysis.at_seeds("dit-digits", {}, [latency("dit-digits", 0.1)]) == {}
