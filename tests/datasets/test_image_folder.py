"""Folders as people have them: every image is counted, what is left out is named, a broken file is one line."""

from __future__ import annotations

import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from bench.datasets import open_images
from bench.datasets.image_files import formats, read_image
from bench.datasets.image_folder import ImageFolder
from bench.datasets.photos import check_inside, unreadable_photos
from bench.datasets.resizing import find_resize
from bench.errors import CheckFailed, UsageError


def picture(path, seed=0, size=(8, 8), **options):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


KINDS = ("a.png", "b.JPEG", "c.webp", "d.bmp", "e.TIF", "f.gif", "g.jpg", "h.ppm", "i.tiff")


def test_every_kind_that_pillow_reads_is_read(tmp_path):
    """By suffix in any case, pixels as Pillow has them."""
    for seed, name in enumerate(KINDS):
        picture(tmp_path / name, seed)
    folder = ImageFolder(tmp_path)
    assert [file.name for file in folder.files] == list(KINDS)
    expected = [np.asarray(Image.open(tmp_path / name).convert("RGB")).transpose(2, 0, 1) for name in KINDS]
    assert np.array_equal(folder[:], np.stack(expected))
    assert folder.words().startswith("9 images (1 .png, 1 .jpeg, ")


def test_images_on_top_and_in_folders_are_all_there_in_natural_order(tmp_path):
    names = ["2.png", "10.png", "class 2/1.png", "class 10/0.png", "class 10/deep/9.png"]
    for seed, name in enumerate(names):
        picture(tmp_path / name, seed)
    folder = ImageFolder(tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in folder.files] == names
    assert "5 images (5 .png) in 4 folders" in folder.words()


def test_what_is_left_out_is_counted_and_named(tmp_path):
    picture(tmp_path / "0.png")
    picture(tmp_path / ".hidden.png", 1)
    picture(tmp_path / ".git" / "1.png", 1)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "arrays.npz").write_text("x")
    folder = ImageFolder(tmp_path)
    assert len(folder) == 1
    assert (
        folder.words() == "1 images (1 .png); left out: 1 .npz, 1 .txt (arrays.npz, notes.txt); 2 hidden files skipped"
    )
    assert folder.summary()["left_out"] == {".npz": 1, ".txt": 1}


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UsageError, match=r"no images in this folder; expected \.png, .*; it holds 1 \.txt \(a\.txt\)"):
        ImageFolder(tmp_path)


def test_a_link_to_a_folder_above_is_walked_once(tmp_path):
    picture(tmp_path / "a" / "0.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert len(ImageFolder(tmp_path)) == 1


def test_several_pictures_in_a_file_are_said(tmp_path):
    frames = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200)]
    frames[0].save(tmp_path / "0.gif", save_all=True, append_images=frames[1:])
    assert "of 1 files with several pictures the first is taken" in ImageFolder(tmp_path).words()


# -- classes -----------------------------------------------------------------------------------------------------------


def test_class_folders_are_the_classes(tmp_path):
    for label in (0, 2, 10):
        for i in range(2):
            picture(tmp_path / f"n{label}" / f"{i}.png", 7 * label + i)
    assert ImageFolder(tmp_path).labels().tolist() == [0, 0, 1, 1, 2, 2]
    assert ImageFolder(tmp_path).labels(3).tolist() == [0, 0, 1, 1, 2, 2]
    assert ImageFolder(tmp_path).labels(4) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"{i}" for i in range(12)], [i % 3 for i in range(12)]),  # 10 comes after 9, not after 1
        ([f"img_{i:05d}" for i in range(1, 13)], [i % 3 for i in range(12)]),
        (["0", "1", "3"], None),
        (["a", "b", "c"], None),
        (["7", "8", "9"], None),
    ],
)
def test_numbered_files_take_the_classes_in_turn_where_the_numbers_fit(tmp_path, names, expected):
    for seed, name in enumerate(names):
        picture(tmp_path / f"{name}.png", seed)
    found = ImageFolder(tmp_path).labels(3)
    assert (None if found is None else found.tolist()) == expected
    assert ImageFolder(tmp_path).labels() is None


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_mixed_sizes_need_a_rule(tmp_path):
    picture(tmp_path / "0.png", size=(40, 30))
    picture(tmp_path / "1.png", size=(31, 64))
    with pytest.raises(
        UsageError, match=r"images of 2 sizes .*expected one size, or a rule to resize by: adm or clean"
    ):
        ImageFolder(tmp_path)
    folder = ImageFolder(tmp_path, resize=find_resize("adm", 16))
    assert folder[:].shape == (2, 3, 16, 16)
    assert folder[:].dtype == np.uint8
    assert folder.words() == "2 images (2 .png) of 2 sizes, resized: adm to 16x16"


