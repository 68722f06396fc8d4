"""Collect texts: captions and answers of a model that reads images, one seed per text; timed, or into a store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.datasets.texts import Text
from bench.errors import CheckFailed
from bench.sampling.ranks import ALONE, Rank
from bench.sampling.shards import ShardSet
from bench.sampling.workers import batches, fill
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


def say_batch(
    model: ReadsImages,
    items: Sequence[Item],
    numbers: Sequence[int],
    seed: int,
    settings: Mapping[str, Any],
    *,
    is_round: bool = False,
) -> tuple[list[Said], float]:
    """(what the model says of each item, the seconds of that; reading the images is left out).

    Text i depends on (seed, i), i being its number, and on its item alone. The images must be of one size.
    is_round: the seconds count, so that the network does its own work alone, as in timing/generation.py; its logits
    may then depend on the batch in their last digits.
    """
    import torch

    from reference_models.layers import own_rows_alone
    from reference_models.noise import image_seeds

    images = torch.from_numpy(np.stack([item.image() if callable(item.image) else item.image for item in items]))
    prompts, seeds = [item.prompt for item in items], image_seeds(seed, numbers)
    said: list[Said] = []
    with own_rows_alone() if is_round else nullcontext():
        seconds = once(lambda _: said.extend(model.say(images, prompts, seeds, **settings)), str(model.device), 0)
    return said, seconds


def collect_texts(
    model: ReadsImages,
    items: Sequence[Item],
    *,
    seed: int,
    batch_size: int = 16,
    settings: Mapping[str, Any] = {},
    advance: Callable[[int], None] = lambda done: None,
) -> Texts:
    """Texts of which every batch is timed, so that nothing is taken from a store. Item i has the number i."""
    said: list[Said] = []
    rounds_s: list[float] = []
    for batch in batches(len(items), batch_size):
        is_round = len(batch) == batch_size
        found, seconds = say_batch(model, items[batch.start : batch.stop], batch, seed, settings, is_round=is_round)
        said += found
        if is_round:
            rounds_s.append(seconds)
        advance(batch.stop)
    return Texts([Text(one.text, one.finish) for one in said], rounds_s, mean_evaluations(said))


def mean_evaluations(said: Sequence[Said]) -> dict[str, float]:
    """Evaluations of each part of the network, the mean over the texts."""
    parts = said[0].evaluations if said else ()
    return {part: float(np.mean([one.evaluations[part] for one in said])) for part in parts}


# -- the store ---------------------------------------------------------------------------------------------------------

TEXTS = "texts"  # name of the set, and of its one array: the bytes of a JSON list [text, finish, evaluations] per line
SHARD_SIZE = 64  # texts: small files anyhow, and a text may cost seconds


def store_texts(
    model: ReadsImages,
    item: Callable[[int], Item],
    numbers: Sequence[int],
    shards: ShardSet,
    *,
    seed: int,
    batch_size: int,
    settings: Mapping[str, Any],
    rank: Rank = ALONE,
    finished: Callable[[], bool] = lambda: False,
    leave_claimed: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> None:
    """Fill a set with a text for each of `numbers`; item(i) is what i is shown and asked.

    finished: whether another worker has written the results; then this one stops. The set may then be gone.
    leave_claimed: return rather than make what others are making; texts may then be missing.
    Raises CheckFailed where the disk does not take a shard, or where texts are missing at the end.
    """
    num, done = len(numbers), 0

    def count(shard: int) -> None:
        nonlocal done
        done += len(shards.rows(shard, num))
        advance(done)

    def lacks(shard: int) -> bool:
        if not shards.has(shard, num):
            return True
        count(shard)
        return False

    def make(shard: int) -> None:
        said: list[Said] = []
        here = [numbers[row] for row in shards.rows(shard, num)]
        for batch in batches(len(here), batch_size):
            if finished() or (batch.start and shards.has(shard, num, whole=False)):
                break  # another worker was faster
            asked = here[batch.start : batch.stop]
            said += say_batch(model, [item(i) for i in asked], asked, seed, settings)[0]
            if batch.stop < len(here):
                advance(done + batch.stop)
        if len(said) == len(here):
            lines = "\n".join(json.dumps([one.text, one.finish, dict(one.evaluations)]) for one in said)
            shards.write(shard, {TEXTS: np.frombuffer(lines.encode(), np.uint8)}, len(said))
        count(shard)

    try:
        shards.begin()
        fill(
            shards.num_shards(num),
            folder=shards.folder,
            rank=rank,
            lacks=lacks,
            make=make,
            finished=finished,
            leave_claimed=leave_claimed,
        )
    except FileNotFoundError:
        if not finished():
            raise
    if not leave_claimed and not finished() and (lost := shards.missing(num)):
        total = shards.num_shards(num)
        raise CheckFailed(f"{shards.folder}: {len(lost)} of {total} shards vanished; run the same command again")


def stored_texts(shards: ShardSet, num: int) -> Iterator[Said]:
    """The texts of a filled set, in order. CheckFailed where one is missing or damaged."""
    from reference_models.texts import Said

    for shard in shards.stream(num):
        for line in shard.arrays[TEXTS].tobytes().splitlines()[: shard.count]:
            yield Said(*json.loads(line))
