"""Collect images: one label and one seed per image, in shards that any number of workers make and any may leave."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import CheckFailed
from bench.records.json_files import read_json
from bench.sampling import files
from bench.sampling.identity import LABEL_RULES, asked_images, item_identity, reseeded_seeds
from bench.sampling.ranks import ALONE, Rank
from bench.sampling.shards import Shard, ShardSet, hash_of, shard_size
from bench.sampling.workers import batches, fill
from bench.timing.clock import once

if TYPE_CHECKING:
    from bench.published import Reseeding
    from reference_models.d_dit import DDiT
    from reference_models.image_model import ImageModel

IMAGES = "images"  # name of the pixels in a shard, and of the set that holds them
MADE = "made"  # folder beside the shards: how long their batches took, and on what


def generate_batch(
    model: ImageModel,
    indices: Sequence[int],
    seed: int,
    settings: Mapping[str, Any],
    *,
    labels: str = "balanced",
    prompts: Sequence[str] | None = None,
    resize_to: int | None = None,
    seeds_of: Callable[[Sequence[int]], list[int]] | None = None,
) -> np.ndarray:
    """The images of these indices, uint8 (B, 3, H, W): image i has the label of the rule (balanced: i mod num_classes),
    or prompt i, and the seed hash(seed, i), or that of `seeds_of`."""
    from reference_models.noise import image_seeds

    asked: Any
    if prompts is None:
        asked = [LABEL_RULES[labels](i, seed, model.num_classes) for i in indices]
    else:
        asked = [prompts[i] for i in indices]
    seeds = image_seeds(seed, indices) if seeds_of is None else seeds_of(indices)
    resized = {} if resize_to is None else {"resize_to": resize_to}  # only models of labels resize
    return model.generate(asked, seeds, **resized, **settings).cpu().numpy()


@dataclass(frozen=True)
class Extract:
    """What is kept of images beside or in place of their pixels: features, on the device where the images were made."""

    name: str  # of the set, as "inception"
    identity: Mapping[str, Any]  # what the arrays depend on beside the images: the extractor's checksum and version
    call: Callable[[np.ndarray], Mapping[str, np.ndarray]]  # images uint8 (B, 3, H, W) -> arrays, row i of image i


@dataclass(frozen=True)
class Samples:
    """What was collected, read from the disk shard by shard."""

    num: int
    pixels: ShardSet
    num_pixels: int  # images whose pixels are kept, the first ones
    extracted: ShardSet | None
    rounds_s: list[float] = field(repr=False)  # seconds of each batch of exactly the batch size, in order
    made_on: list[dict[str, Any]] = field(repr=False)  # {"device", "torch", "batch_size", "shards"}: who made how many

    @property
    def name(self) -> str:
        """The folder of the store that holds them."""
        return self.pixels.folder.parent.name

    def is_complete(self) -> bool:
        """Whether all are there, by the headers of their shards."""
        kept = () if self.extracted is None else self.extracted.missing(self.num)
        return not kept and not self.pixels.missing(self.num_pixels)

    def shards(self) -> Iterator[Shard]:
        """What was extracted, in order, one shard in memory; of pixels alone those. CheckFailed where one is lost."""
        return self.pixels.stream(self.num) if self.extracted is None else self.extracted.stream(self.num)

    def array(self, name: str) -> np.ndarray:
        """One of the extracted arrays, of all images: (N, ...)."""
        return np.concatenate([shard.arrays[name][: shard.count] for shard in self.shards()])

    def images(self, num: int | None = None) -> np.ndarray:
        """The pixels of the first `num` images (None: of all that are kept), uint8 (num, 3, H, W)."""
        wanted = min(self.num_pixels, self.num if num is None else num)
        return np.concatenate([shard.arrays[IMAGES][: shard.count] for shard in self.pixels.stream(wanted)])

    def sha256(self) -> str:
        """Hash of all shards: equal for any world size, batch size and interruption."""
        return hash_of({"shards": [shard.sha256 for shard in self.shards()]})


def collect_images(
    model: ImageModel,
    *,
    num_images: int,
    seed: int,
    batch_size: int,
    settings: Mapping[str, Any],
    store: Path,
    checksums: Mapping[str, str | None],
    labels: str = "balanced",
    prompts: Sequence[str] | None = None,
    precision: str = "",
    resize_to: int | None = None,
    reseeding: tuple[Reseeding, int] | None = None,
    extract: Extract | None = None,
    keep_images: int | None = None,
    size: int | None = None,
    rank: Rank = ALONE,
    leave_claimed: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> Samples:
    """The images of a run: those in the store are checked, the others generated and put there.

    checksums: of the files the model was loaded from    labels: a key of LABEL_RULES; prompts: instead, one per image
    precision: "": the dtype of the model; to be named where more than that is set (autocast, TF32)
    resize_to: pixels a side that images are resized to before they are rounded; None: they are not
    reseeding: how batches draw their seeds, and the images of the full run; None: a seed per image
    extract: what to keep of each image, made once per shard, so that its batches are the shard's own
    keep_images: pixels are kept of the first so many, rounded up to whole shards (None: of all; 0 with `extract` alone)
    size: images per shard; None: by the number of images    rank: which worker this is
    leave_claimed: leave what others are at work on, so that images may be missing when this returns
    Raises CheckFailed where the disk does not take a shard, or where images are missing at the end.
    """
    size = size or shard_size(num_images)
    seeds_of = None
    if reseeding is not None:
        rule, num_all = reseeding
        seeds_of = partial(reseeded_seeds, seed=seed, num_images=num_all, num_classes=model.num_classes, reseeding=rule)
    pixels, extracted = image_sets(
        model,
        checksums,
        seed=seed,
        settings=settings,
        store=store,
        labels=labels,
        prompts=prompts,
        precision=precision,
        resize_to=resize_to,
        reseeding=reseeding,
        extract=None if extract is None else (extract.name, extract.identity),
        size=size,
    )
    collection = _Collection(
        model,
        partial(
            generate_batch,
            model,
            seed=seed,
            settings=settings,
            labels=labels,
            prompts=prompts,
            resize_to=resize_to,
            seeds_of=seeds_of,
        ),
        num_images,
        batch_size,
        pixels,
        num_images if keep_images is None or extract is None else min(keep_images, num_images),
        extracted,
        extract,
        rank,
        advance,
    )
    collection.fill(leave_claimed)
    times = _read_made(collection.home / MADE, pixels.num_shards(num_images), batch_size)
    return Samples(num_images, pixels, collection.num_pixels, extracted, *times)


def image_sets(
    model: ImageModel,
    checksums: Mapping[str, str | None],
    *,
    seed: int,
    settings: Mapping[str, Any],
    store: Path,
    labels: str,
    prompts: Sequence[str] | None,
    precision: str,
    resize_to: int | None,
    reseeding: tuple[Reseeding, int] | None,
    extract: tuple[str, Mapping[str, Any]] | None,
    size: int,
) -> tuple[ShardSet, ShardSet | None]:
    """(pixels, what is extracted of them): where the images of a run lie in a store; arguments as of `collect_images`.

    model: its `spec` is enough where a precision is given    extract: name and identity
    """
    asked = asked_images(labels, prompts) | ({} if resize_to is None else {"resized_to": resize_to})
    if reseeding is not None:
        rule, num_all = reseeding
        asked |= {"reseeded": [rule.num_seeds, rule.batch_size, num_all]}
    every = {**model.spec.sampling, **settings}
    identity = item_identity(model, checksums, seed=seed, settings=every, asked=asked, precision=precision)
    pixels = ShardSet.in_store(store, model.spec.name, IMAGES, identity, size)
    if extract is None:
        return pixels, None
    name, part = extract
    own = {**identity, "part_identity": {"name": name, **part}}
    return pixels, ShardSet.in_store(store, model.spec.name, name, own, size)


@dataclass
class _Collection:
    """The shards of a run, as one worker fills them."""

    model: ImageModel
    generate: Callable[[range], np.ndarray]
    num: int
    batch_size: int
    pixels: ShardSet
    num_pixels: int
    extracted: ShardSet | None
    extract: Extract | None
    rank: Rank
    advance: Callable[[int], None]
    done: int = 0

    @property
    def home(self) -> Path:
        """Where the claims and the times are."""
        return (self.extracted or self.pixels).folder

    def fill(self, leave_claimed: bool) -> None:
        if self.num_pixels:
            self.pixels.begin()
        if self.extracted is not None:
            self.extracted.begin()
        num_shards = self.pixels.num_shards(self.num)
        fill(
            num_shards,
            folder=self.home,
            rank=self.rank,
            lacks=self.counted,
            make=self.make,
            leave_claimed=leave_claimed,
        )
        lost = [shard for shard in range(num_shards) if self.lacks(shard, whole=False)]
        if lost and not leave_claimed:
            raise CheckFailed(
                f"{self.home}: {len(lost)} of {num_shards} shards vanished or were damaged while others were made; "
                "run the same command again"
            )

    def wants_pixels(self, shard: int) -> bool:
        return shard * self.pixels.size < self.num_pixels

    def lacks(self, shard: int, *, whole: bool) -> bool:
        if self.wants_pixels(shard) and not self.pixels.has(shard, self.num, whole=whole):
            return True
        return self.extracted is not None and not self.extracted.has(shard, self.num, whole=whole)

    def counted(self, shard: int) -> bool:
        """`lacks`, by the shard's checksum; what is there is counted."""
        if self.lacks(shard, whole=True):
            return True
        self.count(shard)
        return False

    def count(self, shard: int) -> None:
        self.done += len(self.pixels.rows(shard, self.num))
        self.advance(self.done)

    def make(self, shard: int) -> None:
        count = len(self.pixels.rows(shard, self.num))
        kept = self.pixels.load(shard, self.num)
        images = self.generated(shard) if kept is None else kept.arrays[IMAGES][:count]
        if images is not None:
            if kept is None and self.wants_pixels(shard):
                self.pixels.write(shard, {IMAGES: images}, count)
            if self.extract is not None and self.extracted is not None:
                self.extracted.write(shard, self.extract.call(images), count)
        self.count(shard)

    def generated(self, shard: int) -> np.ndarray | None:
        """The images of a shard; None where another worker has put it in its place meanwhile."""
        rows, images, times = self.pixels.rows(shard, self.num), [], []
        for batch in batches(len(rows), self.batch_size):
            if batch.start and not self.lacks(shard, whole=False):
                return None
            start = time.perf_counter()
            images.append(self.generate(rows[batch.start : batch.stop]))  # on the CPU, so the device is done
            times.append([len(batch), time.perf_counter() - start])
            if batch.stop < len(rows):
                self.advance(self.done + batch.stop)
        _write_made(self.home / MADE / f"{shard:06d}.json", self.model, self.batch_size, times)
        return np.concatenate(images)


