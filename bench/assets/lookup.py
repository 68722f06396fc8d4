"""Where an asset lies, and in which state: `locate` looks, `require` insists, `checksum` reads its content once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.assets import checksums
from bench.assets.asset import USABLE, Asset, Part, State
from bench.assets.wholeness import why_cut_off
from bench.errors import CheckFailed, CheckpointError, UsageError

FOLDER_VARIABLE = "ARBITER_ASSETS"  # an environment variable
PARTIAL = ".partial"  # what a file's name ends in while it is downloaded
CLASS_FOLDER = re.compile(r"n\d{8}")  # WordNet's ids, as ImageNet's folders bear them
IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def assets_folder() -> Path:
    """The folder of all assets: $ARBITER_ASSETS, else $XDG_CACHE_HOME/arbiter/assets, else ~/.cache/arbiter/assets."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return checksums.at_home(named, FOLDER_VARIABLE)
    return checksums.users_cache(FOLDER_VARIABLE) / "arbiter" / "assets"


def torch_hub_checkpoints() -> Path:
    """Where torch.hub keeps what it downloads (torch.hub.get_dir, without importing torch)."""
    named = os.environ.get("TORCH_HOME") or checksums.users_cache("TORCH_HOME") / "torch"
    return checksums.at_home(named, "TORCH_HOME") / "hub" / "checkpoints"


@dataclass(frozen=True)
class Located:
    """What was found of an asset."""

    asset: Asset
    path: Path  # where it lies; where it is not there, the place that was looked at first
    state: State
    size: int | None = None  # bytes of what lies there; None: nothing, or images, whose sizes are not added up
    sha256: str | None = None  # None: not read yet
    detail: str = ""  # what is wrong or unusual, in words: expected and found

    @property
    def usable(self) -> bool:
        return self.state in USABLE

    @property
    def complaint(self) -> str:
        """One line: what is wrong, the exact path, expected and found size, what to do. "" where nothing is wrong."""
        if self.state == "there":
            return ""
        size = "" if self.size is None else f", {self.size:,} bytes"
        expected = "" if self.asset.size is None else f", expected {self.asset.size:,} bytes"
        what = f"{self.asset.name} is {self.state}: {self.path}{size}{expected}"
        detail = f" ({self.detail})" if self.detail else ""
        return f"{what}{detail}" if self.usable else f"{what}{detail}; {remedy(self)}"


def remedy(found: Located) -> str:
    """What to do about an asset that is not usable."""
    command = f"python -m bench fetch {found.asset.name}"
    if found.state == "changed":
        return f"if it was replaced on purpose: {command} --accept"
    licence = f"licence: {found.asset.licence}"
    if not found.asset.fetchable:
        return f"{found.asset.get}, into {assets_folder() / found.asset.path} ({licence})"
    return f"get it with: {command} ({licence})"


def locate(asset: Asset, *, read: bool = False) -> Located:
    """What there is of an asset. Sizes and formats are looked at, content only under `read` (a file once, see
    checksums.py); a checksum that is known already is compared."""
    found = [_examine(asset, place, read) for place in existing_places(asset)]
    best = next((one for one in found if one.usable), found[0] if found else None)
    if best is not None:
        return best
    path = assets_folder() / asset.path
    partial = path.with_name(path.name + PARTIAL)
    so_far = f"{partial.stat().st_size:,} bytes are downloaded so far" if partial.is_file() else ""
    return Located(asset, path, "missing", detail=so_far)


def existing_places(asset: Asset) -> list[Path]:
    """Where something lies that may be the asset, best first."""
    places = [assets_folder() / place for place in asset.places]
    if asset.in_torch_hub:
        places.append(torch_hub_checkpoints() / asset.file)
    return [place for place in places if place.exists()]


def checksum(asset: Asset) -> str:
    """SHA-256 of an asset, for a record. Of a folder: of the names and checksums of its files, and of images of the
    names and sizes alone. UsageError where it is not usable, CheckFailed where it is not what it was."""
    found = locate(asset, read=True)
    if found.state == "changed":
        raise CheckFailed(found.complaint)
    if not found.usable:
        raise UsageError(found.complaint)
    assert found.sha256 is not None
    return found.sha256


def accept(asset: Asset) -> Located:
    """What lies there from now on counts as the asset. UsageError where it is missing or not whole."""
    for place in existing_places(asset):
        for file in content_files(asset, place).values():
            checksums.forget(file)
    found = locate(asset, read=True)
    if not found.usable:
        raise UsageError(found.complaint)
    return found


# -- a place -----------------------------------------------------------------------------------------------------------


def _examine(asset: Asset, path: Path, read: bool) -> Located:
    """The asset at `path`, which exists."""
    if not asset.parts:
        return _examine_file(asset, path, read)
    lacking = [part.names[0] or path.name for part in asset.parts if not _has(path, part)]
    if len(lacking) == len(asset.parts):
        return Located(asset, path, "missing", detail=f"the folder holds none of {', '.join(lacking)}")
    if lacking:
        return Located(asset, path, "incomplete", detail=f"lacks {', '.join(lacking)}")
    files = {name: _examine_file(asset, file, read) for name, file in content_files(asset, path).items()}
    if unusable := [one for one in files.values() if not one.usable]:
        return unusable[0]
    size = sum(one.size or 0 for one in files.values()) if files else None
    notes = [note for part in asset.parts if (note := _fewer(path, part))]
    state: State = "not as published" if notes else "there"
    return Located(asset, path, state, size, _of_folder(asset, path, files), "; ".join(notes))


