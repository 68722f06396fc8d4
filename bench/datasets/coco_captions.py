"""Reference captions in COCO's layout (captions_val2014.json, arXiv:1504.00325), and results for them.

annotations  {"images": [{"id": 42, "file_name": "COCO_val2014_000000000042.jpg"}, ...],
              "annotations": [{"image_id": 42, "id": 641613, "caption": "A dog runs."}, ...]}
results      [{"image_id": 42, "caption": "a dog"}, ...], one per image; see texts.py for "finish"
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.datasets.json_files import Id, check_list, check_part, check_unique, load_json, shown, value
from bench.datasets.texts import Text, load_texts
from bench.errors import UsageError


@dataclass(frozen=True)
class CaptionSet:
    """Reference captions of images, in the file's order of images."""

    captions_by_image: dict[Id, tuple[str, ...]]  # empty where an image has none, as in a test split
    file_name_by_image: dict[Id, str]  # images of which the file gives the name


def load(path: Path) -> CaptionSet:
    """Reference captions. UsageError for another layout; empty captions are for the scorer to refuse."""
    return read(load_json(path, "annotations"), path)


def load_named(path: Path) -> CaptionSet:
    """As load; UsageError where the file does not name an image."""
    found = load(path)
    unnamed = [image_id for image_id in found.captions_by_image if image_id not in found.file_name_by_image]
    if unnamed:
        raise UsageError(
            f"annotations {path}: {len(unnamed)} of {len(found.captions_by_image)} images have no 'file_name' under "
            f"'images' (first: {shown(unnamed)})"
        )
    return found


def read(data: Any, path: Path) -> CaptionSet:
    """As load, of a file's content."""
    captions: dict[Id, list[str]] = {}
    file_names: dict[Id, str] = {}
    if isinstance(data, dict) and data.get("images"):
        role = "annotations ('images')"
        images = check_list(data["images"], path, role, "{id, file_name} objects")
        for number, image in enumerate(images):
            image_id = value(image, "id", (int, str), number, path, role)
            captions[image_id] = []
            if isinstance(image.get("file_name"), str):
                file_names[image_id] = image["file_name"]
        check_unique([image["id"] for image in images], path, role, "image")
    if not captions or "annotations" in data:  # a test split lists its images alone
        expected = "{image_id, caption} objects"
        for number, entry in enumerate(check_part(data, "annotations", path, "annotations", expected)):
            image_id = value(entry, "image_id", (int, str), number, path, "annotations")
            captions.setdefault(image_id, []).append(value(entry, "caption", str, number, path, "annotations"))
    return CaptionSet({image_id: tuple(found) for image_id, found in captions.items()}, file_names)


def load_results(path: Path) -> dict[Id, Text]:
    """One caption per image."""
    return load_texts(path, ("image_id",), ("caption",), "image")
