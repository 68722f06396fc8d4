"""Train many small models at once: `bench reproduce --retrain`, and the further training seeds of a study.

Each training runs on one thread of a process of its own, as many at a time as there are cores (on a GPU one). What a
model is made from - its tokenizer, the model it is fine-tuned from - comes before it.
Resumable: finished weights are kept where their recipe and ingredients are unchanged, a broken training goes on from
its checkpoint. To start over, delete the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from bench.console import say
from bench.errors import CheckFailed, CheckpointError, UsageError
from bench.files import read_text, sweep_temporaries
from bench.models import seed_folder
from bench.processes import Job, run_jobs
from bench.records.environment import num_workers
from bench.training.train import train_model
from reference_models.shipped import FOLDER_VARIABLE
from reference_models.sizes.autoencoders import AUTOENCODERS


def ingredients(name: str) -> list[str]:
    """The models and tokenizers whose weights go into the training of this one."""
    from reference_models import find

    if name in AUTOENCODERS:
        return []
    spec = find(name)
    found = [spec.autoencoder] if AUTOENCODERS[spec.autoencoder].recipe else []
    return found + ([spec.recipe.start_from] if spec.recipe and spec.recipe.start_from else [])


def with_ingredients(names: Iterable[str]) -> list[str]:
    """These names and all that they are made from, each after what it is made from."""
    made_from: dict[str, list[str]] = {}
    waiting = list(names)
    for name in waiting:
        if name not in made_from:
            made_from[name] = ingredients(name)
            waiting += made_from[name]
    return list(TopologicalSorter(made_from).static_order())


def finished(name: str, folder: Path) -> bool:
    """Whether `folder` holds the weights of a whole training by today's recipe from the ingredients that lie there.

    Weights that are damaged are said to be, and made again.
    """
    from safetensors import safe_open

    from bench.models import file_sha256
    from reference_models import find
    from reference_models.checkpoints import read_state

    path = folder / f"{name}.safetensors"
    if not path.is_file():
        return False
    recipe = (AUTOENCODERS[name] if name in AUTOENCODERS else find(name)).recipe
    try:
        read_state(path)
    except CheckpointError as error:
        say(f"train {name}: {error}; made again")
        return False
    with safe_open(path, "pt") as file:
        metadata: Mapping[str, str] = file.metadata() or {}
    parts = {part: folder / f"{part}.safetensors" for part in ingredients(name)}
    try:
        made_from: dict[str, Any] = dict(json.loads(metadata.get("made_from_sha256", "{}")))
        same_recipe = recipe is not None and json.loads(metadata.get("recipe", "{}")) == asdict(recipe)
    except (ValueError, TypeError, RecursionError):  # metadata of another program
        return False
    return same_recipe and all(
        part.is_file() and made_from.get(key) == file_sha256(part) for key, part in parts.items()
    )


def train_all(names: Iterable[str], *, seed: int, folder: Path, device: str, num_steps: int | None = None) -> None:
    """Train these models and what they are made from into `folder`. CheckFailed where a training fails.

    num_steps: optimiser steps of each, instead of its recipe's
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for name in with_ingredients(names):
        if finished(name, folder):
            say(f"train {name} (seed {seed}): done before")
            continue
        out = folder / f"{name}.safetensors"
        call = partial(train_model, name, seed=seed, num_steps=num_steps, out=out, device=device)
        jobs.append(Job(name, call, after=tuple(ingredients(name)), log=folder / f"{name}.log"))
    threads = {} if device.startswith("cuda") else {"OMP_NUM_THREADS": "1"}
    environment = {FOLDER_VARIABLE: str(folder.resolve()), **threads}
    running = run_jobs(jobs, num_workers=num_workers(device), environment=environment, look=print_progress)
    try:
        with closing(running) as outcomes:
            for outcome in outcomes:
                if outcome.error:
                    raise CheckFailed(f"training {outcome.job.name} (seed {seed}) failed: {outcome.error}")
                say(f"train {outcome.job.name} (seed {seed}): done")
    finally:
        sweep_temporaries(folder)  # of workers that an interruption ended: they could not tidy up


def print_progress(running: Sequence[Job]) -> None:
    for job in running:
        say((job.log and last_line(job.log)) or f"train {job.name}: starting")


def retrain_for(scale: str, only: Sequence[str], results: Path, device: str) -> None:
    """Train every model of a small scale (or those of `only`) into `results`, and let this process use them."""
    from bench.protocols import SMALL
    from bench.records.store import WORK
    from reference_models import specs

    if scale not in SMALL:
        raise UsageError(f"--retrain trains models of the scales {' and '.join(SMALL)}, not of {scale}")
    folder = results / WORK / "weights"
    names = [
        name
        for name, spec in specs().items()
        if spec.scale == scale and spec.recipe and not spec.ingredient and (not only or name in only)
    ]
    train_all(names, seed=0, folder=folder, device=device)
    os.environ[FOLDER_VARIABLE] = str(folder.resolve())


def train_seeds_for(studies: Sequence[str], results: Path, device: str) -> None:
    """Train the models that these studies need (all of them where none is named) with further training seeds."""
    from bench.records.store import WORK
    from bench.studies import STUDIES, runs_of

    needed: dict[int, dict[str, None]] = {}
    for run in runs_of(studies or STUDIES):
        if run.protocol.training_seed:
            needed.setdefault(run.protocol.training_seed, {})[run.model] = None
    for seed, names in sorted(needed.items()):
        train_all(names, seed=seed, folder=seed_folder(results / WORK, seed), device=device)


def last_line(log: Path) -> str:
    lines = read_text(log, errors="replace").split("\n") if log.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
