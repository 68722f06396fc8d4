"""`bench train`: one model or tokenizer of the small scales."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.app import MOST, Device, Seed, example, resolve_device


@example("python -m bench train transdiff-digits --seed 0 --out transdiff.safetensors")
def train(
    model: Annotated[str, typer.Argument(help="a digits model, see `bench list`")],
    seed: Seed = 0,
    steps: Annotated[int | None, typer.Option(min=1, max=MOST, help="optimiser steps, instead of the recipe's")] = None,
    out: Annotated[Path | None, typer.Option(help="weights file [default: MODEL--seedS.safetensors]")] = None,
    device: Device = "cpu",
) -> None:
    """Train a digits model. Killed and started again, it resumes and ends in the same weights."""
    from bench.training.train import train_model

    path = out or Path(f"{model}--seed{seed}.safetensors")
    print(f"weights: {train_model(model, seed=seed, num_steps=steps, out=path, device=resolve_device(device))}")
