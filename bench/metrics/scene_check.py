"""Does a generated scene show what its prompt says?  After GenEval (arXiv:2310.11513), on the cells of a small canvas.

A prompt and a picture are both lists of things: (digit, colour, row, column). GenEval gives each prompt one of six
tasks; here every prompt names digits, colours and places, so each is asked all six questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bench.metrics.item_scores import ItemScore, mean_score
from bench.records.schema import Metric

Thing = tuple[int, str, str, str]  # digit, colour, row, column
TASKS = ("single", "two", "counting", "colours", "position", "attribute_binding")
PERCENT = 100.0


def check_scene(prompt: Sequence[Thing], found: Sequence[Thing]) -> dict[str, bool]:
    """The six tasks, and "satisfied": everything is as said and nothing else is there.

    single: the first digit named is somewhere    two: the first two digits named are    counting: as many things
    colours: each colour as often as named    position: each place named holds the digit named, whatever its colour
    attribute_binding: each named pair of colour and digit is somewhere, as often as named
    """
    digits = Counter(digit for digit, *_ in found)
    placed = {(row, column): digit for digit, _, row, column in found}
    return {
        "single": Counter(digit for digit, *_ in prompt[:1]) <= digits,
        "two": Counter(digit for digit, *_ in prompt[:2]) <= digits,
        "counting": len(found) == len(prompt),
        "colours": Counter(colour for _, colour, *_ in found) == Counter(colour for _, colour, *_ in prompt),
        "position": all(placed.get((row, column)) == digit for digit, _, row, column in prompt),
        "attribute_binding": Counter(thing[:2] for thing in prompt) <= Counter(thing[:2] for thing in found),
        "satisfied": Counter(found) == Counter(prompt),
    }


def compute_scene_scores(checks: Sequence[Mapping[str, bool]]) -> dict[str, ItemScore]:
    """Percent of the scenes (N,) that are as said ("satisfied"), and that pass each task, by metric name."""
    return {name: share(np.array([check[key] for check in checks])) for key, name in METRIC_BY_TASK.items()}


def share(passed: np.ndarray) -> ItemScore:
    """Percent of items (N,) bool that passed."""
    return mean_score(PERCENT * passed, unit="%", highest=PERCENT)


METRIC_BY_TASK: dict[str, str] = {
    "satisfied": "scene_accuracy",
    "single": "scene_single_object",
    "two": "scene_two_objects",
    "counting": "scene_counting",
    "colours": "scene_colours",
    "position": "scene_position",
    "attribute_binding": "scene_attribution",
}


def _metric(name: str, title: str, what: str) -> Metric:
    return Metric(name=name, unit="%", higher_is_better=True, title=title, what=what)


METRICS = (
    _metric("caption_accuracy", "Captions right", "captions that name every digit, colour and place, and nothing else"),
    _metric("scene_accuracy", "Scenes right", "generated scenes in which all is as the prompt says, and nothing else"),
    _metric("scene_single_object", "Single object", "generated scenes that show the first digit named"),
    _metric("scene_two_objects", "Two objects", "generated scenes that show the first two digits named"),
    _metric("scene_counting", "Counting", "generated scenes with as many digits as named"),
    _metric("scene_colours", "Colours", "generated scenes with each colour as often as named"),
    _metric("scene_position", "Position", "generated scenes in which each place named holds the digit named"),
    _metric("scene_attribution", "Attribute binding", "generated scenes in which each digit has the colour named"),
)
