"""Size and arithmetic of a model: counted, so without interval (peak memory in a pass of its own)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.records.parts import Measurement
from bench.records.schema import Metric

METRICS = (
    Metric(
        name="peak_memory_bytes",
        unit="B",
        higher_is_better=False,
        title="Peak memory",
        what="most bytes of tensors alive at once while generating a batch, weights included",
    ),
    Metric(
        name="num_params",
        unit="parameters",
        higher_is_better=None,
        title="Parameters",
        what="parameters of the generator, autoencoder left out",
    ),
    Metric(
        name="flops",
        unit="FLOP",
        higher_is_better=False,
        title="FLOPs per image",
        what="floating-point operations to generate one image by torch's counter, a multiply-add counted as two",
    ),
    Metric(
        name="nfe",
        unit="evaluations",
        higher_is_better=False,
        title="Network evaluations",
        what="forward passes of all parts of the network for one image, guidance passes counted",
    ),
    Metric(
        name="decoder_share",
        unit="",
        higher_is_better=None,
        title="Decoder's share",
        what="share of the parameters that lies in the decoder, 0 to 1",
    ),
)


def summarise(raw: Mapping[str, Any]) -> dict[str, Measurement]:
    """The counts among what bench.timing found of one model; an unknown one (None) is left out."""
    counts = {metric.name: raw.get(metric.name) for metric in METRICS}
    if isinstance(counts["nfe"], Mapping):  # by part of the network
        counts["nfe"] = sum(counts["nfe"].values())
    units = {metric.name: metric.unit for metric in METRICS}
    return {name: Measurement(float(count), units[name]) for name, count in counts.items() if count is not None}
