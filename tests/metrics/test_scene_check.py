"""The scene checker: each task fails for its own reason, and a picture that is as said passes all."""

from __future__ import annotations

import pytest

from bench.metrics import METRICS
from bench.metrics.item_scores import measure
from bench.metrics.scene_check import check_scene, compute_scene_scores

PROMPT = [(3, "red", "top", "left"), (7, "blue", "bottom", "right")]


def failing(found: list) -> set[str]:
    return {task for task, passed in check_scene(PROMPT, found).items() if not passed}


def test_what_is_as_said_passes_in_any_order():
    """Order says nothing; a prompt passes on itself."""
    assert not failing(PROMPT)
    assert not failing(PROMPT[::-1])


@pytest.mark.parametrize(
    ("found", "tasks"),
    [
        ([], {"single", "two", "counting", "colours", "position", "attribute_binding"}),
        (PROMPT[:1], {"two", "counting", "colours", "position", "attribute_binding"}),
        ([*PROMPT, (1, "green", "top", "right")], {"counting", "colours"}),
        ([(3, "blue", "top", "left"), (7, "red", "bottom", "right")], {"attribute_binding"}),  # colours swapped
        ([(7, "blue", "top", "left"), (3, "red", "bottom", "right")], {"position"}),  # places swapped
        ([(3, "red", "top", "right"), (7, "blue", "bottom", "right")], {"position"}),  # one elsewhere
        ([(3, "green", "top", "left"), (7, "blue", "bottom", "right")], {"colours", "attribute_binding"}),
        (
            [(8, "red", "top", "left"), (7, "blue", "bottom", "right")],
            {"single", "two", "position", "attribute_binding"},
        ),
    ],
)
def test_each_mistake_fails_its_tasks(found: list, tasks: set[str]):
    """Worked out by hand, mistake by mistake."""
    assert failing(found) == tasks | {"satisfied"}


def test_scores_are_percent_of_scenes():
    """One of two scenes right; of a hundred the interval of a share is about the binomial's."""
    both = [check_scene(PROMPT, PROMPT), check_scene(PROMPT, [])]
    found = {name: measure(score) for name, score in compute_scene_scores(both).items()}
    assert {score.value for score in found.values()} == {50.0}
    assert {score.unit for score in found.values()} == {"%"}
    assert found.keys() <= METRICS.keys()
    assert "scene_accuracy" in found
    many = measure(compute_scene_scores(both * 50)["scene_accuracy"])
    assert many.n == 100
    width = 2 * 1.96 * 5  # the ends of 200 resamples vary by 7 % of it
    assert many.ci_high - many.ci_low == pytest.approx(width, rel=0.15)


def test_of_three_things_the_first_one_and_the_first_two_are_asked_for_by_themselves():
    three = [*PROMPT, (7, "red", "top", "right")]
    passed = check_scene(three, three[:2])
    assert {task for task, fine in passed.items() if fine} == {"single", "two"}
    assert {task for task, fine in check_scene(three, three[1:]).items() if fine} == set()
    twice = [(7, "red", "top", "left"), (7, "red", "top", "right")]
    assert check_scene(twice, twice[:1])["single"]
    assert not check_scene(twice, twice[:1])["two"]  # as often as named
    assert all(check_scene(twice, twice).values())


def test_scores_are_out_of_a_hundred():
    score = compute_scene_scores([check_scene(PROMPT, PROMPT)] * 6)["scene_counting"]
    assert (score.highest, score.is_mean, measure(score).value) == (100, True, 100)
