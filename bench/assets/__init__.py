"""Assets: the files that a clone does not hold. Weights, autoencoders, text encoders, reference statistics, feature
extractors and data sets: where they lie, what they are, how to get them. Nothing is downloaded unasked.

    table()              every asset by name, in the order of KINDS
    find(name)           one of them, by its name or by the name of its published file
    of_model(name)       what a run of a model needs: weights, autoencoder
    locate(asset)        what there is of it: path, state, size, checksum if it was read before
    require(name)        its path, or UsageError: the exact path looked at, expected and found size, the command
    parts(name)          of a folder, the path of each thing in it by published name, or UsageError
    checksum(asset)      its SHA-256, read once (checksums.py)
    read_once(files, ..) whatever else reads them to their end, once

They lie below $ARBITER_ASSETS (default ~/.cache/arbiter/assets) as `<repository>/<file>`, as published, so that a copy
of a published tree works as it is; the host may be left out (`zhendch/Transdiff/...`).

A state "not as published" is usable: the file is whole, but of another checksum, size or count than the published one.
A record keeps the checksum, so that a verdict can tell.
"""

from __future__ import annotations

import difflib
import functools
from collections import Counter
from pathlib import Path

from bench.assets.asset import KINDS, USABLE, Asset, Hub, Kind, Part, State, Url
from bench.assets.lookup import Located, accept, assets_folder, checksum, content_files, locate, part_path
from bench.assets.read_once import read_once
from bench.errors import UsageError

__all__ = [
    "KINDS",
    "USABLE",
    "Asset",
    "Hub",
    "Kind",
    "Located",
    "Part",
    "State",
    "Url",
    "accept",
    "assets_folder",
    "checksum",
    "content_files",
    "find",
    "locate",
    "of_model",
    "parts",
    "read_once",
    "require",
    "table",
]


@functools.cache
def table() -> dict[str, Asset]:
    """Every asset by name, those of the models' specs among them."""
    from bench.assets import data, weights

    makers = (
        *(weights.models, weights.autoencoders, weights.text_encoders),
        *(data.statistics, data.extractors, data.data_sets),
    )
    return {asset.name: asset for make in makers for asset in make()}


def find(name: str) -> Asset:
    """An asset by its name, or by the name of its published file where no other has it (as a protocol's reference).

    UsageError with the nearest name where there is none.
    """
    known = table()
    if name in known:
        return known[name]
    files = Counter(asset.file.rpartition("/")[2] for asset in known.values())
    if files[name] == 1:
        return next(asset for asset in known.values() if asset.file.rpartition("/")[2] == name)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
    guess = f"; did you mean {near[0]}?" if near else ";"
    raise UsageError(f"unknown asset {name[:80]!r}{guess} known: {', '.join(known)}")


def of_model(name: str) -> tuple[Asset, ...]:
    """The assets of a model, weights first, then what they need; () where nobody publishes weights for it."""
    asset = table().get(name)
    if asset is None or asset.kind != "model":
        return ()
    return (asset, *(find(need) for need in asset.needs))


def require(name: str) -> Path:
    """Where an asset lies. UsageError, in one line, where it is not usable."""
    found = locate(find(name))
    if not found.usable:
        raise UsageError(found.complaint)
    return found.path


def parts(name: str) -> dict[str, Path]:
    """The things that an asset's folder must hold, by their published names: parts("coco-val2014")["val2014"].

    UsageError, in one line, where it is not usable.
    """
    folder = require(name)
    found = {part.names[0]: part_path(folder, part) for part in find(name).parts}
    return {published: path for published, path in found.items() if path is not None}
