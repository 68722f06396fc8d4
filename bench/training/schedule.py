"""Train many small models at once: `bench reproduce --retrain`, and the further training seeds of a study.

Each training is a `python -m bench train` of its own on one processor thread, as many at a time as there are
processors (on a GPU one). What a model is made from - its tokenizer, the model it is fine-tuned from - comes before it.
Resumable: finished weights are kept where their recipe and ingredients are unchanged, a broken training goes on from
its checkpoint. To start over, delete the folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.errors import CheckFailed, UsageError
from bench.models import seed_folder
from bench.processes import die_with_parent

LOOK_EVERY_S, PRINT_EVERY_S = 0.5, 30.0


def ingredients(name: str) -> list[str]:
    """The models and tokenizers whose weights go into the training of this one."""
    from reference_models import find
    from reference_models.autoencoders import AUTOENCODERS

    if name in AUTOENCODERS:
        return []
    spec = find(name)
    found = [spec.autoencoder] if AUTOENCODERS[spec.autoencoder].recipe else []
    return found + ([spec.recipe.start_from] if spec.recipe and spec.recipe.start_from else [])


def with_ingredients(names: Iterable[str]) -> list[str]:
    """These names, each after what it is made from."""
    ordered: dict[str, None] = {}
    for name in names:
        ordered |= dict.fromkeys([*with_ingredients(ingredients(name)), name])
    return list(ordered)


def finished(name: str, folder: Path) -> bool:
    """Whether `folder` holds the weights of a whole training by today's recipe from the ingredients that lie there."""
    from safetensors import safe_open

    from bench.models import file_sha256
    from reference_models import find
    from reference_models.autoencoders import AUTOENCODERS

    path = folder / f"{name}.safetensors"
    if not path.is_file():
        return False
    recipe = (AUTOENCODERS[name] if name in AUTOENCODERS else find(name)).recipe
    with safe_open(path, "pt") as file:
        metadata: Mapping[str, str] = file.metadata() or {}
    parts = {part: folder / f"{part}.safetensors" for part in ingredients(name)}
    made_from: dict[str, Any] = json.loads(metadata.get("made_from_sha256", "{}"))
    return (
        recipe is not None
        and json.loads(metadata.get("recipe", "{}")) == asdict(recipe)
        and all(part.is_file() and made_from.get(key) == file_sha256(part) for key, part in parts.items())
    )


def train_all(names: Iterable[str], *, seed: int, folder: Path, device: str) -> None:
    """Train these models and what they are made from into `folder`. CheckFailed where a training fails."""
    from reference_models.checkpoints import FOLDER_VARIABLE

    folder.mkdir(parents=True, exist_ok=True)
    waiting = with_ingredients(names)
    done = [name for name in waiting if finished(name, folder)]
    for name in done:
        print(f"train {name} (seed {seed}): done before", flush=True)
    waiting = [name for name in waiting if name not in done]
    on_gpu = device.startswith("cuda")
    slots = 1 if on_gpu else (os.cpu_count() or 1)
    environment = {**os.environ, FOLDER_VARIABLE: str(folder.resolve())}
    if not on_gpu:
        environment["OMP_NUM_THREADS"] = "1"
    running: dict[str, subprocess.Popen[bytes]] = {}
    printed = time.monotonic()
    try:
        while waiting or running:
            ready = [name for name in waiting if all(part in done for part in ingredients(name))]
            for name in ready[: slots - len(running)]:
                out = folder / f"{name}.safetensors"
                command = [sys.executable, "-m", "bench", "train", name, "--seed", str(seed), "--out", str(out)]
                with open(folder / f"{name}.log", "wb") as log:
                    running[name] = subprocess.Popen(
                        [*command, "--device", device],
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        env=environment,
                        preexec_fn=die_with_parent,
                    )
                waiting.remove(name)
            time.sleep(LOOK_EVERY_S)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                if running.pop(name).returncode:
                    raise CheckFailed(f"training {name} (seed {seed}) failed: {last_line(folder / f'{name}.log')}")
                done.append(name)
                print(f"train {name} (seed {seed}): done", flush=True)
            if time.monotonic() - printed > PRINT_EVERY_S:
                printed = time.monotonic()
                for name in running:
                    print(last_line(folder / f"{name}.log") or f"train {name}: starting", flush=True)
    finally:
        for process in running.values():
            process.terminate()
            process.wait()


def retrain_for(scale: str, only: Sequence[str], results: Path, device: str) -> None:
    """Train every model of a small scale (or those of `only`) into `results`, and let this process use them."""
    from bench.protocols import SMALL
    from bench.records.store import WORK
    from reference_models import specs
    from reference_models.checkpoints import FOLDER_VARIABLE

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
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
