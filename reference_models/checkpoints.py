"""Weights on disk: the authors' released files, and our own.

Released: `.pth`/`.pt`, safetensors and `.bin` (also sharded), folders as diffusers writes them. What the `.pth` hold:
TransDiff, MAR and MAR's VAE: `model`, `model_ema` (None in some), optimizer, argparse.Namespace.
DiT, SiT: a bare state dict; their training writes `ema` beside `model`.  VAR and its VAE: a bare state dict; VAR's
training writes `trainer` with `var_wo_ddp` inside.
LlamaGen: `model` (B, L, XL, VQ-16), bare (XXL, 3B: FSDP), `module` where DeepSpeed wrote it.
Everything is unpickled with `weights_only=True` and the allow-list below.
Ours: one safetensors file with string metadata, its checksum among them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from reference_models.errors import CheckpointError
from reference_models.shipped import check_shipped
from reference_models.weight_files import first_line, shard_by_key, weights_in

# What a released .pth may hold beside tensors and containers. Nothing else is unpickled.
ALLOWED: list[Any] = [argparse.Namespace]
# The names under which a .pth holds weights. An entry is of EMA weights where "ema" is a word of its name: `model_ema`,
# `ema`, `ema_model`, `ema_state_dict`, `state_dict_ema`, `params_ema`, ...
EMA_NAME = re.compile(r"(^|[._-])ema($|[._-])", re.IGNORECASE)
PLAIN_NAMES = ("model", "state_dict", "module", "params")
INNER_NAMES = ("var_wo_ddp", *PLAIN_NAMES)  # of an entry that holds its weights one level down, as VAR's `trainer`
REMEDY = "keep the one in a file of its own, or name it in Python (entry=...)"
WRAPPERS = re.compile(r"^((module|_orig_mod)\.)+")  # DistributedDataParallel and torch.compile put these before names
# Parameter names of our own files from before version 0.2.
FORMER_NAMES = (
    (r"class_embed\.(.+)", r"label_embed.\1"),  # TransDiff, MAR, VAR
    (r"label_embedder\.(.+)", r"label_embed.\1"),  # DiT, SiT
    (r"t_embedder\.(.+)", r"time_embed.\1"),  # DiT, SiT, D-DiT
    (r"final\.(.+)", r"final_layer.\1"),  # DiT, SiT
    (r"decoder\.final_proj\.(.+)", r"decoder.final_layer.\1"),  # TransDiff
    (r"decoder\.pos", r"decoder.pos_embed"),  # TransDiff
    (r"denoiser\.output_proj\.(.+)", r"denoiser.final_layer.\1"),  # MAR
)

CHECKSUM = "content_sha256"  # key of our files' metadata

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a file, and which of its entries they are."""

    path: Path
    state: dict[str, Tensor]  # under the file's own keys, without `module.` and `_orig_mod.`; on the CPU
    entry: str | None  # as "model_ema" or "trainer.var_wo_ddp"; None: the file is a bare state dict


def read_state(path: Path | str, ema: bool = True) -> dict[str, Tensor]:
    """The state dict of `read_checkpoint`."""
    return read_checkpoint(path, ema).state


def read_own_state(path: Path | str) -> dict[str, Tensor]:
    """The state dict in a file that this project wrote, under the names of today."""
    return rename(read_state(path), FORMER_NAMES)


def read_checkpoint(path: Path | str, ema: bool = True, entry: str | None = None) -> Checkpoint:
    """The weights in a released file or folder, or in a file of ours. The entry taken is also logged (level INFO).

    ema: take the EMA weights where the file has both (as the authors evaluate).
    entry: take this entry of the file, by the name that a refusal prints.
    Raises CheckpointError, one line with the file's name: no such file, damaged, several entries that could be meant,
    a shipped file with another checksum. Values are looked at where they fill a model, in `load_into`: VAR's files hold
    an attention mask, of which half is minus infinity, beside their weights.
    """
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f"weights {path}: no such file")
    if not (path.is_file() or path.is_dir()):
        raise CheckpointError(f"weights {path}: neither a file nor a folder")
    try:
        check_shipped(path)
        name, state = _read(path, ema, entry)
        state = _unwrapped(state, path)
    except CheckpointError:
        raise
    except Exception as error:  # a broken file makes torch, zipfile, pickle, json and safetensors raise what they like
        raise CheckpointError(f"weights {path}: {_reason(error)}") from error
    if name is not None:
        log.info("weights %s: took %r", path, name)
    return Checkpoint(path, state, name)


