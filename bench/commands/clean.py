"""`python -m bench clean`: what lies in the work folder of a results folder and is needed by no record, and remove it.

Needed are samples that the latest record of a run names (they can be scored again without being generated again) and
those that a worker is at work on; while a command runs that says so in the work folder (`reproduce`, `work`, `train`
with --data), all samples and latents. Samples that this version of the code would still take up, but that no record
names yet, are listed and stay, unless --all is given: they may be hours of work. So do latents that a training would
take up, and pixels that `--keep-images` kept beside the features of a recorded run: it needs the first shard of them
alone, for the pictures of the report.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.commands.app import RESULTS, ResultsDir, example
from bench.console import console, say
from bench.errors import CheckFailed
from bench.records.json_files import read_json
from bench.records.latest import latest
from bench.records.samples import SAMPLES_FOLDER, orphans
from bench.records.store import GENEVAL, QUICK, RETRAINED, WORK, check_there, load_records
from bench.sampling import files
from bench.sampling.identity import VERSION
from bench.sampling.images import IMAGES
from bench.sampling.latents import LATENTS
from bench.sampling.latents import VERSION as LATENTS_VERSION
from bench.sampling.shards import IDENTITY, STORE, SUFFIX

OLD_STORE = "images"  # where earlier versions kept samples; no present one reads them


@dataclass(frozen=True)
class Leftover:
    """A file or folder that may go."""

    path: Path
    why: str
    num_bytes: int
    goes: bool = True  # with --yes alone; else with --all as well
    parts: Sequence[Path] = ()  # the files of a folder that go, where not all of it does


@example("python -m bench clean --yes")
def clean(
    results: ResultsDir = RESULTS,
    yes: Annotated[bool, typer.Option("--yes", help="remove what is listed")] = False,
    all_: Annotated[
        bool,
        typer.Option("--all", help="also samples not scored yet, latents, and pixels kept by --keep-images"),
    ] = False,
) -> None:
    """List what the work folder holds that no record needs, with sizes; --yes removes it. Records are never touched."""
    check_there(results)
    folders = (results, results / QUICK, results / RETRAINED)
    for folder in folders:
        if files.in_use(folder / WORK):
            say(f"clean: a run is at work in {folder / WORK}: its samples and latents stay")
    found = [one for folder in folders for one in leftovers(folder)]
    if not found:
        say(f"clean: nothing to remove below {results}")
        return
    print_leftovers(found, results)
    stays = [one for one in found if not one.goes and not all_]
    found = [one for one in found if one.goes or all_]
    total = sum(one.num_bytes for one in found)
    if stays:
        say(f"clean: {len(stays)} stay (not scored yet, latents, or kept by --keep-images): --all removes them too")
    if not yes:
        say(f"clean: {len(found)} to remove, {total / 1e6:,.1f} MB; --yes removes them")
        return
    failed = [one for one in found if not remove(one)]
    say(f"clean: {len(found) - len(failed)} removed, {total / 1e6:,.1f} MB")
    if failed:
        raise CheckFailed(f"{len(failed)} could not be removed, first: {failed[0].path}")


def leftovers(results: Path) -> Iterator[Leftover]:
    """What no record of a results folder needs, in its work folder."""
    work = results / WORK
    if not work.is_dir():
        return
    found = load_records([results])
    parts = (part for record in latest(found.records) for part in (record.images, record.paintings))
    sampled = (part.samples for part in parts if part)
    needed = {one.store for one in sampled if one}
    unreadable = found.faults
    busy = files.in_use(work)
    if (work / OLD_STORE).is_dir():
        yield Leftover(work / OLD_STORE, "samples as earlier versions kept them", _size(work / OLD_STORE))
    for folder in sorted((work / STORE).glob("*")):
        sets = [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
        if any(files.in_use(one) for one in sets):
            continue
        if not (busy or folder.name in needed or unreadable):  # an unreadable record may need any of them
            usable = any(is_usable(one) for one in sets)
            why = "not scored yet" if usable else "samples that no record names"
            yield Leftover(folder, f"{why} ({_state(sets)})", _size(folder), goes=not usable)
            continue
        yield from debris(folder)
        if not busy:
            yield from kept_pixels(sets)
    if not busy:
        yield from kept_latents(work)
    for folder in sorted((work / GENEVAL).glob("*")):
        if not (busy or folder.name in needed or unreadable):
            yield Leftover(folder, "images that wait for GenEval's detector", _size(folder), goes=False)
    yield from dead_files(results)


def debris(folder: Path) -> Iterator[Leftover]:
    """What was damaged and made again, and what killed processes left, in a folder that nobody is at work in."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".bad":
            yield Leftover(path, "damaged, made again", _size(path))
        elif files.is_temporary(path.name):
            yield Leftover(path, "left by a killed process", _size(path))


