"""Feature extractors by name, as torch-fidelity knows them: `inception` (for photographs) and `digits` (for 8x8 scans).

`digits` is the small CNN of digits_network.py; its weights ship beside it.

An image's features depend on that image alone: extraction works in chunks of one fixed size, the last one filled up, so
that no caller's batch size reaches them (torch-fidelity issue 43: batch size changes Inception's features).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

from bench.datasets import Images, chunks, digits
from bench.errors import CheckFailed, UsageError
from bench.features.digits_network import DIGITS_WEIGHTS, DigitsExtractor
from reference_models.checkpoints import read_state
from reference_models.errors import CheckpointError

# -- extraction --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Features:
    """What the metrics take, float64, one row per image."""

    features: np.ndarray  # (N, D)
    posteriors: np.ndarray  # (N, K), class probabilities


@dataclass(frozen=True)
class Kind:
    """A row of EXTRACTORS."""

    what: str  # one sentence for the reader of a report
    registered: str  # its name in torch-fidelity's registry
    chunk: int  # images per forward pass, always
    num_features: int
    image_size: int | None  # the one size it takes; None: any, resized as the original Inception graph does
    num_classes: int | None  # where class k of its posteriors is label k of the generator; None: other classes
    weights: Callable[[], Path]  # where its weights lie if no file is named
    get_weights: str  # how to get them


EXTRACTORS: dict[str, Kind] = {
    "digits": Kind(
        what="CNN trained on the 1,297 training scans, 64 features, float64",
        registered="digits",
        chunk=250,
        num_features=64,
        image_size=digits.IMAGE_SIZE,
        num_classes=digits.NUM_CLASSES,
        weights=lambda: DIGITS_WEIGHTS,
        get_weights="train it with: python -m bench.features.digits_network --out FILE",
    ),
    "inception": Kind(
        what="Inception-v3 of the original FID code (torch-fidelity 'inception-v3-compat'), 2,048 features",
        registered="inception-v3-compat",
        chunk=32,
        num_features=2048,
        image_size=None,
        num_classes=None,
        weights=lambda: Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name,
        get_weights=f"download {URL_INCEPTION_V3} (91 MB) to that place, or name the file with --weights",
    ),
}


def register() -> None:
    """Make `digits` known to torch-fidelity (`calculate_metrics(feature_extractor="digits")`); again does nothing."""
    if "digits" not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor("digits", DigitsExtractor)


class Extractor:
    """A feature extractor, ready: `extractor(images) -> Features`.

    Raises UsageError for an unknown name, CheckFailed for weights that are missing or do not fit. Never downloads.
    """

    def __init__(self, name: str, weights: Path | str | None = None, device: str = "cpu"):
        if name not in EXTRACTORS:
            raise UsageError(f"unknown feature extractor {name!r}; known: {', '.join(EXTRACTORS)}")
        register()
        self.name, self.kind, self.device = name, EXTRACTORS[name], device
        path = self.kind.weights() if weights is None else Path(weights)
        if not path.is_file():
            raise CheckFailed(f"features {name!r}: needs weights {path}: no such file; {self.kind.get_weights}")
        self.weights_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        network = FEATURE_EXTRACTORS_REGISTRY[self.kind.registered]
        layers = [network.get_default_feature_layer_for_metric(metric) for metric in ("fid", "isc")]
        try:
            state = read_state(path)  # before torch-fidelity, which would unpickle anything
            self.network = network(self.kind.registered, layers, feature_extractor_weights_path=str(path)).to(device)
        except CheckpointError as error:
            raise CheckFailed(f"features {name!r}: {error}") from error
        except RuntimeError as error:  # load_state_dict, several lines long
            found = f"{len(state)} keys found, as {', '.join(list(state)[:3])}"
            raise CheckFailed(
                f"features {name!r}: weights {path}: of another model: expected {Path(URL_INCEPTION_V3).name}, {found}"
            ) from error

    def __call__(self, images: Images, advance: Callable[[int], None] = lambda done: None) -> Features:
        """Features and class posteriors of uint8 images (N, 3, H, W). `advance(done)` is told how many are done."""
        height, width = images.shape[2:]
        size = self.kind.image_size
        if size is not None and (height, width) != (size, size):
            raise UsageError(f"features {self.name!r} take images of {size}x{size}, got {width}x{height}")
        features, posteriors, done = [], [], 0
        for chunk in chunks(images, self.kind.chunk):
            count = len(chunk)
            filled = np.concatenate([chunk, np.repeat(chunk[-1:], self.kind.chunk - count, axis=0)])
            with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
                outputs = self.network(torch.from_numpy(filled).to(self.device))
            layers = [output[:count].double().cpu() for output in outputs]
            features.append(layers[0].numpy())
            posteriors.append(layers[1].softmax(1).numpy())
            done += count
            advance(done)
        return Features(np.concatenate(features), np.concatenate(posteriors))
