"""Counts of the paper's sizes."""

from __future__ import annotations

from typing import Any

from bench.collect.size import collect_size
from bench.metrics import size
from bench.records import RunSpec


def measure_sizes(spec: RunSpec) -> dict[str, Any]:
    """Count on the meta device: no weights, no memory."""
    import reference_models

    model = reference_models.build(spec.model, device="meta", weights=None)
    raw = collect_size(model)
    return {"family": model.spec.family, "measurements": size.summarise(raw), "raw": raw}
