"""The store: a shard is what it says it is, or it is set aside, named and made again."""

from __future__ import annotations

import errno
import json
import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bench import files
from bench.errors import CheckFailed, UsageError
from bench.sampling.shards import ShardSet, shard_size
from tests.store_worker import NOISE, build, collect

NUM, SIZE = 40, 10


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch:
        import reference_models

        patch.setattr(reference_models, "specs", reference_models.specs)  # put back what `build` sets
        yield build(NOISE.name)


@pytest.fixture
def store(model, tmp_path):
    """A whole run in a store: (folder, samples, how to collect it again, which batches were generated since)."""

    def again(**changes):
        return collect(tmp_path, model, **{"num": NUM, "batch_size": 7, "size": SIZE, **changes})

    return tmp_path, again(), again


@pytest.fixture
def generated(monkeypatch):
    """The first index of every batch that is generated."""
    import bench.sampling.images as images

    seen, generate = [], images.generate_batch

    def noting(model, indices, *args, **kwargs):
        seen.append(indices[0])
        return generate(model, indices, *args, **kwargs)

    monkeypatch.setattr(images, "generate_batch", noting)
    return seen


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def fewer(path, _):
    """A whole file with its header, of one image less."""
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    save_file({name: array[:-1] for name, array in load_file(path).items()}, path, metadata)


def swapped(path, _):
    shutil.copy(path.with_name("000002.safetensors"), path)


