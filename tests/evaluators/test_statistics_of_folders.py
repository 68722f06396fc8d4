"""Reference statistics of a folder as people have them: class folders, kinds and sizes mixed, by a named rule."""

from __future__ import annotations

import numpy as np
import pytest

from bench import files
from bench.datasets.image_folder import ImageFolder
from bench.datasets.resizing import find_resize
from bench.features.extractors import Extractor
from tests.command_line import bench, complains
from tests.stand_ins import give_inception, photographs, use_assets

KINDS = (".JPEG", ".webp", ".bmp", ".tif", ".png")
SIZES = ((70, 50), (300, 260), (256, 256))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Sixty photographs of three classes, and what is no image beside them."""
    give_inception(monkeypatch, use_assets(monkeypatch, tmp_path))
    for i, size in enumerate(SIZES):
        names = [f"{i}_{k}{kind}" for k in range(4) for kind in KINDS]
        photographs(tmp_path / "val" / f"n0000000{i}", names, size)
    (tmp_path / "val" / "LOC_synset_mapping.txt").write_text("n00000000 tench\n")
    return tmp_path / "val"


def save(capsys, photos, out, *more):
    return bench(capsys, "score", "images", photos, "--features", "inception", "--save-statistics", out, *more)


@pytest.mark.parametrize(
    ("rule", "told"), [(("adm", "--size", "256"), "adm to 256x256"), (("clean-fid",), "clean-fid to 299x299")]
)
def test_statistics_are_those_of_the_images_as_the_rule_makes_them(capsys, photos, tmp_path, monkeypatch, rule, told):
    """mu and sigma of all sixty, whatever their kind and size, and the file says by which rule; read by and by."""
    read = []
    whole = ImageFolder.__getitem__
    monkeypatch.setattr(ImageFolder, "__getitem__", lambda self, rows: read.append(rows) or whole(self, rows))
    monkeypatch.setattr("bench.metrics.audit.CHUNK", 16)
    status, out, _ = save(capsys, photos, tmp_path / "s.npz", "--resize", *rule)
    assert status == 0
    assert "60 images" in out
    resize = find_resize(rule[0], int(rule[2]) if rule[2:] else None)
    folder = ImageFolder(photos, resize=resize)
    features = Extractor("inception")(whole(folder, slice(None))).features
    assert max(rows.stop - rows.start for rows in read) <= 32
    with np.load(tmp_path / "s.npz") as file:
        assert file["mu"] == pytest.approx(features.astype(np.float64).mean(0), rel=1e-6)
        assert file["sigma"] == pytest.approx(np.cov(features.astype(np.float64), rowvar=False), rel=1e-5, abs=1e-9)
        assert (int(file["n"]), str(file["resize"])) == (60, told)


def test_what_was_counted_and_left_out_is_said(capsys, photos, tmp_path):
    """By both: what makes statistics, and what scores against them."""
    rule = ("--resize", "adm", "--size", "256")
    call = ("score", "images", photos, "--reference", tmp_path / "s.npz", "--features", "inception")
    for status, out, _ in (save(capsys, photos, tmp_path / "s.npz", *rule), bench(capsys, *call, *rule)):
        said = " ".join(out.split())
        assert status == 0, out
        assert "60 images (12 .bmp, 12 .jpeg, 12 .png, 12 .tif, 12 .webp) in 3 folders of 3 sizes" in said
        assert "resized: adm to 256x256; left out: 1 .txt (LOC_synset_mapping.txt)" in said


def test_sizes_that_differ_need_a_rule_and_statistics_the_same_one(capsys, photos, tmp_path):
    call = ("score", "images", photos, "--features", "inception")
    assert "images of 3 sizes" in complains(capsys, *call, "--save-statistics", tmp_path / "s.npz")
    save(capsys, photos, tmp_path / "s.npz", "--resize", "adm", "--size", "256")
    line = complains(capsys, *call, "--reference", tmp_path / "s.npz", "--resize", "clean-fid")
    assert "its statistics were made with resize adm to 256x256, the other side has clean-fid to 299x299" in line


def test_a_disk_without_room_for_the_statistics_is_known_before_the_features(capsys, tmp_path, monkeypatch):
    """Mean and covariance of 64 features in float64: 33 kB."""
    monkeypatch.setattr(files, "_free_bytes", lambda folder: 20_000.0)
    monkeypatch.setattr(Extractor, "__call__", None)
    call = ("score", "images", "digits-heldout", "--features", "digits", "--save-statistics", tmp_path / "s.npz")
    for reference in ((), ("--reference", "digits-train")):
        line = complains(capsys, *call, *reference, status=1)
        assert "--save-statistics: needs about 0.0333 MB of disk" in line
    assert not list(tmp_path.iterdir())
