"""Images generated from captions of held-out scenes, read back cell by cell and compared with what the captions say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.console import progress
from bench.datasets import scenes
from bench.evaluators import Context
from bench.evaluators.scene_examples import chosen, example, scenes_of
from bench.features.extractors import Extractor
from bench.metrics import latency, size
from bench.metrics.item_scores import measure
from bench.metrics.scene_check import TASKS, Thing, check_scene, compute_scene_scores
from bench.records.parts import Paintings, Samples
from bench.records.schema import RunSpec
from bench.sampling.images import collect_paintings

# -- reading scenes ----------------------------------------------------------------------------------------------------

EMPTY_BELOW = 64  # grey level: a cell without a brighter pixel is empty; every scan has one above 200


def recognise(images: np.ndarray) -> list[list[scenes.Thing]]:
    """The (digit, colour, row, column) of every filled cell of scenes uint8 (N, 3, 16, 16), in reading order.

    The digit is read off the brightness (the largest channel: the scan itself for the pure colours of scenes), the
    colour is the nearest in direction to the cell's mean.
    """
    cells = images.reshape(-1, 3, 2, scenes.CELL, 2, scenes.CELL).transpose(0, 2, 4, 1, 3, 5)  # (N, 2, 2, 3, 8, 8)
    cells = cells.reshape(-1, 3, scenes.CELL, scenes.CELL)
    brightness = np.repeat(cells.max(1, keepdims=True), 3, axis=1)
    numbers = Extractor("digits")(brightness).posteriors.argmax(1)
    palette = np.array(list(scenes.COLOURS.values()), dtype=np.float64)
    palette /= np.linalg.norm(palette, axis=1, keepdims=True)
    nearest = (cells.mean((2, 3)) @ palette.T).argmax(1)
    filled, names = cells.max((1, 2, 3)) >= EMPTY_BELOW, tuple(scenes.COLOURS)
    places = [(row, column) for row in scenes.ROWS for column in scenes.COLUMNS]
    return [
        [
            (int(numbers[i]), names[nearest[i]], *places[i - start])
            for i in range(start, start + len(places))
            if filled[i]
        ]
        for start in range(0, len(cells), len(places))
    ]


def measure_paintings(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """One image per scene, from one of its captions; the wordings take turns."""
    protocol = spec.protocol
    shown = scenes_of(spec.protocol)
    with progress(f"{spec.model}: paintings", len(shown)) as bar:
        images, rounds_s = collect_paintings(
            model,
            [prompt_of(scene) for scene in shown],
            seed=protocol.seed,
            batch_size=protocol.batch_size,
            settings=spec.settings,
            advance=bar.update,
        )
    found = _checked(shown, images)
    nfe = model.network_evaluations(**{**model.spec.sampling, **spec.settings})
    found["paintings"] = Paintings(nfe=nfe, rounds_s=tuple(rounds_s))
    found["measurements"] |= size.summarise({"nfe": nfe})
    if rounds_s:
        found["measurements"]["throughput_per_s"] = latency.compute_throughput(rounds_s, protocol.batch_size)
    return found


def measure_real_scenes(model: None, spec: RunSpec, context: Context) -> dict[str, Any]:
    """The checker's ceiling: the held-out scenes themselves as if generated."""
    shown = scenes_of(spec.protocol)
    return _checked(shown, np.stack([scene.image for scene in shown]))


def prompt_of(scene: scenes.Scene) -> str:
    return scene.caption(scene.index % len(scenes.WORDINGS))


def _checked(shown: Sequence[scenes.Scene], images: np.ndarray) -> dict[str, Any]:
    """images: uint8 (N, 3, 16, 16), generated from the prompts of the scenes shown."""
    seen = recognise(images)
    checks = [check_scene(_said(prompt_of(scene)), found) for scene, found in zip(shown, seen, strict=True)]
    satisfied = [check["satisfied"] for check in checks]
    examples = tuple(
        replace(
            example(
                shown[i],
                images[i],
                prompt=prompt_of(shown[i]),
                text=_in_words(seen[i]),
                references=[shown[i].caption(0)],
                right=satisfied[i],
            ),
            tasks={task: checks[i][task] for task in TASKS},
        )
        for i in chosen(satisfied)
    )
    scores = {name: measure(score) for name, score in compute_scene_scores(checks).items()}
    return {"measurements": scores, "paintings": Paintings(), "samples": Samples(examples=examples)}


def _said(prompt: str) -> list[Thing]:
    """What a caption of a scene names, in its order."""
    return scenes.parse_caption(prompt)  # type: ignore[return-value]  # these leave nothing out


def _in_words(seen: Sequence[Thing]) -> str:
    """What the checker read, in the first wording."""
    phrase, between, _ = scenes.WORDINGS[0]
    names = ("digit", "colour", "row", "column")
    return between.join(phrase.format(**dict(zip(names, thing, strict=True))) for thing in seen)
