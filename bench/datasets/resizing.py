"""How an image of another size becomes one of the size that is scored: by a named rule, which is part of the protocol.

adm        the middle square, as ADM (arXiv:2105.05233) prepares ImageNet: halved by a box filter while its short
           side is at least twice the size, then bicubic to the size, then cut. uint8
clean-fid  the whole image to 299 x 299, each channel by Pillow's bicubic filter in float32, neither rounded nor cut
           (arXiv:2104.11222): what clean-fid feeds to Inception, for statistics made by clean-fid. float32
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from bench.errors import UsageError

CLEAN_SIZE = 299  # Inception's input


@dataclass(frozen=True)
class Resize:
    """A rule with its size, ready: `resize(image) -> (3, size, size)`."""

    rule: str  # a key of RULES
    size: int

    def __call__(self, image: Image.Image) -> np.ndarray:
        return RULES[self.rule](image, self.size)

    @property
    def dtype(self) -> type:
        return np.float32 if self.rule == "clean-fid" else np.uint8

    @property
    def what(self) -> str:
        """As a protocol names it."""
        return f"{self.rule} to {self.size}x{self.size}"


def find_resize(rule: str | None, size: int | None) -> Resize | None:
    """The rule by name; None: images stay as they are. UsageError for an unknown rule or a size that it cannot have."""
    if rule is None:
        if size is not None:
            raise UsageError(f"a size of {size} without a rule to resize by; known: {', '.join(RULES)}")
        return None
    if rule not in RULES:
        raise UsageError(f"unknown resize rule {rule!r}; known: {', '.join(RULES)}")
    if rule == "clean-fid":
        if size not in (None, CLEAN_SIZE):
            raise UsageError(f"clean-fid resizes to {CLEAN_SIZE}x{CLEAN_SIZE}; a size of {size} cannot be had")
        return Resize(rule, CLEAN_SIZE)
    if size is None or not 1 <= size <= 4096:
        raise UsageError(f"resize rule {rule!r} needs a size from 1 to 4096, as 256; got {size}")
    return Resize(rule, size)


class ResizedImages:
    """Images of one size, uint8 (N, 3, H, W), resized as they are read."""

    def __init__(self, images: Any, resize: Resize):
        self.images, self.resize = images, resize
        self.shape = (len(images), 3, resize.size, resize.size)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        chunk = self.images[rows]
        resized = [self.resize(Image.fromarray(np.ascontiguousarray(one.transpose(1, 2, 0)))) for one in chunk]
        return np.stack(resized) if resized else np.empty((0, *self.shape[1:]), self.resize.dtype)


def _adm(image: Image.Image, size: int) -> np.ndarray:
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    width, height = round(image.width * scale), round(image.height * scale)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    top, left = (height - size) // 2, (width - size) // 2
    return pixels[top : top + size, left : left + size].transpose(2, 0, 1)


def _clean(image: Image.Image, size: int) -> np.ndarray:
    channels = (channel.convert("F").resize((size, size), Image.Resampling.BICUBIC) for channel in image.split())
    return np.stack([np.asarray(channel) for channel in channels]).clip(0, 255)


RULES: dict[str, Callable[[Image.Image, int], np.ndarray]] = {"adm": _adm, "clean-fid": _clean}
