"""Getting an asset: files of the Hub through huggingface-hub, files at an address by stream.py, archives unpacked."""

from __future__ import annotations

import fnmatch
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

from bench.assets.asset import HUB, Asset, Hub, Url
from bench.assets.checksums import checksum, forget
from bench.assets.lookup import Located, assets_folder, locate, remedy
from bench.assets.stream import check_disk, fetch_url
from bench.errors import CheckFailed, UsageError
from bench.files import check_replaceable, sweep_temporaries, temporary

DONE = ".fetched-{}"  # of an asset: its archives that are got and unpacked, as empty files, until all are


def fetch(asset: Asset) -> Located:
    """Download an asset to its place and look at it. UsageError where a person has to get it, CheckFailed where it
    cannot be had whole."""
    if not asset.fetchable:
        raise UsageError(f"{asset.name} is not downloaded: {remedy(Located(asset, Path(), 'missing'))}")
    folder = assets_folder() / asset.repository
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"assets folder {folder}: cannot be made ({error.strerror or error})") from error
    done = folder / DONE.format(asset.name)
    for download in asset.downloads:
        if isinstance(download, Hub):
            fetch_from_hub(download, folder, asset.name)
        elif len(asset.downloads) == 1:
            fetch_one(asset, download, folder)
        elif not (mark := done / download.url.rpartition("/")[2]).exists():
            fetch_one(asset, download, folder)
            mark.parent.mkdir(exist_ok=True)
            mark.touch()
    shutil.rmtree(done, ignore_errors=True)  # all of it is there; or it is not, and all is got again
    found = locate(asset, read=True)
    if not found.usable:
        raise CheckFailed(found.complaint)
    return found


def fetch_one(asset: Asset, download: Url, folder: Path) -> None:
    """One of an asset's files or archives."""
    if not download.unpack:
        fetch_url(download.url, folder / download.into, name=asset.name, size=asset.size, sha256=asset.sha256)
        return
    archive = folder / download.url.rpartition("/")[2]
    if not archive.is_file():  # else an earlier call was interrupted while it unpacked
        fetch_url(download.url, archive, name=asset.name)
    unpack(archive, folder / download.into)


# -- archives ----------------------------------------------------------------------------------------------------------


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip into `folder`, then remove it. Files appear in their place whole."""
    try:
        with zipfile.ZipFile(archive) as content:
            check_disk(folder, sum(entry.file_size for entry in content.infolist()), archive.name)
            sweep_temporaries(folder, archive.name)
            with temporary(folder / archive.name) as place:
                content.extractall(place)  # which keeps names with ".." or "/" at their front inside the folder
                for file in sorted(place.rglob("*")):
                    target = folder / file.relative_to(place)
                    if file.is_dir():
                        target.mkdir(parents=True, exist_ok=True)
                    else:
                        check_replaceable(target)
                        file.replace(target)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        archive.unlink()
        raise CheckFailed(f"{archive}: a damaged archive ({error}); it was removed") from error
    except OSError as error:
        raise CheckFailed(f"{archive}: cannot be unpacked ({error.strerror or error})") from error
    archive.unlink()


# -- the Hub -----------------------------------------------------------------------------------------------------------


def fetch_from_hub(hub: Hub, folder: Path, name: str) -> None:
    """Files of a model repository below `folder`, through huggingface-hub, which resumes and knows their checksums."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import GatedRepoError
    except ImportError as error:
        raise UsageError(f"{name}: needs huggingface-hub: pip install 'arbiter-bench[official]'") from error
    page = f"{HUB}/{hub.repository}"
    try:
        listed = huggingface_hub.HfApi().model_info(hub.repository, files_metadata=True).siblings or []
        wanted = [file for file in listed if any(fnmatch.fnmatch(file.rfilename, one) for one in hub.patterns)]
        if not wanted:
            raise CheckFailed(f"{name}: {page} holds none of {', '.join(hub.patterns)}")
        lacking = [file for file in wanted if not _is_there(folder / file.rfilename, file)]
        check_disk(folder, sum(file.size or 0 for file in lacking), name)
        for file in lacking:
            again = (folder / file.rfilename).exists()  # another content: the library might take it for its own
            path = Path(
                huggingface_hub.hf_hub_download(hub.repository, file.rfilename, local_dir=folder, force_download=again)
            )
            _check_hub_file(path, file, page)
    except GatedRepoError as error:
        raise CheckFailed(
            f"{name}: {page} asks you to accept its licence: do so on its page, then log in with: hf auth login"
        ) from error
    except (CheckFailed, UsageError):
        raise
    except Exception as error:  # the library raises its own, its client's (which are no OSError), and the system's
        raise CheckFailed(f"{name}: {page}: {' '.join(str(error).split())[:200]}") from error


def _is_there(path: Path, file: Any) -> bool:
    """Whether the whole file lies there already."""
    if file.size is None or not path.is_file() or path.stat().st_size != file.size:
        return False
    expected = getattr(file.lfs, "sha256", None)
    return expected is None or checksum(path).sha256 == expected


def _check_hub_file(path: Path, file: Any, page: str) -> None:
    """CheckFailed where a file is not what the Hub says it is; it is removed."""
    forget(path)
    found, expected = path.stat().st_size, getattr(file.lfs, "sha256", None)
    wrong = ""
    if file.size is not None and found != file.size:
        wrong = f"{found:,} bytes; expected {file.size:,}"
    elif expected and (now := checksum(path).sha256) != expected:
        wrong = f"sha256 {now}; expected {expected}"
    if wrong:
        path.unlink()
        forget(path)
        raise CheckFailed(f"{page}/{file.rfilename}: what was downloaded has {wrong}; it was removed")
