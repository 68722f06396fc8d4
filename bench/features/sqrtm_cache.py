"""The square root of a reference's covariance, kept between runs: by the content of the matrix, never by a name.

One file of 34 MB per reference of 2,048 dimensions, in $ARBITER_CACHE, else $XDG_CACHE_HOME/arbiter, else
~/.cache/arbiter. Written whole or not at all; a file that holds no root of this covariance is made again. The folder
can be deleted at any time, and where it cannot be written nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from bench.metrics.fid import square_root

FOLDER_VARIABLE = "ARBITER_CACHE"  # an environment variable
SMALLEST_KEPT = 1024  # dimensions; a smaller root is made faster than it is read
FILES_KEPT = 8


def cache_folder() -> Path:
    """Where roots are kept."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arbiter"


def reference_root(sigma: np.ndarray) -> np.ndarray:
    """`square_root` of a covariance (D, D), read if it was made before."""
    if len(sigma) < SMALLEST_KEPT:
        return square_root(sigma)
    path = cache_folder() / f"root-{hashlib.sha256(sigma.tobytes()).hexdigest()}.npy"
    try:
        root = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # none, half a file, another format
        root = None
    if root is None or not _is_root(root, sigma):
        root = square_root(sigma)
        _keep(root, path)
    return root


def _is_root(root: np.ndarray, sigma: np.ndarray) -> bool:
    """Whether root root^T = sigma, by one random vector: a flipped bit shows."""
    if root.shape != sigma.shape or root.dtype != np.float64 or not np.isfinite(root).all():
        return False
    probe = np.random.default_rng(0).standard_normal(len(sigma))
    expected = sigma @ probe
    # Rounding of a Cholesky factor: D times 1e-16 at most.
    return float(np.linalg.norm(root @ (root.T @ probe) - expected)) <= 1e-10 * float(np.linalg.norm(expected))


def _keep(root: np.ndarray, path: Path) -> None:
    """Write the file under a temporary name and rename it; forget the oldest of more than FILES_KEPT."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                np.save(file, root)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        for old in sorted(path.parent.glob("root-*.npy"), key=lambda kept: kept.stat().st_mtime)[:-FILES_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return
