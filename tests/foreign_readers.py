"""Readers of files that somebody else may have written, each with a file that it takes (test_foreign_files.py).

A reader raises one of REFUSALS, or returns what it read or what it says of a fault.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save, save_file

from bench.analysis.evidence import page_text, read_evidence, traces_in
from bench.assets import checksums
from bench.assets.lookup import weight_files
from bench.assets.stream import _last_served
from bench.claims.files import check_claims
from bench.commands.describe import is_result_of, refuse_other_work
from bench.datasets import coco_captions, geneval, mme, prompts, question_formats, question_sets, vqa_v2
from bench.datasets.image_folder import ImageFolder
from bench.datasets.reference_statistics import load_npz
from bench.errors import CaseError, CheckFailed, CheckpointError, UsageError
from bench.features import sqrtm_cache
from bench.records.parity import load_parity
from bench.records.store import content_sha256, load_records, save_record
from bench.run import ledger_of
from bench.sampling.images import _read_made
from bench.sampling.png_folder import PngFolder
from bench.sampling.shards import ShardSet
from reference_models.checkpoints import read_checkpoint
from reference_models.parity import load_case
from reference_models.training import load_checkpoint, save_checkpoint
from tests.claims_file import CLAIM, SOURCE
from tests.fake_scenes import scenes_set
from tests.paths import ROOT

REFUSALS = (UsageError, CheckFailed, CheckpointError, CaseError)


@dataclass(frozen=True)
class Reader:
    """A reader, the name of its file, and a content that it takes."""

    name: str
    valid: Any  # bytes, or what JSON holds
    read: Callable[[Path], Any]

    def content(self) -> bytes:
        return self.valid if isinstance(self.valid, bytes) else json.dumps(self.valid).encode()


def sealed(data: Any) -> bytes:
    """JSON with the checksum of its content, where it had one: as another program would write it."""
    try:
        return json.dumps({**data, "sha256": content_sha256(data)} if "sha256" in data else data).encode()
    except TypeError:
        return json.dumps(data).encode()


# -- files that are right ----------------------------------------------------------------------------------------------

STATE = {"a.weight": torch.ones(4, 3), "a.bias": torch.zeros(4)}
CAPTIONS = {
    "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
    "annotations": [{"image_id": i, "id": 5 + i, "caption": "A dog runs."} for i in (1, 2)],
}
QUESTIONS = {"questions": [{"question_id": i, "image_id": 42, "question": "Is it?"} for i in (1, 2)]}
TRUTHS = {
    "annotations": [
        {"question_id": i, "image_id": 42, "question_type": "is", "answers": [{"answer": "yes"}] * 10} for i in (1, 2)
    ]
}
GQA = {
    str(i): {"imageId": "n1", "question": "Is it?", "answer": "no", "types": {"structural": "verify"}} for i in (1, 2)
}
VIZWIZ = [{"image": "V.jpg", "question": "What?", "answerable": 1, "answers": [{"answer": "basil"}] * 10}]
DETECTED = {"filename": "x/00000/samples/0000.png", "tag": "counting", "prompt": "two dogs", "correct": True}
TOML = (SOURCE + CLAIM).encode()
MME = b"1.jpg\tIs there a dog?\tYes\n1.jpg\tIs there a cat?\tNo\n"
IDENTITY = {"model": "m", "settings": [1, 2]}


def archive(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def pickled(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def training_checkpoint() -> bytes:
    written = io.BytesIO()
    save_checkpoint({"step": 1, "a": torch.ones(3)}, Path("m"), lambda path, fill: fill(written))
    return written.getvalue()


# -- readers that need something beside the file -----------------------------------------------------------------------


def beside(path: Path, name: str, content: Any) -> Path:
    (path.parent / name).write_text(json.dumps(content))
    return path.parent / name


def moved(path: Path, target: Path) -> None:
    """The file where the reader looks for it; nothing where there is none."""
    if os.path.lexists(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)


def folder_of_shards(path: Path) -> Any:
    save_file({"a.weight": STATE["a.weight"]}, path.parent / "s1.safetensors")
    save_file({"a.bias": STATE["a.bias"]}, path.parent / "s2.safetensors")
    weight_files(path.parent)
    return read_checkpoint(path.parent)


def shard_among_shards(path: Path) -> Any:
    torch.save({"a.bias": STATE["a.bias"]}, path.parent / "s2.bin")
    beside(path, "pytorch_model.bin.index.json", {"weight_map": {"a.weight": path.name, "a.bias": "s2.bin"}})
    return read_checkpoint(path.parent)


def in_training(path: Path) -> Any:
    try:
        return load_checkpoint(path)
    except (ValueError, OSError) as error:  # which `bench train` says in one line
        raise CheckFailed(f"{path}: {error}") from error


def known_checksum(path: Path) -> Any:
    """A damaged entry of the cache is made again, so that the right checksum comes out."""
    target = path.parent / "target"
    target.write_bytes(b"x")
    moved(path, checksums._entry(target))
    found = checksums.checksum(target).sha256
    assert found == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def root_of_a_covariance(path: Path) -> Any:
    """The same of a cached root."""
    sigma = 2 * np.eye(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqrtm_cache, "SMALLEST_KEPT", 1)
        patch.setattr(sqrtm_cache, "cache_folder", lambda: path.parent)
        patch.setattr(sqrtm_cache.hashlib, "sha256", lambda content: type("", (), {"hexdigest": lambda self: "0"})())
        moved(path, path.parent / "root-0.npy")
        root = sqrtm_cache.reference_root(sigma)
    assert np.allclose(root @ root.T, sigma)


def cached_root() -> bytes:
    file = io.BytesIO()
    np.save(file, np.sqrt(2) * np.eye(3))
    return file.getvalue()


def a_record() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(save_record(scenes_set()[0], Path(folder)).read_text())


RECORD = a_record()


def results_of(path: Path) -> Any:
    """A results folder with the file in it: what cannot be read is among the faults."""
    return load_records([path.parent]).faults


def machine_of(path: Path) -> Any:
    beside(path, "m--p--1.json", RECORD)
    return load_records([path.parent]).faults


def samples_of(path: Path) -> Any:
    """Of samples that are what their record says: else they are not even unpacked."""
    known = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and path.stat().st_size < 2**20 else "0"
    (path.parent / "m--p--1.json").write_bytes(sealed({**RECORD, "samples_sha256": known}))
    moved(path, path.parent / "samples" / "m--p--1.jsonl.gz")
    return load_records([path.parent]).faults


def shard_of(path: Path) -> Any:
    return ShardSet(path.parent, {"a": 1}, 4).load(0, 4)


def a_shard() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        shards = ShardSet(Path(folder), {"a": 1}, 4)
        shards.write(0, {"x": np.arange(4)}, 4)
        return shards.path(0).read_bytes()


def made_by(path: Path) -> Any:
    moved(path, path.parent / "out.made-by.json")
    return is_result_of(beside(path, "out.json", []), {"model": "m"})


def remark(path: Path) -> Any:
    moved(path, path.parent / "f.partial.json")
    return _last_served(path.parent / "f.partial")


def pope_results(path: Path) -> Any:
    asked = vqa_v2.Question("Is there a dog?", "a.jpg")
    return question_sets.load_pope_results(path, {1: asked, 2: asked})


def page_of(path: Path) -> Any:
    return read_evidence(path), traces_in(page_text(path))


def images_of(path: Path) -> Any:
    folder = ImageFolder(path.parent)
    return folder[0 : len(folder)].shape


def arrays_of(path: Path) -> Any:
    found = load_npz(path)
    return None if found.images is None else np.asarray(found.images[0 : len(found.images)]).sum()


def lines(*entries: Any) -> bytes:
    return "\n".join(map(json.dumps, entries)).encode()


POPE = [{"question_id": i, "image": "a.jpg", "text": "Is there a dog?", "label": "yes"} for i in (1, 2)]
TAGGED = {"tag": "counting", "include": [{"class": "dog", "count": 2}], "prompt": "two dogs"}
FEATURES = np.random.default_rng(0).standard_normal((50, 4))
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)

READERS = {
    "images.npz": Reader("x.npz", archive(arr_0=PIXELS, arr_1=np.arange(6)), arrays_of),
    "statistics.npz": Reader("x.npz", archive(mu=FEATURES.mean(0), sigma=np.cov(FEATURES.T), n=50), arrays_of),
    **{f"a {kind}": Reader(f"x.{kind.lower()}", picture(kind), images_of) for kind in ("PNG", "JPEG", "GIF", "TIFF")},
    "captions": Reader("c.json", CAPTIONS, coco_captions.load_named),
    "caption results": Reader("r.json", [{"image_id": 1, "caption": "a dog"}], coco_captions.load_results),
    "questions": Reader(
        "q.json", QUESTIONS, lambda path: question_formats.load_question_set(path, beside(path, "a", TRUTHS))
    ),
    "annotations": Reader(
        "a.json", TRUTHS, lambda path: question_formats.load_question_set(beside(path, "q", QUESTIONS), path)
    ),
    "answers": Reader("r.json", [{"question_id": i, "answer": "yes"} for i in (1, 2)], vqa_v2.load_results),
    "POPE": Reader("p.json", lines(*POPE), question_formats.load_questions),
    "POPE's answers": Reader("r.json", [{"question": "Is there a dog?", "answer": "no"}] * 2, pope_results),
    "GQA": Reader("g.json", GQA, question_formats.load_questions),
    "GQA's answers": Reader("r.json", [{"questionId": "1", "prediction": "no"}], question_sets.load_gqa_results),
    "VizWiz": Reader("v.json", VIZWIZ, question_formats.load_questions),
    "MME": Reader("existence.txt", MME, lambda path: mme.load_mme(path.parent)),
    "GenEval's prompts": Reader("g.jsonl", lines(TAGGED, TAGGED), geneval.load_prompts),
    "GenEval's results": Reader("r.jsonl", lines(DETECTED), geneval.load_results),
    "prompts": Reader("p.txt", b"a dog\na cat\n", prompts.load_prompts),
    "prompts as JSON": Reader("p.json", ["a dog", "a cat"], prompts.load_prompts),
    "claims": Reader("c.toml", TOML, check_claims),
    "a record": Reader("m--p--1.json", RECORD, results_of),
    "machine.json": Reader("machine.json", {"processor": "x", "num_cores": 2}, machine_of),
    "samples": Reader(
        "s.gz", gzip.compress(lines({"scene_scores": {"scene": 1, "num": 5, "totals": {"cider": 2.5}}})), samples_of
    ),
    "parity.json": Reader(
        "parity.json",
        json.loads((ROOT / "results/parity.json").read_text()),
        lambda path: load_parity([path.parent])[1],
    ),
    "measured-here.json": Reader("measured-here.json", ["a/b.json"], lambda path: ledger_of(path.parent)),
    "a known checksum": Reader("e.json", {"path": "x", "size": 1}, known_checksum),
    "a root": Reader("r.npy", cached_root(), root_of_a_covariance),
    "a shard": Reader("000000.safetensors", a_shard(), shard_of),
    "generated-by.json": Reader("generated-by.json", IDENTITY, lambda path: PngFolder(path.parent, IDENTITY).begin()),
    "work of texts": Reader(
        "identity.json", IDENTITY, lambda path: refuse_other_work(ShardSet(path.parent, IDENTITY, 4))
    ),
    "made-by.json": Reader("x.json", {"model": "m", "results_sha256": "0"}, made_by),
    "a download": Reader("x.json", {"url": "u", "tag": "t", "size": 4}, remark),
    "made on": Reader(
        "000000.json",
        {"device": "cpu", "torch": "2", "batch_size": 50, "batches": [[50, 0.1]]},
        lambda path: _read_made(path.parent, 1, 50),
    ),
    "a .pt": Reader("w.pt", pickled({"model": STATE, "model_ema": STATE, "epoch": 3}), read_checkpoint),
    "safetensors": Reader("w.safetensors", save(STATE), read_checkpoint),
    "an index": Reader(
        "model.safetensors.index.json",
        {"metadata": {}, "weight_map": {"a.weight": "s1.safetensors", "a.bias": "s2.safetensors"}},
        folder_of_shards,
    ),
    "a shard of weights": Reader("s1.bin", pickled({"a.weight": STATE["a.weight"]}), shard_among_shards),
    "a training's checkpoint": Reader("m.checkpoint", training_checkpoint(), in_training),
    "a parity case": Reader("c.safetensors", (ROOT / "tests/data/vq16.safetensors").read_bytes(), load_case),
    "a page": Reader(
        "i.html",
        b'<script type="application/json" id="evidence">{"rows":[],"files":[],"verdicts":[]}</script>',
        page_of,
    ),
}