def _examine_file(asset: Asset, path: Path, read: bool) -> Located:
    """One file: the asset itself, or one of its folder (of which nothing is published)."""
    if not path.is_file():
        return Located(asset, path, "missing", detail="a folder; expected a file")
    stat, is_part = path.stat(), bool(asset.parts)
    expected_size, expected = (None, None) if is_part else (asset.size, asset.sha256)
    known, reason = checksums.seen(path), why_cut_off(path)
    if reason is None and expected_size is not None and stat.st_size < expected_size:
        reason = f"published: {expected_size:,} bytes"
    if reason:
        return Located(asset, path, "truncated", stat.st_size, detail=reason)
    try:
        now = checksums.checksum(path) if read else known if known and known.is_of(stat) else None
    except OSError as error:
        raise CheckFailed(f"{asset.name}: {path}: cannot be read ({error.strerror or error})") from error
    sha256 = now.sha256 if now else None
    if now and now.changed:
        then = f"sha256 {now.first_sha256[:16]} when it was first used here, on {now.first_utc[:10]}"
        return Located(asset, path, "changed", stat.st_size, sha256, f"{then}; {now.sha256[:16]} now")
    if known and known.first_size != stat.st_size and not known.is_of(stat):
        then = f"{known.first_size:,} bytes when it was first used here, on {known.first_utc[:10]}"
        return Located(asset, path, "changed", stat.st_size, sha256, then)
    if expected_size not in (None, stat.st_size):
        return Located(asset, path, "not as published", stat.st_size, sha256, f"published: {expected_size:,} bytes")
    if expected and sha256 and not sha256.startswith(expected):
        detail = f"published sha256 {expected}..., found {sha256[:16]}"
        return Located(asset, path, "not as published", stat.st_size, sha256, detail)
    return Located(asset, path, "there", stat.st_size, sha256)


# -- folders -----------------------------------------------------------------------------------------------------------


def part_path(folder: Path, part: Part) -> Path | None:
    """Where a part lies, None where nowhere."""
    return next((folder / name for name in part.names if (folder / name).exists()), None)


def _has(folder: Path, part: Part) -> bool:
    path = part_path(folder, part)
    if path is None:
        return False
    if part.holds == "file":
        return path.is_file()
    if part.holds == "weights":
        return path.is_dir() and all(file.is_file() for file in weight_files(path)) and bool(weight_files(path))
    return path.is_dir() and _count(path, part) > 0


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of a folder in diffusers' or transformers' layout; those of an index of shards
    may be missing. Empty where there are none."""
    from reference_models.weight_files import STEMS, SUFFIXES, shard_by_key

    for name in (stem + suffix for stem in STEMS for suffix in SUFFIXES):
        if not (folder / name).is_file():
            continue
        if not name.endswith(".index.json"):
            return [folder / name]
        try:
            return [folder / shard for shard in sorted(set(shard_by_key(folder / name).values()))]
        except CheckpointError:
            return []
    return []


def content_files(asset: Asset, path: Path) -> dict[str, Path]:
    """The files whose content makes the asset, by published name; of images only the names and sizes do."""
    if not asset.parts:
        return {path.name: path}
    files: dict[str, Path] = {}
    for part in asset.parts:
        place = part_path(path, part)
        if place is not None and part.holds == "file":
            files[part.names[0]] = place
        elif place is not None and part.holds == "weights":
            files |= {f"{part.names[0]}/{file.name}": file for file in weight_files(place)}
    return files


def _entries(folder: Path, part: Part) -> Iterator[os.DirEntry[str]]:
    """What counts: class folders, or files that no one hides."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and (part.holds != "classes" or _is_class_or_image(entry)):
                yield entry


def _is_class_or_image(entry: os.DirEntry[str]) -> bool:
    if CLASS_FOLDER.fullmatch(entry.name):
        return entry.is_dir()
    return entry.name.lower().endswith(IMAGE_SUFFIXES)


def _count(folder: Path, part: Part) -> int:
    return sum(1 for _ in _entries(folder, part))


def _fewer(folder: Path, part: Part) -> str:
    """Where a folder holds fewer files or classes than published: how many, else ""."""
    path = part_path(folder, part)
    if part.count is None or path is None or (found := _count(path, part)) >= part.count:
        return ""
    return f"{path.name}: {found:,} of {part.count:,} {part.holds}"


def _of_folder(asset: Asset, path: Path, files: Mapping[str, Located]) -> str | None:
    """The checksum of a folder, None as long as one of its files was not read."""
    if any(one.sha256 is None for one in files.values()):
        return None
    lines = [f"{name} {one.sha256}" for name, one in files.items()]
    for part in asset.parts:
        place = part_path(path, part)
        if place is not None and part.holds in ("files", "classes"):
            lines += [f"{part.names[0]}/{name}" for name in sorted(_names_and_sizes(place, part))]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _names_and_sizes(folder: Path, part: Part) -> Iterator[str]:
    """Of a folder of classes the names alone: a million files are not looked at."""
    for entry in _entries(folder, part):
        yield entry.name if part.holds == "classes" else f"{entry.name} {entry.stat().st_size}"
