"""Two models that read the same scenes are compared scene by scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.analysis.seeds import errors_over_scenes, paired_over_scenes
from bench.claims import CLAIMS
from bench.evaluators.scene_examples import by_scene
from bench.records.parts import Samples
from bench.verdict.judge import judge, judge_side
from bench.verdict.scenes import fewer_errors, says_nothing
from tests.fake_scenes import answers, captions, step_set

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
    by_score = replace(CIDER.in_small, errors_of="")
    verdict = judge_side(CIDER, by_score, [ours, theirs])
    assert verdict.word == "holds in small"
    assert "CIDEr higher than ar-vlm-digits" in verdict.reason
    assert "95 % interval scene by scene" in verdict.reason
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((0.02, 0.02), abs=1e-5)
    unpaired = judge(CIDER, [captions(cider=6.0), captions("ar-vlm-digits", 5.98)])[1]
    assert "not told apart" in unpaired.reason


# -- errors beside the score -------------------------------------------------------------------------------------------

VQA, STEPS = (next(claim for claim in CLAIMS if claim.id == name) for name in ("d-dit-vqa", "d-dit-vqa-steps"))


def answered(num_wrong: int, model: str = "d-dit-digits"):
    """1,000 scenes of one answer each, the first so many wrong: whoever makes fewer errors makes them on the same."""
    values = np.where(np.arange(1000) < num_wrong, 0.0, 100.0)
    found = answers(model, float(values.mean()))
    exact = {name: replace(m, ci_low=m.value - 0.5, ci_high=m.value + 0.5) for name, m in found.measurements.items()}
    kept = Samples(scenes=by_scene(list(range(1000)), {"vqa_accuracy": values.tolist()}))
    return replace(found, measurements=exact, samples=kept)


@pytest.mark.parametrize(
    ("num_wrong", "word"), [(100, "holds in small"), (130, "inconclusive"), (200, "does not hold in small")]
)
def test_a_rival_may_make_1_3_times_the_errors_and_no_more(num_wrong, word):
    """Of 1,000 answers 100 are wrong, then 130 and 200: the score falls by 0, 3 and 11 %."""
    verdict = judge(VQA, [answered(num_wrong), answered(100, "ar-vlm-digits")])[1]
    assert verdict.word == word
    assert f"{num_wrong / 100:.2f} times the errors of ar-vlm-digits" in verdict.reason
    assert verdict.unit == "VQA accuracy"  # its number stays that of the printed metric


def test_near_the_top_five_times_the_errors_are_no_rival_though_the_score_is_within_the_margin():
    verdict = judge(VQA, [answered(25), answered(5, "ar-vlm-digits")])[1]
    assert "but not by more than the 5 % allowed" in verdict.reason
    assert verdict.word != "holds in small"


def test_the_ratio_of_errors_is_paired_and_unknown_where_a_resample_holds_none():
    """Errors on the same scenes, one model twice as many as the other: closed form n = 400 of 1,000, SE of ln ratio
    sqrt(1 / 200 - 1 / 400)."""
    found = errors_over_scenes("vqa_accuracy", 100.0, answered(400), answered(200))
    half = 1.96 * np.sqrt(1 / 200 - 1 / 400)
    assert found.value == pytest.approx(2)
    assert np.log([found.low, found.high]) == pytest.approx(np.log(2) + np.array([-half, half]), abs=0.02)
    assert errors_over_scenes("vqa_accuracy", 100.0, answered(3), answered(0)) is None
    assert not errors_over_scenes("vqa_accuracy", 100.0, answered(3), answered(1)).is_known


def test_as_many_errors_as_are_allowed_to_the_last_digit_are_inconclusive():
    """The ratio's interval ends where the allowance begins, or begins where it ends."""
    ours, theirs = answered(400), answered(200, "ar-vlm-digits")
    ratio = errors_over_scenes("vqa_accuracy", 100.0, ours, theirs)

    def judged(allowed: float):
        return fewer_errors(replace(VQA.in_small, errors_allowed=allowed), ours, theirs)

    for allowed, word, judgement in (
        (1.001 * ratio.high, "holds in small", "within"),
        (ratio.high, "inconclusive", "not sure whether within"),
        (2.0, "inconclusive", "not sure whether within"),
        (ratio.low, "inconclusive", "not sure whether within"),
        (0.999 * ratio.low, "does not hold in small", "beyond"),
    ):
        found = judged(allowed)
        assert (found.word, found.estimate) == (word, None)
        assert f"{judgement} the {allowed:g} times allowed." in found.text
    assert (
        "60.0 % against 80.0 %: 2.00 times the errors of ar-vlm-digits, 95 % interval scene by scene 1.8" in found.text
    )


def test_errors_that_were_not_measured_of_both_or_of_other_scenes_settle_nothing():
    side, ours, theirs = VQA.in_small, answered(400), answered(200, "ar-vlm-digits")
    assert fewer_errors(replace(side, errors_of=""), ours, theirs) is None
    for pair in ((replace(ours, measurements={}), theirs), (ours, replace(theirs, measurements={}))):
        assert "was not measured of both" in fewer_errors(side, *pair).text
    fewer = replace(theirs, protocol=replace(theirs.protocol, num_images=7))
    found = fewer_errors(side, ours, fewer)
    assert (found.word, "d-dit-digits and ar-vlm-digits differ in num_images" in found.text) == ("not comparable", True)
    for none in (answered(0, "ar-vlm-digits"), answered(1, "ar-vlm-digits")):
        found = fewer_errors(side, ours, none)
        assert (found.word, "the ratio of errors has no interval" in found.text) == ("inconclusive", True)


# -- a task that is too easy -------------------------------------------------------------------------------------------


def test_small_says_nothing_where_one_step_solves_the_task_as_well():
    records = step_set()
    control = next(r for r in records if r.protocol.collects == "answers" and r.settings["num_steps"] == 1)
    others = [record for record in records if record is not control]

    def scoring(value: float):
        interval = {"value": value, "ci_low": value - 0.5, "ci_high": value + 0.5}
        found = {**control.measurements, "vqa_accuracy": replace(control.measurements["vqa_accuracy"], **interval)}
        return replace(control, measurements=found)

    baseline = judge(STEPS, others)[1]
    verdict = judge(STEPS, [*others, scoring(99.0)])[1]
    assert verdict.word == "small says nothing"
    assert "(num_steps 1) already scores 99.0" in verdict.reason
    assert baseline.reason in verdict.reason
    assert judge(STEPS, [*others, scoring(10.0)])[1].word == baseline.word
    smoke = scoring(99.0)
    smoke = replace(smoke, protocol=replace(smoke.protocol, quick=True))
    assert says_nothing(STEPS.in_small, smoke, smoke) == ""


def test_a_control_that_failed_or_does_not_compare_or_lacks_the_score_says_nothing_of_the_task():
    control, baseline = answered(10), answered(10, "ar-vlm-digits")
    told = says_nothing(VQA.in_small, control, baseline)
    assert told.startswith("d-dit-digits already scores 99.0")
    smoke = replace(control.protocol, quick=True)
    other = replace(control.protocol, num_images=7)
    for changed in (
        replace(control, status="failed"),
        replace(control, protocol=smoke),
        replace(control, protocol=other),
        replace(control, measurements={}),
    ):
        assert says_nothing(VQA.in_small, changed, baseline) == ""
    assert says_nothing(VQA.in_small, control, replace(baseline, measurements={})) == ""
    assert says_nothing(VQA.in_small, answered(200), baseline) == ""  # 80 % against 99 %: it fails, as it should
