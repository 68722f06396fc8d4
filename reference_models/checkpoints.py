"""Weights on disk: the authors' released files, and our own.

Released: `.pth`/`.pt`, safetensors (also sharded), folders as diffusers writes them. What the `.pth` hold:
TransDiff, MAR and MAR's VAE: `model`, `model_ema` (None in some), optimizer, argparse.Namespace.
DiT, SiT: a bare state dict; their training writes `ema` beside `model`.  VAR and its VAE: a bare state dict.
LlamaGen: `model` (B, L, XL, VQ-16), bare (XXL, 3B: FSDP), `module` where DeepSpeed wrote it.
Everything is unpickled with `weights_only=True` and the allow-list below.
Ours: one safetensors file with string metadata.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from reference_models.errors import CheckpointError

# What a released .pth may hold beside tensors and containers. Nothing else is unpickled.
ALLOWED: list[Any] = [argparse.Namespace]
# Where the weights are inside a .pth, best first: the authors evaluate their EMA weights.
EMA_KEYS = ("model_ema", "ema")
PLAIN_KEYS = ("model", "state_dict", "module")
# What a folder's weights are called (diffusers, transformers), best first; other names are variants or single shards.
STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
SUFFIXES = (".safetensors.index.json", ".safetensors", ".bin")


SHIPPED = Path(__file__).parent / "weights"
FOLDER_VARIABLE = "ARBITER_WEIGHTS"  # an environment variable: another folder of digits weights, as retrained ones


def shipped_weights(name: str) -> Path | None:
    """The weights of a digits model or tokenizer, None where there are none.

    They ship in this package; where ARBITER_WEIGHTS names a folder, it takes the package's place for all of them.
    """
    path = Path(os.environ.get(FOLDER_VARIABLE) or SHIPPED) / f"{name}.safetensors"
    return path if path.is_file() else None


def read_state(path: Path | str, ema: bool = True) -> dict[str, Tensor]:
    """The state dict in a released file or folder, under its own keys, on the CPU.

    ema: take the EMA weights where the file has both (as the authors evaluate). Raises CheckpointError.
    """
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f"weights {path}: no such file")
    try:
        if path.is_dir():
            return _read_folder(path)
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        if path.name.endswith(".index.json"):
            return _read_shards(path)
        return _read_pickle(path, ema)
    except CheckpointError:
        raise
    except Exception as error:  # a broken file makes torch, zipfile, pickle, json and safetensors raise what they like
        raise CheckpointError(f"weights {path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """One line. Torch's own words on a foreign class are not passed on: they advise to unpickle it after all."""
    if isinstance(error, pickle.UnpicklingError):
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        if foreign:
            allowed = ", ".join(f"{cls.__module__}.{cls.__name__}" for cls in ALLOWED)
            return f"refused: it holds {foreign[1]}; beside tensors and containers only {allowed} is unpickled"
        return "cannot be read: no checkpoint, or a damaged one"
    detail = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    return f"cannot be read: no checkpoint, or cut off ({detail})"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (a safe_open is no dict)


def _read_shards(index: Path) -> dict[str, Tensor]:
    files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    missing = [file for file in files if not (index.parent / file).exists()]
    if missing:
        raise CheckpointError(f"weights {index}: {len(missing)} of {len(files)} shards are missing, first {missing[0]}")
    state: dict[str, Tensor] = {}
    for file in files:
        state |= _read_safetensors(index.parent / file)
    return state


def _read_folder(folder: Path) -> dict[str, Tensor]:
    """The weights of a folder as diffusers writes it: the model's own, or a pipeline's with `transformer/` inside."""
    for place in (folder, folder / "transformer"):
        for name in (stem + suffix for stem in STEMS for suffix in SUFFIXES):
            if (place / name).exists():
                return read_state(place / name)
    names = ", ".join(stem + ".safetensors" for stem in STEMS)
    raise CheckpointError(f"weights {folder}: a folder with none of {names} (or .safetensors.index.json, .bin)")


def _read_pickle(path: Path, ema: bool) -> dict[str, Tensor]:
    # Mapped, not read, where the format allows it: the optimizer's state beside the weights stays on disk.
    with torch.serialization.safe_globals(ALLOWED):
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    for key in (*EMA_KEYS, *PLAIN_KEYS) if ema else (*PLAIN_KEYS, *EMA_KEYS):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping) and content[key]:
            content = content[key]
            break
    tensors = isinstance(content, Mapping) and all(isinstance(value, Tensor) for value in content.values())
    if not tensors or not content:
        raise CheckpointError(f"weights {path}: holds no state dict (a mapping from names to tensors)")
    return {re.sub(r"^((module|_orig_mod)\.)+", "", key): value.detach() for key, value in content.items()}


def rename(state: Mapping[str, Tensor], rules: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    """`state` under new names: each key by the first rule (regular expression, replacement) that matches it whole."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    renamed = {}
    for key, value in state.items():
        new = key
        for pattern, replacement in compiled:
            if pattern.fullmatch(key):
                new = pattern.sub(replacement, key, count=1)
                break
        renamed[new] = value
    return renamed


def load_into(model: nn.Module, state: Mapping[str, Tensor], source: str, hint: Callable[[], str] = lambda: "") -> None:
    """Fill every parameter and buffer of `model` from `state`, using every key; otherwise CheckpointError, in one line.

    hint: what to append to the message, worked out only when it is needed.
    """
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    shapes = [key for key in sorted(own.keys() & state.keys()) if own[key].shape != state[key].shape]
    if missing or unexpected or shapes:
        parts = []
        if missing:
            parts.append(f"{len(missing)} keys missing ({_some(missing)})")
        if unexpected:
            parts.append(f"{len(unexpected)} keys unexpected ({_some(unexpected)})")
        if shapes:
            expected, found = tuple(own[shapes[0]].shape), tuple(state[shapes[0]].shape)
            parts.append(f"{len(shapes)} of another shape (first {shapes[0]}: expected {expected}, found {found})")
        raise CheckpointError(f"weights {source}: do not fit the model: {'; '.join(parts)}{hint()}")
    model.load_state_dict(dict(state), strict=True)


def _some(keys: list[str], show: int = 3) -> str:
    return ", ".join(keys[:show]) + (", ..." if len(keys) > show else "")
