"""What runs on scenes share: the scenes, what texts cost, their scores by scene, the few texts that a record keeps."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.datasets.scenes import Scene, scenes
from bench.metrics import latency, size
from bench.records.parts import Example, Measurement, SceneScores
from bench.records.schema import Protocol
from bench.sampling.texts import Texts

SCALE = "scenes"
NUM_EXAMPLES = 24


def scenes_of(protocol: Protocol) -> list[Scene]:
    """The held-out scenes that a protocol shows: the same for its captions, answers and images."""
    return list(scenes("heldout", protocol.num_images, protocol.seed))


def text_costs(found: Texts, batch_size: int) -> tuple[dict[str, Measurement], dict[str, Any]]:
    """(measurements, fields of the record's texts) of what these texts cost."""
    measurements = size.summarise({"nfe": found.evaluations})
    if found.rounds_s:
        measurements["texts_per_s"] = latency.compute_throughput(found.rounds_s, batch_size, "texts/s")
    return measurements, {"rounds_s": found.rounds_s, "nfe": found.evaluations}


def by_scene(scene_of: Sequence[int], values: Mapping[str, Sequence[float]]) -> tuple[SceneScores, ...]:
    """What two models that saw the same scenes are compared by (analysis/seeds.py), scene by scene, in order.

    scene_of: of each text its scene  values: of each text its value, by metric
    """
    scenes, places, num = np.unique(np.asarray(scene_of), return_inverse=True, return_counts=True)
    totals = {name: np.bincount(places, weights=np.asarray(each, np.float64)) for name, each in values.items()}
    return tuple(
        SceneScores(
            scene=int(scene),
            num=int(num[i]),
            totals={name: round(float(sums[i]), 6) for name, sums in totals.items()},
        )
        for i, scene in enumerate(scenes)
    )


def chosen(right: Sequence[bool], num: int = NUM_EXAMPLES) -> list[int]:
    """Indices of `num` items to show, evenly spaced among those that are wrong (half of them, if there are as many),
    then among those that are right."""
    wrong = spaced([i for i, one in enumerate(right) if not one], num // 2)
    return wrong + spaced([i for i, one in enumerate(right) if one], num - len(wrong))


def spaced(indices: Sequence[int], num: int) -> list[int]:
    return [indices[i * len(indices) // num] for i in range(num)] if len(indices) > num else list(indices)


def example(
    scene: Scene, image: np.ndarray, *, prompt: str, text: str, references: Sequence[str], right: bool
) -> Example:
    """One item; `image`: uint8 (3, 16, 16)."""
    return Example(
        scene=scene.index,
        image_png=grid_png(image[None], 1),
        prompt=prompt,
        text=text,
        references=tuple(references),
        right=bool(right),
    )


def grid_png(images: np.ndarray, columns: int) -> str:
    """Images uint8 (N, 3, H, W) as one picture, row by row with a black pixel between them, base64 PNG."""
    from PIL import Image

    rows = len(images) // columns
    _, channels, height, width = images.shape
    cells = images[: rows * columns].reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    spaced = np.pad(cells, ((0, 0), (0, 1), (0, 0), (0, 1), (0, 0)))
    picture = spaced.reshape(rows * (height + 1), columns * (width + 1), channels)[:-1, :-1]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
