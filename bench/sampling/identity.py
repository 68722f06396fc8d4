"""What a generated item depends on: its identity, which names the shards that it is kept in.

In it: model, code version, checksums of every file that was loaded, settings, seed, labels or prompts, precision.
Not in it, because no item depends on them: batch size, world size, torch's patch version, the GPU, the metrics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.models import file_sha256
from bench.published import Reseeding
from reference_models.shipped import shipped_weights

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel
    from reference_models.spec import Spec

VERSION = 1  # raised when sampling/ changes an item: its label, seed or wording

LabelRule = Callable[[int, int, int], int]  # (index, seed, num_classes) -> label
LABEL_RULES: dict[str, LabelRule] = {
    "balanced": lambda i, seed, num_classes: i % num_classes,
    # Independent of the image's own seed: a third number in the hash makes another stream.
    "uniform": lambda i, seed, num_classes: int(
        np.random.SeedSequence([seed, i, 1]).generate_state(1, np.uint64)[0] % num_classes
    ),
}


def reseeded_seeds(
    indices: Iterable[int], seed: int, num_images: int, num_classes: int, reseeding: Reseeding
) -> list[int]:
    """The seeds of images whose batches draw one of few seeds: two batches of one seed hold the same noise.

    The authors' batches run through the images class by class: image i, of class i mod num_classes, stands there at
    place (i mod num_classes) * num_images / num_classes + i // num_classes.
    """

    def hashed(*numbers: int) -> int:
        return int(np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0] >> np.uint64(1))

    found = []
    for i in indices:
        place = (i % num_classes) * (num_images // num_classes) + i // num_classes
        batch, row = divmod(place, reseeding.batch_size)
        found.append(hashed(hashed(batch, 2) % reseeding.num_seeds, row, 3))
    return found


def file_checksums(spec: Spec, weights: Path | None, autoencoder: Path | None = None) -> dict[str, str | None]:
    """SHA-256 of every file that a model is loaded from; None for a part that has none.

    autoencoder: the file it was given; None: the shipped one of that name, where one ships.
    """
    parts = {"weights": weights, "autoencoder": autoencoder or shipped_weights(spec.autoencoder)}
    return {part: None if path is None else file_sha256(path) for part, path in parts.items()}


def item_identity(
    model: ImageModel,
    checksums: Mapping[str, str | None],
    *,
    seed: int,
    settings: Mapping[str, Any],
    asked: Mapping[str, Any],
    precision: str = "",
) -> dict[str, Any]:
    """What item i of a run depends on, beside i.

    checksums: of every file that was loaded, as `file_checksums` gives them    settings: all of them
    asked: the rule of the labels, or the hash of the prompts or questions    precision: "": the dtype of the model
    """
    return {
        "model": model.spec.name,
        "version": model.spec.version,
        "sampling_version": VERSION,
        "files_sha256": dict(checksums),
        "settings": dict(settings),
        "seed": seed,
        "asked": dict(asked),
        "precision": precision or str(model.dtype).removeprefix("torch."),
    }


def asked_images(labels: str, prompts: Sequence[str] | None) -> dict[str, Any]:
    """What images were asked for: {"labels": rule} or {"prompts_sha256": hash of all of them, in order}."""
    if prompts is None:
        return {"labels": labels}
    return {"prompts_sha256": hashlib.sha256(json.dumps(list(prompts)).encode()).hexdigest()}
