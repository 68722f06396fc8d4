"""What one image costs at the settings of a run, counted: network evaluations and floating-point operations."""

from __future__ import annotations

from typing import Any

from bench.evaluators import Context
from bench.metrics import size
from bench.records.schema import RunSpec
from bench.sampling.images import generate_batch
from bench.timing.model_cost import count_flops


def measure_costs(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """flops: of one call of `generate` for one image, the autoencoder included; the same for every class and seed.

    Rows that some networks add so that any batch gives equal images are left out: they are no part of the method.
    """
    from reference_models.layers import own_rows_alone

    nfe = model.network_evaluations(**{**model.spec.sampling, **spec.settings})
    with own_rows_alone():
        flops = count_flops(lambda round_idx: generate_batch(model, [round_idx], 0, spec.settings))
    return {"measurements": size.summarise({"nfe": nfe, "flops": flops})}
