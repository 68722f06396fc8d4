"""Which files of a folder hold weights, in diffusers' and transformers' layout. Importing this imports no torch."""

from __future__ import annotations

import json
from pathlib import Path

from reference_models.errors import CheckpointError

# What a folder's weights are called, best first; other names are variants or single shards.
STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
SUFFIXES = (".safetensors.index.json", ".safetensors", ".bin.index.json", ".bin")
MOST_INDEX_BYTES = 2**28  # of an index of shards: a hundred times what they have
LONGEST_NAME = 255  # of a file
LONGEST_REASON = 200  # characters


def first_line(error: Exception) -> str:
    """The type of an error and the first line of its message, cut short: torch's may list all its backends."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])[:LONGEST_REASON]


def weights_in(folder: Path) -> Path:
    """The weights of a folder as diffusers writes it: the model's own, or a pipeline's with `transformer/` inside."""
    for place in (folder, folder / "transformer"):
        for name in (stem + suffix for stem in STEMS for suffix in SUFFIXES):
            if (place / name).is_file():
                return place / name
    names = ", ".join(stem + ".safetensors" for stem in STEMS)
    raise CheckpointError(f"weights {folder}: a folder with none of {names} (or .safetensors.index.json, .bin)")


def shard_by_key(index: Path) -> dict[str, str]:
    """By the name of each tensor the file beside an index that holds it. CheckpointError for what is no whole index."""
    try:
        if not index.is_file() or index.stat().st_size > MOST_INDEX_BYTES:
            raise ValueError("no file of that size is an index")
        found = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        if not found or not all(isinstance(file, str) for file in found.values()):
            raise ValueError("weight_map names no files")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"weights {index}: cannot be read: no whole index of shards ({first_line(error)})"
        ) from error
    if strange := [file for file in found.values() if Path(file).name != file or len(file) > LONGEST_NAME]:
        raise CheckpointError(f"weights {index}: names a shard outside its folder, {strange[0]!r:.80}")
    return dict(found)
