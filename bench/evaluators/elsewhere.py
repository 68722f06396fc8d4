"""What was made elsewhere, scored by the rules of a protocol: images, captions, answers, GenEval's results.

The authors' own code, or another machine, may have made them. A record of them is worth as much as a measured one where
what can be checked was checked: how many there are, their size and classes, what they are compared with, the extractor.
What cannot be checked (the sampling settings, who made them) the record names under `assumed`.

Each function returns fields of a Record, and raises UsageError before any scoring where the items break a rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import assets
from bench.assets.checksums import digest
from bench.assets.lookup import existing_places, part_path
from bench.datasets import DATASETS, Source, coco_captions, open_images
from bench.datasets.geneval import IMAGES_PER_PROMPT, load_prompts, load_results
from bench.datasets.image_folder import ImageFolder
from bench.datasets.json_files import Id
from bench.datasets.question_formats import load_question_set
from bench.datasets.question_formats import load_results as load_answers
from bench.datasets.resizing import ResizedImages
from bench.datasets.texts import Text
from bench.errors import UsageError
from bench.evaluators import geneval
from bench.evaluators.answers import score_answers
from bench.evaluators.benchmark_texts import pope_kind, pope_questions, scored_fields
from bench.evaluators.captions import score_captions
from bench.evaluators.images import SHOWN, labels_of, resize_of, scored
from bench.models import file_sha256
from bench.records.parts import Elsewhere, Paintings
from bench.records.schema import Protocol, RunSpec

NUM_CLASSES = {"digits": 10}  # by scale; of ImageNet 1,000
PUBLISHED_ITEMS = {  # by scale: images with captions, or questions, of the published files
    "coco-captions": 40_504,
    "vqa-v2": 214_354,
    "okvqa": 5_046,
    "vizwiz": 4_319,
    "gqa": 12_578,
    "pope": 9_000,
    "mme": 2_374,
}
SETTINGS = "the settings that were not named, and the precision, are those of the published numbers"
Fields = dict[str, Any]


# -- images ------------------------------------------------------------------------------------------------------------


def images_fields(
    generated: Path, spec: RunSpec, device: str, *, num_classes: int | None = None, made_by: str = ""
) -> Fields:
    """Scores of a folder or an .npz of images. num_classes: files numbered 0, 1, ... take so many classes in turn."""
    protocol = spec.protocol
    source = open_made(generated, spec)
    in_turn, assumed = check_classes(source, spec, num_classes)
    assert source.images is not None
    files = compared_with(protocol)
    found = scored(
        generated,
        spec,
        in_turn,
        device,
        shown=source.images[0 : min(SHOWN, len(source.images))],
        resize=resize_of(protocol),
    )
    audit, scoring = found["images"].audit, found["images"].scoring
    if scoring.get("features_sha256"):
        files["features"] = scoring["features_sha256"]
    if protocol.features == "digits" and not scoring["classes"].startswith(("unknown", "do not fit")):
        assumed = []  # its extractor recognised the classes in the order of the files
    elsewhere = Elsewhere(
        what="images",
        name=source.name,
        num_items=len(source.images),
        sha256=audit.content_sha256,
        files=files,
        made_by=made_by,
        assumed=(SETTINGS, *assumed),
    )
    return {**found, "elsewhere": elsewhere}


def open_made(generated: Path, spec: RunSpec) -> Source:
    """The images, of the number and the size that the protocol asks for. UsageError where they are not."""
    from reference_models import find

    protocol, side = spec.protocol, find(spec.model).image_size
    if str(generated) in DATASETS:
        raise UsageError(f"generated {generated}: real scans; expected images of {spec.model}")
    source = open_images(generated, "generated", resize_of(protocol))
    images = source.images
    if images is None:
        raise UsageError(f"generated {generated}: holds statistics; a record needs the images, {protocol.num_images:,}")
    if len(images) != protocol.num_images:
        raise UsageError(
            f"generated {generated}: {len(images):,} images; {protocol.name} is of {protocol.num_images:,}: another "
            "number has another FID (without --record they are scored as they are)"
        )
    if isinstance(images, ImageFolder):
        sizes = set(images.size_counts)
    else:
        shape = (images.images if isinstance(images, ResizedImages) else images).shape
        sizes = {(int(shape[3]), int(shape[2]))}
    if odd := sorted(sizes - {(side, side)}):
        raise UsageError(
            f"generated {generated}: images of {odd[0][0]}x{odd[0][1]}; {spec.model} generates {side}x{side}"
        )
    return source


def check_classes(source: Source, spec: RunSpec, num_classes: int | None) -> tuple[int | None, list[str]]:
    """(classes that the images take in turn or by folders, None where that is not known; what is assumed of them).

    UsageError where the classes are known and are not drawn as the protocol draws them.
    """
    rule, due = labels_of(spec), NUM_CLASSES.get(spec.protocol.scale, 1000)
    if rule == "prompts":
        return None, [f"the images are of the prompts of {spec.protocol.name}, one of each"]
    if num_classes not in (None, due):
        raise UsageError(f"--classes {num_classes}: {spec.protocol.name} is of {due:,} classes")
    labels, told = source.labels, None
    if isinstance(source.images, ImageFolder):
        labels = source.images.labels(due)  # of class folders, where there are so many; else of numbered files in turn
        by_folders = len({file.parent for file in source.images.files}) == due
        if not by_folders and num_classes is None:
            labels = None
        told = None if labels is None else due
        if num_classes is not None and labels is None:
            raise UsageError(f"--classes {num_classes}: {source.name}: expected files numbered from 0 without a gap")
    if labels is None:
        words = {"balanced": "as many images of each class", "uniform": "a class drawn for each image"}[rule]
        return told, [f"the classes, which the files do not tell, were drawn as published: {words}"]
    counts = np.bincount(labels, minlength=due)
    spread = f"{counts.min()} to {counts.max()} images a class"
    if len(counts) > due:
        raise UsageError(f"generated {source.name}: {len(counts):,} classes; {spec.protocol.name} is of {due:,}")
    if rule == "balanced" and counts.max() - counts.min() > bool(len(labels) % due):
        raise UsageError(
            f"generated {source.name}: {spread}; the numbers of {spec.model} are printed for as many of each class"
        )
    if rule == "uniform" and counts.max() - counts.min() <= 1 and len(labels) >= 10 * due:
        raise UsageError(
            f"generated {source.name}: {spread}; the numbers of {spec.model} are printed for a class drawn per image"
        )
    return told, []


def compared_with(protocol: Protocol) -> dict[str, str]:
    """SHA-256 of the protocol's assets by name. UsageError, in one line, where one is not there."""
    return {name: assets.checksum(assets.find(name)) for name in protocol.assets}


