"""Photographs of any size and kind come in as the squares that a model reads; what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench.datasets.photos import read_photo, unreadable_photos
from bench.errors import CheckFailed


def photo(path, width, height, mode="RGB", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.mark.parametrize(("width", "height", "size"), [(64, 48, 51), (33, 50, 25), (10, 91, 20), (16, 16, 16)])
def test_as_torchvision_resizes_and_crops(tmp_path, width, height, size):
    """Bicubic on the short side, then the middle: every pixel as torchvision's Resize and CenterCrop on a PIL image."""
    transforms = pytest.importorskip("torchvision.transforms")
    path = photo(tmp_path / "a.png", width, height)
    bicubic = transforms.InterpolationMode.BICUBIC
    theirs = transforms.Compose([transforms.Resize(size, bicubic), transforms.CenterCrop(size)])(Image.open(path))
    ours = read_photo(path, size)
    assert ours.dtype == np.uint8
    assert np.array_equal(ours, np.asarray(theirs).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "jpg"), ("CMYK", "jpg"), ("RGBA", "png"), ("P", "png"), ("1", "png")]
)
def test_every_kind_of_8_bit_image_becomes_rgb(tmp_path, mode, suffix):
    """Pillow's own conversion, at the image's own size."""
    path = photo(tmp_path / f"a.{suffix}", 12, 12, mode)
    expected = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(read_photo(path, 12), expected)


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path):
    """Missing, cut short, no image at all, empty, a folder, 16 bits: each by name, the good one left out."""
    photo(tmp_path / "good.jpg", 20, 30)
    whole = photo(tmp_path / "noise.jpg", 200, 200).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    names = ["missing.jpg", "good.jpg", "cut.jpg", "text.jpg", "empty.jpg", "folder.jpg", "deep.png", "missing.jpg"]
    faults = unreadable_photos(tmp_path, names)
    assert list(faults) == ["missing.jpg", "cut.jpg", "text.jpg", "empty.jpg", "folder.jpg", "deep.png"]
    assert faults["missing.jpg"] == "no such file"
    assert "truncated" in faults["cut.jpg"]
    assert faults["text.jpg"] == faults["empty.jpg"] == "not an image"
    assert "I;16" in faults["deep.png"]
    assert str(tmp_path) not in "".join(faults.values())
    with pytest.raises(CheckFailed, match=r"cut\.jpg: .*truncated"):
        read_photo(tmp_path / "cut.jpg", 8)
