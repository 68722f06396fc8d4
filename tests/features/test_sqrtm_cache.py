"""The root of a reference's covariance is kept by content; what is not whole or not its root is made again."""

from __future__ import annotations

import numpy as np
import pytest

from bench.features import cache
from bench.features import sqrtm_cache as module
from bench.metrics.fid import square_root


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder that does not exist yet; small covariances are kept too."""
    monkeypatch.setattr(module, "SMALLEST_KEPT", 1)
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def covariance(seed=0):
    mixing = np.random.default_rng(seed).standard_normal((6, 6))
    return mixing @ mixing.T


def counted(monkeypatch):
    made = []
    monkeypatch.setattr(module, "square_root", lambda sigma: made.append(1) or square_root(sigma))
    return made


def test_equal_covariances_share_one_file_and_a_changed_one_has_its_own(folder, monkeypatch):
    made, sigma = counted(monkeypatch), covariance()
    first = module.reference_root(sigma)
    np.testing.assert_allclose(first @ first.T, sigma, atol=1e-12)
    assert np.array_equal(module.reference_root(np.asfortranarray(sigma.copy())), first)
    assert len(made) == len(list(folder.iterdir())) == 1
    changed = sigma.copy()
    changed[0, 0] += 1e-12
    module.reference_root(changed)
    assert len(made) == len(list(folder.iterdir())) == 2


def half(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def flipped_bit(path):
    """In the exponent of the last number, which stands on the diagonal."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def another_root(path):
    np.save(path, square_root(covariance(seed=5)))


def another_shape(path):
    np.save(path, np.eye(3))


@pytest.mark.parametrize("spoil", [half, empty, flipped_bit, another_root, another_shape])
def test_a_spoilt_file_is_made_again(folder, spoil, monkeypatch):
    sigma = covariance()
    first = module.reference_root(sigma)
    (path,) = folder.iterdir()
    spoil(path)
    made = counted(monkeypatch)
    assert np.array_equal(module.reference_root(sigma), first)
    assert np.array_equal(module.reference_root(sigma), first)
    assert len(made) == 1


def test_a_folder_that_cannot_be_written_only_costs_time(folder):
    folder.write_text("a file")
    sigma = covariance()
    assert np.array_equal(module.reference_root(sigma), square_root(sigma))


def test_only_the_newest_files_are_kept(folder, monkeypatch):
    monkeypatch.setattr(cache, "FILES_KEPT", 3)
    for seed in range(5):
        module.reference_root(covariance(seed))
    assert len(list(folder.iterdir())) == 3


def test_where_roots_are_kept(monkeypatch, tmp_path):
    """ARBITER_CACHE, else XDG_CACHE_HOME, else ~/.cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "own"))
    assert module.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("ARBITER_CACHE")
    assert module.cache_folder() == tmp_path / "xdg" / "arbiter"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert module.cache_folder() == tmp_path / ".cache" / "arbiter"
