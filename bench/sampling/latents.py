"""Latents of a folder of classes, encoded once and kept in shards: what models of paper size are trained on.

Kept are mean and deviation of the autoencoder's Gaussian, float32, scaled as the generators read them; training draws
from it anew each time, as the authors do. A second view of each image is its mirror image. The images are cut by ADM's
rule. ImageNet at 256 pixels takes 84 GB (KL-16 or sd-vae, both views), half of it without the mirror images.
Encoded by any number of processes, resumable: the store of shards.py.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.console import progress, say
from bench.datasets.image_files import read_image
from bench.datasets.image_folder import find_files
from bench.datasets.resizing import Resize
from bench.errors import CheckFailed, UsageError
from bench.sampling import files
from bench.sampling.ranks import Rank
from bench.sampling.shards import ShardSet, shard_size
from bench.sampling.workers import batches, fill

VERSION = 1  # of the code that makes them
LATENTS = "latents"  # folder below the work folder
ENCODED_AT_ONCE = 32


@dataclass(frozen=True)
class ClassFolder:
    """The image files of a folder in which every class has a folder of its own."""

    path: Path
    paths: list[Path]
    labels: np.ndarray  # int64 (N,): place of the class's folder in natural order

    @property
    def sha256(self) -> str:
        """Of the names and sizes of the files."""
        digest = hashlib.sha256()
        for file in self.paths:
            line = f"{file.relative_to(self.path).as_posix()} {file.stat().st_size}\n"
            digest.update(line.encode(errors="surrogateescape"))
        return digest.hexdigest()


def class_folder(path: Path, num_classes: int, images_per_sample: int = 1) -> ClassFolder:
    """The classes of a folder. UsageError where it is none, or has another number of classes, or too few images of one.

    images_per_sample: how many different images of one class a sample of the model takes
    """
    if not path.is_dir():
        what = "a file" if path.exists() else "no such folder"
        raise UsageError(f"--data {path}: {what}; expected a folder with one folder of images for each class")
    found, left_out, _ = find_files(path, "--data")
    classes = dict.fromkeys(file.relative_to(path).parts[0] for file in found if file.parent != path)
    loose = sum(file.parent == path for file in found)
    if loose or len(classes) != num_classes:
        beside = f" and {loose} images beside them" if loose else ""
        raise UsageError(
            f"--data {path}: {len(classes)} folders of images{beside}; the model has {num_classes} classes"
        )
    place = {name: label for label, name in enumerate(classes)}
    labels = np.array([place[file.relative_to(path).parts[0]] for file in found])
    rarest, count = min(Counter(labels.tolist()).items(), key=lambda item: item[1])
    if count < images_per_sample:
        name = list(classes)[rarest]
        raise UsageError(f"--data {path}: {count} images in {name}; a row of the model takes {images_per_sample}")
    if left_out:
        say(f"--data {path}: {len(left_out)} files that are no images are left out (first: {left_out[0].name})")
    return ClassFolder(path, found, labels)


@dataclass
class Latents:
    """The latents of a folder, read row by row from the shards; `draw` is what training takes."""

    shards: ShardSet
    labels: np.ndarray  # int64 (N,)
    views: int  # 2 with mirror images, else 1
    opened: dict[int, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def moments(self, index: int, view: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of one image, float32 (C, h, w) each.  view: 1 is the mirror image."""
        shard, row = divmod(index, self.shards.size)
        if shard not in self.opened:
            from safetensors import safe_open

            self.opened[shard] = safe_open(self.shards.path(shard), "numpy")
        file = self.opened[shard]
        mean, deviation = (file.get_slice(name)[row, view] for name in ("mean", "deviation"))
        return mean, deviation


def latents_of(
    data: ClassFolder,
    autoencoder: Any,
    *,
    autoencoder_sha256: str,
    image_size: int,
    mirror: bool,
    work: Path,
    rank: Rank,
    device: str,
) -> Latents:
    """The latents of a folder, from the work folder; those that are missing or damaged are encoded.

    autoencoder: with `moments`, `scale` and `shift`.  Returns when all are there, whoever made them; CheckFailed where
    the disk has no room or an image cannot be read.
    """
    import torch

    views, num = 1 + mirror, len(data.paths)
    identity = {
        "version": VERSION,
        "data_sha256": data.sha256,
        "autoencoder_sha256": autoencoder_sha256,
        "image_size": image_size,
        "resize": "adm",
        "views": views,
    }
    shards = ShardSet.in_store(work, LATENTS, LATENTS, identity, shard_size(num))
    resize = Resize("adm", image_size)

    @torch.inference_mode()
    def encoded(rows: range) -> dict[str, np.ndarray]:
        images = torch.from_numpy(np.stack([resize(read_image(data.paths[i])) for i in rows]))
        images = images.to(device).float() / 127.5 - 1
        found = []
        for view in (images, images.flip(-1))[:views]:
            mean, log_variance = autoencoder.moments(view)
            found.append(
                ((mean - autoencoder.shift) * autoencoder.scale, (0.5 * log_variance).exp() * autoencoder.scale)
            )
        names = ("mean", "deviation")
        return {
            name: torch.stack(part, 1).float().cpu().numpy()
            for name, part in zip(names, zip(*found, strict=True), strict=True)
        }

    one = encoded(range(1))
    lacking = sum(len(shards.rows(k, num)) for k in shards.missing(num)) if shards.folder.is_dir() else num
    files.check_writable(work, "--results", needed_bytes=lacking * sum(part.nbytes for part in one.values()))
    shards.begin()
    with progress("encode", num) as bar:
        done = 0

        def count(shard: int) -> None:
            nonlocal done
            done += len(shards.rows(shard, num))
            if not rank.rank:
                bar.update(done)

        def lacks(shard: int) -> bool:
            if not shards.has(shard, num, whole=shard % rank.world_size == rank.rank):  # each looks through its own
                return True
            count(shard)
            return False

        def make(shard: int) -> None:
            rows = shards.rows(shard, num)
            parts = [encoded(rows[part.start : part.stop]) for part in batches(len(rows), ENCODED_AT_ONCE)]
            arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            shards.write(shard, arrays, len(rows))
            count(shard)

        fill(shards.num_shards(num), folder=shards.folder, rank=rank, lacks=lacks, make=make)
    if lost := shards.missing(num):
        raise CheckFailed(f"{shards.folder}: {len(lost)} shards vanished while others were made; run it again")
    return Latents(shards, data.labels, views)
