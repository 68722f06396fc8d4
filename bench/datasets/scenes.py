"""The scenes scale's data: coloured real digit scans on a 2x2 canvas, with captions and questions; no download.

Scene i depends on (split, seed, i) alone. A scene has two to four of the scans of datasets/digits.py, in different
cells of 8x8 pixels; scenes of split "train" show training scans only, those of "heldout" held-out scans only.

Per scene five captions, one per wording, each naming every object's digit, colour and place; and up to ten questions
that have one right answer each. Of ten annotators some see it otherwise, or say it otherwise, as in VQAv2; of the
yes/no questions half are answered yes, kind by kind, as in POPE (arXiv:2305.10355).
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bench.datasets import digits
from bench.datasets.digits import Split

T = TypeVar("T")
Thing = tuple[int, str, str, str]  # digit, colour, row, column

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
ROWS = ("top", "bottom")
COLUMNS = ("left", "right")
CELL = digits.IMAGE_SIZE
IMAGE_SIZE = 2 * CELL
MIN_OBJECTS, MAX_OBJECTS = 2, 4
NUM_ANSWERS = 10
NUM_TRAIN_SCENES = 1 << 17  # an epoch of training

# Wordings of one object, what stands between objects, and whether the reading order is turned round.
WORDINGS = (
    ("a {colour} {digit} {row} {column}", " , ", False),
    ("{row} {column} a {colour} {digit}", " , ", False),
    ("{colour} {digit} {row} {column}", " and ", False),
    ("{digit} in {colour} {row} {column}", " and ", True),
    ("{row} {column} {digit} in {colour}", " , ", True),
)
# What an annotator may say instead: the same in other words, or what is easily taken for it.
SAME = {str(digit): name for digit, name in enumerate(digits.CLASS_NAMES)} | {
    "red": "crimson",
    "green": "lime",
    "blue": "navy",
    "yellow": "gold",
    "yes": "yeah",
    "no": "nope",
    "left": "to the left",
    "right": "to the right",
    "above": "over it",
    "below": "under it",
    "top left": "upper left",
    "top right": "upper right",
    "bottom left": "lower left",
    "bottom right": "lower right",
}
LOOKALIKE = dict(zip("0123456789", "6728950139", strict=True)) | {
    "red": "orange",
    "green": "yellow",
    "blue": "purple",
    "yellow": "green",
    "yes": "no",
    "no": "yes",
}
DEVIATION = 0.03  # chance that one annotator deviates; so the majority's leave-one-out accuracy stays at 100


@dataclass(frozen=True, order=True)
class Object:
    """One digit in its cell."""

    digit: int
    colour: str
    row: str  # of ROWS
    column: str  # of COLUMNS
    scan: int  # index into digits.load(split)

    @property
    def place(self) -> str:
        return f"{self.row} {self.column}"

    @property
    def thing(self) -> Thing:
        """What captions say of it."""
        return self.digit, self.colour, self.row, self.column

    @property
    def cell(self) -> tuple[int, int]:
        return ROWS.index(self.row), COLUMNS.index(self.column)


@dataclass(frozen=True)
class Question:
    """A question with one right answer."""

    text: str
    answer: str
    question_type: str  # its first words, as in VQAv2
    answers: tuple[str, ...]  # of ten annotators

    @property
    def answer_type(self) -> str:
        """As VQAv2 sorts answers: "yes/no", "number" or "other"."""
        return "yes/no" if self.answer in ("yes", "no") else "number" if self.answer.isdigit() else "other"


@dataclass(frozen=True)
class Scene:
    split: Split
    seed: int
    index: int
    objects: tuple[Object, ...]  # in reading order

    @property
    def image(self) -> np.ndarray:
        """uint8 (3, 16, 16), on black."""
        image = np.zeros((3, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        scans = _scans(self.split)[0]
        for thing in self.objects:
            top, left = thing.cell[0] * CELL, thing.cell[1] * CELL
            for channel, level in enumerate(COLOURS[thing.colour]):
                if level:
                    image[channel, top : top + CELL, left : left + CELL] = scans[thing.scan]
        return image

    def caption(self, wording: int) -> str:
        """One of the five captions."""
        phrase, between, turned = WORDINGS[wording]
        things = self.objects[::-1] if turned else self.objects
        return between.join(phrase.format(digit=o.digit, colour=o.colour, row=o.row, column=o.column) for o in things)

    @property
    def captions(self) -> tuple[str, ...]:
        return tuple(self.caption(wording) for wording in range(len(WORDINGS)))

    @property
    def questions(self) -> tuple[Question, ...]:
        """Up to ten, at most one of a kind; the last two are answered yes and no."""
        rng = random.Random(f"questions {self.split} {self.seed} {self.index}")
        return tuple(_question(text, answer, rng) for text, answer in _ask(self.objects, rng))


@functools.cache
def _scans(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Grey levels uint8 (N, 8, 8) and labels."""
    images, labels = digits.load(split)
    return images[:, 0], labels


def _choose(candidates: Sequence[T], rng: random.Random) -> T:
    return candidates[int(rng.random() * len(candidates))]


def scene(split: Split, seed: int, index: int) -> Scene:
    """Scene `index` of a split and seed."""
    rng = random.Random(f"scene {split} {seed} {index}")  # of random.Random only `random` is used: it never changes
    labels = _scans(split)[1]
    num_objects = _choose(range(MIN_OBJECTS, MAX_OBJECTS + 1), rng)
    cells = [(row, column) for row in ROWS for column in COLUMNS]
    while len(cells) > num_objects:
        cells.remove(_choose(cells, rng))
    scans = [_choose(range(len(labels)), rng) for _ in cells]
    return Scene(
        split,
        seed,
        index,
        tuple(
            Object(int(labels[scan]), _choose(tuple(COLOURS), rng), row, column, scan)
            for (row, column), scan in zip(cells, scans, strict=True)
        ),
    )