def test_adm_halves_then_resizes_then_cuts_the_middle(tmp_path):
    """40 x 20 to 8: halved by a box filter to 20 x 10, bicubic to 16 x 8, columns 4 to 12."""
    pixels = picture(tmp_path / "0.png", size=(40, 20))
    halved = Image.fromarray(pixels).resize((20, 10), Image.Resampling.BOX)
    expected = np.asarray(halved.resize((16, 8), Image.Resampling.BICUBIC))[:, 4:12].transpose(2, 0, 1)
    assert np.array_equal(ImageFolder(tmp_path, resize=find_resize("adm", 8))[:][0], expected)


def test_clean_fids_rule_is_clean_fids(tmp_path):
    """Float pixels, neither rounded nor cut, as its own resizer gives them."""
    from cleanfid.resize import build_resizer

    pixels = picture(tmp_path / "0.png", size=(40, 30))
    expected = build_resizer("clean")(pixels).transpose(2, 0, 1)
    found = ImageFolder(tmp_path, resize=find_resize("clean-fid", None))[:]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("rule", "size", "message"),
    [
        ("bilinear", 8, "unknown resize rule 'bilinear'; known: adm, clean-fid"),
        ("adm", None, "needs a size"),
        ("adm", 5000, "needs a size from 1 to 4096"),
        ("clean-fid", 256, "clean-fid resizes to 299x299"),
        (None, 256, "without a rule"),
    ],
)
def test_rules_that_cannot_be_had(rule, size, message):
    with pytest.raises(UsageError, match=message):
        find_resize(rule, size)


# -- broken and hostile files ------------------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, interlaced=False):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join([chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")])


def spoil(path, kind):
    packed = zlib.compress(b"\0" * 50_000_000)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "dangling":
        path.symlink_to(path.parent / "gone")
    elif kind == "bomb":
        path.write_bytes(png(30_000, 30_000))
    elif kind == "large":  # below Pillow's own error, above its warning
        path.write_bytes(png(12_000, 12_000))
    elif kind == "text chunk":
        path.write_bytes(png(8, 8, chunk(b"zTXt", b"k\0\0" + packed)))
    elif kind == "profile chunk":
        path.write_bytes(png(8, 8, chunk(b"iCCP", b"k\0\0" + packed)))
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("hello")
    elif kind == "16 bit":
        Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path)
    elif kind == "cut":
        picture(path, size=(64, 64))
        path.write_bytes(path.read_bytes()[:3000])


SPOILT = (
    "fifo",
    "device",
    "dangling",
    "bomb",
    "large",
    "text chunk",
    "profile chunk",
    "empty",
    "text",
    "16 bit",
    "cut",
)


@pytest.mark.parametrize("kind", [*SPOILT, "cut"])
def test_a_spoilt_file_is_one_line_with_its_name(tmp_path, kind):
    """Nothing hangs, nothing is unpacked into memory, no Pillow error comes through."""
    spoil(tmp_path / "5.png", kind)
    with pytest.raises(CheckFailed, match=r"reference .*5\.png: ") as caught:
        open_images(tmp_path, "reference").images[:]
    assert "\n" not in str(caught.value)
    assert list(unreadable_photos(tmp_path, ["5.png"])) == ["5.png"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    picture(tmp_path / "0.png")

    def refused(path, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "locked")))
        return iter(())

    monkeypatch.setattr(os, "walk", refused)
    with pytest.raises(UsageError, match="locked: Permission denied"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_one_line(name):
    with pytest.raises(UsageError, match="data sets by name"):
        open_images(name, "generated")


# -- names from data sets' files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "a/../../b.jpg", "..\\a.jpg", "C:\\a.jpg", "a\0.jpg"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="1 file names lead out of this folder"):
        check_inside(tmp_path, ["good.jpg", name])
    with pytest.raises(UsageError, match="lead out of this folder"):
        unreadable_photos(tmp_path, [name])


def test_names_inside_the_folder_are_fine(tmp_path):
    picture(tmp_path / "sub" / "a..b.png")
    assert unreadable_photos(tmp_path, ["sub/a..b.png"]) == {}


def test_what_pillow_thinks_of_a_file_reaches_nobody(tmp_path, capfd):
    """A palette with transparency per colour is read, a TIFF of too many samples refused, without Pillow's words."""
    palette = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).convert("P")
    palette.save(tmp_path / "a.png", transparency=bytes(range(256)))
    formats.cache_clear()  # pytest forgets, after each test, which warnings are silenced
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ImageFolder(tmp_path)[:].shape == (1, 3, 8, 8)
        picture(tmp_path / "b" / "a.tif")
        content = (tmp_path / "b" / "a.tif").read_bytes()
        tag = struct.pack("<HHI", 277, 3, 1)  # SamplesPerPixel
        assert tag in content
        at = content.index(tag) + len(tag)
        (tmp_path / "b" / "a.tif").write_bytes(content[:at] + struct.pack("<I", 169) + content[at + 4 :])
        with pytest.raises(CheckFailed, match=r"b/a\.tif"):
            ImageFolder(tmp_path / "b")
    assert not caught
    assert capfd.readouterr() == ("", "")


