"""Train a model of paper size on cached latents, in any number of processes: reference_models/training.py's loop.

One optimiser step takes `batch_size` images: each process its share of them, in `accumulate` parts, one part in memory
at a time. Which images a step takes, and all draws at which its loss is computed, are the same for any number of
processes and parts (draws.py), so that the weights are equal up to the rounding of sums. For one number of processes
and parts they are equal to the last bit on a CPU; on a GPU torch's backward passes add in an order of their own.
Nobody has trained a model of full size with this yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.errors import UsageError
from bench.files import write_whole
from bench.training.draws import DRAWS, drop_labels, sample_dropout, sample_noise, shared_uniform
from bench.training.recipes import PaperRecipe
from reference_models.dropout import Dropout
from reference_models.noise import SeededNoise
from reference_models.training import Batches, Progress, optimise

PRECISIONS = ("float32", "tf32", "bfloat16")  # bfloat16: autocast, the weights stay float32


class CachedLatents(Protocol):
    """What is trained on: mean and deviation of each image's latents."""

    labels: np.ndarray  # int64 (N,)
    views: int  # 2 with mirror images, else 1

    def moments(self, index: int, view: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """float32 (C, h, w) each."""


@dataclass(frozen=True)
class Layout:
    """How the samples of a step are shared out."""

    rank: int = 0
    world_size: int = 1
    accumulate: int = 1

    def check(self, batch_size: int, images_per_sample: int) -> None:
        """UsageError where a batch cannot be shared out evenly."""
        whole = self.world_size * self.accumulate * images_per_sample
        if batch_size % whole:
            each = f" x {images_per_sample} images per sample" if images_per_sample > 1 else ""
            raise UsageError(
                f"--batch-size {batch_size}: expected a multiple of {whole} "
                f"({self.world_size} processes x --accumulate {self.accumulate}{each})"
            )

    def parts(self, num_samples: int) -> list[range]:
        """The samples of this process, in the parts that are in memory at a time."""
        size = num_samples // (self.world_size * self.accumulate)
        first = self.rank * self.accumulate
        return [range(k * size, (k + 1) * size) for k in range(first, first + self.accumulate)]


class _Loss(nn.Module):
    """A model whose forward pass is its loss, for DistributedDataParallel."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor, labels: Tensor, *draws: Tensor, **dropout: Dropout) -> Tensor:
        """dropout: under this name, of a recipe that has it."""
        return self.model.loss(latents, labels, *draws, **dropout)


@contextmanager
def process_group(layout: Layout, device: str) -> Iterator[None]:
    """Within the block the processes that torchrun started know each other: by NCCL on GPUs, else by gloo.

    They leave it together. DistributedDataParallel keeps gloo's threads alive beyond the group: one that still drops
    a tensor while its interpreter ends aborts the process, after all its work is done.
    """
    if layout.world_size == 1:
        yield
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo", rank=layout.rank, world_size=layout.world_size)
    try:
        yield
        dist.barrier()
    finally:
        dist.destroy_process_group()


def draw_latents(data: CachedLatents, rows: Tensor, noise: SeededNoise) -> Tensor:
    """A draw from the Gaussian of each image, or of its mirror image.  rows: (B,) or (B, k) -> (B[, k], C, h, w)."""
    views = (noise.uniform(*rows.shape[1:]) * data.views).long().flatten().tolist()
    moments = [data.moments(index, view) for index, view in zip(rows.flatten().tolist(), views, strict=True)]
    mean, deviation = (
        torch.from_numpy(np.stack(part)).to(noise.device).unflatten(0, rows.shape)
        for part in zip(*moments, strict=True)
    )
    return mean + deviation * noise.normal(*mean.shape[1:])


def train_at_paper_scale(
    model: Any,
    data: CachedLatents,
    recipe: PaperRecipe,
    *,
    seed: int,
    layout: Layout,
    precision: str = "float32",
    identity: dict[str, Any],
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 1800.0,
    report: Callable[[Progress], None] = lambda progress: None,
) -> tuple[nn.Module, Progress]:
    """Train `model` in place, on its device, inside a `process_group`; returns its EMA copy and the loss curve.

    identity: what the weights depend on beside recipe, seed and precision, as JSON: the data, where it starts from.
    Another number of processes or parts may go on from a checkpoint.
    UsageError for a batch that cannot be shared out, ValueError for a checkpoint of another run, FloatingPointError
    where the loss is NaN or infinite.
    """
    layout.check(recipe.batch_size, model.images_per_sample)
    make_draws = DRAWS[model.spec.family]
    batches = Batches(torch.from_numpy(data.labels), model.images_per_sample)
    device = model.device
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    if recipe.draws_per_image is not None:
        model.draws_per_image = recipe.draws_per_image

    def part_loss(network: nn.Module, step: int, rows: Tensor, samples: range) -> Tensor:
        noise = sample_noise(seed, step, samples, device)
        rows = rows[samples.start : samples.stop]
        latents = draw_latents(data, rows, noise)
        labels = torch.from_numpy(data.labels)[rows if rows.ndim == 1 else rows[:, 0]].to(device)
        labels = drop_labels(model, labels, noise)
        draws = make_draws(model, noise, shared_uniform(seed, step))
        dropout = {"dropout": sample_dropout(seed, step, samples, recipe.dropout)} if recipe.dropout else {}
        with autocast:
            return network(latents, labels, *draws, **dropout)

    model.requires_grad_(True)
    network: nn.Module = _Loss(model)
    freeze_idle(model, part_loss(network, 0, batches.indices(seed, 0, recipe.batch_size), range(1)))
    if layout.world_size > 1:
        network = DistributedDataParallel(network)

    def gradients(step: int) -> float:
        rows = batches.indices(seed, step, recipe.batch_size)
        parts = layout.parts(len(rows))
        total = torch.zeros((), device=device)
        for samples in parts:
            waits = isinstance(network, DistributedDataParallel) and samples is not parts[-1]
            with network.no_sync() if waits else nullcontext():  # type: ignore[operator]
                value = part_loss(network, step, rows, samples) / layout.accumulate
                value.backward()
            total += value.detach()
        if layout.world_size > 1:
            dist.all_reduce(total)
        mean = float(total) / layout.world_size
        if not math.isfinite(mean):
            raise FloatingPointError(f"{model.spec.name}: the loss is {mean} at step {step}")
        return mean

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=precision == "tf32"):
            return optimise(
                model,
                gradients,
                recipe,
                identity={**identity, "seed": seed, "precision": precision},
                checkpoint=checkpoint,
                checkpoint_every_s=checkpoint_every_s,
                saves=layout.rank == 0,
                report=report,
                write=write_whole,
            )
    finally:
        torch.set_float32_matmul_precision(before)


def freeze_idle(model: nn.Module, loss: Tensor) -> None:
    """Take the parameters that a loss does not read (TransDiff's `reference_proj`) out of training.

    They have no gradient, and DistributedDataParallel would wait for it.
    """
    loss.backward()
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None
