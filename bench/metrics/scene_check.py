"""Does a painted scene show what its prompt says?  After GenEval (arXiv:2310.11513), on the cells of a small canvas.

A prompt and a picture are both lists of things: (digit, colour, row, column). GenEval gives each prompt one of six
tasks; here every prompt names digits, colours and places, so each is asked all six questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

Thing = tuple[int, str, str, str]  # digit, colour, row, column
TASKS = ("single", "two", "counting", "colours", "position", "attribute_binding")


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


def rates(checks: Sequence[dict[str, bool]]) -> dict[str, float]:
    """Percent of the scenes that pass each task, and all of it ("satisfied")."""
    return {key: 100 * sum(check[key] for check in checks) / len(checks) for key in (*TASKS, "satisfied")}
