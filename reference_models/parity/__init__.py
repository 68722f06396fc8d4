"""Check a model against a parity case: numbers that the authors' own code produced on weights made by a rule.

`python -m bench parity CASE ...` prints one line per output: family, case, output, relative error, ok or FAIL.
Each family's module beside this file has `outputs(case) -> {name: tensor}`: it builds our model from the authors'
config, fills it through the converter that also loads released checkpoints, and runs it on the case's inputs and noise.
"""

from __future__ import annotations

import importlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from reference_models import specs
from reference_models.checkpoints import load_into
from reference_models.errors import CaseError
from reference_models.sizes.autoencoders import AUTOENCODERS, KL, VQ

TOLERANCE = 1e-4  # relative error of float outputs; two builds of the authors' own code differ by less than 3e-6
MODULE_BY_FAMILY = {
    "transdiff": "transdiff",
    "transdiff-mrar": "transdiff",
    "mar": "mar",
    "dit": "dit",
    "sit": "dit",
    "llamagen": "llamagen",
    "var": "var",
    "d-dit": "d_dit",
    "kl16-vae": "autoencoders",
    "vq16": "autoencoders",
}


@dataclass(frozen=True)
class Case:
    """One parity case. Tensors by name: `in.*` inputs, `noise.*` draws in the order made, `out.*` expected outputs."""

    path: Path
    family: str
    config: Mapping[str, Any]  # the authors' constructor arguments
    call: Mapping[str, Any]  # sampler settings
    keys: Mapping[str, list[int]]  # the authors' parameter name -> shape
    vae_keys: Mapping[str, list[int]]  # the same of VAR's tokenizer; empty elsewhere
    seed: int
    tensors: Mapping[str, Tensor]
    source: str = ""  # the authors' repository and its commit, as "LTH14/mar@fe470ac"; without "@": not named

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    @property
    def expected(self) -> list[str]:
        """Names of the outputs that the authors' code gave, in order."""
        return [name for name in sorted(self.tensors) if name.startswith("out.")]

    def series(self, prefix: str) -> list[Tensor]:
        """The tensors whose names begin with `prefix`, in name order."""
        return [self.tensors[name] for name in sorted(self.tensors) if name.startswith(prefix)]

    def weights(self, keys: Mapping[str, list[int]] | None = None) -> dict[str, Tensor]:
        """The authors' state dict, filled by the rule of the case format (one generator per key)."""
        return {key: _filled(key, shape, self.seed) for key, shape in (self.keys if keys is None else keys).items()}

    def load(self, model: nn.Module, state: Mapping[str, Tensor] | None = None) -> nn.Module:
        """`model` filled with the case's weights through its own converter, in eval mode."""
        state = self.weights() if state is None else state
        load_into(model, model.from_official_state(state), str(self.path))  # type: ignore[operator]
        return model.eval()


def _filled(key: str, shape: list[int], seed: int) -> Tensor:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()) + seed))
    value = generator.standard_normal(shape, dtype=np.float32)
    is_norm_weight = len(shape) == 1 and key.endswith("weight")
    return torch.from_numpy(np.asarray(1 + 0.1 * value if is_norm_weight else 0.05 * value, dtype=np.float32))


def load_case(path: Path | str) -> Case:
    path = Path(path)
    if not path.is_file():
        raise CaseError(f"parity case {path}: {'not a regular file' if path.exists() else 'no such file'}")
    try:
        with safe_open(path, "pt") as file:
            metadata = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (a safe_open is no dict)
    except (SafetensorError, json.JSONDecodeError) as error:
        raise CaseError(f"parity case {path}: not a whole case file ({error})") from error
    missing = {"family", "config", "call", "keys", "seed"} - metadata.keys()
    if missing:
        raise CaseError(f"parity case {path}: its metadata lacks {', '.join(sorted(missing))}")
    if metadata["family"] not in MODULE_BY_FAMILY:
        raise CaseError(
            f"parity case {path}: unknown family {metadata['family']!r}; known: {', '.join(sorted(MODULE_BY_FAMILY))}"
        )
    if not any(name.startswith("out.") for name in tensors):
        raise CaseError(f"parity case {path}: holds no output (out.*) to compare")
    return Case(
        path=path,
        family=metadata["family"],
        config=metadata["config"],
        call=metadata["call"],
        keys=metadata["keys"],
        vae_keys=metadata.get("vae_keys", {}),
        seed=int(metadata["seed"]),
        tensors=tensors,
        source=str(metadata.get("source", "")),
    )


@dataclass(frozen=True)
class Comparison:
    family: str
    case: str
    output: str
    error: float  # norm(ours - theirs) / norm(theirs); for tokens the share that differs
    tolerance: float  # the largest error that passes
    ok: bool


def tolerance(theirs: Tensor) -> float:
    """0 for tokens, which must be equal; TOLERANCE for floats."""
    return TOLERANCE if theirs.is_floating_point() else 0.0


def code_versions(family: str) -> dict[str, int]:
    """By name, the version of our code for every model of a family, or for every autoencoder of its network."""
    network = {"kl16-vae": KL, "vq16": VQ}.get(family)
    if network is None:
        return {spec.name: spec.version for spec in specs().values() if spec.family == family}
    return {spec.name: spec.version for spec in AUTOENCODERS.values() if spec.network == network}


def compare(name: str, ours: Tensor | None, theirs: Tensor) -> tuple[float, bool]:
    """(error, ok): equal tokens, floats within TOLERANCE; NaN, a missing output or another shape fail."""
    if ours is None or ours.shape != theirs.shape:
        return float("nan"), False
    if not theirs.is_floating_point():
        error = (ours != theirs).double().mean().item()
    else:
        error = ((ours.double() - theirs.double()).norm() / theirs.double().norm().clamp_min(1e-12)).item()
    return error, error <= tolerance(theirs)


def check(case: Case) -> Iterator[Comparison]:
    """Compare every `out.*` of the case."""
    module = importlib.import_module(f"reference_models.parity.{MODULE_BY_FAMILY[case.family]}")
    with torch.inference_mode():
        ours = module.outputs(case)
    for name in case.expected:
        error, ok = compare(name, ours.get(name), case[name])
        yield Comparison(case.family, case.path.stem, name, error, tolerance(case[name]), ok)