# -- captions and answers ----------------------------------------------------------------------------------------------


def captions_fields(results: Path, spec: RunSpec, *, annotations: Path | None = None, made_by: str = "") -> Fields:
    """Scores of captions against those of the protocol's data set. annotations: its file, where it lies elsewhere."""
    protocol = spec.protocol
    path = data_file(protocol.assets[0], "annotations/captions_val2014.json", annotations, "--annotations")
    texts, references = coco_captions.load_results(results), coco_captions.load(path)
    scores = score_captions(texts, references, meteor="meteor" in protocol.metrics)
    return _texts_fields(spec, "coco", scores, "captions", results, len(texts), {"annotations": path}, made_by)


def answers_fields(
    results: Path,
    spec: RunSpec,
    *,
    questions: Path | None = None,
    annotations: Path | None = None,
    made_by: str = "",
) -> Fields:
    """Scores of answers to the questions of the protocol's data set.

    questions, annotations: its files, where they lie elsewhere; of POPE and MME `questions` is their folder, and
    `results` may be a folder with a file for each of theirs.
    """
    name = spec.protocol.scale
    files = question_files(name, questions, annotations)
    if name == "pope":
        found = pope_questions(files)
        said = _pope_answers(results, files)
    else:
        found = load_question_set(files["questions"], files.get("annotations"), name)[1]
        said = load_answers(results, name, found)
    scores = score_answers(said, found, name)
    return _texts_fields(spec, name, scores, "answers", results, len(said), files, made_by)


def question_files(name: str, questions: Path | None, annotations: Path | None) -> dict[str, Path]:
    """The files of a question set by role; of POPE by published name."""
    parts = [part.names[0] for part in assets.find(name).parts]
    if name == "mme":
        return {"questions": questions or assets.require("mme")}
    if name == "pope":
        return {part: data_file(name, part, questions and questions / part, "--questions") for part in parts}
    given = {"questions": questions, "annotations": annotations}
    names = [part.names[0] for part in assets.find(name).parts if part.holds == "file"]
    if annotations is not None and len(names) == 1:
        raise UsageError(f"{name} keeps questions and answers together; leave out --annotations {annotations}")
    roles = list(given)[: len(names)]
    return {role: data_file(name, part, given[role], f"--{role}") for role, part in zip(roles, names, strict=True)}


