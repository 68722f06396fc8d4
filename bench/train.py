"""Train one of the digits models: data from datasets/, the loop from reference_models/training.py.

python -m bench train transdiff-digits --seed 0
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.console import progress
from bench.environment import commit, machine
from bench.records import UsageError

LOSS_POINTS = 100  # the loss curve is kept as this many means


def train_model(name: str, *, seed: int, num_steps: int | None, out: Path, device: str = "cpu") -> Path:
    """Train a digits model and save its EMA weights to `out`, with how they came about as metadata.

    Resumes from `out` with suffix .checkpoint if a run was interrupted. UsageError where the model has no recipe.
    """
    import torch
    from safetensors.torch import save_file

    from bench.datasets import digits
    from reference_models import build, find, shipped_weights
    from reference_models.checkpoints import read_state
    from reference_models.training import Progress, train

    spec = find(name)
    if spec.recipe is None:
        raise UsageError(
            f"model {name!r} cannot be trained here: only models of the digits scale have a training recipe"
        )
    recipe = spec.recipe if num_steps is None else replace(spec.recipe, num_steps=num_steps)
    images, labels_array = digits.load("train")
    labels = torch.from_numpy(labels_array).to(device)
    model: Any = build(name, device=device, weights=None, seed=seed)
    if recipe.start_from is not None:
        start = shipped_weights(recipe.start_from)
        if start is None:
            raise UsageError(f"model {name!r} is fine-tuned from {recipe.start_from!r}, whose weights are not shipped")
        model.init_from_one_step(read_state(start))
    with torch.inference_mode():
        scaled = torch.from_numpy(images).to(device).float() / 127.5 - 1
        latents = model.autoencoder.encode(scaled)
    latents = latents.clone()
    model.requires_grad_(True)
    checkpoint = out.with_suffix(".checkpoint")

    with progress(f"train {name}", recipe.num_steps) as bar:

        def report(state: Progress) -> None:
            recent = state.losses[-100:]
            bar.update(state.step, f"loss {sum(recent) / len(recent):.4f}")

        def loss(indices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            y = labels[indices]
            return model.training_loss(latents[indices], y if y.ndim == 1 else y[:, 0], generator)

        try:
            ema, state = train(
                model,
                loss,
                labels,
                recipe,
                seed=seed,
                images_per_sample=model.images_per_sample,
                checkpoint=checkpoint,
                report=report,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error
    curve = [float(part.mean()) for part in np.array_split(np.array(state.losses), min(LOSS_POINTS, len(state.losses)))]
    source = commit()
    metadata = {
        "model": name,
        "command": f"python -m bench train {name} --seed {seed}"
        + ("" if num_steps is None else f" --steps {num_steps}"),
        "commit": f"{source['commit']}{' + changes' if source['dirty'] else ''}",
        "seed": str(seed),
        "steps": str(state.step),
        "images_seen": str(state.step * recipe.batch_size),
        "wall_s": f"{state.wall_s:.1f}",
        "machine": machine(device),
        "num_params": str(sum(p.numel() for p in ema.parameters())),
        "loss_curve": json.dumps([round(value, 5) for value in curve]),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    weights = {key: value.detach().cpu().contiguous() for key, value in ema.state_dict().items()}
    save_file(weights, out.with_suffix(".tmp"), metadata)
    os.replace(out.with_suffix(".tmp"), out)
    checkpoint.unlink(missing_ok=True)
    return out
