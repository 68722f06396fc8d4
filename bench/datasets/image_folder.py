"""A folder of images as people have them: several kinds of file, class folders, read as they are asked for.

The order is the natural one of the names (2.png before 10.png), folder by folder. Files that begin with a dot are
skipped; every other file that is no image is counted and named, so that nothing is left out without a word.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets.image_files import SUFFIXES, has_alpha, has_more_pictures, is_turned, open_image, read_image
from bench.datasets.resizing import RULES, Resize
from bench.errors import UsageError

SHOWN_NAMES = 3


class ImageFolder:
    """The images of a folder and of all folders in it, in natural order.

    `len(folder)` counts them, `folder[start:stop]` reads them: uint8 (n, 3, H, W), or as `resize` makes them.
    Grey becomes RGB and alpha is dropped, as torch-fidelity does. Opening reads the headers only.
    Raises UsageError for a folder without images or, without `resize`, with images of several sizes; CheckFailed for a
    file that is called an image and cannot be read.
    """

    def __init__(self, path: Path, role: str = "images", resize: Resize | None = None):
        self.path, self.role, self.resize = path, role, resize
        self.files, self.left_out, self.num_hidden = find_files(path, role)
        if not self.files:
            there = f"; it holds {_counted(self.left_out)}" if self.left_out else ""
            raise UsageError(f"{role} {path}: no images in this folder; expected {', '.join(SUFFIXES[:8])}, ...{there}")
        counts: Counter[tuple[int, int]] = Counter()
        self.num_turned = 0  # files whose Exif data asks for turned pixels
        self.num_with_alpha = 0  # files with transparency, which is dropped
        self.num_with_frames = 0  # files of several pictures, of which the first is read
        for file in self.files:
            with open_image(file, role) as image:
                counts[image.size] += 1
                self.num_with_frames += has_more_pictures(image)
                self.num_with_alpha += has_alpha(image)
                self.num_turned += is_turned(image)
        self.size_counts = counts
        if resize is not None:
            width = height = resize.size
        elif len(counts) > 1:
            found = ", ".join(f"{count} of {width}x{height}" for (width, height), count in counts.most_common(3))
            raise UsageError(
                f"{role} {path}: images of {len(counts)} sizes ({found}); expected one size, or a rule to resize by: "
                f"{' or '.join(RULES)} (--resize)"
            )
        else:
            ((width, height),) = counts
        self.shape = (len(self.files), 3, height, width)
        self.dtype = np.dtype(np.uint8 if resize is None else resize.dtype)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> np.ndarray:
        images = np.empty((len(self.files[rows]), *self.shape[1:]), self.dtype)
        for i, file in enumerate(self.files[rows]):
            image = read_image(file, self.role)
            images[i] = np.asarray(image).transpose(2, 0, 1) if self.resize is None else self.resize(image)
        return images

    def labels(self, num_classes: int | None = None) -> np.ndarray | None:
        """The class of each image (N,), from 0, where the names tell it; None where they do not.

        Class folders: each folder is a class, in natural order (all images in folders, and `num_classes` of them where
        that is given). Else files numbered 0, 1, ..., N - 1 (or from 1) in their order: place modulo `num_classes`.
        """
        parents = [file.parent for file in self.files]
        folders = {folder: label for label, folder in enumerate(dict.fromkeys(parents))}
        if len(folders) > 1 and self.path not in folders and num_classes in (None, len(folders)):
            return np.array([folders[parent] for parent in parents])
        if num_classes is None:
            return None
        numbers = [re.search(r"(\d+)$", file.stem, re.ASCII) for file in self.files]
        found = np.array([int(number[1][:18]) if number else -1 for number in numbers])
        first = found[0]
        if first not in (0, 1) or not np.array_equal(found, np.arange(first, first + len(found))):
            return None
        return (found - first) % num_classes

    def summary(self) -> dict[str, Any]:
        """What was found and what was left out, for a protocol."""
        found: dict[str, Any] = {
            "files": dict(Counter(file.suffix.lower() for file in self.files)),
            "folders": len({file.parent for file in self.files}),
        }
        if self.left_out:
            found["left_out"] = dict(Counter(file.suffix.lower() or "(no suffix)" for file in self.left_out))
        for key, count in (
            ("hidden", self.num_hidden),
            ("with_several_frames", self.num_with_frames),
            ("with_alpha", self.num_with_alpha),
            ("with_exif_orientation", self.num_turned),
        ):
            if count:
                found[key] = count
        if len(self.size_counts) > 1:
            found["sizes"] = len(self.size_counts)
        return found

    def words(self) -> str:
        """The same as a line for a reader: "200 images (120 .png, 80 .webp); left out: 1 .json (a.json)"."""
        found = self.summary()
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in found["files"].items())
        line = f"{len(self)} images ({kinds})"
        if found["folders"] > 1:
            line += f" in {found['folders']} folders"
        if "sizes" in found:
            line += f" of {found['sizes']} sizes"
        if self.resize is not None:
            line += f", resized: {self.resize.what}"
        if self.left_out:
            line += f"; left out: {_counted(self.left_out)}"
        if self.num_hidden:
            line += f"; {self.num_hidden} hidden files skipped"
        if self.num_with_frames:
            line += f"; of {self.num_with_frames} files with several pictures the first is taken"
        if self.num_with_alpha:
            line += f"; of {self.num_with_alpha} with transparency the colours alone are taken, as in torch-fidelity"
        if self.num_turned:
            line += f"; {self.num_turned} that Exif data would turn are not turned, as in torch-fidelity and clean-fid"
        return line


def find_files(path: Path, role: str) -> tuple[list[Path], list[Path], int]:
    """(images, other files, number of hidden files) of a folder and all below it, each in natural order.

    Links to folders are followed, each folder once. UsageError for a folder that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UsageError(f"{role} {error.filename or path}: {error.strerror or error}") from error

    images: list[Path] = []
    others: list[Path] = []
    hidden = 0
    seen: set[str] = set()
    for folder, folders, names in os.walk(path, onerror=refuse, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder above, or to one met before
            folders.clear()
            continue
        seen.add(real)
        hidden += sum(name.startswith(".") for name in [*folders, *names])
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_natural)
        for name in names:
            if not name.startswith("."):
                (images if Path(name).suffix.lower() in SUFFIXES else others).append(Path(folder, name))
    images.sort(key=lambda file: natural_key(file.relative_to(path)))
    others.sort(key=lambda file: natural_key(file.relative_to(path)))
    return images, others, hidden


def natural_key(path: Path) -> tuple:
    """Sorts names as people count: 2 before 10, folder by folder; names of equal numbers by their letters."""
    return tuple(_natural(part) for part in path.parts)


def _natural(name: str) -> tuple:
    parts = re.split(r"(\d+)", name, flags=re.ASCII)
    return tuple((int(part), "") if i % 2 else (-1, part.lower()) for i, part in enumerate(parts)), name


def _counted(files: list[Path]) -> str:
    counts = Counter(file.suffix.lower() or "without a suffix" for file in files)
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(SHOWN_NAMES))
    names = ", ".join(file.name for file in files[:SHOWN_NAMES]) + (", ..." if len(files) > SHOWN_NAMES else "")
    return f"{kinds} ({names})"
