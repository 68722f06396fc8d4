"""Statistics as files: those of a folder (`score images --save-statistics FILE.npz`), and released ones by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.datasets import Source, reference_statistics
from bench.datasets.resizing import Resize
from bench.errors import UsageError
from bench.files import check_target
from bench.metrics.fid import compute_statistics

if TYPE_CHECKING:
    from bench.features.extractors import Extractor
    from bench.features.kinds import Features


def check_room(out: Path, extractor: Extractor | None) -> None:
    """Find out, before any feature is computed, whether the disk has room for a mean and a covariance in float64."""
    from bench.features.kinds import EXTRACTORS, SPATIAL_FEATURES

    if extractor is not None:
        widths = [EXTRACTORS[extractor.name].num_features, *([SPATIAL_FEATURES] if extractor.has_spatial else [])]
        check_target(out, "--save-statistics", needed_bytes=sum(8.0 * width * (width + 1) for width in widths))


def write_statistics(
    out: Path, source: Source, features: Features | None, extractor: Extractor | None, resize: Resize | None
) -> None:
    """Mean and covariance of the features, pooled and spatial where there are enough images of the latter, with what
    they were made by. UsageError where the source holds statistics already."""
    if features is None or extractor is None or source.images is None:
        raise UsageError(f"--save-statistics {out}: needs images, {source.name} holds statistics")
    told = {
        "num_images": len(features.features),
        "extractor": extractor.name,
        "extractor_sha256": extractor.weights_sha256,
        "resize": "none" if resize is None else resize.what,
        "image_size": (int(source.images.shape[2]), int(source.images.shape[3])),
    }
    mine = reference_statistics.Statistics(*compute_statistics(features.features), **told)  # type: ignore[arg-type]
    spatial = None
    if features.spatial is not None and len(features.spatial) > features.spatial.shape[1]:
        spatial = reference_statistics.Statistics(*compute_statistics(features.spatial))
    reference_statistics.save_statistics(out, mine, spatial)


def named_statistics(reference: str | Path) -> str | Path:
    """Where released statistics lie that are named as an asset, as "adm-imagenet-256"; anything else as it is.

    UsageError, with the command that gets it, where it is missing.
    """
    from bench import assets
    from bench.assets.data import statistics

    name = str(reference)
    is_name = name in {asset.name for asset in statistics()} and not Path(name).exists()
    return assets.require(name) if is_name else reference
