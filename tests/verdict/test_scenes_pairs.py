"""Two models that read the same scenes are compared scene by scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.seeds import paired_over_scenes
from bench.claims import CLAIMS
from bench.evaluators.scene_examples import by_scene
from bench.records.parts import Samples
from bench.verdict.judge import judge
from tests.fake_scenes import captions

CIDER = next(claim for claim in CLAIMS if claim.id == "d-dit-cider")
NUM = 400
HARDNESS = np.random.default_rng(1).normal(size=NUM)  # of each scene, alike for both models


def kept(values: np.ndarray, scene_of: np.ndarray | None = None, model: str = "d-dit-digits", **changes):
    scene_of = np.arange(len(values)) if scene_of is None else scene_of
    found = captions(model, float(values.mean()), **changes)
    return replace(found, samples=Samples(scenes=by_scene(scene_of.tolist(), {"cider": values.tolist()})))


def test_what_both_find_hard_does_not_widen_the_interval():
    """A constant gap has no spread however much the scenes differ; independent noise of 0.1 on each side gives
    1.96 x 0.1 x sqrt(2 / 400)."""
    gap = paired_over_scenes("cider", kept(5 + HARDNESS), kept(4.7 + HARDNESS))
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.3, 0.3, 0.3), abs=1e-5)
    noise = 0.1 * np.random.default_rng(2).normal(size=(2, NUM))
    gap = paired_over_scenes("cider", kept(5 + HARDNESS + noise[0]), kept(4.7 + HARDNESS + noise[1]))
    assert gap.low < gap.value < gap.high
    assert (gap.high - gap.low) / 2 == pytest.approx(1.96 * 0.1 * np.sqrt(2 / NUM), rel=0.15)


def test_texts_of_one_scene_count_as_one():
    """Ten texts of a scene that are right or wrong together say no more than one; the mean is over texts."""
    once = paired_over_scenes("cider", kept(HARDNESS), kept(np.zeros(NUM)))
    scene_of = np.repeat(np.arange(NUM), 10)
    tenfold = paired_over_scenes("cider", kept(HARDNESS[scene_of], scene_of), kept(np.zeros(10 * NUM), scene_of))
    assert vars(tenfold) == pytest.approx(vars(once), abs=1e-5)
    uneven = paired_over_scenes(
        "cider", kept(np.array([1.0, 1, 1, 5]), np.array([0, 0, 0, 1])), kept(np.zeros(4), np.array([0, 0, 0, 1]))
    )
    assert uneven.value == 2


def test_scenes_that_all_agree_bound_what_may_differ():
    """Of 400 scenes without a difference: were 0.92 % of them to differ, one would show with 97.5 %. Of a score without
    an upper end nothing is known, nor of five scenes."""

    def same(metric: str, num: int):
        right = captions("d-dit-digits", 100.0)
        return replace(right, samples=Samples(scenes=by_scene(list(range(num)), {metric: [100.0] * num})))

    gap = paired_over_scenes("vqa_accuracy", same("vqa_accuracy", 400), same("vqa_accuracy", 400))
    assert (1 - gap.high / 100) ** 400 == pytest.approx(0.025)
    assert (gap.value, gap.low) == (0, -gap.high)
    for metric, num in (("cider", 400), ("vqa_accuracy", 5)):
        assert not paired_over_scenes(metric, same(metric, num), same(metric, num)).is_known


def test_other_scenes_or_another_metric_are_not_paired():
    assert paired_over_scenes("cider", kept(HARDNESS), kept(HARDNESS[:-1])) is None
    assert paired_over_scenes("cider", kept(HARDNESS), captions()) is None
    assert paired_over_scenes("bleu4", kept(HARDNESS), kept(HARDNESS)) is None


def test_the_verdict_says_that_it_is_paired():
    """A gap of 0.02 that the intervals of the two scores, half a unit wide, would never show."""
    ours, theirs = kept(6 + HARDNESS), kept(5.98 + HARDNESS, model="ar-vlm-digits")
    verdict = judge(CIDER, [ours, theirs])[1]
    assert verdict.word == "holds in small"
    assert "CIDEr higher than ar-vlm-digits" in verdict.reason
    assert "95 % interval scene by scene" in verdict.reason
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((0.02, 0.02), abs=1e-5)
    unpaired = judge(CIDER, [captions(cider=6.0), captions("ar-vlm-digits", 5.98)])[1]
    assert "not told apart" in unpaired.reason
