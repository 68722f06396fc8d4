"""Small files in the formats of the released ones, for a folder of assets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench import assets
from bench.assets.checksums import FOLDER_VARIABLE as CACHE
from bench.assets.lookup import FOLDER_VARIABLE
from bench.features import extractors
from tests.command_line import write

FEATURES, SPATIAL = 8, 4  # of the stand-in for Inception


class SmallExtractor(nn.Module):
    """Stands in for Inception, of which FID would need 2,048 images: random features of 8 x 8 mean colours."""

    def __init__(self, path):
        super().__init__()
        self.register_buffer("weight", torch.load(path, weights_only=True)["weight"])

    def forward(self, images):
        found = nn.functional.adaptive_avg_pool2d(images.float() / 255, 8).flatten(1) @ self.weight
        return found[:, :FEATURES], found[:, FEATURES : FEATURES + 10], found[:, FEATURES + 10 :]


def use_assets(patch, tmp_path):
    """An empty folder of assets, and nothing else."""
    folder = tmp_path / "assets"
    folder.mkdir()
    patch.setenv(FOLDER_VARIABLE, str(folder))
    patch.setenv(CACHE, str(tmp_path / "cache"))
    return folder


def give_inception(patch, folder):
    """The small extractor in Inception's place."""
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(3 * 64, FEATURES + 10 + SPATIAL))).float()
    path = folder / assets.find("inception").path
    path.parent.mkdir(parents=True)
    torch.save({"weight": weight}, path)
    small = replace(extractors.EXTRACTORS["inception"], build=SmallExtractor, num_features=FEATURES)
    patch.setitem(extractors.EXTRACTORS, "inception", small)


def give_adm(folder, size=256):
    """ADM's reference batch for ImageNet."""
    generator = np.random.default_rng(0)
    clouds = {"": generator.normal(size=(64, FEATURES)), "_s": generator.normal(size=(64, SPATIAL))}
    path = folder / assets.find(f"adm-imagenet-{size}").path
    path.parent.mkdir(parents=True)
    arrays = {"arr_0": generator.integers(0, 256, (16, size, size, 3), np.uint8)}
    for suffix, cloud in clouds.items():
        arrays |= {f"mu{suffix}": cloud.mean(0), f"sigma{suffix}": np.cov(cloud, rowvar=False)}
    np.savez(path, **arrays)
    return path


def photographs(folder, names, size=(70, 50)):
    """Files of noise, (width, height)."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)


def coco_names(num):
    return [f"COCO_val2014_{i:012d}.jpg" for i in range(1, num + 1)]


def captions(num):
    """COCO's captions file of that many images, two captions each."""
    said = [
        {"image_id": i, "id": 10 * i + k, "caption": f"{a} dog number {i} runs {k}"}
        for i in range(1, num + 1)
        for k, a in enumerate(("a", "the"))
    ]
    images = [{"id": i, "file_name": name} for i, name in enumerate(coco_names(num), 1)]
    return {"images": images, "annotations": said}


def give_coco(folder, num):
    """COCO's val2014 of so many photographs."""
    photographs(folder / "coco/val2014", coco_names(num))
    (folder / "coco/annotations").mkdir()
    return write(folder / "coco/annotations/captions_val2014.json", captions(num))