def dead_files(results: Path) -> Iterator[Leftover]:
    """Temporary files of killed processes beside the records and in the work folder, the stores left out."""
    work = results / WORK
    machines = [one for one in results.glob("[!.]*/") if one.name not in (QUICK, RETRAINED)]
    below = [one for one in work.rglob("*/") if not one.relative_to(work).parts[0].startswith((STORE, f"{LATENTS}-"))]
    for machine in machines:
        killed = orphans(machine, of_killed=True)
        for path in orphans(machine):
            goes = path in killed
            why = "left by a killed process" if goes else "samples of a record that is not there"
            yield Leftover(path, why, _size(path), goes=goes)
    for place in (results, *machines, *(one / SAMPLES_FOLDER for one in machines), work, *below):
        for _, entry in files.temporaries(place, alive=False):
            yield Leftover(Path(entry.path), "left by a killed process", _size(Path(entry.path)))


def kept_latents(work: Path) -> Iterator[Leftover]:
    """What trainings of paper size have read; they encode it again where it is gone."""
    for folder in sorted(work.glob(f"{LATENTS}-*/")):
        sets = [one for one in folder.iterdir() if one.is_dir()]
        if not any(files.in_use(one) for one in sets):
            usable = any(_identity(one).get("version") == LATENTS_VERSION for one in sets)
            why = "latents of training images" if usable else "latents that no training takes up"
            yield Leftover(folder, f"{why} ({_state(sets)})", _size(folder), goes=not usable)
            if usable:
                yield from debris(folder)


def kept_pixels(sets: Sequence[Path]) -> Iterator[Leftover]:
    """The pixels beyond the first shard of a run whose scores are made from features."""
    has_features = any("part_identity" in _identity(one) for one in sets)
    for one in sets:
        shards = sorted(one.glob("*" + SUFFIX))[1:] if one.name.startswith(f"{IMAGES}-") else []
        if has_features and shards:
            total = sum(_size(path) for path in shards)
            yield Leftover(one, f"pixels kept by --keep-images ({len(shards)} shards)", total, goes=False, parts=shards)


def _identity(folder: Path) -> Mapping[str, Any]:
    try:
        found = read_json(folder / IDENTITY)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_usable(folder: Path) -> bool:
    """Whether this version of the code would take up the shards of a folder, as far as the folder says."""
    from reference_models import specs

    try:
        identity = read_json(folder / IDENTITY)
        spec = specs()[identity["model"]]
        return (identity["version"], identity["sampling_version"]) == (spec.version, VERSION)
    except (ValueError, KeyError, TypeError):
        return False


def print_leftovers(found: list[Leftover], results: Path) -> None:
    from rich.table import Table

    table = Table(title=f"not needed by any record below {results}", title_justify="left")
    for column in ("what", "why", "MB"):
        table.add_column(column, overflow="fold", justify="right" if column == "MB" else "left")
    for one in found:
        path = one.path.relative_to(results).as_posix()
        table.add_row(path, one.why, f"{one.num_bytes / 1e6:,.1f}")
    console().print(table)


def remove(one: Leftover) -> bool:
    """Remove a leftover; False where it is still there."""
    if one.parts:
        return not [path for path in one.parts if not remove(Leftover(path, one.why, 0))]
    try:
        if one.path.is_dir() and not one.path.is_symlink():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)
    except OSError:
        return not one.path.exists()
    return True


def _state(sets: list[Path]) -> str:
    counts = [f"{len(list(one.glob('*' + SUFFIX)))} shards of {one.name}" for one in sets]
    return ", ".join(counts) or "empty"


def _size(path: Path) -> int:
    """Bytes of a file, or of all the files in a folder."""
    found = path.rglob("*") if path.is_dir() else [path]
    return sum(one.lstat().st_size for one in found if not one.is_dir())
