"""Equal footing: which circumstances of two timed sides must agree before their ratio means anything.

A side is described by a flat dict (bench/collect/footing.py). Network evaluations, steps and guidance scales differ by
the nature of the methods, 250 x 2 evaluations of DiT against 100 x 2 of TransDiff's decoder: they are what a speed-up
is made of, so they are printed and never have to agree between methods. What the experimenter chooses must.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Whatever is compared: the same machine paints the same kind of picture, all the way to pixels.
ALWAYS = ("machine", "device", "image_size", "autoencoder", "conditioned_on", "text_encoder")
# What the experimenter can choose for either side. `guided`: both with or both without a second pass per evaluation.
CHOSEN = (
    "dtype",
    "float32_matmul_precision",
    "tf32_convolution",
    "attention_kernels",
    "compiled",
    "num_threads",
    "batch_size",
    "guided",
)
# What two implementations of one method must share on top.
METHOD = ("cfg_scale", "network_evaluations", "kv_cache")

MODES: dict[str, tuple[str, ...]] = {
    # two methods, every choice made alike: what the methods themselves cost
    "forced equal": (*ALWAYS, *CHOSEN),
    # two methods, each with its published settings, its own best batch, dtype and compilation: what a user gets
    "each at its best": ALWAYS,
    # two implementations of one model: nothing may differ
    "same model": (*ALWAYS, *CHOSEN, *METHOD),
}


def differing_fields(one: Mapping[str, Any], other: Mapping[str, Any], mode: str = "forced equal") -> list[str]:
    """The fields in which two sides differ and must not; empty: their ratio is a fair one in that mode.

    Between methods a missing KV cache counts against a side that could keep one (`kv_cache` False); None, nothing to
    keep, goes with anything. KeyError for an unknown mode, or a side that does not say.
    """
    found = [field for field in MODES[mode] if one[field] != other[field]]
    if mode != "same model" and (one["kv_cache"] is False) != (other["kv_cache"] is False):
        found.append("kv_cache")
    return found


def not_comparable(one: Mapping[str, Any], other: Mapping[str, Any], mode: str = "forced equal") -> str:
    """Why a ratio of two sides means nothing in a mode, naming each field and both values; "" where it does."""
    fields = differing_fields(one, other, mode)
    return "; ".join(f"{field}: {one[field]} against {other[field]}" for field in fields)
