"""Reference files in the ADM layout (github.com/openai/guided-diffusion, evaluations/): one .npz with

    arr_0       images, uint8 (N, H, W, 3)
    mu, sigma   mean (D,) and covariance (D, D) of their 2,048 Inception features

ADM's ImageNet file holds both: 10,000 images, and the statistics of the whole training set. As in ADM's evaluator the
statistics, where present, give the FID, and the images the rest (precision and recall from statistics is a known trap:
0.51 instead of 0.81, github.com/LTH14/mar issue 91).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import CheckFailed, UsageError


@dataclass(frozen=True)
class Statistics:
    """Mean and covariance of features, float64."""

    mu: np.ndarray  # (D,)
    sigma: np.ndarray  # (D, D)
    num_images: int | None = None  # how many images they come from; None: the file does not say


def load_npz(path: Path, role: str = "reference") -> tuple[np.ndarray | None, Statistics | None]:
    """(images uint8 (N, 3, H, W) or None, statistics or None) of an .npz; at least one of them is there."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("arr_0", "mu", "sigma") if key in file}
            found = ", ".join(file.files) or "nothing"
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise CheckFailed(f"{role} {path}: not a whole .npz file ({error})") from error
    images = _images(arrays["arr_0"], path, role) if "arr_0" in arrays else None
    statistics = _statistics(arrays["mu"], arrays["sigma"], path, role) if {"mu", "sigma"} <= arrays.keys() else None
    if images is None and statistics is None:
        raise UsageError(f"{role} {path}: expected arr_0 (images) or mu and sigma (statistics), found {found}")
    return images, statistics


def _images(images: np.ndarray, path: Path, role: str) -> np.ndarray:
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        bad = np.count_nonzero(~np.isfinite(images.reshape(len(images), -1)).all(axis=1))
        raise CheckFailed(f"{role} {path}: NaN or infinite values in {bad} of {len(images)} images")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not len(images):
        raise UsageError(f"{role} {path}: arr_0 is {images.dtype} {images.shape}; expected uint8 (N, H, W, 3)")
    return images.transpose(0, 3, 1, 2)


def _statistics(mu: np.ndarray, sigma: np.ndarray, path: Path, role: str) -> Statistics:
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)) or mu.dtype.kind != "f" or sigma.dtype.kind != "f":
        raise UsageError(
            f"{role} {path}: mu is {mu.dtype} {mu.shape}, sigma {sigma.dtype} {sigma.shape}; "
            "expected floats (D,) and (D, D)"
        )
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise CheckFailed(f"{role} {path}: NaN or infinite values in mu or sigma")
    mu, sigma = mu.astype(np.float64), sigma.astype(np.float64)
    if not np.allclose(sigma, sigma.T, rtol=1e-4, atol=1e-6 * np.abs(sigma).max()):
        raise CheckFailed(f"{role} {path}: sigma is not symmetric, so it is no covariance")
    return Statistics(mu, (sigma + sigma.T) / 2)
