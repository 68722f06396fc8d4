"""GenEval's scores: shares of images, their mean over the tasks, intervals over prompts."""

from __future__ import annotations

import numpy as np
import pytest

from bench.claims.rules import GENEVAL_PROMPTS
from bench.metrics import METRICS
from bench.metrics.geneval import METRIC_BY_TAG, compute_geneval_scores
from bench.metrics.item_scores import measure

SIZES = dict(zip(METRIC_BY_TAG, GENEVAL_PROMPTS.values(), strict=True))  # of the released prompts
TAGS = [tag for tag, num in SIZES.items() for _ in range(num)]
IMAGES = np.full(len(TAGS), 4)


def drawn(share, *, alike, seed=0):
    """Correct images of each prompt; alike: the four of a prompt are all right or all wrong."""
    generator = np.random.default_rng(seed)
    if alike:
        return 4 * (generator.random(len(TAGS)) < share)
    return generator.binomial(4, share, len(TAGS))


def test_overall_is_the_mean_over_tasks_whatever_their_sizes():
    """All of the 80 single objects and nothing else: 1/6, not 80/553."""
    right = np.array([4 if tag == "single_object" else 0 for tag in TAGS])
    scores = compute_geneval_scores(TAGS, right, IMAGES)
    everything = np.arange(len(TAGS))
    assert scores["geneval_overall"].of(everything) == pytest.approx(1 / 6)
    assert measure(scores["geneval_single_object"]).value == 1
    assert measure(scores["geneval_counting"]).value == 0


def test_images_of_one_prompt_that_agree_widen_the_interval_to_that_of_prompts():
    """Four images of a prompt that are always alike say as much as one: twice the interval of independent ones."""
    widths = {}
    for alike in (False, True):
        found = measure(compute_geneval_scores(TAGS, drawn(0.5, alike=alike), IMAGES)["geneval_overall"])
        widths[alike] = found.ci_high - found.ci_low
    assert widths[True] / widths[False] == pytest.approx(2, rel=0.25)  # 200 resamples: 7 % of a width, twice
    exact = 2 * 1.96 * np.sqrt(sum(0.25 / num for num in SIZES.values())) / 6
    assert widths[True] == pytest.approx(exact, rel=0.2)


def test_a_prompt_with_more_images_weighs_more_within_its_task_as_in_the_official_summary():
    scores = compute_geneval_scores(["counting", "counting"], np.array([4, 0]), np.array([4, 12]))
    assert scores["geneval_counting"].of(np.array([0, 1])) == 0.25
    assert set(scores) == {"geneval_overall", "geneval_counting"}


def test_every_score_has_its_entry():
    assert {"geneval_overall", *METRIC_BY_TAG.values()} <= METRICS.keys()
    assert list(METRIC_BY_TAG.values()) == [f"geneval_{name}" for name in GENEVAL_PROMPTS]


def test_scores_are_shares_of_one_and_tasks_of_equal_images_are_means():
    scores = compute_geneval_scores(["counting", "colors", "colors"], np.array([4, 0, 2]), np.array([4, 4, 4]))
    assert {name: (score.items.tolist(), score.highest, score.is_mean) for name, score in scores.items()} == {
        "geneval_overall": ([0, 1, 2], 1.0, False),
        "geneval_counting": ([0], 1.0, True),
        "geneval_colours": ([1, 2], 1.0, True),
    }
    assert scores["geneval_overall"].strata.tolist() == [2, 3, 3]
    assert scores["geneval_overall"].of(np.arange(3)) == pytest.approx((1 + 1 / 4) / 2)
    uneven = compute_geneval_scores(["counting", "colors", "colors"], np.array([4, 0, 2]), np.array([4, 4, 2]))
    assert uneven["geneval_colours"].is_mean is False  # a prompt with fewer images weighs less
    assert uneven["geneval_colours"].of(np.array([1, 2])) == pytest.approx(2 / 6)
    alone = compute_geneval_scores(["position"], np.array([1]), np.array([4]))
    assert alone["geneval_position"].is_mean
    assert alone["geneval_overall"].of(np.array([0])) == 0.25