def a_folder(path, _):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "cut": (lambda path, n: path.write_bytes(path.read_bytes()[: n // 2]), "unreadable"),
    "one byte short": (lambda path, n: path.write_bytes(path.read_bytes()[:-1]), "unreadable"),
    "empty": (lambda path, n: path.write_bytes(b""), "empty"),
    "text": (lambda path, n: path.write_text("[1, 2"), "unreadable"),
    "zip": (lambda path, n: np.savez(path.open("wb"), images=np.zeros(3)), "unreadable"),
    "pixel flipped": (lambda path, n: flip(path, n - 5), "checksum"),
    "no note": (lambda path, n: save_file(load_file(path), path), "unreadable"),
    "fewer": (fewer, "checksum"),
    "swapped": (swapped, "misplaced"),
    "a folder": (a_folder, "folder"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_shard_is_set_aside_named_and_made_again(store, generated, capsys, how):
    folder, before, again = store
    damage, word = DAMAGE[how]
    path = before.pixels.path(1)
    damage(path, path.stat().st_size)
    after = again()
    assert (after.images() == before.images()).all()
    assert after.sha256() == before.sha256()
    assert generated == [10, 17]  # the images of shard 1 in batches of 7
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "set aside" in line]
    assert f"shard 1 of {before.name}: {word}" in line
    assert [bad.name for bad in folder.rglob("*.bad")] == [f"000001.safetensors.{word}.bad"]


def test_any_flipped_bit_is_found(store):
    """In the length, the header, the note and the contents: 40 places all over the file."""
    _, samples, _ = store
    path = samples.pixels.path(0)
    whole = path.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole)
        flip(path, place)
        fresh = ShardSet(samples.pixels.folder, samples.pixels.identity, SIZE)
        assert fresh.load(0, NUM) is None, place
    path.write_bytes(whole)


def test_a_shard_of_another_run_is_foreign(store, capsys):
    """Of another seed, under the right name in the right folder."""
    _, before, again = store
    other = again(seed=4)
    assert other.name != before.name
    shutil.copy(other.pixels.path(3), before.pixels.path(3))
    assert again().sha256() == before.sha256()
    assert f"shard 3 of {before.name}: foreign" in capsys.readouterr().out


def test_features_are_made_of_kept_pixels_and_pixels_only_where_asked(store, generated, model, tmp_path):
    _, before, again = store
    shutil.rmtree(before.extracted.folder)
    assert again().sha256() == before.sha256()
    assert generated == []
    assert before.array("features") == pytest.approx(before.images().mean((2, 3)), abs=1e-3)
    few = collect(tmp_path / "few", model, NUM, 10, size=SIZE, keep_images=12)
    assert few.sha256() == before.sha256()
    assert len(few.images()) == 12
    assert len(list(few.pixels.folder.glob("*.safetensors"))) == 2  # whole shards
    none = collect(tmp_path / "none", model, NUM, 10, size=SIZE, keep_images=0)
    assert none.sha256() == before.sha256()
    assert not none.pixels.folder.exists()


def test_a_longer_run_takes_up_a_shorter_one(store, generated):
    """A pilot of 35 images, then 40: the short last shard is made anew, the others stay."""
    _, before, again = store
    shutil.rmtree(before.pixels.folder.parent)
    assert again(num=35).images().shape[0] == 35
    generated.clear()
    assert again().sha256() == before.sha256()
    assert generated == [30, 37]
    generated.clear()
    assert (again(num=35).images() == before.images()[:35]).all()
    assert generated == []


def test_what_names_a_set(model, tmp_path):
    """Model, files, settings, seed, labels, prompts and precision do; batch size and rank do not."""
    names = set()
    changes = [
        {},
        {"seed": 4},
        {"settings": {"spread": 0.2}},
        {"labels": "uniform"},
        {"precision": "tf32"},
        {"checksums": {"weights": "others"}},
        {"checksums": {"weights": "those of the test", "autoencoder": "one"}},
    ]
    for change in changes:
        names.add(collect(tmp_path, model, 4, 2, **change).name)
    assert len(names) == len(changes)
    assert collect(tmp_path, model, 4, 3, **{}).name in names
    assert {path.name for path in tmp_path.iterdir()} == names
    identity = json.loads(next(tmp_path.rglob("identity.json")).read_text())
    assert identity["model"] == "noise"
    assert identity["version"] == NOISE.version


def test_uniform_labels_are_drawn_by_index_and_seed_alone():
    from bench.sampling.identity import LABEL_RULES

    rule = LABEL_RULES["uniform"]
    drawn = [rule(i, 0, 10) for i in range(4000)]
    assert np.bincount(drawn, minlength=10).min() > 330  # of 400 expected, 3.7 standard deviations below
    assert drawn[:50] != [rule(i, 1, 10) for i in range(50)]


def test_the_last_shard_may_be_short_and_the_reader_goes_one_by_one(model, tmp_path):
    samples = collect(tmp_path, model, 23, 50, size=5)
    assert [(shard.number, shard.first, shard.count) for shard in samples.shards()] == [
        (0, 0, 5),
        (1, 5, 5),
        (2, 10, 5),
        (3, 15, 5),
        (4, 20, 3),
    ]
    assert samples.is_complete()
    samples.extracted.path(2).unlink()
    assert not samples.is_complete()
    with pytest.raises(CheckFailed, match=r"000002\.safetensors: missing or damaged"):
        list(samples.shards())


@pytest.mark.parametrize(("num", "size"), [(1, 1), (4, 1), (80, 20), (500, 125), (1999, 500), (50_000, 500)])
def test_the_size_of_a_shard_follows_from_the_number_of_items_alone(num, size):
    assert shard_size(num) == size


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(store, monkeypatch):
    """The disk is full when shard 2 is synchronised."""
    folder, before, again = store
    shutil.rmtree(before.pixels.folder.parent)
    calls, fsync = [], os.fsync

    def full(number):
        calls.append(number)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckFailed, match="cannot be written: No space left on device") as caught:
        again()
    assert "\n" not in str(caught.value)
    assert not list(folder.rglob(".*"))
    monkeypatch.setattr(os, "fsync", fsync)
    assert again().sha256() == before.sha256()


def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match=r"--out: .*file is a file, expected a folder"):
            files.check_writable(place, "--out")
    with pytest.raises(CheckFailed, match=r"--out: needs about 1,000,000,000 GB of disk, .* has .*B left"):
        files.check_writable(tmp_path / "new", "--out", needed_bytes=1e18)
    files.check_writable(tmp_path / "new" / "below", "--out", needed_bytes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def read_only(*args):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files, "open", read_only, raising=False)
    with pytest.raises(CheckFailed, match="cannot be written to: Read-only file system"):
        files.check_writable(tmp_path, "--out")


def test_of_many_who_write_one_new_file_one_comes_first(tmp_path, monkeypatch):
    path = tmp_path / "new"
    assert files.write_new(path, b"first")
    assert not files.write_new(path, b"second")
    assert path.read_bytes() == b"first"
    monkeypatch.setattr(os, "link", lambda *a: (_ for _ in ()).throw(OSError(errno.EPERM, "no hard links here")))
    assert files.write_new(tmp_path / "other", b"first")
    assert not files.write_new(tmp_path / "other", b"second")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new", "other"]


def test_a_temporary_name_fits_any_file_system_and_names_its_process():
    name = files.temporary_name("x" * 300)
    assert len(name.encode()) < 255
    assert f".{os.getpid()}." in name
    assert files.is_temporary(name)
    assert not files.is_temporary("000001.safetensors")


def test_resized_images_are_another_set(store):
    """What they are resized to is part of what names them; where nothing is resized, names stay as they were."""
    _folder, samples, again = store
    resized = again(resize_to=4)
    assert resized.name != samples.name
    assert "resized_to" not in samples.pixels.identity["asked"]
    assert resized.images().shape[2:] == (4, 4)
