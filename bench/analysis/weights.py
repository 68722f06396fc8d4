"""Whose weights the records measured, those that ship with the package or weights trained here; their training."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.formatting import listed
from bench.records.schema import Record

SHIPPED, RETRAINED = "shipped", "trained here"  # inputs.weights_origin


@dataclass(frozen=True)
class Weights:
    """Whose weights were measured, in words; `stamp` is "" where they are the shipped ones, or unknown."""

    stamp: str
    text: str


def weights_stamp(records: Iterable[Record]) -> Weights:
    """Of every model with weights; further training seeds, which never ship, left out."""
    models: dict[str, dict[str, None]] = {}  # by origin
    for record in records:
        if record.inputs.weights_sha256 and not record.protocol.training_seed:
            models.setdefault(record.inputs.weights_origin or "", {})[record.model] = None
    if not models.keys() - {""}:
        return Weights("", "")
    if models.keys() == {SHIPPED}:
        return Weights("", "Weights: shipped with the package.")
    if models.keys() == {RETRAINED}:
        text = "Every model was trained anew before it was measured; no weights that ship with the package are shown."
        return Weights("RETRAINED WEIGHTS", text)
    words = {SHIPPED: "shipped with the package", RETRAINED: "trained anew", "": "of unrecorded origin"}
    text = f"{'; '.join(f'{words.get(origin, origin)}: {listed(list(found))}' for origin, found in models.items())}."
    return Weights("MIXED WEIGHTS" if RETRAINED in models else "", f"Weights {text}")


# -- how they were trained ---------------------------------------------------------------------------------------------


def training_of(records: Iterable[Record]) -> dict[str, dict[str, str]]:
    """By model, what the shipped weights that the records name say of their training (safetensors' metadata)."""
    wanted = {record.inputs.weights_sha256: record.model for record in records if record.inputs.weights_sha256}
    package = importlib.util.find_spec("reference_models")
    if package is None or package.origin is None:
        return {}
    found = {}
    for path in sorted((Path(package.origin).parent / "weights").glob("*.safetensors")):
        content = path.read_bytes()
        if model := wanted.get(hashlib.sha256(content).hexdigest()):
            (length,) = struct.unpack("<Q", content[:8])
            found[model] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return found
