"""Whose weights the records measured: those that ship with the package, or weights trained here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
