"""How it was measured: protocols, environments and audits as the report tells them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.analysis.speed import tf32_convolutions
from bench.formatting import as_words, listed, quantity
from bench.records.schema import Record
from bench.report.tables import NONE, Cell, Table, derived, plain_table

AUDIT_WORDS = {
    "num_images": "images",
    "nonfinite": "NaN or infinite",
    "constant": "constant",
    "duplicates": "duplicates",
    "class_counts": "recognised, per class",
    "recognised_share": "recognised as the class asked for",
    "copies_share": "copies of training images",
    "failures": "failures",
}
AUDIT_LEFT_OUT = ("duplicates_share", "labels_asked", "image_size", "content_sha256")  # said elsewhere, or too long
FIELD_WORDS = {
    "name": "protocol",
    "scale": "scale",
    "num_images": "images generated, class-balanced",
    "seed": "seed",
    "features": "feature extractor",
    "reference": "reference images",
    "batch_size": "images per call (changes no image)",
    "latency_batch_size": "batch size, latency",
    "throughput_batch_size": "batch size, throughput",
    "min_rounds": "timed rounds at least",
    "min_duration_s": "timed seconds at least",
    "sampled_calls": "calls of each part that were timed",
    "dtype": "arithmetic",
    "compiled": "sampling steps compiled",
    "quick": "smoke run",
    "resize": "images resized before scoring",
    "pilot_of": "a pilot: images of the full run",
}
SCENES_WORDS = {  # of protocols of the scenes scale, instead
    "num_images": "held-out scenes",
    "batch_size": "texts or images per call (changes none)",
}
SCORING_WORDS = {  # of a part's scoring
    "features_what": "features",
    "features_sha256": "weights of the extractor, SHA-256",
    "interval": "intervals",
    "resampling_seed": "seed of the resampling",
    "inception_score_splits": "splits of the Inception Score",
    "kid_subset_size": "subset size of KID",
    "precision_recall_neighbours": "neighbours of precision and recall",
}
TIMINGS_IGNORE = ("num_images", "batch_size", "features", "reference", "sampled_calls")
RATIOS_IGNORE = ("num_images", "batch_size", "features", "reference", "throughput_batch_size")
COMPOSED_IGNORE = (*RATIOS_IGNORE, "min_duration_s")
IMAGES_IGNORE = ("latency_batch_size", "throughput_batch_size", "min_rounds", "min_duration_s", "sampled_calls")
IGNORED = {"timings": TIMINGS_IGNORE, "ratios": RATIOS_IGNORE, "composed": COMPOSED_IGNORE}  # by what is collected
IGNORED_AT_0 = ("pilot_of", "sampled_calls")
ENVIRONMENT_WORDS = {
    "machine": "machine",
    "processor": "processor",
    "num_cores": "cores",
    "num_threads": "threads used",
    "memory_bytes": "memory",
    "system": "system",
    "device": "device",
    "gpu": "GPU",
    "gpu_memory_bytes": "GPU memory",
    "cuda": "CUDA",
    "tf32": "TF32 in matrix products",
}
NO_MACHINE = ("commit", "dirty", "versions")  # of the fields of an environment


def alike(records: Sequence[Record], part: Callable[[Record], Any]) -> list[list[Record]]:
    """The records in groups that share a part."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(json.dumps(asdict(part(record)), sort_keys=True), []).append(record)
    return list(found.values())


