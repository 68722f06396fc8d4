"""Prompts to generate from: a text file with one per line, a JSON list of texts, or captions in COCO's layout.

Of captions the first of each image is taken, in the file's order of images.
"""

from __future__ import annotations

from pathlib import Path

from bench.datasets import coco_captions
from bench.datasets.json_files import load_json, shown
from bench.errors import UsageError
from bench.files import check_regular, read_text

ROLE = "prompts"


def load_prompts(path: Path) -> list[str]:
    """The prompts in their order. UsageError for another layout and for an empty prompt."""
    check_regular(path, ROLE)
    if path.suffix == ".json":
        prompts = _from_json(path)
    else:
        try:
            lines = read_text(path).removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            raise UsageError(f"{ROLE} {path}: not UTF-8 text (byte {error.start})") from error
        except OSError as error:
            raise UsageError(f"{ROLE} {path}: {error.strerror or error}") from error
        prompts = [line.strip() for line in lines]
    if strange := [number for number, prompt in enumerate(prompts, 1) if any(map(_is_control, prompt))]:
        raise UsageError(f"{ROLE} {path}: control characters, so not text in UTF-8 (first: number {shown(strange)})")
    empty = [number for number, prompt in enumerate(prompts, 1) if not prompt.strip()]
    if empty:
        raise UsageError(f"{ROLE} {path}: {len(empty)} of {len(prompts)} are empty (first: number {shown(empty)})")
    if not prompts:
        raise UsageError(f"{ROLE} {path}: an empty list")
    return prompts


def _is_control(character: str) -> bool:
    """Whether no text holds it: NUL is what UTF-16 read as UTF-8 is full of."""
    return character < " " and character not in "\t\n"


def _from_json(path: Path) -> list[str]:
    data = load_json(path, ROLE)
    if isinstance(data, dict):
        captions = coco_captions.read(data, path).captions_by_image
        return [found[0] if found else "" for found in captions.values()]
    if not isinstance(data, list) or not all(isinstance(entry, str) for entry in data):
        raise UsageError(f"{ROLE} {path}: expected a list of texts, or captions in COCO's layout")
    return data
