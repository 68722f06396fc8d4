"""The authors' own files, small: a parity case has their layout, their keys and their configuration."""

from __future__ import annotations

from dataclasses import replace

import reference_models
from reference_models.parity import load_case
from tests.paths import DATA

LIKE = {  # case -> a paper-size model of the same class
    "transdiff": "transdiff-b",
    "transdiff-mrar": "transdiff-mrar-b",
    "mar": "mar-b",
    "dit": "dit-xl-2",
    "sit": "sit-xl-2",
    "llamagen": "llamagen-b",
    "var": "var-d16",
    "d-dit": "d-dit-512",
}


def small(name):
    """(a Spec of the case's size, the authors' state dict)."""
    case = load_case(DATA / f"{name}.safetensors")
    like = reference_models.find(LIKE[name])
    spec = replace(like, name=f"{name}-case", config=like.network.from_official_config(case.config))
    state = case.weights()
    for key in ("pos_embed", "pos_embed.pos_embed"):  # fixed tables, which the files hold
        if key in state:
            tables = case if "out.pos_embed" in case.tensors else load_case(DATA / "dit.safetensors")  # SiT's is DiT's
            state[key] = tables["out.pos_embed"]
    return spec, state
