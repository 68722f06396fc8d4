"""Verdicts over training seeds: the paired difference takes the place of one run's interval where there are seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.analysis.seeds import paired_difference, seed_records
from bench.claims import CLAIMS
from bench.verdict.judge import judge_side
from bench.verdict.seeds import judge_later_images, over_training_seeds
from tests.fake_records import measured, quality, record

MRAR = next(claim for claim in CLAIMS if claim.id == "mrar-fid")
NAMES = ("transdiff-mrar-digits", "transdiff-digits")


def at_seed(model, fid, training_seed, seed, **changes):
    made = record(model, "digits-study", measurements={"fid": measured(fid, 0.05)}, **changes)
    seeds = {"training_seed": training_seed, "seed": seed}
    name = f"seed{training_seed}-{seed}"
    return replace(made, protocol=replace(made.protocol, **seeds), file=made.file.replace("digits-study", name))


def study(ours, theirs):
    """Records of both models: FIDs as (training seeds, sampling seeds)."""
    return [
        at_seed(model, fid, t, s)
        for model, fids in zip(NAMES, (ours, theirs), strict=True)
        for t, row in enumerate(fids)
        for s, fid in enumerate(row)
    ]


def singles():
    """One run each, whose own intervals would say that MRAR is the better by far."""
    return [quality(NAMES[0], 1.0, spread=0.01), quality(NAMES[1], 2.0, spread=0.01)]


def test_the_interval_is_students_over_the_means_of_the_training_seeds():
    ours = np.array([[0.20, 0.21], [0.31, 0.30], [0.18, 0.19]])
    theirs = np.array([[0.30, 0.31], [0.33, 0.32], [0.30, 0.31]])
    one, other = singles()
    pairs = seed_records(MRAR.in_small, one, other, study(ours, theirs))
    found = paired_difference("fid", pairs)
    expected = stats.ttest_1samp((ours - theirs).mean(1), 0).confidence_interval(0.95)
    assert found.value == pytest.approx((ours - theirs).mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_training_seeds_overrule_the_interval_of_one_run():
    scattered = study([[0.2, 0.2], [0.9, 0.9], [0.4, 0.4]], [[0.5, 0.5], [0.4, 0.4], [0.5, 0.5]])
    verdict = judge_side(MRAR, MRAR.in_small, [*singles(), *scattered])
    assert verdict.word == "inconclusive"
    assert "3 training seeds" in verdict.reason
    assert set(verdict.records) == {r.file for r in [*singles(), *scattered]}


@pytest.mark.parametrize(("gap", "word"), [(-0.1, "holds in small"), (0.1, "does not hold in small")])
def test_a_gap_of_every_training_seed_is_a_verdict(gap, word):
    base = np.array([[0.5, 0.52], [0.4, 0.41], [0.6, 0.58]])
    jitter = np.array([[0.002, -0.001], [0.0, 0.001], [-0.002, 0.0]])
    verdict = judge_side(MRAR, MRAR.in_small, [*singles(), *study(base + gap + jitter, base)])
    assert verdict.word == word
    assert verdict.value == pytest.approx(gap, abs=0.002)


def test_one_training_seed_is_no_sample_of_training_runs():
    verdict = judge_side(MRAR, MRAR.in_small, [*singles(), *study([[5.0, 5.0]], [[0.1, 0.1]])])
    assert verdict.word == "holds in small"  # by the single runs, as without the study
    assert "training seeds" not in verdict.reason


def test_only_runs_at_the_settings_of_the_comparison_are_paired():
    base = [[0.5, 0.5], [0.4, 0.4], [0.6, 0.6]]
    others = [replace(r, settings={**r.settings, "num_steps": 5}) for r in study(base, base)]
    verdict = judge_side(MRAR, MRAR.in_small, [*singles(), *others])
    assert "training seeds" not in verdict.reason


def test_three_training_runs_sampled_once_each_are_not_judged():
    """FIDs that agree to 0.001 by chance would tell 0.02 apart by Student's t, whatever another sampling gives."""
    once = study([[0.200], [0.201], [0.199]], [[0.220], [0.221], [0.220]])
    verdict = judge_side(MRAR, MRAR.in_small, [*singles(), *once])
    assert verdict.word == "inconclusive"
    assert "3 training seeds with 1 sampling seed each): another sampling could say otherwise" in verdict.reason
    assert verdict.ci_low is None


def test_training_seeds_that_agree_to_the_last_digit_show_no_spread():
    """A gap of no width would be sure of the next training run: unknown, and told apart from nothing."""
    verdict = judge_side(
        MRAR, MRAR.in_small, [*singles(), *study([[0.25, 0.25], [0.25, 0.25]], [[0.5, 0.5], [0.5, 0.5]])]
    )
    assert verdict.word == "inconclusive"
    assert (verdict.value, verdict.ci_low, verdict.ci_high) == (None, None, None)


def pairs_of(ours, theirs):
    """Pairs of records by seeds, of FIDs as (training seeds, sampling seeds)."""
    return {
        (t, s): tuple(at_seed(model, fids[t][s], t, s) for model, fids in zip(NAMES, (ours, theirs), strict=True))
        for t in range(len(ours))
        for s in range(len(ours[0]))
    }


