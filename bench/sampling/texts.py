"""Collect texts: captions and answers of a model that reads images, one seed per text, every batch timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.datasets.texts import Text
from bench.sampling.images import batches
from bench.timing.clock import once

if TYPE_CHECKING:
    from reference_models.texts import ReadsImages, Said


@dataclass(frozen=True)
class Item:
    """What a model is shown and asked."""

    image: np.ndarray | Callable[[], np.ndarray]  # uint8 (3, H, W), or what reads it
    prompt: str  # a question, or "" for a caption


@dataclass(frozen=True)
class Texts:
    """What a model said of each item."""

    texts: list[Text]
    rounds_s: list[float]  # seconds of each whole batch, in order; reading the images is left out
    evaluations: dict[str, float]  # by part of the network, the mean over the texts


def collect_texts(
    model: ReadsImages,
    items: Sequence[Item],
    *,
    seed: int,
    batch_size: int = 16,
    settings: Mapping[str, Any] = {},
    advance: Callable[[int], None] = lambda done: None,
    indices: Sequence[int] | None = None,
) -> Texts:
    """Text i depends on (seed, i) and its item alone. The images of a batch must be of one size.

    indices: i of each item, where the items are some of a longer list; None: 0, 1, ...
    """
    import torch

    from reference_models.noise import image_seeds

    numbers = range(len(items)) if indices is None else indices
    said: list[Said] = []
    rounds_s: list[float] = []
    for batch in batches(len(items), batch_size):
        here = items[batch.start : batch.stop]
        images = torch.from_numpy(np.stack([item.image() if callable(item.image) else item.image for item in here]))
        prompts, seeds = [item.prompt for item in here], image_seeds(seed, numbers[batch.start : batch.stop])

        def say(round_idx: int, asked: Any = (images, prompts, seeds)) -> None:
            said.extend(model.say(*asked, **settings))

        seconds = once(say, str(model.device), len(rounds_s))
        if len(batch) == batch_size:
            rounds_s.append(seconds)
        advance(batch.stop)
    parts = said[0].evaluations if said else ()
    evaluations = {part: float(np.mean([one.evaluations[part] for one in said])) for part in parts}
    return Texts([Text(one.text, one.finish) for one in said], rounds_s, evaluations)
