"""The audit before scoring: images that no score should be made of are refused, not averaged over.

Refused: NaN or infinite pixels, a constant image (black frames), another size than the reference, classes far out of
balance, and exact duplicates above 1 %: a sampler whose seeds repeat or whose output collapsed. Continuous models and
photographs repeat no image by chance; below 1 % duplicates move a FID by less than its own noise.
The reference is audited alike: a score against black or repeated images is none.
Reported, not refused: copies of training images, the share of images recognised as their class.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

CHUNK = 256  # images read at a time
DUPLICATES_ALLOWED = 0.01  # share of the images
REFERENCE_CONSTANT_ALLOWED = 0.01  # share of a reference's images
SCARCE, CROWDED = 0.25, 3.0  # a class may hold this much of its due share ...
SIGMAS = 4  # ... or whatever lies within this many Poisson standard deviations of it


@dataclass(frozen=True)
class Facts:
    """What the audit must know of each image; from it nothing else of the pixels is needed."""

    digests: np.ndarray  # uint8 (N, 32), SHA-256 of an image's pixels
    constant: np.ndarray  # bool (N,)
    finite: np.ndarray  # bool (N,)


def facts_of(images: Any) -> Facts:
    """images: uint8 or float (N, C, H, W), an array or anything that reads as one (bench.datasets.Images)"""
    num = len(images)
    found = Facts(np.zeros((num, 32), np.uint8), np.zeros(num, bool), np.ones(num, bool))
    for start in range(0, num, CHUNK):
        for i, image in enumerate(images[start : start + CHUNK], start):
            found.finite[i] = image.dtype.kind != "f" or np.isfinite(image).all()
            found.constant[i] = (image == image.reshape(len(image), -1)[:, :1, None]).all()
            found.digests[i] = np.frombuffer(hashlib.sha256(image.tobytes()).digest(), np.uint8)
    return found


def audit(
    images: Any,
    labels: np.ndarray | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    constant_allowed: float = 0.0,
) -> dict[str, Any]:
    """The audit of images; see audit_facts. images: as of facts_of."""
    size = tuple(int(side) for side in images.shape[2:]) if len(images) else (0, 0)
    return audit_facts(facts_of(images), size, labels, image_size=image_size, constant_allowed=constant_allowed)


def audit_facts(
    facts: Facts,
    size: tuple[int, ...],
    labels: np.ndarray | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    constant_allowed: float = 0.0,
) -> dict[str, Any]:
    """What is odd about images, and under "failures" what forbids a score, one sentence each (empty: passed).

    size: (H, W) of the images    labels: (N,) the classes asked for    image_size: (H, W) expected; None: any
    constant_allowed: share of the images that may be constant: a real collection may hold a blank one.
    "content_sha256" is of all pixels in their order.
    """
    num = len(facts.digests)
    if num == 0:
        return {"num_images": 0, "failures": ["there are no images"]}
    nonfinite = np.flatnonzero(~facts.finite)
    constant = np.flatnonzero(facts.constant & facts.finite)
    seen: dict[bytes, int] = {}
    duplicates = [
        int(i) for i in np.flatnonzero(facts.finite) if seen.setdefault(facts.digests[i].tobytes(), int(i)) != i
    ]
    found: dict[str, Any] = {
        "num_images": num,
        "image_size": list(size),
        "nonfinite": len(nonfinite),
        "constant": len(constant),
        "duplicates": len(duplicates),
        "duplicates_share": len(duplicates) / num,
    }
    if not len(nonfinite):
        found["content_sha256"] = hashlib.sha256(facts.digests.tobytes()).hexdigest()
    failures = []
    if image_size is not None and size != tuple(image_size):
        failures.append(f"images are {_by(size)}, the reference is {_by(image_size)}")
    if len(nonfinite):
        failures.append(f"{len(nonfinite)} of {num} images hold NaN or infinite values (first: image {nonfinite[0]})")
    if len(constant) > constant_allowed * num:
        failures.append(f"{len(constant)} of {num} images are constant (first: image {constant[0]})")
    if len(duplicates) > DUPLICATES_ALLOWED * num:
        failures.append(
            f"{len(duplicates)} of {num} images equal an earlier one (first: image {duplicates[0]}); "
            f"at most {DUPLICATES_ALLOWED:.0%} may"
        )
    if labels is not None:
        asked = np.bincount(labels)
        found["labels_asked"] = asked.tolist()
        if asked.max() - asked.min() > 1:
            failures.append(f"the classes asked for are not balanced: {asked.min()} to {asked.max()} images each")
    return {**found, "failures": failures}


def audit_classes(posteriors: np.ndarray, labels: np.ndarray | None = None) -> dict[str, Any]:
    """The audit's second half: class balance as a classifier sees it.  posteriors: (N, K)  labels: (N,) asked for."""
    recognised = posteriors.argmax(1)
    counts = np.bincount(recognised, minlength=posteriors.shape[1])
    found: dict[str, Any] = {"class_counts": counts.tolist(), "failures": []}
    if labels is not None:
        found["recognised_share"] = float((recognised == labels).mean())
    due = counts.sum() / len(counts)
    outside = (counts < SCARCE * due) | (counts > CROWDED * due)
    bad = np.flatnonzero(outside & (abs(counts - due) > SIGMAS * np.sqrt(due)))
    if len(bad):
        worst = ", ".join(f"class {k}: {counts[k]}" for k in bad[:3])
        found["failures"] = [
            f"a classifier finds {len(bad)} of {len(counts)} classes far from their due {due:.0f} images ({worst})"
        ]
    return found


def _by(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"


def copies_share(images: np.ndarray, train_images: np.ndarray) -> float:
    """Share of images that copy a training image: nearer to one than any two different training images are.

    Euclidean distance of pixels; an exact copy is at distance 0. For small sets: all distances are computed.
    """
    from scipy.spatial.distance import cdist

    rows = images.reshape(len(images), -1).astype(np.float64)
    train_rows = train_images.reshape(len(train_images), -1).astype(np.float64)
    among = cdist(train_rows, train_rows)
    np.fill_diagonal(among, np.inf)
    return float((cdist(rows, train_rows).min(1) < among[among > 0].min()).mean())
