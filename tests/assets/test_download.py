"""Getting whole assets: archives that are unpacked, and the Hub, of which only the two border functions are stubs."""

from __future__ import annotations

import hashlib
import io
import sys
import types
import zipfile
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from bench import assets
from bench.assets import download, stream
from bench.assets.asset import Asset, Hub, Part, Url
from bench.errors import CheckFailed, UsageError
from tests.file_server import serving


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ARBITER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stream, "PAUSE_S", 0.0)
    return tmp_path / "assets"


# -- archives ----------------------------------------------------------------------------------------------------------


def zipped(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return content.getvalue()


@pytest.fixture
def server():
    files = {"/q.zip": zipped(q__questions_json="{}"), "/images.zip": zipped(images__a="1", images__b="22")}
    with serving(files) as served:
        yield served


def question_set(server):
    return Asset(
        name="toy",
        kind="data set",
        repository="toy",
        file="",
        licence="none",
        unlocks=("toy",),
        parts=(Part(("q/questions_json",)), Part(("images",), "files", 2)),
        downloads=(Url(f"{server.url}/q.zip", "", unpack=True), Url(f"{server.url}/images.zip", "", unpack=True)),
    )


def test_archives_are_unpacked_and_removed(folder, server):
    found = download.fetch(question_set(server))
    assert (found.state, found.path) == ("there", folder / "toy")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "toy/images/a",
        "toy/images/b",
        "toy/q/questions_json",
    ]


def test_an_archive_that_is_unpacked_is_not_downloaded_again(folder, server, monkeypatch):
    """The first of two was got when the second was cut off: a second call asks for the second alone."""
    monkeypatch.setattr(stream, "TRIES", 1)
    server.cut_after = [10**6, 20]
    with pytest.raises(CheckFailed, match="cut off at 20 of"):
        download.fetch(question_set(server))
    assert assets.locate(question_set(server)).state == "incomplete"
    server.asked.clear()
    assert download.fetch(question_set(server)).usable
    assert server.asked == [("/images.zip", "bytes=20-")]
    assert not list(folder.rglob(".fetched*"))


