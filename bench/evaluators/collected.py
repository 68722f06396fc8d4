"""Scores of many images: features and what the audit must know are made where the images are, pixels are not kept.

50,000 images of 256 pixels are 9.8 GB, their features 1.2 GB; see sampling/images.py for the store that holds them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.datasets.resizing import Resize, ResizedImages
from bench.evaluators.image_scores import Collected
from bench.features.kinds import Features
from bench.metrics.audit import Facts, facts_of
from bench.sampling.identity import LABEL_RULES
from bench.sampling.images import Extract, Samples

VERSION = 1  # raised when what is kept of an image changes
SHOWN = 64  # images whose pixels are kept, for the report
THUMBNAIL = 64  # pixels, where they are larger


def feature_extract(name: str, device: str, resize: Resize | None = None) -> Extract:
    """Features of an extractor and the facts of the audit, of the images as `resize` makes them.

    CheckFailed where its weights are missing or do not fit.
    """
    from bench.features.extractors import Extractor

    extractor = Extractor(name, device=device)

    def call(images: np.ndarray) -> dict[str, np.ndarray]:
        if resize is not None:
            images = ResizedImages(images, resize)[:]
        found, facts = extractor(images, spatial=extractor.has_spatial), facts_of(images)
        kept = {"features": found.features, "posteriors": found.posteriors}
        if found.spatial is not None:
            kept["spatial"] = found.spatial
        return {**kept, "digests": facts.digests, "constant": facts.constant, "finite": facts.finite}

    return Extract(name, extract_identity(extractor.weights_sha256, resize), call)


def extract_identity(weights_sha256: str, resize: Resize | None) -> dict[str, Any]:
    """What is kept of images depends on, beside the images."""
    return {"weights_sha256": weights_sha256, "version": VERSION} | ({} if resize is None else {"resize": resize.what})


def read_collected(samples: Samples, *, labels: str, seed: int, num_classes: int | None, image_size: int) -> Collected:
    """What was kept of all images, in memory: about 24 KB an image of Inception's features.

    num_classes: None: the images were generated from prompts    image_size: of the images as they are scored
    """
    arrays = {name: samples.array(name) for name in next(samples.shards()).arrays}
    asked = None
    if num_classes is not None:
        asked = np.array([LABEL_RULES[labels](i, seed, num_classes) for i in range(samples.num)])
    return Collected(
        Features(arrays["features"], arrays["posteriors"], arrays.get("spatial")),
        Facts(arrays["digests"], arrays["constant"], arrays["finite"]),
        (image_size, image_size),
        asked,
    )


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Images uint8 (N, 3, H, W), no side longer than THUMBNAIL."""
    from PIL import Image

    height, width = images.shape[2:]
    if max(height, width) <= THUMBNAIL:
        return images
    small: Any = [Image.fromarray(np.ascontiguousarray(one.transpose(1, 2, 0))) for one in images]
    scale = THUMBNAIL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([np.asarray(one.resize(size, Image.Resampling.BOX)).transpose(2, 0, 1) for one in small])
