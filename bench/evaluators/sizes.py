"""Parameters, arithmetic and the decoder's share, counted on the meta device: exact, without weights or memory."""

from __future__ import annotations

from typing import Any

from bench.evaluators import Context
from bench.metrics import size
from bench.records.parts import Counts
from bench.records.schema import RunSpec
from bench.timing.model_cost import collect_size
from reference_models import build


def measure_sizes(model: None, spec: RunSpec, context: Context) -> dict[str, Any]:
    raw = collect_size(build(spec.model, device="meta", weights=None))
    return {"measurements": size.summarise(raw), "counts": Counts(**raw)}