def test_an_interrupted_unpacking_needs_no_second_download(folder, server, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "unpack", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            download.fetch(question_set(server))
    server.asked.clear()
    assert download.fetch(question_set(server)).usable
    assert [path for path, _ in server.asked] == ["/images.zip"]


def test_a_damaged_archive_is_removed(folder, server):
    broken = bytearray(server.files["/images.zip"])
    broken[40] ^= 255  # inside the first file's content
    server.files["/images.zip"] = bytes(broken)
    with pytest.raises(CheckFailed, match=r"images\.zip: a damaged archive .* removed"):
        download.fetch(question_set(server))
    assert not (folder / "toy/images.zip").exists()


def test_an_archive_writes_nothing_outside_its_folder(folder, server):
    server.files["/q.zip"] = zipped(**{"..__..__evil": "x", "q__questions_json": "{}"})
    download.fetch(question_set(server))
    assert not (folder.parent / "evil").exists()
    assert not (folder / "evil").exists()


def test_too_small_a_disk_for_the_content_of_an_archive(folder, server, monkeypatch):
    """A zip of 6 GB needs 6 GB more while it is unpacked."""
    free = iter([10**9, 0])
    monkeypatch.setattr(stream.shutil, "disk_usage", lambda path: SimpleNamespace(free=next(free)))
    with pytest.raises(CheckFailed, match=r"q\.zip: .*needs 2\.00 B, 0 B are free"):
        download.fetch(question_set(server))
    assert (folder / "toy/q.zip").exists()


def test_what_only_a_person_can_get_is_said(folder):
    with pytest.raises(UsageError, match=rf"imagenet-train is not downloaded: register.*{folder}/imagenet/train"):
        download.fetch(assets.find("imagenet-train"))


# -- the Hub -----------------------------------------------------------------------------------------------------------


class GatedRepoError(OSError):
    """As in huggingface_hub.errors: an error of HTTP, which is an OSError."""


class ConnectError(Exception):
    """As in httpx, which the library passes on: no OSError."""


@dataclass
class FakeHub:
    """Stands for huggingface_hub.HfApi().model_info and hf_hub_download, as of version 2.4."""

    repositories: dict[str, dict[str, bytes]]
    failure: Exception | None = None
    damaged: bool = False
    downloaded: list[str] = field(default_factory=list)

    def model_info(self, repository, *, files_metadata):
        assert files_metadata
        if self.failure:
            raise self.failure
        siblings = [
            SimpleNamespace(
                rfilename=name,
                size=len(content),
                lfs=SimpleNamespace(sha256=hashlib.sha256(content).hexdigest()) if len(content) > 10 else None,
            )
            for name, content in self.repositories[repository].items()
        ]
        return SimpleNamespace(siblings=siblings)

    def hf_hub_download(self, repository, filename, *, local_dir, force_download):
        path = local_dir / filename
        assert force_download == path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        content = self.repositories[repository][filename]
        path.write_bytes(bytes(len(content)) if self.damaged else content)
        self.downloaded.append(filename)
        return str(path)


WEIGHTS = b"weights of some size"


@pytest.fixture
def hub(monkeypatch):
    fake = FakeHub({"owner/name": {"a/weights.pt": WEIGHTS, "a/config": b"{}", "b/weights.pt": b"others"}})
    library = types.ModuleType("huggingface_hub")
    library.HfApi, library.hf_hub_download = lambda: fake, fake.hf_hub_download
    errors = types.ModuleType("huggingface_hub.errors")
    errors.GatedRepoError = GatedRepoError
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    return fake


TOY = Asset(
    name="toy",
    kind="model",
    repository="huggingface.co/owner/name",
    file="a/weights.pt",
    licence="MIT",
    unlocks=("toy",),
    downloads=(Hub("owner/name", ("a/*",)),),
)


def test_the_files_of_a_pattern_come_to_their_published_places(folder, hub):
    found = download.fetch(TOY)
    assert found.path == folder / "huggingface.co/owner/name/a/weights.pt"
    assert found.path.read_bytes() == WEIGHTS
    assert found.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert hub.downloaded == ["a/weights.pt", "a/config"]


def test_files_that_are_there_and_right_are_not_downloaded_again(folder, hub):
    download.fetch(TOY)
    (folder / TOY.repository / "a/config").unlink()
    hub.downloaded.clear()
    download.fetch(TOY)
    assert hub.downloaded == ["a/config"]


def test_a_file_of_the_right_size_and_another_content_is_downloaded_again(folder, hub):
    path = download.fetch(TOY).path
    path.write_bytes(bytes(len(WEIGHTS)))
    hub.downloaded.clear()
    assert download.fetch(TOY).state == "there"
    assert hub.downloaded == ["a/weights.pt"]


def test_a_download_that_differs_from_the_hub_s_checksum_is_removed(folder, hub):
    hub.damaged = True
    with pytest.raises(CheckFailed, match=r"owner/name/a/weights\.pt: what was downloaded has sha256 .*; expected"):
        download.fetch(TOY)
    assert not (folder / TOY.path).exists()


def test_a_gated_repository_says_what_to_do(folder, hub):
    hub.failure = GatedRepoError("403 Client Error ...")
    with pytest.raises(CheckFailed, match=r"huggingface\.co/owner/name asks you to accept its licence.*hf auth login"):
        download.fetch(TOY)


def test_a_hub_that_is_away_is_one_line(folder, hub):
    hub.failure = ConnectError("Connection refused\nwith a second line")
    with pytest.raises(CheckFailed) as error:
        download.fetch(TOY)
    assert str(error.value) == "toy: huggingface.co/owner/name: Connection refused with a second line"


def test_too_small_a_disk_is_seen_before_the_first_file(folder, hub, monkeypatch):
    monkeypatch.setattr(stream.shutil, "disk_usage", lambda path: SimpleNamespace(free=5))
    with pytest.raises(CheckFailed, match=r"toy: .*needs 22\.0 B, 5\.00 B are free"):
        download.fetch(TOY)
    assert hub.downloaded == []


def test_a_file_that_moved_inside_the_repository_is_named(folder, hub):
    moved = replace(TOY, downloads=(Hub("owner/name", ("c/weights.pt",)),))
    with pytest.raises(CheckFailed, match=r"huggingface\.co/owner/name holds none of c/weights.pt"):
        download.fetch(moved)


def test_without_the_library_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"needs huggingface-hub: pip install 'arbiter-bench\[official\]'"):
        download.fetch(TOY)
