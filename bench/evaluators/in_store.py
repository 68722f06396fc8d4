"""How many items a run has, and how many of them the store holds already: told without loading or reading a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import assets
from bench.errors import UsageError
from bench.evaluators import benchmark_texts
from bench.evaluators.collected import SHOWN, extract_identity
from bench.evaluators.images import is_streamed, resize_of, wanted
from bench.models import identity, precision_of, released_assets
from bench.protocols import kind_of
from bench.records.schema import RunSpec
from bench.sampling.images import image_sets
from bench.sampling.shards import STORE, ShardSet

Asked = Callable[[RunSpec], benchmark_texts.Asked]


@dataclass(frozen=True)
class NotBuilt:
    """In place of a model where only what names its items is needed."""

    spec: Any  # of reference_models
    dtype: str  # as torch names it, "torch.bfloat16"

    @classmethod
    def of(cls, run: RunSpec) -> NotBuilt:
        from reference_models import find

        return cls(find(run.model), f"torch.{precision_of(run).weights}")


def asked_of(spec: RunSpec) -> benchmark_texts.Asked:
    """What a run of texts asks. UsageError where the data set is not there."""
    captions = spec.protocol.collects == "captions"
    return (benchmark_texts.asked_captions(spec) if captions else benchmark_texts.asked_questions(spec))[0]


def num_stored(spec: RunSpec, work: Path, *, keep_images: bool) -> int:
    """Items of a run that the store in `work` holds with all that is kept of them, by the headers of their shards.

    0 where a file that names them was never read here: then nothing can have been made of it.
    """
    if not any((work / STORE).glob(f"{spec.model}-*")) or not _all_read(spec):
        return 0
    try:
        return _texts(spec, work) if kind_of(spec.protocol).reads else _images(spec, work, keep_images)
    except UsageError:  # prompts or questions that do not fit: the run will say so
        return 0


def _all_read(spec: RunSpec) -> bool:
    """Whether the checksums of all that a run loads are known, so that asking for them reads no file of gigabytes."""
    needed = [*released_assets(spec), *(assets.find(name) for name in spec.protocol.assets)]
    found = [assets.locate(asset) for asset in needed]
    return all(one.usable and one.sha256 for one in found)


def _texts(spec: RunSpec, work: Path) -> int:
    asked = asked_of(spec)
    return benchmark_texts.text_set(NotBuilt.of(spec), spec, asked, work).num_present(len(asked.ids))


def folder_name(spec: RunSpec, work: Path) -> str:
    """The folder of the store that the images of a run go into; "" where a file that names them was never read here."""
    if not _all_read(spec):
        return ""
    try:
        return _sets(spec, work)[0].name
    except UsageError:
        return ""


def _sets(spec: RunSpec, work: Path) -> tuple[ShardSet, ShardSet | None]:
    model: Any = NotBuilt.of(spec)
    extract = None
    if is_streamed(spec.protocol):
        weights = assets.checksum(assets.find(spec.protocol.features))
        extract = spec.protocol.features, extract_identity(weights, resize_of(spec.protocol))
    return image_sets(model, identity(spec, work).files, extract=extract, **wanted(spec, work))


def _images(spec: RunSpec, work: Path, keep_images: bool) -> int:
    protocol, (pixels, kept) = spec.protocol, _sets(spec, work)
    if kept is None:
        return pixels.num_present(protocol.num_images)
    num, shown = protocol.num_images, protocol.num_images if keep_images else SHOWN
    return kept.num_present(num, lambda k: k * pixels.size >= shown or pixels.seems(k, num))
