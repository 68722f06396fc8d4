"""Reference files in the ADM layout (github.com/openai/guided-diffusion, evaluations/): one .npz with

    arr_0             images, uint8 (N, H, W, 3)
    arr_1             their classes, integers (N,); ADM's own samples have them
    mu, sigma         mean (D,) and covariance (D, D) of their 2,048 Inception features
    mu_s, sigma_s     the same of 2,023 spatial features, for sFID
    n, extractor, extractor_sha256, resize, image_size     written by us beside mu and sigma: what they were made of

ADM's ImageNet file holds all but the last line: 10,000 images, and the statistics of the whole training set. As in
ADM's evaluator the statistics, where present, give the FID, and the images the rest (precision and recall from
statistics is a known trap: 0.51 instead of 0.81, github.com/LTH14/mar issue 91).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.datasets.npz_files import NpzFile, NpzImages, as_text
from bench.errors import CheckFailed, UsageError
from bench.files import make_folder, write_whole

LARGEST_VALUE = 1e100  # of a mean or covariance: its square is finite, and no network gives features like that
LARGEST_COUNT = 2**63 - 1  # what a record can hold


@dataclass(frozen=True)
class Statistics:
    """Mean and covariance of features, float64, and what the file says of how they were made (None: nothing)."""

    mu: np.ndarray  # (D,)
    sigma: np.ndarray  # (D, D)
    num_images: int | None = None  # how many images they come from
    extractor: str | None = None  # its name in features.EXTRACTORS
    extractor_sha256: str | None = None  # of its weights
    resize: str | None = None  # the rule by which the images were resized before; "none": by no rule
    image_size: tuple[int, int] | None = None  # (H, W) of the images that the extractor was given


@dataclass(frozen=True)
class Npz:
    """What an .npz of images or statistics holds; images or statistics, or both."""

    images: np.ndarray | NpzImages | None  # uint8 (N, 3, H, W)
    labels: np.ndarray | None  # (N,) classes of the images
    statistics: Statistics | None
    spatial: Statistics | None  # of the spatial features


def load_npz(path: Path, role: str = "reference") -> Npz:
    """An .npz file as its parts. CheckFailed for a damaged file, UsageError for one that holds something else."""
    file = NpzFile(path, role)
    images = _images(file, path, role) if "arr_0" in file else None
    statistics = _statistics(file, path, role) if {"mu", "sigma"} <= set(file) else None
    spatial = _statistics(file, path, role, "_s") if {"mu_s", "sigma_s"} <= set(file) else None
    if images is None and statistics is None:
        found = ", ".join(file) or "nothing"
        raise UsageError(f"{role} {path}: expected arr_0 (images) or mu and sigma (statistics), found {found}")
    return Npz(images, None if images is None else _labels(file, len(images)), statistics, spatial)


def save_statistics(path: Path, statistics: Statistics, spatial: Statistics | None = None) -> None:
    """Write mu and sigma as everybody reads them, whole or not at all. CheckFailed where it cannot be written."""
    arrays: dict[str, np.ndarray] = {"mu": statistics.mu, "sigma": statistics.sigma}
    if spatial is not None:
        arrays |= {"mu_s": spatial.mu, "sigma_s": spatial.sigma}
    told = {
        "n": statistics.num_images,
        "extractor": statistics.extractor,
        "extractor_sha256": statistics.extractor_sha256,
        "resize": statistics.resize,
        "image_size": statistics.image_size,
    }
    arrays |= {key: np.array(value) for key, value in told.items() if value is not None}
    make_folder(path.parent, "statistics")
    content = io.BytesIO()  # of a disk that fills up, a ZipFile would say so once more when it is thrown away
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_whole(path, content.getvalue())


def _images(file: NpzFile, path: Path, role: str) -> np.ndarray | NpzImages:
    member, shape, fortran, dtype = file.open("arr_0")
    member.close()
    if dtype.kind == "f" and len(shape) > 1 and not np.isfinite(whole := file.read("arr_0")).all():
        bad = np.count_nonzero(~np.isfinite(whole.reshape(len(whole), -1)).all(axis=1))
        raise CheckFailed(f"{role} {path}: NaN or infinite values in {bad} of {len(whole)} images")
    if dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise UsageError(f"{role} {path}: arr_0 is {dtype} {shape}; expected uint8 (N, H, W, 3)")
    return file.read("arr_0").transpose(0, 3, 1, 2) if fortran else NpzImages(file, "arr_0")


def _labels(file: NpzFile, num: int) -> np.ndarray | None:
    """arr_1 where it holds one class per image, else None."""
    if "arr_1" not in file:
        return None
    labels = file.read("arr_1")
    if labels.shape != (num,) or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 1 << 20:
        return None
    return labels.astype(np.int64)


def _statistics(file: NpzFile, path: Path, role: str, suffix: str = "") -> Statistics:
    mu, sigma = file.read(f"mu{suffix}"), file.read(f"sigma{suffix}")
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)) or not len(mu) or {mu.dtype.kind, sigma.dtype.kind} != {"f"}:
        raise UsageError(
            f"{role} {path}: mu{suffix} is {mu.dtype} {mu.shape}, sigma{suffix} {sigma.dtype} {sigma.shape}; "
            "expected floats (D,) and (D, D), D at least 1"
        )
    if np.float16 in (mu.dtype, sigma.dtype):
        raise UsageError(
            f"{role} {path}: mu{suffix} or sigma{suffix} is float16, too coarse; expected float32 or float64"
        )
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise CheckFailed(f"{role} {path}: NaN or infinite values in mu{suffix} or sigma{suffix}")
    rounding = float(np.finfo(sigma.dtype).eps)
    mu, sigma = mu.astype(np.float64), sigma.astype(np.float64)
    if max(np.abs(mu).max(), np.abs(sigma).max()) > LARGEST_VALUE:
        raise CheckFailed(f"{role} {path}: mu{suffix} or sigma{suffix} has values above {LARGEST_VALUE:g}: no features")
    if not np.allclose(sigma, sigma.T, rtol=1e-4, atol=1e-6 * np.abs(sigma).max()):
        raise CheckFailed(f"{role} {path}: sigma{suffix} is not symmetric, so it is no covariance")
    sigma = (sigma + sigma.T) / 2
    rank, told = _check_rank(sigma, rounding, path, role, suffix), _told(file, path, role)
    if (num := told.get("num_images")) is not None and num <= rank:  # type: ignore[operator]
        raise CheckFailed(f"{role} {path}: n says {num} images, of which no covariance of rank {rank} comes")
    return Statistics(mu, sigma, **told)  # type: ignore[arg-type]


def _check_rank(sigma: np.ndarray, rounding: float, path: Path, role: str, suffix: str) -> int:
    """The rank; CheckFailed for a covariance of fewer images than dimensions: its Frechet distance would mean nothing.

    Features that never vary are left out of the count. Zero is what rounding of the stored numbers may leave.
    """
    varies = np.diagonal(sigma) != 0
    kept = sigma[np.ix_(varies, varies)]
    eigenvalues = np.linalg.eigvalsh(kept) if len(kept) else np.zeros(0)
    largest = eigenvalues[-1] if len(eigenvalues) else 0.0
    rank = int((eigenvalues > 8 * rounding * largest).sum())
    if len(eigenvalues) and eigenvalues[0] < -1e-3 * largest:
        raise CheckFailed(f"{role} {path}: sigma{suffix} has an eigenvalue of {eigenvalues[0]:.3g}: no covariance")
    if rank < len(kept) or not rank:
        raise CheckFailed(
            f"{role} {path}: sigma{suffix} has rank {rank} of {len(sigma)}: of too few images for a Frechet distance"
        )
    return rank


def _told(file: NpzFile, path: Path, role: str) -> dict[str, object]:
    """What the file says of how its statistics were made, by field of Statistics."""
    found: dict[str, object] = {}
    if "n" in file:
        num = file.read("n")
        if num.size != 1 or num.dtype.kind not in "iu" or not 0 < int(num.item()) <= LARGEST_COUNT:
            raise UsageError(f"{role} {path}: n is {num.dtype} {num.shape}; expected a count of images")
        found["num_images"] = int(num.item())
    for key in ("extractor", "extractor_sha256", "resize"):
        if key in file:
            found[key] = as_text(file.read(key))
    if "image_size" in file and (size := file.read("image_size")).shape == (2,) and size.dtype.kind in "iu":
        found["image_size"] = (int(size[0]), int(size[1]))
    return found
