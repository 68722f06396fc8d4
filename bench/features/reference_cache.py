"""Features of a reference's images, kept between runs: extracted once for all models that are scored against it.

The name of the file is a hash of what the features depend on: the images' pixels, the extractor, its weights, and the
kind of device. The archive's own checksums tell a damaged file, which is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable

import numpy as np

from bench.assets.checksums import cache_folder
from bench.datasets import Images
from bench.datasets.npz_files import NpzFile
from bench.errors import CheckFailed
from bench.features.cache import keep
from bench.features.extractors import Extractor
from bench.features.kinds import Features

SMALLEST_KEPT = 256  # images; features of fewer are made about as fast as they are read
PARTS = ("features", "posteriors", "spatial")


def reference_features(
    extractor: Extractor,
    images: Images,
    content_sha256: str,
    advance: Callable[[int], None] = lambda done: None,
    *,
    spatial: bool = False,
) -> Features:
    """`extractor(images)`, read if it was made before. content_sha256: of the images (metrics.audit gives it)."""
    if len(images) < SMALLEST_KEPT:
        return extractor(images, advance, spatial=spatial)
    depends = {
        "images": content_sha256,
        "extractor": extractor.name,
        "weights": extractor.weights_sha256,
        "device": extractor.device.split(":")[0],
        "spatial": spatial,
    }
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    path = cache_folder() / f"features-{digest}.npz"
    if os.path.isfile(path):  # False, too, in a folder that may not be looked into
        try:
            file = NpzFile(path, "kept features")
            found = {name: file.read(name) for name in PARTS if name in file}
            if {len(part) for part in found.values()} == {len(images)} and ("spatial" in found) == spatial:
                return Features(found["features"], found["posteriors"], found.get("spatial"))
        except (CheckFailed, KeyError):  # half a file, or a damaged one
            pass
    made = extractor(images, advance, spatial=spatial)
    arrays = {name: part for name in PARTS if (part := getattr(made, name)) is not None}
    keep(path, lambda out: np.savez(out, **arrays), "features-*.npz")
    return made
