"""Where images and reference statistics come from: data sets by name, folders, .npz files.

`open_images(source)` turns what a user names into a `Source`. No torch in here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.datasets import digits
from bench.datasets.image_folder import ImageFolder
from bench.datasets.reference_statistics import Statistics, load_npz
from bench.datasets.resizing import Resize, ResizedImages
from bench.errors import UsageError

DATASETS: dict[str, str] = {
    "digits-train": "1,297 real 8x8 scans of handwritten digits for training, also the reference; inside scikit-learn",
    "digits-heldout": "500 real 8x8 scans, 50 per class, never trained on; inside scikit-learn",
}


class Images(Protocol):
    """Images in an order, all of one size: an array uint8 (N, 3, H, W), or an ImageFolder, which reads on demand."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Source:
    """What a name or a path holds: images, or the mean and covariance of features, or (ADM's reference file) both."""

    name: str  # a data set's name or a file's; no folder, so that a record can hold it
    images: Images | None
    statistics: Statistics | None
    spatial: Statistics | None = None  # of ADM's spatial features
    labels: np.ndarray | None = None  # (N,) classes of the images, where the source itself says them


def chunks(images: Images, size: int) -> Iterator[np.ndarray]:
    """The images in order, `size` at a time (the last chunk may be smaller)."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def open_images(source: str | Path, role: str = "images", resize: Resize | None = None) -> Source:
    """A data set's name, a folder of images or an .npz as a Source. `role` names it in messages, as "reference".

    resize: how images of a folder come to one size. Raises UsageError where there is no such thing, or where it is
    empty, mixed or of the wrong kind; CheckFailed where a file is broken or holds NaN.
    """
    name = str(source)
    if name in DATASETS:
        images, labels = digits.load("train" if name == "digits-train" else "heldout")
        return Source(name, images, None, labels=labels)
    path, known = Path(source), ", ".join(DATASETS)
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:  # a name that no file can have
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{role} {name[:100]!r}: {why}; data sets by name: {known}") from error
    if not exists:
        raise UsageError(f"{role} {name}: no such folder, .npz file or data set; data sets by name: {known}")
    if path.is_dir():
        folder = ImageFolder(path, role, resize)
        return Source(path.resolve().name, folder, None, labels=folder.labels())
    if path.is_file() and path.suffix == ".npz":
        found = load_npz(path, role)
        images_of = found.images if found.images is None or resize is None else ResizedImages(found.images, resize)
        return Source(path.name, images_of, found.statistics, found.spatial, found.labels)
    raise UsageError(f"{role} {name}: neither a folder of images nor an .npz file; data sets by name: {known}")
