"""What a model costs beside time: parameters, bytes, floating-point operations."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.errors import CheckFailed

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel

FEW = 4  # images whose memory is measured
MOST_PER_PIXEL = 1000  # times the memory of its pixels: more than any small model takes
PIXEL_BYTES = 5  # of a value: float32 from the decoder, then uint8


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


def check_memory(model: ImageModel, batch_size: int, device: str) -> None:
    """CheckFailed, with the estimate, where a batch surely takes more memory than is free.

    A small model is asked with a few images; of one of paper size, the pixels alone are counted: a lower bound.
    """
    import psutil
    import torch

    from bench.protocols import SMALL

    free_bytes = torch.cuda.mem_get_info(device)[0] if device.startswith("cuda") else psutil.virtual_memory().available
    image_bytes: float = PIXEL_BYTES * 3 * model.spec.image_size**2
    if free_bytes / MOST_PER_PIXEL < image_bytes * batch_size < free_bytes and model.spec.scale in SMALL:
        labels = [i % model.num_classes for i in range(FEW)]
        image_bytes = max(image_bytes, peak_memory(lambda _: model.generate(labels, range(FEW)), device) / FEW)
    if image_bytes * batch_size > free_bytes:
        raise CheckFailed(
            f"--batch-size {batch_size}: {model.spec.name} takes at least {image_bytes * batch_size / 1e9:,.0f} GB of "
            f"memory for it, {free_bytes / 1e9:,.0f} GB are free"
        )


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
