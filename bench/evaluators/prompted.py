"""The prompts from which the images of a protocol are generated: captions of COCO, GenEval's prompts."""

from __future__ import annotations

from collections.abc import Callable

from bench import assets
from bench.datasets import coco_captions
from bench.datasets.geneval import IMAGES_PER_PROMPT, GenEvalPrompt, load_prompts
from bench.datasets.image_files import SUFFIXES
from bench.errors import UsageError
from bench.records.schema import Protocol


def prompts_of(protocol: Protocol) -> list[str] | None:
    """One prompt per image, in order; None where images are generated from class labels.

    UsageError where the data set has fewer than the protocol needs.
    """
    loader = LOADERS.get(protocol.scale)
    return None if loader is None else loader(protocol)


def coco_prompts(protocol: Protocol) -> list[str]:
    """The first caption of each of the first images of the captions file that have one."""
    parts = assets.parts(protocol.assets[0])
    path, photographs = parts["annotations/captions_val2014.json"], parts["val2014"]
    captions = coco_captions.load(path)
    there = sum(1 for file in photographs.iterdir() if file.suffix.lower() in SUFFIXES)
    if there < len(captions.captions_by_image):
        raise UsageError(
            f"photographs {photographs}: {there:,}; {path.name} has captions of "
            f"{len(captions.captions_by_image):,}, and {protocol.name} compares with all of them"
        )
    found = [texts[0].strip() for texts in captions.captions_by_image.values() if texts]
    if len(found) < protocol.num_images:
        raise UsageError(
            f"captions {path}: captions of {len(found):,} images; {protocol.name} needs {protocol.num_images:,}"
        )
    return found[: protocol.num_images]


def geneval_prompts(protocol: Protocol) -> list[GenEvalPrompt]:
    """GenEval's prompts, as many as the protocol has images of. UsageError where the file has another number."""
    path = assets.require(protocol.assets[0])
    found, wanted = load_prompts(path), protocol.num_images // IMAGES_PER_PROMPT
    if len(found) < wanted or (len(found) > wanted and not protocol.quick):
        raise UsageError(f"prompts {path}: {len(found):,} prompts; {protocol.name} needs {wanted:,}")
    return found[:wanted]


def _of_geneval(protocol: Protocol) -> list[str]:
    return [one.prompt for one in geneval_prompts(protocol) for _ in range(IMAGES_PER_PROMPT)]


LOADERS: dict[str, Callable[[Protocol], list[str]]] = {"coco-images": coco_prompts, "geneval": _of_geneval}
