"""Captions, questions and prompts that are cut off or damaged are named by the plan, before anything runs."""

from __future__ import annotations

import os

import pytest

from bench import assets
from bench.datasets import released
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from tests import stand_ins
from tests.stand_ins import give_coco, use_assets

KINDS = ("random", "popular", "adversarial")
VQA = ("vqa-v2/v2_OpenEnded_mscoco_val2014_questions.json", "vqa-v2/v2_mscoco_val2014_annotations.json")


def give_vqa(folder):
    """OK-VQA's files, in VQAv2's place and layout, but for the table of its types."""
    stand_ins.give_okvqa(folder)
    (folder / "okvqa").rename(folder / "vqa-v2")
    for old, new in zip(
        ("OpenEnded_mscoco_val2014_questions.json", "mscoco_val2014_annotations.json"), VQA, strict=True
    ):
        (folder / "vqa-v2" / old).rename(folder / new)


SETS = {  # scale -> (what makes its files, those that are read)
    "coco-captions": (None, ["coco/annotations/captions_val2014.json"]),
    "coco-images": (None, ["coco/annotations/captions_val2014.json"]),
    "vqa-v2": (give_vqa, VQA),
    "okvqa": (
        stand_ins.give_okvqa,
        ["okvqa/OpenEnded_mscoco_val2014_questions.json", "okvqa/mscoco_val2014_annotations.json"],
    ),
    "vizwiz": (stand_ins.give_vizwiz, ["vizwiz/val.json"]),
    "gqa": (stand_ins.give_gqa, ["gqa/testdev_balanced_questions.json"]),
    "pope": (
        stand_ins.give_pope,
        [
            f"github.com/AoiDragon/POPE/output/coco/coco_pope_{kind}.json"
            for kind in ("random", "popular", "adversarial")
        ],
    ),
    "geneval": (stand_ins.give_geneval, ["github.com/djghosh13/geneval/prompts/evaluation_metadata.jsonl"]),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = use_assets(monkeypatch, tmp_path)
    give_coco(folder, 3)
    return folder


def told(scale, tmp_path):
    """What the runs of a scale lack, of its texts."""
    plan = make_plan(scale=scale, only=(), quick=False, device="cuda", results=tmp_path / "results")
    return {lack for run in plan.runs for lack in run.lacks if "cannot be used" in lack}


@pytest.mark.parametrize("scale", SETS)
def test_what_ends_early_is_named_with_its_place_and_what_to_do(scale, folder, tmp_path):
    make, files = SETS[scale]
    if make:
        make(folder)
    assert not told(scale, tmp_path)
    for file in files:
        path = folder / file
        before = path.read_bytes()
        for cut in (4 + len(before) // 2, len(before) - 2):  # of POPE, not at the end of a line
            path.write_bytes(before[:cut])
            (lack,) = told(scale, tmp_path)
            assert f"{path}: " in lack
            assert lack.endswith(f"remove the file, then get it with: python -m bench fetch {lack.split()[0]}")
        path.write_bytes(before)
    assert not told(scale, tmp_path)


def test_every_set_of_texts_that_a_run_reads_has_a_reader():
    """But for MME, whose texts are no JSON: two lines a file."""
    read = {p.assets[0] for p in PROTOCOLS.values() if p.assets and assets.find(p.assets[0]).kind == "data set"}
    assert read == released.READERS.keys() | {"mme"}


def test_questions_and_annotations_that_were_swapped_are_named(folder, tmp_path):
    give_vqa(folder)
    one, other = (folder / name for name in VQA)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    (lack,) = told("vqa-v2", tmp_path)
    assert "were two files swapped?" in lack


def test_a_file_is_read_to_its_end_once(folder, tmp_path, monkeypatch):
    """Until its size or its time of change is another; one that is damaged, each time."""
    reads, read = [], released.coco_captions.load_named
    monkeypatch.setattr(released.coco_captions, "load_named", lambda path: reads.append(path) or read(path))
    path = folder / "coco/annotations/captions_val2014.json"
    for _ in range(3):
        assert not told("coco-captions", tmp_path)
    assert reads == [path]
    os.utime(path, ns=(0, 0))
    assert not told("coco-captions", tmp_path)
    assert len(reads) == 2
    path.write_bytes(path.read_bytes()[:-5])
    assert told("coco-captions", tmp_path)
    assert told("coco-captions", tmp_path)
    assert len(reads) >= 4
