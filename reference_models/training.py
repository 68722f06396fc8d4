"""One training loop for every model, of the digits scale and of the papers': AdamW, warm-up, EMA, gradient clipping;
resumable. `optimise` is the loop, `train` one process at the digits scale; bench/training/paper_scale.py runs many.

Deterministic: what step s does depends on (seed, s) alone - the batch from a permutation seeded by (seed, epoch), the
draws of the loss from a generator seeded by (seed, s). So a run that is killed and resumed ends in the same weights.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, nn

from reference_models.errors import CheckpointError
from reference_models.spec import Recipe

Loss = Callable[[Tensor, torch.Generator], Tensor]  # (indices of the images of one batch, generator) -> scalar


@dataclass
class Progress:
    """Where a training run stands; also what is kept of it."""

    step: int  # optimiser steps done
    num_steps: int
    losses: list[float]  # one per step
    wall_s: float  # training time, interruptions left out


def seed_of(*parts: int) -> int:
    """A 63-bit hash of some numbers: neighbouring runs and steps share no draws."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Batches:
    """The images of each step, of a data set with these labels, int64 (N,); a function of (seed, step) alone.

    Single images come from one permutation per epoch, so each image is seen equally often. Rows of k images: for each
    row a class drawn by its frequency (that of a random image), then k different images of it.
    """

    def __init__(self, labels: Tensor, images_per_sample: int = 1):
        self.labels, self.images_per_sample = labels.cpu().numpy(), images_per_sample
        self.members: dict[int, np.ndarray] = {}  # the images of a class
        self.orders: dict[tuple[int, int], np.ndarray] = {}  # the permutations of the epochs of the last step

    def indices(self, seed: int, step: int, batch_size: int) -> Tensor:
        """int64 (batch_size,), or (batch_size / k, k): samples of k images of a class."""
        num_images, k = len(self.labels), self.images_per_sample
        if k == 1:
            position = step * batch_size + np.arange(batch_size)
            epochs = position // num_images
            needed = [(seed, int(epoch)) for epoch in np.unique(epochs)]
            self.orders = {
                key: self.orders[key]
                if key in self.orders
                else np.random.default_rng(list(key)).permutation(num_images)
                for key in needed
            }
            chosen = np.empty(batch_size, np.int64)
            for key in needed:
                here = epochs == key[1]
                chosen[here] = self.orders[key][position[here] % num_images]
            return torch.from_numpy(chosen)
        rng = np.random.default_rng([seed, step, k])
        first = rng.integers(num_images, size=batch_size // k)
        return torch.from_numpy(np.stack([rng.choice(self.of_class(self.labels[i]), k, replace=False) for i in first]))

    def of_class(self, label: int) -> np.ndarray:
        if label not in self.members:
            self.members[label] = np.flatnonzero(self.labels == label)
        return self.members[label]


def batch_indices(seed: int, step: int, batch_size: int, labels: Tensor, images_per_sample: int = 1) -> Tensor:
    """`Batches.indices` of one step."""
    return Batches(labels, images_per_sample).indices(seed, step, batch_size)


def decay_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The parameters for AdamW, with and without weight decay.

    "matrices" is what the authors of TransDiff and MAR do: no decay on vectors (biases, norms), nor on the diffusion
    part, which a model names in `undecayed` by the beginnings of its parameters' names. DiT and SiT: weight_decay 0.
    """
    if recipe.decay_on not in ("all", "matrices"):
        raise ValueError(f"unknown decay_on {recipe.decay_on!r}; known: all, matrices")
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if recipe.decay_on == "all":
        return [{"params": [p for _, p in named], "weight_decay": recipe.weight_decay}]
    undecayed: Iterable[str] = getattr(model, "undecayed", ())
    is_free = {name: p.ndim < 2 or name.startswith(tuple(undecayed)) for name, p in named}
    return [
        {"params": [p for name, p in named if not is_free[name]], "weight_decay": recipe.weight_decay},
        {"params": [p for name, p in named if is_free[name]], "weight_decay": 0.0},
    ]


def write_whole(path: Path, fill: Callable[[IO[bytes]], None]) -> None:
    """Put what `fill` writes at `path`, whole or not at all. CheckpointError where it is no name of a regular file."""
    if not path.name or (path.exists() and not path.is_file()):  # renaming would put a file in a device's place
        raise CheckpointError(f"{path}: cannot be written: not the name of a regular file")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "wb") as file:
            fill(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


Writer = Callable[[Path, Callable[[IO[bytes]], None]], None]


ZIP_START = b"PK\x03\x04"  # of what torch.save writes


class _Hashing:
    """A file that is written, and the checksum of what was."""

    def __init__(self, file: IO[bytes]):
        self.file, self.digest = file, hashlib.sha256()
        self.fault: OSError | None = None

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        try:
            return self.file.write(content)
        except OSError as error:
            self.fault = error
            raise

    def flush(self) -> None:
        self.file.flush()


def save_checkpoint(content: Mapping[str, Any], path: Path, write: Writer = write_whole) -> None:
    """Write what torch.save makes of `content`, then its sha256 (32 bytes): whole or not at all."""

    def fill(file: IO[bytes]) -> None:
        hashing = _Hashing(file)
        try:
            torch.save(content, hashing)  # type: ignore[arg-type]  # it writes and flushes, no more
        except RuntimeError:  # its own word for a full disk: "unexpected pos"
            if hashing.fault:
                raise hashing.fault from None
            raise
        file.write(hashing.digest.digest())

    write(path, fill)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote. ValueError, in one line, for anything else, a single flipped bit included.

    Tensors are mapped from the file, not read: of several processes on a machine none holds a copy of its own.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device has no end
        raise ValueError(f"checkpoint {path} cannot be read: no regular file; delete it")
    left = path.stat().st_size - 32
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        begins_well = file.read(len(ZIP_START)) == ZIP_START  # else known at once, whatever size the file claims
        file.seek(0)
        while begins_well and left > 0 and (part := file.read(min(left, 2**20))):
            digest.update(part)
            left -= len(part)
        if not begins_well or file.read(33) != digest.digest():
            raise ValueError(f"checkpoint {path} cannot be read: damaged, or not written by this version; delete it")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # the 32 bytes behind do not disturb it


def train(
    model: nn.Module,
    loss: Loss,
    labels: Tensor,
    recipe: Recipe,
    *,
    seed: int = 0,
    images_per_sample: int = 1,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 20.0,
    report: Callable[[Progress], None] = lambda progress: None,
    write: Writer = write_whole,
) -> tuple[nn.Module, Progress]:
    """Train `model` in place, in this process; returns its EMA copy and the loss curve. Arguments: see `optimise`."""
    generator = torch.Generator(device=labels.device)
    batches = Batches(labels, images_per_sample)

    def gradients(step: int) -> float:
        generator.manual_seed(seed_of(seed, step))
        indices = batches.indices(seed, step, recipe.batch_size).to(labels.device)
        value = loss(indices, generator)
        value.backward()
        return float(value.detach())

    return optimise(
        model,
        gradients,
        recipe,
        identity={"seed": seed},
        checkpoint=checkpoint,
        checkpoint_every_s=checkpoint_every_s,
        report=report,
        write=write,
    )


def optimise(
    model: nn.Module,
    gradients: Callable[[int], float],
    recipe: Recipe,
    *,
    identity: Mapping[str, Any],
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 20.0,
    saves: bool = True,
    report: Callable[[Progress], None] = lambda progress: None,
    write: Writer = write_whole,
) -> tuple[nn.Module, Progress]:
    """Train `model` in place; returns its EMA copy and the loss curve.

    gradients: of step s, added to those of the parameters, which are None; returns the loss.
    identity: what the run depends on beside recipe and network.  checkpoint: file to resume from and to save to;
    deleted by nobody here. A checkpoint of another identity is refused with ValueError.
    write: how a checkpoint gets to its path.
    saves: False in all but one of several processes that train the same model.  report: called after every step.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if recipe.draws_per_image is not None:
        model.draws_per_image = recipe.draws_per_image  # type: ignore[assignment]
    optimizer = torch.optim.AdamW(decay_groups(model, recipe), lr=recipe.lr, betas=recipe.betas)
    ema = deepcopy(model).eval().requires_grad_(False)
    pairs = list(zip(ema.parameters(), model.parameters(), strict=True))
    progress = Progress(0, recipe.num_steps, [], 0.0)
    shapes = sorted((key, tuple(value.shape)) for key, value in model.state_dict().items())
    saved: dict[str, Any] | None = None
    identity = {**asdict(recipe), **identity, "network": hashlib.sha256(repr(shapes).encode()).hexdigest()}
    with suppress(FileNotFoundError):  # another process of the same run may have just ended, and removed it
        saved = load_checkpoint(checkpoint) if checkpoint is not None else None
    if saved is not None:
        if saved.get("identity") != identity:
            raise ValueError(
                f"checkpoint {checkpoint} belongs to another recipe or seed; delete it or pass another --out"
            )
        model.load_state_dict(saved["model"])
        ema.load_state_dict(saved["ema"])
        optimizer.load_state_dict(saved["optimizer"])
        progress = Progress(saved["step"], recipe.num_steps, saved["losses"].tolist(), saved["wall_s"])

    def save() -> None:
        if checkpoint is None or not saves:
            return
        content = {
            "identity": identity,
            "model": model.state_dict(),
            "ema": ema.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": progress.step,
            "losses": torch.tensor(progress.losses, dtype=torch.float64),
            "wall_s": progress.wall_s,
        }
        save_checkpoint(content, checkpoint, write)

    model.train()
    last_save = time.monotonic()
    for step in range(progress.step, recipe.num_steps):
        start = time.monotonic()
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate(step)
        optimizer.zero_grad(set_to_none=True)
        value = gradients(step)
        if recipe.grad_clip:
            torch.nn.utils.clip_grad_norm_(parameters, recipe.grad_clip)
        optimizer.step()
        with torch.no_grad():
            decay = recipe.ema_decay_at(step)
            torch._foreach_lerp_([e for e, _ in pairs], [p for _, p in pairs], 1 - decay)
        progress.losses.append(value)
        progress.step = step + 1
        progress.wall_s += time.monotonic() - start
        report(progress)
        if time.monotonic() - last_save > checkpoint_every_s:
            save()
            last_save = time.monotonic()
    save()
    for ema_buffer, buffer in zip(ema.buffers(), model.buffers(), strict=True):
        ema_buffer.copy_(buffer)
    model.eval()
    return ema, progress
