"""Captions: the field's scores; of held-out scenes also whether every digit, colour and place is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from bench.console import progress
from bench.datasets import scenes
from bench.datasets.coco_captions import CaptionSet
from bench.datasets.json_files import Id, shown
from bench.datasets.scenes_files import caption_set
from bench.datasets.texts import Text, check_ids
from bench.errors import UsageError
from bench.evaluators import Context, benchmark_texts, java_scorers
from bench.evaluators.scene_examples import SCALE, by_scene, chosen, example, scenes_of, text_costs
from bench.evaluators.text_scores import bounded, measure_both, text_protocol
from bench.metrics.captions import CaptionScores, compute_caption_scores, fallback_tokenize
from bench.metrics.item_scores import measure
from bench.metrics.scene_check import PERCENT, share
from bench.metrics.text_audit import audit_texts
from bench.records import environment
from bench.records.json_files import plain
from bench.records.parts import Measurement, Samples, Texts
from bench.records.schema import RunSpec
from bench.sampling.texts import Item, collect_texts


def measure_captions(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """One caption per scene, or per photograph of a released benchmark."""
    protocol = spec.protocol
    if protocol.scale != SCALE:
        return _measure_photos(model, spec, context)
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
    measurements, kept = text_costs(found, protocol.batch_size)
    measurements |= {name: Measurement(**fields) for name, fields in scores["metrics"].items()}
    kept |= {key: scores[key] for key in ("audit", "without_degenerate", "not_run", "warnings")}
    kept["scoring"] = scores["protocol"]
    values = {"cider": [row["cider"] for row in scores["per_image"]], "caption_accuracy": [PERCENT * r for r in right]}
    scored = by_scene([scene.index for scene in shown], values)
    examples = tuple(
        example(shown[i], shown[i].image, prompt="", text=texts[i], references=shown[i].captions, right=right[i])
        for i in chosen(right)
    )
    return {
        "measurements": {**measurements, "caption_accuracy": accuracy},
        "texts": msgspec.convert(plain(kept), Texts),
        "samples": Samples(scenes=scored, examples=examples),
    }


def _measure_photos(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    asked, references = benchmark_texts.asked_captions(spec)
    stored = benchmark_texts.collect(model, spec, asked, context.work)
    said = stored.read()
    captions = benchmark_texts.texts_by_id(asked, said)
    scores = score_captions(captions, references, meteor="meteor" in spec.protocol.metrics)
    sound = {row["image_id"]: not row["faults"] for row in scores["per_image"]}
    samples = benchmark_texts.examples(
        asked, said, [sound[one] for one in asked.ids], references.captions_by_image.__getitem__
    )
    return benchmark_texts.record_fields(model, spec, asked, stored, said, scores) | {"samples": samples}


def names_all(caption: str, scene: scenes.Scene) -> bool:
    """Whether a caption names every object with its digit, colour and place, in any wording, and nothing else."""
    return Counter(scenes.parse_caption(caption)) == Counter(thing.thing for thing in scene.objects)


ONE_IMAGE = "CIDEr of one image is always 0: every word of it is in all the images there are"


def score_captions(
    results: Mapping[Id, Text],
    references: CaptionSet,
    *,
    meteor: bool = True,
    spice: bool = False,
    subset: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Score one caption per image; for the keys of the answer see text_scores.py.

    meteor, spice: those two as well, by their Java programs, of which METEOR's takes 10 s and more
    subset: score the images that have a result, though others have references. Raises UsageError where results and
    references do not belong together, or where a reference is empty.
    """
    check_ids(results, references.captions_by_image, "image", subset=subset)
    captions_by_image = {i: captions for i, captions in references.captions_by_image.items() if i in results}
    _check_references(captions_by_image)
    ids, given = list(captions_by_image), [results[i] for i in captions_by_image]
    said, warnings = bounded([text.text for text in given], "captions")
    texts = [replace(text, text=short) for text, short in zip(given, said, strict=True)]
    flat_references = [caption for found in captions_by_image.values() for caption in found]
    short_references, of_references = bounded(flat_references, "reference captions")
    warnings += of_references

    protocol: dict[str, Any] = {"tokenizer": "PTB, by pycocoevalcap", "comparable": True}
    not_run: dict[str, str] = {}
    flat = [*said, *short_references]
    try:
        tokens = java_scorers.tokenize(flat)
        java = java_scorers.find_java()
        protocol["java"] = java.name if java else None
    except java_scorers.JavaError as error:
        tokens = [fallback_tokenize(caption) for caption in flat]
        not_run["meteor"] = str(error)
        protocol |= {"tokenizer": "fallback, not PTB", "comparable": False, "java": None}
        warnings.append(f"not comparable with other caption scores: a fallback tokenizer stood in for PTB's ({error})")
    if not any(tokens[len(ids) :]):
        raise UsageError("no reference caption holds a word")
    counts = [len(found) for found in captions_by_image.values()]
    computed = _compute(tokens, counts, not_run, with_meteor=meteor, with_spice=spice)
    if len(ids) == 1:
        warnings.append(ONE_IMAGE)

    audit = audit_texts([text.text for text in texts], [text.finish for text in texts], ids)
    metrics, without = measure_both(computed.scores, audit.degenerate, seed=seed)
    return {
        "metrics": metrics,
        "without_degenerate": without,
        "not_run": not_run,
        "warnings": warnings + audit.summary["warnings"],
        "audit": audit.summary,
        "per_image": [
            {
                "image_id": image_id,
                "caption": texts[i].text,
                **{name: float(values[i]) for name, values in computed.per_image.items()},
                "faults": list(audit.faults[i]),
            }
            for i, image_id in enumerate(ids)
        ],
        "protocol": {
            "num_images": len(ids),
            "num_references": sum(counts),
            "references_per_image": [min(counts), max(counts)],
            "subset": len(ids) < len(references.captions_by_image),
            **protocol,
            "cider_document_frequency": "of the references of these images, whichever are resampled or left out",
            **text_protocol(list(computed.scores), over="images", seed=seed),
        },
        "environment": environment.describe(),
    }


def _compute(
    tokens: list[str], counts: list[int], not_run: dict[str, str], *, with_meteor: bool, with_spice: bool
) -> CaptionScores:
    """All scores. tokens: a caption per image, then their references, so many of each image; not_run is added to."""
    candidates = tokens[: len(counts)]
    ends = np.cumsum(counts) + len(counts)
    references = [tokens[end - count : end] for end, count in zip(ends, counts, strict=True)]
    meteor = agreement = None
    if with_meteor and "meteor" not in not_run:
        try:
            meteor = java_scorers.meteor(references, candidates)
        except java_scorers.JavaError as error:
            not_run["meteor"] = str(error)
    if with_spice:
        lacks = java_scorers.spice_lacks()
        try:
            agreement = None if lacks else java_scorers.spice(references, candidates)
        except java_scorers.JavaError as error:
            lacks = str(error)
        if lacks:
            not_run["spice"] = lacks
    return compute_caption_scores(references, candidates, meteor=meteor, spice=agreement)


def _check_references(captions_by_image: Mapping[Id, tuple[str, ...]]) -> None:
    none = [image_id for image_id, captions in captions_by_image.items() if not captions]
    blank = [image_id for image_id, captions in captions_by_image.items() if not all(c.strip() for c in captions)]
    if none:
        raise UsageError(f"{len(none)} of {len(captions_by_image)} images have no reference caption: {shown(none)}")
    if blank:
        raise UsageError(f"{len(blank)} of {len(captions_by_image)} images have an empty reference: {shown(blank)}")
