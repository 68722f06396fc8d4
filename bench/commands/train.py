"""`bench train`: one model or tokenizer of the small scales, or a model of paper size on an ImageNet folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.app import MOST, RESULTS_OPTION, Seed, example, resolve_device
from bench.console import say
from bench.errors import UsageError
from reference_models.sizes.autoencoders import AUTOENCODERS


@example(
    "python -m bench train transdiff-digits --seed 0 --out transdiff.safetensors;",
    "torchrun --nproc-per-node 8 -m bench train transdiff-b --data imagenet/train --autoencoder kl16.ckpt",
)
def train(
    model: Annotated[str, typer.Argument(help="a digits model, or one of 256 pixels, see `bench list`")],
    seed: Seed = 0,
    steps: Annotated[int | None, typer.Option(min=1, max=MOST, help="optimiser steps, instead of the recipe's")] = None,
    out: Annotated[Path | None, typer.Option(help="weights file [default: MODEL--seedS.safetensors]")] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1 or auto [default: cpu; with --data: auto]")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="of a paper's size: a folder with a folder of images for each class")
    ] = None,
    autoencoder: Annotated[Path | None, typer.Option(help="its released file, with --data")] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="of MRAR: weights of the one-step model, released or trained here")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help="images per optimiser step, over all processes, instead of the published"),
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="parts of each process's share of a step [default: 1]")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32, tf32 or bfloat16 (autocast) [default: bfloat16 on a GPU, else float32]"),
    ] = None,
    mirror: Annotated[
        bool | None,
        typer.Option("--mirror/--no-mirror", help="also learn the mirror images, as the authors do [default: mirror]"),
    ] = None,
    checkpoint_minutes: Annotated[
        float | None, typer.Option(min=0, max=MOST, help="between two checkpoints, with --data [default: 30]")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="with --data: latents are kept in its work folder [default: results]", **RESULTS_OPTION),
    ] = None,
) -> None:
    """Train a model. Killed and started again, it resumes and ends in the same weights.

    Digits models bring their data. Models of 256 pixels of TransDiff, MRAR, MAR, DiT and SiT are trained with --data,
    by one process or by torchrun's: latents are encoded once (below the results folder, 84 GB for ImageNet), weights
    averaged. Nobody has trained one at full size with it yet: it is proven on tiny models.

    Published recipes: TransDiff and MAR 800 epochs of batches of 2048, rate 8e-4 after 100 epochs of warm-up, AdamW
    (0.9, 0.95), weight decay 0.02 but on vectors and the diffusion part, dropout 0.1 in all transformer blocks, average
    0.9999, gradient norm 3. MRAR the same but 40 epochs of 2048 rows of four, rate 5e-5, warm-up 10, 2 draws per image.
    DiT and SiT 1400 epochs of 256, rate 1e-4, no decay, no dropout. What is not published, and what is not done here,
    stands in the first lines of a training. No loop: LlamaGen, VAR, D-DiT, 512 pixels."""
    path = out or Path(f"{model}--seed{seed}.safetensors")
    from bench.commands.train_paper import Asked, train_paper_model
    from reference_models import find

    asked = Asked(data, autoencoder, start_from, batch_size, accumulate, precision, mirror, checkpoint_minutes, results)
    if model in AUTOENCODERS or find(model).recipe is not None:
        if asked.given:
            raise UsageError(f"{model} brings its data and its recipe: leave out {', '.join(asked.given)}")
        from bench.sampling.ranks import this_rank
        from bench.training.train import train_model

        if (several := this_rank().world_size) > 1:
            raise UsageError(f"{model} is trained by one process, WORLD_SIZE={several}: start it without torchrun")

        written: Path | None = train_model(
            model, seed=seed, num_steps=steps, out=path, device=resolve_device("cpu" if device is None else device)
        )
    else:
        written = train_paper_model(
            model, asked, seed=seed, num_steps=steps, out=path, device="auto" if device is None else device
        )
    if written is not None:
        say(f"weights: {written}")
