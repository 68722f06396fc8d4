"""An .npz is whole or one line says what is wrong; statistics are those of enough images, made the same way."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from bench.datasets import chunks, open_images
from bench.datasets.reference_statistics import Statistics, load_npz, save_statistics
from bench.errors import CheckFailed, UsageError


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def header(text):
    """An .npy of this header and no data."""
    padded = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def flipped(path, where, bits=0xFF):
    content = bytearray(path.read_bytes())
    content[where] ^= bits
    path.write_bytes(content)
    return path


IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


def flag(path, offset, value):
    """Set a two-byte field of the member's entry in the local header and in the central directory."""
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    content[offset : offset + 2] = content[central + offset + 2 : central + offset + 4] = value.to_bytes(2, "little")
    path.write_bytes(content)
    return path


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "no zip": lambda path: path.write_bytes(npy(IMAGES)),
    "cut": lambda path: path.write_bytes(archive(path, {"arr_0.npy": npy(IMAGES)}).read_bytes()[:-40]),
    "damaged data": lambda path: flipped(archive(path, {"arr_0.npy": npy(IMAGES)}), 900),
    "damaged packing": lambda path: flipped(archive(path, {"arr_0.npy": npy(IMAGES)}, zipfile.ZIP_DEFLATED), 400),
    "encrypted": lambda path: flag(archive(path, {"arr_0.npy": npy(IMAGES)}), 6, 1),
    "unknown packing": lambda path: flag(archive(path, {"arr_0.npy": npy(IMAGES)}), 8, 77),
    "10^12 rows": lambda path: archive(
        path,
        {"arr_0.npy": header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 8, 8, 3), }")},
    ),
    "negative rows": lambda path: archive(
        path, {"arr_0.npy": header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 8, 8, 3), }")}
    ),
    "no header": lambda path: archive(path, {"arr_0.npy": header("{'descr': (((")}),
    "no array": lambda path: archive(path, {"arr_0": b"hello"}),
    "objects": lambda path: archive(path, {"arr_0.npy": npy(np.array([{}, {}]))}),
    "one name twice": lambda path: archive(path, {"arr_0.npy": npy(IMAGES), "arr_0": npy(IMAGES[:3])}),
    "more than said": lambda path: archive(path, {"arr_0.npy": npy(IMAGES) + b"more"}),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_not_whole_is_one_line(tmp_path, kind):
    path = tmp_path / "a.npz"
    BROKEN[kind](path)
    with pytest.raises(CheckFailed, match=r"generated .*a\.npz: not a whole \.npz file") as caught:
        open_images(path, "generated").images[:]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_images_are_read_in_slices(tmp_path, compressed):
    """In order, again from the start, and skipping some: the same pixels; classes of ADM's arr_1 come along."""
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", arr_0=IMAGES, arr_1=np.arange(20) % 5)
    source = open_images(tmp_path / "a.npz")
    expected = IMAGES.transpose(0, 3, 1, 2)
    for _ in range(2):
        assert np.array_equal(np.concatenate(list(chunks(source.images, 7))), expected)
    assert np.array_equal(source.images[12:15], expected[12:15])
    assert np.array_equal(source.images[3:5], expected[3:5])
    assert len(source.images) == 20
    assert source.labels.tolist() == [i % 5 for i in range(20)]


def covariance(dimensions, num, seed=0):
    return np.cov(np.random.default_rng(seed).standard_normal((num, dimensions)), rowvar=False)


def test_statistics_come_back_as_they_were_saved(tmp_path):
    made = Statistics(np.arange(4.0), covariance(4, 50), 50, "digits", "abc", "none", (8, 8))
    spatial = Statistics(np.ones(3), covariance(3, 50))
    save_statistics(tmp_path / "a.npz", made, spatial)
    with np.load(tmp_path / "a.npz") as file:
        assert np.array_equal(file["mu"], made.mu)  # as everybody reads them
        assert np.array_equal(file["sigma"], made.sigma)
    found = load_npz(tmp_path / "a.npz")
    assert (found.statistics.num_images, found.statistics.extractor, found.statistics.extractor_sha256) == (
        50,
        "digits",
        "abc",
    )
    assert (found.statistics.resize, found.statistics.image_size) == ("none", (8, 8))
    np.testing.assert_allclose(found.spatial.sigma, spatial.sigma)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_statistics_of_too_few_images_are_refused(tmp_path, dtype):
    """Of 20 images for 30 features the covariance has rank 19; of 400 it is whole, in float32 too."""
    np.savez(tmp_path / "few.npz", mu=np.zeros(30, dtype), sigma=covariance(30, 20).astype(dtype))
    with pytest.raises(CheckFailed, match="sigma has rank 19 of 30: of too few images"):
        load_npz(tmp_path / "few.npz")
    np.savez(tmp_path / "many.npz", mu=np.zeros(30, dtype), sigma=covariance(30, 400).astype(dtype))
    assert load_npz(tmp_path / "many.npz").statistics.mu.shape == (30,)


def test_a_feature_that_never_varies_is_no_lack_of_images(tmp_path):
    sigma = covariance(5, 100)
    sigma[2] = sigma[:, 2] = 0
    np.savez(tmp_path / "a.npz", mu=np.zeros(5), sigma=sigma)
    assert load_npz(tmp_path / "a.npz").statistics is not None


@pytest.mark.parametrize(
    ("mu", "sigma", "error", "message"),
    [
        (np.zeros(0), np.zeros((0, 0)), UsageError, "D at least 1"),
        (np.zeros(3), np.zeros((3, 3)), CheckFailed, "rank 0 of 3"),
        (np.zeros(3, int), np.eye(3), UsageError, "expected floats"),
        (np.zeros(3), np.eye(3, dtype=np.float16), UsageError, "float16, too coarse"),
        (np.zeros(3), np.diag([1.0, 1, -1]), CheckFailed, "an eigenvalue of -1: no covariance"),
        (np.zeros(3), np.array([[1, 2.0, 0], [0, 1, 0], [0, 0, 1]]), CheckFailed, "not symmetric"),
    ],
)
def test_what_is_no_covariance_is_refused(tmp_path, mu, sigma, error, message):
    np.savez(tmp_path / "a.npz", mu=mu, sigma=sigma)
    with pytest.raises(error, match=message):
        load_npz(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sigma": 1e308 * np.eye(4)}, "values above 1e[+]100: no features"),
        ({"mu": np.full(4, 1e300)}, "values above 1e[+]100: no features"),
        ({"n": 4}, "n says 4 images, of which no covariance of rank 4 comes"),
        ({"n": np.array(2**63, dtype=np.uint64)}, "expected a count of images"),
    ],
)
def test_statistics_that_no_images_have_are_refused(tmp_path, changes, said):
    np.savez(tmp_path / "s.npz", **{"mu": np.zeros(4), "sigma": np.eye(4), "n": 5, **changes})
    with pytest.raises((CheckFailed, UsageError), match=said):
        load_npz(tmp_path / "s.npz")
