"""GenEval's files (github.com/djghosh13/geneval): prompts, the folder of images that its evaluator reads, its results.

prompts   one object per line: {"tag": "single_object", "include": [{"class": "bench", "count": 1}],
          "prompt": "a photo of a bench"}
images    <folder>/00000/metadata.jsonl, which is the line of prompt 0, and <folder>/00000/samples/0000.png, ...
results   one object per image: {"filename": "<folder>/00000/samples/0000.png", "tag": ..., "prompt": ...,
          "correct": true, "reason": "", "metadata": "<the line of the prompt, as JSON in a string>", ...}
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.datasets.json_files import check_list, load_json, shown, value
from bench.errors import UsageError
from bench.files import write_whole

TAGS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")  # of its six tasks
IMAGES_PER_PROMPT = 4  # as GenEval's own script generates
PLACE = re.compile(r"(\d+)[/\\]samples[/\\](\d+)\.png$")


@dataclass(frozen=True)
class GenEvalPrompt:
    """One line of the prompts."""

    tag: str  # one of TAGS
    prompt: str
    metadata: Mapping[str, Any]  # the whole line


@dataclass(frozen=True)
class Detected:
    """What the evaluator says of one image."""

    filename: str
    tag: str
    prompt: str
    correct: bool

    @property
    def place(self) -> tuple[int, int] | None:
        """(number of its prompt, number of the image), by the folder's layout; None: the name does not tell."""
        match = PLACE.search(self.filename)
        return (int(match[1]), int(match[2])) if match else None


def load_prompts(path: Path) -> list[GenEvalPrompt]:
    """The prompts in their order. UsageError for another layout."""
    role, found = "prompts", []
    for number, entry in enumerate(_lines(path, role, "{tag, include, prompt} objects")):
        tag = _tag(entry, number, path, role)
        prompt = value(entry, "prompt", str, number, path, role)
        if not prompt.strip():
            raise UsageError(f"{role} {path}: entry {number}: an empty prompt")
        found.append(GenEvalPrompt(tag, prompt, entry))
    return found


def load_results(path: Path) -> list[Detected]:
    """What the evaluator says of each image. UsageError for another layout, and for an image that is there twice."""
    role, found = "results", []
    for number, entry in enumerate(_lines(path, role, "{filename, tag, prompt, correct} objects")):
        found.append(
            Detected(
                value(entry, "filename", str, number, path, role),
                _tag(entry, number, path, role),
                value(entry, "prompt", str, number, path, role),
                _is_correct(entry, number, path, role),
            )
        )
    twice = [name for name, count in Counter(one.filename for one in found).items() if count > 1]
    if twice:
        raise UsageError(f"{role} {path}: {len(twice)} images are there twice (first: {shown(twice)})")
    return found


def write_metadata(folder: Path, prompts: Sequence[GenEvalPrompt]) -> None:
    """`<folder>/00000/metadata.jsonl` and an empty `samples` of each prompt, as the evaluator looks for them."""
    for number, prompt in enumerate(prompts):
        place = folder / f"{number:05d}"
        (place / "samples").mkdir(parents=True, exist_ok=True)
        write_whole(place / "metadata.jsonl", (json.dumps(dict(prompt.metadata)) + "\n").encode(), sync=False)


def image_path(folder: Path, number: int) -> Path:
    """Where image `number` of a run lies: four of each prompt, prompt by prompt."""
    prompt, image = divmod(number, IMAGES_PER_PROMPT)
    return folder / f"{prompt:05d}" / "samples" / f"{image:04d}.png"


def _lines(path: Path, role: str, expected: str) -> list[dict[str, Any]]:
    data = load_json(path, role)
    return check_list([data] if isinstance(data, dict) and "tag" in data else data, path, role, expected)


def _is_correct(entry: dict[str, Any], number: int, path: Path, role: str) -> bool:
    found = entry.get("correct")
    if not isinstance(found, bool):
        raise UsageError(f"{role} {path}: entry {number}: 'correct' is {found!r:.40}; expected true or false")
    return found


def _tag(entry: dict[str, Any], number: int, path: Path, role: str) -> str:
    tag: str = value(entry, "tag", str, number, path, role)
    if tag not in TAGS:
        raise UsageError(f"{role} {path}: entry {number}: 'tag' is {tag!r:.60}; expected {', '.join(TAGS)}")
    return tag
