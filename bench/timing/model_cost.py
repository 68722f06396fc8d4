"""What a model costs beside time: parameters, bytes, floating-point operations."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reference_models.spec import ImageModel


def collect_size(model: ImageModel) -> dict[str, Any]:
    """num_params; flops of one forward where the paper prints them; decoder_share of TransDiff.

    flops: one network evaluation of one image (DiT, SiT), by torch's counter, a multiply-add is two.
    """
    import torch

    found: dict[str, Any] = {"num_params": sum(p.numel() for p in model.parameters())}
    if model.spec.gflops is not None:
        latents = torch.empty(1, *model.latent_shape, device=model.device)  # type: ignore[arg-type, misc]
        t = torch.empty(1, device=model.device)
        labels = torch.empty(1, dtype=torch.int64, device=model.device)
        found["flops"] = count_flops(lambda _: model(latents, t, labels))
    if model.spec.family.startswith("transdiff"):
        decoder = model.get_submodule("decoder")
        found["decoder_share"] = sum(p.numel() for p in decoder.parameters()) / found["num_params"]
    return found


# -- memory and arithmetic ---------------------------------------------------------------------------------------------


def peak_memory(call: Callable[[int], Any], device: str) -> int:
    """Most bytes of tensors alive at once while `call` runs once, those that were there before (weights) left out.

    On a GPU by torch's allocator; on a CPU by torch's profiler, which sees every allocation and release of a tensor.
    """
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call(0)
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # or the profiler prints its own starts and stops
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        call(0)
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = peak = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def weight_bytes(model: ImageModel) -> int:
    """Bytes of the generator's parameters; its autoencoder is left out."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def count_flops(call: Callable[[int], Any]) -> int:
    """Floating-point operations of one call by torch's own counter: a multiply-add counts two."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        call(0)
    return counter.get_total_flops()
