"""Verdicts over training seeds: the paired difference takes the place of one run's interval where there are seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.analysis.seeds import paired_difference, seed_records
from bench.claims import CLAIMS
from bench.verdict.judge import judge_side
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
