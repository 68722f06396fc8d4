"""Photographs of any size and kind, as a model of one image size reads them.

The short side is resized to the model's size with Pillow's bicubic filter, then the middle square is cut out: the
preprocessing of D-DiT's released pipeline (torchvision's Resize and CenterCrop). Grey and CMYK become RGB, alpha is
dropped; a camera's orientation mark is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from bench.datasets.image_folder import MODES
from bench.errors import CheckFailed


def read_photo(path: Path, size: int) -> np.ndarray:
    """The middle square of a photograph, uint8 (3, size, size). CheckFailed where it cannot be read."""
    try:
        return _square(_decode(path), size).transpose(2, 0, 1)
    except Exception as error:  # Pillow raises what it likes at a damaged file
        raise CheckFailed(f"image {path}: {_fault(error)}") from error


def unreadable_photos(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Why not, by file name, of the photographs that cannot be read. Every one is decoded, on all cores."""
    names = list(dict.fromkeys(names))

    def fault(name: str) -> str | None:
        try:
            _decode(folder / name)
        except Exception as error:
            return _fault(error)
        return None

    with ThreadPoolExecutor() as pool:
        return {name: why for name, why in zip(names, pool.map(fault, names), strict=True) if why is not None}


def _decode(path: Path) -> Image.Image:
    with Image.open(path) as image:
        if image.mode not in MODES:
            raise ValueError(f"pixels of mode {image.mode}")  # 16 bits and more would be clipped
        return image.convert("RGB")


def _square(image: Image.Image, size: int) -> np.ndarray:
    """(size, size, 3)."""
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    return np.array(Compose([Resize(size, InterpolationMode.BICUBIC), CenterCrop(size)])(image))


def _fault(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image"
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