def test_a_damaged_second_picture_does_not_matter_since_the_first_is_read(tmp_path):
    """The header of a TIFF's second page lacks its sizes."""
    picture(tmp_path / "a.tif", 1)
    content = (tmp_path / "a.tif").read_bytes()
    start = struct.unpack_from("<I", content, 4)[0]
    link = start + 2 + 12 * struct.unpack_from("<H", content, start)[0]
    page = struct.pack("<HHHIII", 1, 254, 4, 1, 0, 0)  # one entry, of no use
    (tmp_path / "a.tif").write_bytes(content[:link] + struct.pack("<I", len(content)) + content[link + 4 :] + page)
    folder = ImageFolder(tmp_path)
    assert folder.num_with_frames == 1
    assert np.array_equal(folder[:][0], np.asarray(Image.open(tmp_path / "a.tif").convert("RGB")).transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_pictures_that_exif_would_turn_are_read_as_they_are_and_counted(tmp_path, suffix):
    """As torch-fidelity and clean-fid read them; a folder that one program has turned shows."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for seed in range(3):
        picture(tmp_path / f"{seed}.{suffix}", seed, size=(8, 6), **({"exif": exif} if seed else {}))
    folder = ImageFolder(tmp_path)
    assert folder.shape == (3, 3, 6, 8)
    assert "; 2 that Exif data would turn are not turned" in folder.words()
    assert folder.summary()["with_exif_orientation"] == 2


def test_pictures_with_transparency_are_counted_for_their_colours_alone_are_read(tmp_path):
    """As torch-fidelity and clean-fid read them: a viewer shows what lies behind."""
    pixels = picture(tmp_path / "0.png")
    clear = Image.fromarray(pixels)
    clear.putalpha(0)
    clear.save(tmp_path / "1.png")
    Image.fromarray(pixels).quantize(4).save(tmp_path / "2.png", transparency=0)
    folder = ImageFolder(tmp_path)
    assert np.array_equal(folder[1:2][0].transpose(1, 2, 0), pixels)
    assert "; of 2 with transparency the colours alone are taken" in folder.words()
    assert folder.summary()["with_alpha"] == 2


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (8, 8), (13, 5)])
def test_a_png_whose_stream_ends_before_its_last_row_is_refused(tmp_path, interlaced, size):
    """Pillow leaves what is missing black. A whole black picture stays one."""
    rows = np.zeros((size[1], size[0], 3), np.uint8)
    parts = [rows[y::down, x::right] for x, y, right, down in PASSES] if interlaced else [rows]
    raw = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    for content, name in ((raw, "whole.png"), (raw[:-1], "short.png"), (raw[: -3 * size[0]], "row.png")):
        packed = zlib.compress(content)
        data = [chunk(b"IDAT", part) for part in (packed[:9], packed[9:])]
        (tmp_path / name).write_bytes(png(*size, *data, interlaced=interlaced))
    assert not np.asarray(read_image(tmp_path / "whole.png")).any()
    for name in ("short.png", "row.png"):
        with pytest.raises(CheckFailed, match=rf"{name}: a broken image"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_black_png_of_any_kind_is_whole(tmp_path, mode):
    for bits in (1, 2, 4, 8) if mode == "P" else (None,):
        Image.new(mode, (13, 5)).save(tmp_path / "a.png", **({"bits": bits} if bits else {}))
        assert np.asarray(read_image(tmp_path / "a.png")).shape == (5, 13, 3)
