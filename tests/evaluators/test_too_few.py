"""Folders of fewer images than a protocol needs are one line before the hours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.evaluators import Context, images
from bench.evaluators.images import measure_real_images
from bench.evaluators.prompted import prompts_of
from bench.protocols import PROTOCOLS
from bench.records.schema import REAL_DATA, RunSpec
from tests.stand_ins import coco_names, give_coco, photographs, use_assets


def test_the_real_images_are_as_many_as_those_that_are_generated(tmp_path, monkeypatch):
    """A floor of fewer images would stand beside scores of 50,000."""
    folder = use_assets(monkeypatch, tmp_path) / "imagenet/val"
    for name in ("n01440764", "n01443537"):
        photographs(folder / name, [f"ILSVRC2012_val_{i:08d}.JPEG" for i in range(3)])
    monkeypatch.setattr(images, "scored", lambda *args, **options: pytest.fail("scored"))
    run = RunSpec(REAL_DATA, PROTOCOLS["imagenet-256-quality"])
    with pytest.raises(UsageError, match=rf"^real images {folder}: 6 images; imagenet-256-quality needs 50,000$"):
        measure_real_images(None, run, Context("cpu", tmp_path, ""))


def test_a_photograph_of_each_captioned_image_is_compared_with(tmp_path, monkeypatch):
    folder = use_assets(monkeypatch, tmp_path)
    give_coco(folder, 5)
    protocol = replace(PROTOCOLS["coco-images-quality"], num_images=4)
    assert len(prompts_of(protocol)) == 4
    (folder / "coco/val2014" / coco_names(5)[4]).unlink()
    with pytest.raises(UsageError, match=r"val2014: 4; captions_val2014.json has captions of 5, and coco-images-"):
        prompts_of(protocol)