def scenes(split: Split, num: int, seed: int = 0) -> Iterator[Scene]:
    """The first `num` scenes of a split and seed."""
    return (scene(split, seed, index) for index in range(num))


# -- questions ---------------------------------------------------------------------------------------------------------


def _ask(objects: tuple[Object, ...], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Questions and their answers; a kind that would be ambiguous in this scene is left out."""

    def pick(candidates: list) -> list:
        return [_choose(candidates, rng)] if candidates else []

    every_digit, every_colour = [o.digit for o in objects], [o.colour for o in objects]
    of_its_colour = [o for o in objects if every_colour.count(o.colour) == 1]
    of_its_digit = [o for o in objects if every_digit.count(o.digit) == 1]
    for o in pick(list(objects)):
        yield f"which digit is at the {o.place} ?", str(o.digit)
    for o in pick(of_its_colour):
        yield f"which digit is {o.colour} ?", str(o.digit)
    for o in pick(list(objects)):
        yield f"what colour is the digit at the {o.place} ?", o.colour
    for o in pick(of_its_digit):
        yield f"what colour is the {o.digit} ?", o.colour
    named = [(f"the {o.digit}", o) for o in of_its_digit] + [(f"the {o.colour} digit", o) for o in of_its_colour]
    for name, o in pick(named):
        yield f"where is {name} ?", o.place
    pairs = [(a, b) for a in of_its_digit for b in of_its_digit]
    across = [(a, b, "left or right of", a.column) for a, b in pairs if a.column != b.column]
    down = [(a, b, "above or below", "above" if a.row == "top" else "below") for a, b in pairs if a.row != b.row]
    for a, b, choice, answer in pick(across + down):
        yield f"is the {a.digit} {choice} the {b.digit} ?", answer
    yield "how many digits are there ?", str(len(objects))
    for colour in pick([*COLOURS, *every_colour]):  # colours that are there are asked for more often
        yield f"how many {colour} digits are there ?", str(every_colour.count(colour))
    for answer in ("yes", "no"):
        for name in pick(pick(_existence(objects, rng, answer == "yes"))[0]):
            yield f"is there {name} ?", answer


def _existence(objects: tuple[Object, ...], rng: random.Random, present: bool) -> list[list[str]]:
    """Things that are there, or are not, by kind; kinds of which this scene has no absent thing are left out."""
    things = {(o.colour, o.digit) for o in objects}
    shown_digits, shown_colours, places = ({getattr(o, key) for o in objects} for key in ("digit", "colour", "place"))
    absent_colours = [colour for colour in COLOURS if colour not in shown_colours]
    absent_places = [f"{r} {c}" for r in ROWS for c in COLUMNS if f"{r} {c}" not in places]
    if present:
        pairs, numbers = sorted(things), sorted(shown_digits)
        colours, cells = sorted(shown_colours), sorted(places)
    else:  # half of the absent pairs swap what is there (POPE: adversarial), half are any (random)
        every = [(colour, digit) for colour in COLOURS for digit in range(digits.NUM_CLASSES)]
        pairs = [pair for pair in every if pair not in things]
        swapped = [(colour, digit) for colour, digit in pairs if colour in shown_colours and digit in shown_digits]
        if swapped and rng.random() < 0.5:
            pairs = swapped
        numbers = [digit for digit in range(digits.NUM_CLASSES) if digit not in shown_digits]
        colours, cells = absent_colours, absent_places
    kinds = [[f"a {colour} {digit}" for colour, digit in pairs], [f"a {digit}" for digit in numbers]]
    if absent_colours:
        kinds.append([f"a {colour} digit" for colour in colours])
    if absent_places:
        kinds.append([f"a digit at the {place}" for place in cells])
    return kinds


def _question(text: str, answer: str, rng: random.Random) -> Question:
    answers = [answer] * NUM_ANSWERS
    deviating = [i for i in range(NUM_ANSWERS) if rng.random() < DEVIATION]
    for i in deviating[:3]:  # never more than three of ten
        answers[i] = (LOOKALIKE if rng.random() < 0.3 else SAME).get(answer, SAME[answer])
    first = text.split()
    kind = 3 if first[0] in ("which", "what") else 2
    return Question(text, answer, " ".join(first[:kind]), tuple(answers))


# -- reading captions --------------------------------------------------------------------------------------------------

Named = tuple[int | None, str | None, str | None, str | None]  # the same; None: not said, or twice
_NUMBERS = {**{str(d): d for d in range(10)}, **{SAME[str(d)]: d for d in range(10)}}


def parse_caption(text: str) -> list[Named]:
    """(digit, colour, row, column) of every object that a caption names, whatever its wording and order.

    Objects stand between commas, full stops, semicolons or "and". What an object lacks, or has twice, is None.
    """

    def only(words: list[str], known: dict) -> object:
        found = [known[word] for word in words if word in known]
        return found[0] if len(found) == 1 else None

    tables: list[dict] = [_NUMBERS, *({word: word for word in words} for words in (COLOURS, ROWS, COLUMNS))]
    parts = re.split(r"[,.;]|\band\b", text.lower())
    phrases = [re.findall(r"\w+", part) for part in parts]
    return [tuple(only(words, table) for table in tables) for words in phrases if words]  # type: ignore[misc]
