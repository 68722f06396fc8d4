"""The models of a run, with the weights that its protocol measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.loading import load_model
from bench.plan import SMALL
from bench.records import Protocol, RunSpec
from bench.retrain import weights_of


def build_for(name: str, protocol: Protocol, device: str, work: Path) -> Any:
    """The model `name`; at a paper's size, where speed alone is measured, with random weights: speed does not depend on
    them. UsageError where released weights are needed."""
    import torch

    from reference_models import build, find

    dtype = getattr(torch, protocol.dtype)
    if find(name).scale in SMALL:
        return build(name, weights=weights_of(RunSpec(name, protocol), work), device=device, dtype=dtype)
    if "weights" not in protocol.needs:
        return build(name, weights=None, device=device, dtype=dtype)
    model, _ = load_model(name, weights=None, device=device, dtype=protocol.dtype)
    return model
