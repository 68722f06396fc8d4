"""Photographs of any size and kind, as a model of one image size reads them.

The short side is resized to the model's size with Pillow's bicubic filter, then the middle square is cut out: the
preprocessing of D-DiT's released pipeline (torchvision's Resize and CenterCrop). Grey and CMYK become RGB, alpha is
dropped; a camera's orientation mark is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from PIL import Image

from bench.datasets.image_files import read_image
from bench.errors import CheckFailed, UsageError


def read_photo(path: Path, size: int) -> np.ndarray:
    """The middle square of a photograph, uint8 (3, size, size). CheckFailed where it cannot be read."""
    return _square(read_image(path), size).transpose(2, 0, 1)


def unreadable_photos(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Why not, by file name, of the photographs that cannot be read. Every one is decoded, on all cores.

    UsageError where a name leads out of the folder.
    """
    names = list(dict.fromkeys(names))
    check_inside(folder, names)

    def fault(name: str) -> str | None:
        try:
            read_image(folder / name)
        except CheckFailed as error:
            return str(error).removeprefix(f"image {folder / name}: ")
        return None

    with ThreadPoolExecutor() as pool:
        return {name: why for name, why in zip(names, pool.map(fault, names), strict=True) if why is not None}


def check_inside(folder: Path, names: Iterable[str]) -> None:
    """UsageError where a name (from a data set's file) leads out of the folder, as "../a.jpg" and "/etc/a.jpg" do."""
    outside = [name for name in names if not _is_inside(name)]
    if outside:
        raise UsageError(
            f"images {folder}: {len(outside)} file names lead out of this folder (first: {outside[0][:100]!r}); "
            "expected names inside it"
        )


def _is_inside(name: str) -> bool:
    """Whether a name stays below the folder that it is joined to, on any system."""
    paths = PurePosixPath(name), PureWindowsPath(name)
    return not any(path.is_absolute() or path.drive or ".." in path.parts for path in paths) and "\0" not in name


def _square(image: Image.Image, size: int) -> np.ndarray:
    """(size, size, 3)."""
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    return np.array(Compose([Resize(size, InterpolationMode.BICUBIC), CenterCrop(size)])(image))