def data_file(asset_name: str, part_name: str, given: Path | None, option: str) -> Path:
    """A file of a data set: the one that was given, which must be the asset's where that is there, else the asset's.

    The rest of the asset (its images) need not be there.
    """
    asset = assets.find(asset_name)
    part = next(part for part in asset.parts if part.names[0] == part_name)
    places = (part_path(place, part) for place in existing_places(asset))
    known = next((path for path in places if path is not None), None)
    if given is None:
        if known is None:
            raise UsageError(f"{assets.locate(asset).complaint} ({part_name}); or name the file: {option} FILE")
        return known
    if not given.is_file():
        raise UsageError(f"{option} {given}: no such file; expected {part_name} of {asset_name}")
    if known is not None and digest(known) != digest(given):
        raise UsageError(f"{option} {given}: not the {part_name} of {asset_name} that lies at {known}")
    return given


def _pope_answers(results: Path, files: Mapping[str, Path]) -> dict[Id, Text]:
    """Of a folder with a file for each of POPE's, or one file with ids as "random/1"."""
    if not results.is_dir():
        return load_answers(results, "pope", pope_questions(files))
    found: dict[Id, Text] = {}
    for name, path in files.items():
        kind = pope_kind(name)
        theirs = [one for one in sorted(results.iterdir()) if kind in one.name and one.is_file()]
        if len(theirs) != 1:
            raise UsageError(f"results {results}: {len(theirs)} files with {kind!r} in their names; expected one")
        asked = load_question_set(path, None, "pope")[1]
        found |= {f"{kind}/{number}": text for number, text in load_answers(theirs[0], "pope", asked).items()}
    return found


def _texts_fields(
    spec: RunSpec,
    name: str,
    scores: Mapping[str, Any],
    what: Any,
    results: Path,
    num: int,
    files: Mapping[str, Path],
    made_by: str,
) -> Fields:
    published = PUBLISHED_ITEMS[spec.protocol.scale]
    items = "images" if what == "captions" else "questions"
    few = [f"the files are the data set's: {num:,} of {published:,} {items}"] if num != published else []
    fields = scored_fields(spec.protocol, name, scores, evaluations={}, scoring={}, warnings=few)
    elsewhere = Elsewhere(
        what=what,
        name=results.resolve().name,
        num_items=num,
        sha256=sha256_of(results),
        files={role: sha256_of(path) for role, path in files.items()},
        made_by=made_by,
        assumed=(SETTINGS, *few),
    )
    return {**fields, "elsewhere": elsewhere}


# -- GenEval -----------------------------------------------------------------------------------------------------------


def geneval_fields(results: Path, spec: RunSpec, *, made_by: str = "") -> Fields:
    """Scores of a results file of GenEval's evaluator, which must be of four images of each of its prompts."""
    detected, asset = load_results(results), assets.find(spec.protocol.assets[0])
    files, assumed = {}, [SETTINGS]
    if assets.locate(asset).usable:
        path = assets.require(asset.name)
        geneval.check_results(detected, load_prompts(path), results, by_place=False)
        files["prompts"] = assets.checksum(asset)
    else:
        assumed.append("the prompts are GenEval's own")
    num, wanted = len(detected), spec.protocol.num_images
    if num != wanted:
        raise UsageError(
            f"results {results}: {num:,} images; {spec.protocol.name} is of {wanted:,}, {IMAGES_PER_PROMPT} of each of "
            f"{wanted // IMAGES_PER_PROMPT} prompts"
        )
    elsewhere = Elsewhere(
        what="detections",
        name=results.resolve().name,
        num_items=num,
        sha256=sha256_of(results),
        files=files,
        made_by=made_by,
        assumed=tuple(assumed),
    )
    paintings = Paintings(scoring=geneval.scoring_of(results))
    return {"measurements": geneval.score(detected), "paintings": paintings, "elsewhere": elsewhere}


def sha256_of(path: Path) -> str:
    """Of a file's content; of a folder, of the names and contents of its text files, and of the names and sizes of the
    others."""
    if not path.is_dir():
        return digest(path)
    texts = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix in (".txt", ".json", ".jsonl"))
    lines = [f"{one.relative_to(path).as_posix()} {digest(one)}" for one in texts]
    return hashlib.sha256("\n".join([file_sha256(path), *lines]).encode(errors="surrogateescape")).hexdigest()
