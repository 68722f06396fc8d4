"""The square root of a reference's covariance, kept between runs: by the content of the matrix, never by a name.

One file of 34 MB per reference of 2,048 dimensions, see cache.py. A file that holds no root of this covariance is made
again.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from bench.assets.checksums import cache_folder
from bench.features.cache import keep
from bench.metrics.fid import square_root

SMALLEST_KEPT = 1024  # dimensions; a smaller root is made faster than it is read


def reference_root(sigma: np.ndarray) -> np.ndarray:
    """`square_root` of a covariance (D, D), read if it was made before."""
    if len(sigma) < SMALLEST_KEPT:
        return square_root(sigma)
    path = cache_folder() / f"root-{hashlib.sha256(sigma.tobytes()).hexdigest()}.npy"
    try:
        root = np.load(path, allow_pickle=False) if path.is_file() else None
    except Exception:  # half a file, another format: at those numpy raises what it likes
        root = None
    if root is None or not _is_root(root, sigma):
        root = square_root(sigma)
        keep(path, lambda file: np.save(file, root), "root-*.npy")
    return root


def _is_root(root: Any, sigma: np.ndarray) -> bool:
    """Whether root root^T = sigma, by one random vector: a flipped bit shows.  root: what numpy makes of a file"""
    if not isinstance(root, np.ndarray) or (root.shape, root.dtype) != (sigma.shape, np.float64):
        return False
    if not np.isfinite(root).all():
        return False
    probe = np.random.default_rng(0).standard_normal(len(sigma))
    expected = sigma @ probe
    # Rounding of a Cholesky factor: D times 1e-16 at most.
    return float(np.linalg.norm(root @ (root.T @ probe) - expected)) <= 1e-10 * float(np.linalg.norm(expected))
