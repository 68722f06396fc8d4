"""Latents of a folder: what the autoencoder says of each image and its mirror image, kept whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from bench.datasets.image_files import read_image
from bench.datasets.resizing import Resize
from bench.errors import UsageError
from bench.sampling.latents import class_folder, latents_of
from bench.sampling.ranks import ALONE, Rank
from reference_models.autoencoders import KLAutoencoder

SIZE = 32


@pytest.fixture
def folder(tmp_path):
    """Three classes, mixed sizes; class 10 after class 2."""
    rng = np.random.default_rng(0)
    for name in ("2", "10", "n3"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(5):
            pixels = rng.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    return tmp_path / "data"


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    model = KLAutoencoder(latent_channels=4, channel_mult=(1, 1), channels=32, scale=0.5, shift=0.1)
    return model.eval().requires_grad_(False)


def make(folder, autoencoder, work, mirror=True, rank=ALONE):
    return latents_of(
        class_folder(folder, 3),
        autoencoder,
        autoencoder_sha256="toy",
        image_size=SIZE,
        mirror=mirror,
        work=work,
        rank=rank,
        device="cpu",
    )


class Fixed:
    """Noise that was drawn before."""

    def __init__(self, draw):
        self.draw = draw

    def normal(self, *shape):
        return self.draw


def test_they_are_what_encoding_each_image_directly_gives(folder, autoencoder, tmp_path):
    latents = make(folder, autoencoder, tmp_path / "work")
    data = class_folder(folder, 3)
    assert latents.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert [path.parent.name for path in data.paths[::5]] == ["2", "10", "n3"]
    for i, path in enumerate(data.paths):
        image = torch.from_numpy(Resize("adm", SIZE)(read_image(path)).copy())[None].float() / 127.5 - 1
        for view, seen in enumerate((image, image.flip(-1))):
            mean, deviation = (torch.from_numpy(part) for part in latents.moments(i, view))
            eps = torch.randn(1, *mean.shape)
            # Convolutions of 1 and of 4 images round differently: 1e-6 of values of about 1, some twenty of them deep.
            torch.testing.assert_close(mean[None], autoencoder.encode(seen), rtol=0, atol=2e-5)
            drawn = autoencoder.encode(seen, Fixed(eps))  # type: ignore[arg-type]
            torch.testing.assert_close(mean + deviation * eps, drawn, rtol=0, atol=2e-5)


def test_they_are_encoded_once_and_a_damaged_shard_again(folder, autoencoder, tmp_path, monkeypatch, capsys):
    first = make(folder, autoencoder, tmp_path / "work")
    path = first.shards.path(1)
    whole = path.read_bytes()
    calls = []
    moments = autoencoder.moments
    monkeypatch.setattr(autoencoder, "moments", lambda images: calls.append(len(images)) or moments(images))
    make(folder, autoencoder, tmp_path / "work")
    assert calls == [1, 1]  # one image is encoded to know its size
    damaged = bytearray(whole)
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    make(folder, autoencoder, tmp_path / "work")
    assert "checksum" in capsys.readouterr().out
    assert path.read_bytes() == whole


def test_several_processes_make_the_same_shards(folder, autoencoder, tmp_path):
    one = make(folder, autoencoder, tmp_path / "one")
    two = [make(folder, autoencoder, tmp_path / "two", rank=Rank(rank, 2)) for rank in (1, 0)]
    assert [shard.sha256 for shard in one.shards.stream(15)] == [shard.sha256 for shard in two[0].shards.stream(15)]


def test_other_images_or_no_mirror_images_are_other_latents(folder, autoencoder, tmp_path):
    both, one = (make(folder, autoencoder, tmp_path / "work", mirror=mirror) for mirror in (True, False))
    assert (both.views, one.views) == (2, 1)
    assert both.shards.folder != one.shards.folder
    Image.new("RGB", (64, 64)).save(folder / "2" / "0.png")
    assert make(folder, autoencoder, tmp_path / "work").shards.folder != both.shards.folder


@pytest.mark.parametrize("num_classes", [2, 1000])
def test_another_number_of_classes_than_the_models_is_refused(folder, num_classes):
    with pytest.raises(UsageError, match=f"3 folders of images; the model has {num_classes} classes"):
        class_folder(folder, num_classes)


def test_what_is_no_folder_of_classes_is_refused(folder, tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        class_folder(tmp_path / "none", 3)
    with pytest.raises(UsageError, match="5 images in 2; a row of the model takes 6"):
        class_folder(folder, 3, images_per_sample=6)
    Image.new("RGB", (8, 8)).save(folder / "loose.png")
    with pytest.raises(UsageError, match="and 1 images beside them"):
        class_folder(folder, 3)
