"""In which numbers a model runs while it generates, as its authors say (published.Precision)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from bench.published import Precision


def precision_name(precision: Precision) -> str:
    """As an identity and a record name it: "float32, float16 autocast", "bfloat16, float32 decoder, TF32"."""
    parts: list[str] = [precision.weights]
    if precision.autocast:
        parts.append(f"{precision.autocast} autocast")
    if precision.decoder:
        parts.append(f"{precision.decoder} decoder")
    return ", ".join([*parts, "TF32"] if precision.tf32 else parts)


# float32 is float32. By torch's default a GPU's convolutions take TF32, ten bits of a number: which way depends on the
# batch, and enough to draw another token (var-digits: another picture in 1 of 40).
PLAIN = Precision()


@contextmanager
def running_in(precision: Precision, device: str) -> Iterator[None]:
    """Within the block torch computes as `precision` says; TF32 is of CUDA devices alone."""
    import torch

    before = torch.get_float32_matmul_precision()
    kind = device.partition(":")[0]
    autocast = torch.autocast(kind, getattr(torch, precision.autocast)) if precision.autocast else nullcontext()
    torch.set_float32_matmul_precision("high" if precision.tf32 else "highest")
    try:
        with autocast, torch.backends.cudnn.flags(enabled=True, allow_tf32=precision.tf32):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