def _read(path: Path, ema: bool, entry: str | None) -> tuple[str | None, dict[str, Tensor]]:
    if path.is_dir():
        return _read(weights_in(path), ema, entry)
    if path.name.endswith(".index.json"):
        return None, _read_shards(path)
    if path.suffix == ".safetensors":
        return None, _read_safetensors(path)
    return _read_pickle(path, ema, entry)


def _reason(error: Exception) -> str:
    """One line. Torch's own words on a foreign class are not passed on: they advise to unpickle it after all."""
    if isinstance(error, pickle.UnpicklingError):
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        if foreign:
            allowed = ", ".join(f"{cls.__module__}.{cls.__name__}" for cls in ALLOWED)
            return f"refused: it holds {foreign[1]}; beside tensors and containers only {allowed} is unpickled"
        return "cannot be read: no checkpoint, or a damaged one"
    return f"cannot be read: no checkpoint, or cut off ({first_line(error)})"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (a safe_open is no dict)
        metadata = file.metadata() or {}
    if CHECKSUM in metadata and metadata[CHECKSUM] != own_sha256(state, metadata):
        raise CheckpointError(f"weights {path}: damaged, its content does not have the checksum it was written with")
    return state


def own_sha256(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Checksum of weights and metadata, CHECKSUM left out: in the files that we write, so that a flipped bit shows."""
    digest = hashlib.sha256(json.dumps(sorted(item for item in metadata.items() if item[0] != CHECKSUM)).encode())
    for name, value in sorted(state.items()):
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read_shards(index: Path) -> dict[str, Tensor]:
    file_by_key = shard_by_key(index)
    files = sorted(set(file_by_key.values()))
    missing = [file for file in files if not (index.parent / file).is_file()]
    if missing:
        raise CheckpointError(f"weights {index}: {len(missing)} of {len(files)} shards are missing, first {missing[0]}")
    state: dict[str, Tensor] = {}
    for file in files:
        try:
            state |= _read(index.parent / file, ema=True, entry=None)[1]
        except CheckpointError:
            raise
        except Exception as error:
            raise CheckpointError(f"weights {index}: its shard {file} {_reason(error)}") from error
    lacking = sorted(file_by_key.keys() - state.keys())
    if lacking:
        raise CheckpointError(f"weights {index}: its shards lack {len(lacking)} keys ({_some(lacking)})")
    return state


def _read_pickle(path: Path, ema: bool, entry: str | None) -> tuple[str | None, dict[str, Tensor]]:
    zipped = zipfile.is_zipfile(path)
    if zipped:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums of the parts
            damaged = archive.testzip()
        if damaged is not None:
            raise CheckpointError(f"weights {path}: damaged, {damaged} in it does not fit its checksum")
    # Mapped, not read, where the format allows it: the optimizer's state beside the weights stays on disk.
    # torch warns of what it is about to refuse, or of its own classes: a fault is one line of ours.
    with torch.serialization.safe_globals(ALLOWED), warnings.catch_warnings(action="ignore"):
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    if _is_state(content):
        return None, dict(content)
    entries = _entries(content)
    if entry is not None:
        if entry not in entries:
            raise CheckpointError(f"weights {path}: has no entry {entry!r}; it has {', '.join(entries) or 'none'}")
        return entry, dict(entries[entry])
    name = _chosen(content, entries, ema, path)
    return name, dict(entries[name])


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(part, Tensor) for part in value.values())


def _entries(content: Any) -> dict[str, Mapping[str, Tensor]]:
    """Every state dict in a file, by its name; one level down only under the names that weights have there."""
    found: dict[str, Mapping[str, Tensor]] = {}
    for name, value in content.items() if isinstance(content, Mapping) else ():
        if _is_state(value):
            found[str(name)] = value
        elif isinstance(value, Mapping):
            found |= {f"{name}.{inner}": value[inner] for inner in INNER_NAMES if _is_state(value.get(inner))}
    return found


def _chosen(content: Any, entries: Mapping[str, Mapping[str, Tensor]], ema: bool, path: Path) -> str:
    """The name of the entry that is meant; CheckpointError where that is not certain."""
    averaged = [name for name in entries if EMA_NAME.search(name)]
    plain = [name for name in entries if name not in averaged and name.split(".")[-1] in INNER_NAMES]
    for name, value in content.items() if ema and isinstance(content, Mapping) else ():
        if EMA_NAME.search(str(name)) and isinstance(value, Mapping | list) and value and not averaged:
            raise CheckpointError(f"weights {path}: its entry {name!r} holds no state dict; with ema=False it is left")
    candidates = (averaged or plain) if ema else (plain or averaged)
    if not candidates:
        hint = f"; it has {', '.join(entries)}" if entries else ""
        raise CheckpointError(f"weights {path}: holds no state dict (a mapping from names to tensors){hint}")
    if len(candidates) > 1:
        raise CheckpointError(f"weights {path}: could mean {' or '.join(candidates)}; {REMEDY}")
    (name,) = candidates
    others = [other for other in entries if other not in (*averaged, *plain)]
    twins = [other for other in others if entries[other].keys() == entries[name].keys()]
    if twins:
        raise CheckpointError(f"weights {path}: could mean {' or '.join([name, *twins])}; {REMEDY}")
    return name


def _unwrapped(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    own = {WRAPPERS.sub("", key): value.detach() for key, value in state.items()}
    if len(own) < len(state):
        raise CheckpointError(f"weights {path}: holds the same name with and without the prefix module. or _orig_mod.")
    return own


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """CheckpointError where a value is NaN or infinite."""
    for key, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise CheckpointError(f"weights {source}: NaN or infinity in {key}")


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


def convert(network: Any, state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The authors' state dict under our names. CheckpointError where the converter stumbles over a stranger's keys."""
    try:
        return network.from_official_state(state)
    except Exception as error:  # shapes that do not join, names without the parts that are looked for, ...
        detail = (str(error).splitlines() or [""])[0]
        raise CheckpointError(
            f"weights {source}: not the authors' layout of {network.__name__} ({type(error).__name__}: {detail})"
        ) from error


def load_into(model: nn.Module, state: Mapping[str, Tensor], source: str, hint: Callable[[], str] = lambda: "") -> None:
    """Fill every parameter and buffer of `model` from `state`, using every key; otherwise CheckpointError, in one line,
    as where one of its values is NaN or infinite.

    hint: what to append to the message, worked out only when it is needed.
    """
    own = model.state_dict()
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    both = sorted(own.keys() & state.keys())
    shapes = [key for key in both if own[key].shape != state[key].shape]
    kinds = [key for key in both if own[key].is_floating_point() != state[key].is_floating_point()]
    if missing or unexpected or shapes or kinds:
        parts = []
        if missing:
            parts.append(f"{len(missing)} keys missing ({_some(missing)})")
        if unexpected:
            parts.append(f"{len(unexpected)} keys unexpected ({_some(unexpected)})")
        if shapes:
            expected, found = tuple(own[shapes[0]].shape), tuple(state[shapes[0]].shape)
            parts.append(f"{len(shapes)} of another shape (first {shapes[0]}: expected {expected}, found {found})")
        if kinds:
            parts.append(f"{len(kinds)} of another kind (first {kinds[0]}: {state[kinds[0]].dtype})")
        raise CheckpointError(f"weights {source}: do not fit the model: {'; '.join(parts)}{hint()}")
    model.load_state_dict(state, strict=True)
    check_finite(model.state_dict(), source)  # as the model has them: 1e300 in float64 is infinite in float32


def _some(keys: list[str], show: int = 3) -> str:
    return ", ".join(keys[:show]) + (", ..." if len(keys) > show else "")