def protocol_tables(records: Sequence[Record], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each distinct protocol with its fields in words and the models it was applied to."""
    return [
        {"name": last.protocol.name, "models": [labels[r.file] for r in (*others, last)], "rows": protocol_rows(last)}
        for *others, last in alike(records, lambda record: record.protocol)
    ]


def protocol_rows(record: Record) -> list[tuple[str, str]]:
    protocol, scoring = asdict(record.protocol), scoring_of(record)
    hidden = IGNORED.get(record.protocol.collects, IMAGES_IGNORE)
    field_words = FIELD_WORDS | (SCENES_WORDS if record.protocol.scale == "scenes" else {})
    told = [
        (words, as_words(field, protocol[field]))
        for field, words in field_words.items()
        if field not in hidden
        and protocol[field] != ""
        and protocol[field] is not False
        and not (field in IGNORED_AT_0 and protocol[field] == 0)
    ]
    scored = {key: words for key, words in SCORING_WORDS.items() if scoring.get(key) is not None}
    return told + [(words, as_words(key, scoring[key])) for key, words in scored.items()]


def scoring_of(record: Record) -> Mapping[str, Any]:
    """How the scores of a record were computed; {} where it holds none."""
    part = record.images or record.texts
    scoring = dict(part.scoring) if part else {}
    if scoring.get("kid_subset_size"):  # older records hold what was asked for, more than there were images
        scoring["kid_subset_size"] = min(scoring["kid_subset_size"], record.protocol.num_images)
    return scoring


def environment_tables(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Each distinct environment: the machine and the versions. The commit stands with each record."""
    found = []
    for group in alike(records, lambda record: replace(record.environment, commit="", dirty=None)):
        environment = group[0].environment
        known = {k: v for k, v in asdict(environment).items() if k not in NO_MACHINE and v is not None}
        fields = [k for k in ENVIRONMENT_WORDS if k in known] + sorted(known.keys() - ENVIRONMENT_WORDS.keys())
        rows = [(ENVIRONMENT_WORDS.get(k, k), as_words(k, known[k])) for k in fields]
        if kinds := sorted({kind for record in group for kind in tf32_convolutions(record)}):
            rows.append(("TF32 in convolutions", listed([as_words("", kind) for kind in kinds])))
        found.append(
            {
                "models": dict.fromkeys(record.model for record in group),
                "rows": rows,
                "versions": ", ".join(f"{package} {version}" for package, version in environment.versions.items()),
            }
        )
    return found


TRAINING = {"num_params": "Parameters", "steps": "Steps", "images_seen": "Images seen"}


def training_table(training: Mapping[str, Mapping[str, str]]) -> Table | None:
    """How the shipped small models were trained, from the metadata of their weights."""
    if not training:
        return None
    columns = [*TRAINING.values(), "Took", "Commit", "Command"]
    rows = []
    for model, said in training.items():
        counts = [Cell(f"{int(said[name]):,}" if name in said else "–") for name in TRAINING]
        start = json.loads(said.get("recipe", "{}")).get("start_from")
        counts[-1] = replace(counts[-1], below=f"after those of {start}" if start else "")
        took = Cell(quantity("wall_s", float(said["wall_s"])), said.get("machine", "")) if "wall_s" in said else NONE
        rows.append((model, (*counts, took, Cell(said.get("commit", "–")[:10]), Cell(said.get("command", "–")))))
    return plain_table("Training of the shipped weights that were measured.", columns, rows)


def audit_cell(record: Record, key: str, audit: Mapping[str, Any]) -> Cell:
    """A finding in words; of counts by class the smallest is traced."""
    if key not in audit:
        return NONE
    found, path = audit[key], f"images.audit.{key}"
    words = as_words(key, found)
    if isinstance(found, tuple):
        if not found or isinstance(found[0], str):
            return Cell(words)
        found, path = min(found), f"min({path})"
    return derived(record, path, found, lambda _: words)


def audit_table(images: Sequence[Record], labels: Mapping[str, str]) -> Table | None:
    """What the audit found before anything was scored."""
    audits = {
        labels[r.file]: {key: value for key, value in asdict(r.images.audit).items() if value is not None}
        for r in images
        if r.images
    }
    present = [key for audit in audits.values() for key in audit if key not in AUDIT_LEFT_OUT]
    keys = [key for key in dict.fromkeys([*AUDIT_WORDS, *present]) if key in present]
    if not keys:
        return None
    rows = [
        (labels[record.file], [audit_cell(record, key, audits[labels[record.file]]) for key in keys])
        for record in images
        if record.images
    ]
    columns = [AUDIT_WORDS.get(key, key.replace("_", " ")) for key in keys]
    return plain_table("Audit of the images before scoring; images that fail it are not scored.", columns, rows)
