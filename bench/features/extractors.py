"""A feature extractor of kinds.py, ready to run.

An image's features depend on that image alone: extraction works in chunks of one fixed size, the last one filled up, so
that no caller's batch size reaches them (torch-fidelity issue 43: batch size changes Inception's features). It runs in
the precision of the network, without TF32 and with deterministic kernels, whatever the models before were run in.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

from bench.assets.checksums import digest
from bench.datasets import Images, chunks
from bench.errors import CheckFailed, UsageError
from bench.features.digits_network import DigitsExtractor
from bench.features.inception import is_torchscript
from bench.features.kinds import EXTRACTORS, Features
from reference_models.errors import CheckpointError

# -- extraction --------------------------------------------------------------------------------------------------------


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
        self.weights_sha256 = digest(path)
        self.has_spatial = name == "inception" and not is_torchscript(path)
        try:
            self.network = pkgutil.resolve_name(self.kind.network)(path).to(device).eval().requires_grad_(False)
        except (CheckFailed, CheckpointError) as error:
            raise CheckFailed(f"features {name!r}: {error}") from error

    def __call__(
        self, images: Images, advance: Callable[[int], None] = lambda done: None, *, spatial: bool = False
    ) -> Features:
        """Features and class posteriors of images (N, 3, H, W), uint8 or, for Inception, float 299x299 in [0, 255].

        advance(done): told how many are done    spatial: those too, UsageError where the network has none
        """
        height, width = images.shape[2:]
        size = self.kind.image_size
        if size is not None and (height, width) != (size, size):
            raise UsageError(f"features {self.name!r} take images of {size}x{size}, got {width}x{height}")
        kept: list[np.ndarray | None] = [None, None, None]
        done = 0
        for chunk in chunks(images, self.kind.chunk):
            count = len(chunk)
            filled = np.concatenate([chunk, np.repeat(chunk[-1:], self.kind.chunk - count, axis=0)])
            with torch.inference_mode(), exact_kernels():
                outputs: list[Any] = list(self.network(torch.from_numpy(filled).to(self.device)))
            if spatial and outputs[2] is None:
                raise UsageError(f"features {self.name!r} from this file have no spatial features, which sFID needs")
            outputs[1] = None if outputs[1] is None else outputs[1].double().softmax(1)
            for i, output in enumerate(outputs if spatial else outputs[:2]):
                if output is None:
                    continue
                rows = output[:count].cpu().numpy()
                if kept[i] is None:  # room for all at once: no second copy at the end
                    kept[i] = np.empty((len(images), rows.shape[1]), rows.dtype)
                kept[i][done : done + count] = rows  # type: ignore[index]
            done += count
            advance(done)
        assert kept[0] is not None, "there is an image at least"
        return Features(kept[0], np.empty((done, 0)) if kept[1] is None else kept[1], kept[2])


@contextmanager
def exact_kernels() -> Iterator[None]:
    """float32 as it is written: no TF32, no autocast, deterministic convolutions; cuDNN stays on."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        # flags() would switch cuDNN off where `enabled` is left out.
        with (
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
            torch.autocast("cuda", enabled=False),
            torch.autocast("cpu", enabled=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