def _write_made(path: Path, model: ImageModel, batch_size: int, times: list[list[float]]) -> None:
    import torch

    device = torch.cuda.get_device_name(model.device) if model.device.type == "cuda" else model.device.type
    said = {"device": device, "torch": torch.__version__, "batch_size": batch_size, "batches": times}
    files.make_folder(path.parent, "store")
    files.write_whole(path, json.dumps(said).encode(), sync=False)  # if it is lost, a time is lost


def _read_made(folder: Path, num_shards: int, batch_size: int) -> tuple[list[float], list[dict[str, Any]]]:
    """(seconds of the whole batches of `batch_size`, what the shards were made on); a lost file says nothing."""
    rounds_s: list[float] = []
    shards_by_maker: dict[tuple[str, str, int], int] = {}
    for shard in range(num_shards):
        try:
            said = read_json(folder / f"{shard:06d}.json")
            maker = (str(said["device"]), str(said["torch"]), int(said["batch_size"]))
            times = [float(seconds) for num, seconds in said["batches"] if num == batch_size]
            if not all(0 < seconds < math.inf for seconds in times):
                raise ValueError("not seconds")
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
        rounds_s += times
        shards_by_maker[maker] = shards_by_maker.get(maker, 0) + 1
    names = ("device", "torch", "batch_size")
    made_on = [dict(zip(names, maker, strict=True)) | {"shards": num} for maker, num in shards_by_maker.items()]
    return rounds_s, made_on


def collect_paintings(
    model: DDiT,
    prompts: Sequence[str],
    *,
    seed: int,
    batch_size: int,
    settings: Mapping[str, Any] = {},
    advance: Callable[[int], None] = lambda done: None,
) -> tuple[np.ndarray, list[float]]:
    """(images uint8 (N, 3, H, W), one per prompt; the seconds that each whole batch took).

    Image i depends on prompt i and on (seed, i) alone. Every batch is timed, so nothing is taken from a store.
    """
    generated: list[np.ndarray] = []
    rounds_s: list[float] = []
    for indices in batches(len(prompts), batch_size):

        def generate(round_idx: int, indices: range = indices) -> None:
            generated.append(generate_batch(model, indices, seed, settings, prompts=prompts))

        seconds = once(generate, str(model.device), len(rounds_s))
        if len(indices) == batch_size:
            rounds_s.append(seconds)
        advance(indices.stop)
    return np.concatenate(generated), rounds_s
