"""A folder of images, read as they are asked for, in the order of their file names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from bench.errors import CheckFailed, UsageError

SUFFIXES = (".png", ".jpg", ".jpeg")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")  # 8 bits per channel; others would be clipped


class ImageFolder:
    """The images of a folder (not of its subfolders), sorted by name.

    `len(folder)` counts them, `folder[start:stop]` reads them: uint8 (n, 3, H, W).
    Grey becomes RGB and alpha is dropped, as torch-fidelity does. Opening reads the headers only.
    Raises UsageError for a folder without images or with images of several sizes, CheckFailed for a broken file.
    """

    def __init__(self, path: Path, role: str = "images"):
        self.path, self.role = path, role
        self.files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if not self.files:
            raise UsageError(f"{role} {path}: no images in this folder; expected {', '.join(SUFFIXES)} files")
        counts: Counter[tuple[int, int]] = Counter()
        for file in self.files:
            with self._open(file) as image:
                if image.mode not in MODES:
                    raise UsageError(f"{role} {file}: pixels of mode {image.mode}; expected 8-bit grey or RGB")
                counts[image.size] += 1
        if len(counts) > 1:
            found = ", ".join(f"{count} of {width}x{height}" for (width, height), count in counts.most_common(3))
            raise UsageError(f"{role} {path}: images of {len(counts)} sizes ({found}); expected one size")
        ((width, height),) = counts
        self.shape = (len(self.files), 3, height, width)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> np.ndarray:
        images = np.empty((len(self.files[rows]), *self.shape[1:]), np.uint8)
        for i, file in enumerate(self.files[rows]):
            with self._open(file) as image:
                try:
                    images[i] = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
                except (OSError, SyntaxError) as error:  # Pillow's errors for a file cut short
                    raise CheckFailed(f"{self.role} {file}: a broken image ({error})") from error
        return images

    def _open(self, file: Path) -> Image.Image:
        try:
            return Image.open(file)
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise CheckFailed(f"{self.role} {file}: not a readable image") from error
