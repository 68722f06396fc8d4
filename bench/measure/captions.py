"""Captions of held-out scenes: the field's scores, and whether every digit, colour and place is right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bench.collect.texts import Item, collect_texts
from bench.console import progress
from bench.datasets import scenes
from bench.datasets.json_files import Id
from bench.datasets.scenes_files import caption_set
from bench.datasets.texts import Text
from bench.measure.examples import by_scene, chosen, example, scenes_of, text_costs
from bench.metrics.item_scores import measure
from bench.metrics.scene_check import PERCENT, share
from bench.records import Measurement, RunSpec
from bench.score_captions import score_captions


def measure_captions(model: Any, spec: RunSpec, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    """One caption per scene."""
    protocol = spec.protocol
    shown = scenes_of(protocol)
    with progress(f"{spec.model}: captions", len(shown)) as bar:
        found = collect_texts(
            model,
            [Item(scene.image, "") for scene in shown],
            seed=protocol.seed,
            batch_size=protocol.batch_size,
            settings=spec.settings,
            advance=bar.update,
        )
    texts = [text.text for text in found.texts]
    captions: dict[Id, Text] = {scene.index: text for scene, text in zip(shown, found.texts, strict=True)}
    scores = score_captions(captions, caption_set(shown), meteor="meteor" in protocol.metrics)
    right = [names_all(text, scene) for text, scene in zip(texts, shown, strict=True)]
    accuracy = measure(share(np.array(right)))
    assert accuracy is not None
    measurements, raw = text_costs(found, protocol.batch_size)
    measurements |= {name: Measurement(**fields) for name, fields in scores["metrics"].items()}
    raw |= {key: scores[key] for key in ("audit", "without_degenerate", "not_run", "warnings")}
    raw["scoring"] = scores["protocol"]
    values = {"cider": [row["cider"] for row in scores["per_image"]], "caption_accuracy": [PERCENT * r for r in right]}
    raw["by_scene"] = by_scene([scene.index for scene in shown], values)
    raw["examples"] = [
        example(shown[i], shown[i].image, prompt="", text=texts[i], references=shown[i].captions, right=right[i])
        for i in chosen(right)
    ]
    return {"measurements": {**measurements, "caption_accuracy": accuracy}, "raw": raw}


def names_all(caption: str, scene: scenes.Scene) -> bool:
    """Whether a caption names every object with its digit, colour and place, in any wording, and nothing else."""
    return Counter(scenes.parse_caption(caption)) == Counter(thing.thing for thing in scene.objects)
