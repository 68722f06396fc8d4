"""The feature extractors by name, as data: what each is, where its weights lie. Importing this imports no torch.

`inception` is for photographs; `digits`, for 8x8 scans, is the small CNN of digits_network.py, whose weights ship
beside it; `dinov2` where its weights are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import assets
from bench.datasets import digits

DIGITS_WEIGHTS = Path(__file__).parent / "features-digits.safetensors"
SPATIAL_FEATURES = 2023  # of an image, where an extractor has them


@dataclass(frozen=True)
class Features:
    """What the metrics take, one row per image, in the network's own precision."""

    features: np.ndarray  # (N, D)
    posteriors: np.ndarray  # (N, K), class probabilities, float64; (N, 0) of a network that tells no classes
    spatial: np.ndarray | None = None  # (N, 2023) of Inception's mixed_6/conv, for sFID; None: not asked for


@dataclass(frozen=True)
class Kind:
    """A row of EXTRACTORS."""

    what: str  # one sentence for the reader of a report
    # "module:function": of a weights file a network, whose forward gives (features, logits or None, spatial or None).
    network: str
    chunk: int  # images per forward pass, always
    num_features: int
    image_size: int | None  # the one size it takes; None: any, resized as the original Inception graph does
    num_classes: int | None  # where class k of its posteriors is label k of the generator; None: other classes
    weights: Callable[[], Path]  # where its weights lie if no file is named
    get_weights: str  # how to get them


def _asset_file(name: str) -> Path:
    """Where an asset lies, or is expected."""
    return assets.locate(assets.find(name)).path


EXTRACTORS: dict[str, Kind] = {
    "digits": Kind(
        what="CNN trained on the 1,297 training scans, 64 features, float64",
        network="bench.features.digits_network:Digits",
        chunk=250,
        num_features=64,
        image_size=digits.IMAGE_SIZE,
        num_classes=digits.NUM_CLASSES,
        weights=lambda: DIGITS_WEIGHTS,
        get_weights="train it with: python -m bench.features.digits_network --out FILE",
    ),
    "inception": Kind(
        what="Inception-v3 of the original FID code (torch-fidelity 'inception-v3-compat'), 2,048 features",
        network="bench.features.inception:build_inception",
        chunk=32,
        num_features=2048,
        image_size=None,
        num_classes=None,
        weights=lambda: _asset_file("inception"),
        get_weights="get it with: python -m bench fetch inception; or name the file with --weights",
    ),
    "dinov2": Kind(
        what="DINOv2 ViT-L/14 (arXiv:2304.07193), class token of 1,024 features, images resized as torch-fidelity does",
        network="bench.features.dinov2:build_dinov2",
        chunk=32,
        num_features=1024,
        image_size=None,
        num_classes=None,
        weights=lambda: _asset_file("dinov2-vitl14"),
        get_weights="get it with: python -m bench fetch dinov2-vitl14; or name the file with --weights",
    ),
}
