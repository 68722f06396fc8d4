"""Digit scans as tests score them: as a folder of images, as features, and 200 of them scored."""

from __future__ import annotations

import functools

from PIL import Image

from bench.datasets import digits
from bench.evaluators import image_scores
from bench.features.extractors import Extractor


def write_folder(folder, images):
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{i:06d}.png")
    return folder


@functools.cache
def features_of(split):
    return Extractor("digits")(digits.load(split)[0])


@functools.cache
def held_out_200():
    """The first 200 held-out scans against the training scans; 200, so that the tests stay fast."""
    return image_scores.score_images(digits.load("heldout")[0][:200], "digits-train")