def test_both_means_and_the_difference_are_told_with_the_digits_of_the_interval():
    """Gaps of 3 and 5 in two training runs: 4, and by Student's t of one degree of freedom 12.7 either way."""
    found = over_training_seeds("fid", "lower", "other", pairs_of([[4.0, 4.0], [6.0, 6.0]], [[1.0, 1.0], [1.0, 1.0]]))
    assert found.word == "inconclusive"
    assert found.text == (
        "FID not told apart from other (5 against 1, means over pairs of 2 training seeds with 2 sampling seeds "
        "each; difference 4, 95 % interval over seeds −9 to 17)."
    )
    assert (found.estimate.low, found.estimate.high) == pytest.approx((4 - 12.7062, 4 + 12.7062), abs=1e-3)


def test_what_is_worse_by_a_little_holds_within_a_margin_alone():
    """FIDs 10 % higher in three training runs; allowed are none and 50 % of the baseline's."""
    pairs = pairs_of([[1.10, 1.11], [1.21, 1.20], [1.0, 1.01]], [[1.0, 1.0], [1.1, 1.1], [0.9, 0.9]])
    assert over_training_seeds("fid", "lower", "other", pairs).word == "does not hold in small"
    assert over_training_seeds("fid", "lower", "other", pairs, margin=0.5).word == "holds in small"
    assert over_training_seeds("fid", "lower", "other", pairs, margin=0.01).word == "does not hold in small"


# -- the images of a row -----------------------------------------------------------------------------------------------


def row(fids, **changes):
    """Records of MRAR at `num_images` 1, 2, ...: FIDs as (images, training seeds, sampling seeds)."""
    return [
        replace(made, file=f"{k}-{made.file}", protocol=replace(made.protocol, study="references"))
        for k, by_seed in enumerate(fids, 1)
        for t, row in enumerate(by_seed)
        for s, fid in enumerate(row)
        for made in [at_seed(NAMES[0], fid, t, s, settings={"num_steps": 100, "num_images": k}, **changes)]
    ]


BASE = np.array([[1.0, 1.01], [1.1, 1.11]])
JITTER = np.array([[0.0, 0.001], [0.001, -0.001]])


def test_each_image_of_a_row_is_held_against_the_one_before_and_the_last_against_the_first():
    """The second is better than the first, the third as good as the second to its spread, the fourth worse again."""
    unsure = BASE - 0.5 + np.array([[0.2, 0.21], [-0.2, -0.19]])
    verdict = judge_later_images(row([BASE, BASE - 0.5 + JITTER, unsure, unsure + 0.1 + JITTER]))
    assert verdict.reason.startswith("Image 4 of a row: FID ")
    assert verdict.reason.endswith(
        " Image 2 lower than the one before it. Image 3 not told apart from the one before it."
        " Image 4 higher than the one before it."
    )


def test_two_images_of_two_training_runs_are_enough_for_a_verdict_of_a_row():
    verdict = judge_later_images(row([BASE, BASE - 0.5 + JITTER]))
    assert verdict.word == "holds in small"
    assert verdict.value == pytest.approx(-0.5, abs=0.001)
    assert len(verdict.records) == 8
    assert verdict.reason.startswith("Image 2 of a row: FID lower than the first image's")
    assert verdict.reason.endswith(" Image 2 lower than the one before it.")


def test_one_image_is_no_row():
    assert judge_later_images(row([BASE])).word == "not run"
    assert judge_later_images([]).word == "not run"
    without = [replace(made, settings={"num_steps": 100}) for made in row([BASE])]
    assert judge_later_images(without).word == "not run"


def test_images_of_one_training_run_settle_nothing_about_the_next():
    one = [made for made in row([BASE, BASE - 0.5 + JITTER]) if made.protocol.training_seed == 0]
    verdict = judge_later_images(one)
    assert (verdict.word, verdict.value) == ("inconclusive", None)
    assert "of one training run only" in verdict.reason


def test_images_sampled_once_are_not_judged_against_each_other():
    verdict = judge_later_images(row([BASE[:, :1], BASE[:, :1] - 0.5, BASE[:, :1] - 0.6]))
    assert verdict.word == "inconclusive"
    assert verdict.reason.endswith("Images 2 and 3 sampled once with the one before it: not judged.")


def test_of_a_row_only_the_runs_of_studies_that_did_not_fail_count():
    """Two images that were measured; a third whose runs failed, a fourth that no study made."""
    sound = row([BASE, BASE - 0.5 + JITTER])
    expected = judge_later_images(sound)
    third, fourth = (
        [replace(made, settings={**made.settings, "num_images": k}, file=f"{k}.json") for made in sound] for k in (3, 4)
    )
    failed = [replace(made, status="failed") for made in third]
    of_no_study = [replace(made, protocol=replace(made.protocol, study="")) for made in fourth]
    assert judge_later_images([*failed, *of_no_study, *sound, quality(NAMES[0], 9.0)]) == expected
