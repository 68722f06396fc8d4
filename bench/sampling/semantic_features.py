"""Collect the semantic features of TransDiff, of the same images that are scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel


def collect_features(model: ImageModel, *, num_images: int, seed: int, settings: Mapping[str, Any]) -> np.ndarray:
    """Features of the first images of a run, float32 (num_images, M, D): labels and seeds as in collect_images."""
    import torch

    from reference_models.noise import SeededNoise, image_seeds

    labels = torch.arange(num_images, device=model.device) % model.num_classes
    noise = SeededNoise(image_seeds(seed, range(num_images)), model.device)
    with torch.inference_mode():
        features = model.semantic_features(labels, noise, **{**model.spec.sampling, **settings})  # type: ignore[operator]
    return features.float().cpu().numpy()
