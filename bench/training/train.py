"""Train a model or a tokenizer of the digits scale: data from datasets/, the loop from reference_models/training.py.
(Paper sizes: paper_scale.py, with the same loop.)

python -m bench train transdiff-digits --seed 0

What a model is made from - its tokenizer, the model it is fine-tuned from - is read where shipped weights are read:
in the package, or in the folder that the environment variable ARBITER_WEIGHTS names.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.console import progress
from bench.errors import CheckFailed, UsageError
from bench.files import check_target, make_folder, making, write_whole
from bench.models import file_sha256
from bench.records.environment import commit, machine
from reference_models.shipped import shipped_weights
from reference_models.sizes.autoencoders import AUTOENCODERS

if TYPE_CHECKING:
    from torch import Tensor

    from reference_models.spec import Recipe
    from reference_models.training import Loss, Progress


CURVE_BYTES = 40  # of memory, for the loss of one step
COPIES = 4  # of the weights in a checkpoint: model, EMA, two moments of AdamW
FORECAST_AFTER_S = 3.0
LONG_S = 3600.0  # a training that takes longer is announced
LOSS_POINTS = 100  # the loss curve is kept as this many means


@dataclass(frozen=True)
class Job:
    """What is trained, on which loss."""

    model: Any
    recipe: Recipe
    labels: Tensor  # of the training images, int64 (N,): an epoch is a permutation of them
    loss: Loss  # (indices of the images of a batch, generator) -> scalar
    images_per_sample: int = 1
    made_from: tuple[Path, ...] = ()  # other weights files that went into it
    stored: str = "float32"  # what the weights are rounded to in their file


def train_model(name: str, *, seed: int, num_steps: int | None, out: Path, device: str = "cpu") -> Path:
    """Train a digits model or tokenizer and save its EMA weights to `out`, with how they came about as metadata.

    Resumes from its checkpoint beside `out` if a run was interrupted. UsageError where it has no recipe.
    """
    import torch

    from reference_models import find
    from reference_models.training import train

    if name in AUTOENCODERS:
        make_job = tokenizer_job
    else:
        make_job = scenes_job if find(name).scale == "scenes" else model_job
    job = make_job(name, seed, device)
    recipe = job.recipe if num_steps is None else replace(job.recipe, num_steps=num_steps)
    job.model.requires_grad_(True)
    check_room(job.model, recipe, out)
    checkpoint = checkpoint_path(name, seed, recipe, out)
    make_folder(out.parent, "--out")
    with making(out, identity_of(name, seed, recipe), "--out"), progress(f"train {name}", recipe.num_steps) as bar:
        begun = time.monotonic()
        announced = False

        def report(state: Progress) -> None:
            nonlocal announced
            if not announced and time.monotonic() - begun > FORECAST_AFTER_S:
                announced = True
                left_s = state.wall_s / state.step * (recipe.num_steps - state.step)
                if left_s > LONG_S:
                    print(f"train {name}: {left_s / 3600:,.1f} hours to go at this pace", flush=True)
            recent = state.losses[-100:]
            bar.update(state.step, f"loss {sum(recent) / len(recent):.4f}")

        try:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # float32 is float32
                ema, state = train(
                    job.model,
                    job.loss,
                    job.labels,
                    recipe,
                    seed=seed,
                    images_per_sample=job.images_per_sample,
                    checkpoint=checkpoint,
                    report=report,
                    write=write_whole,
                )
        except ValueError as error:
            raise UsageError(str(error)) from error
        command = f"python -m bench train {name} --seed {seed}" + ("" if num_steps is None else f" --steps {num_steps}")
        metadata = history(name, command, seed, recipe, ema, state, device)
        if job.made_from:
            metadata["made_from_sha256"] = json.dumps({path.stem: file_sha256(path) for path in job.made_from})
        write_weights(ema, out, metadata, stored=job.stored)
        checkpoint.unlink(missing_ok=True)
    return out


def history(
    name: str, command: str, seed: int, recipe: Recipe, ema: Any, state: Progress, device: str
) -> dict[str, str]:
    """How weights came about: the metadata of their file."""
    curve = [float(part.mean()) for part in np.array_split(np.array(state.losses), min(LOSS_POINTS, len(state.losses)))]
    source = commit()
    return {
        "model": name,
        "command": command,
        "commit": f"{source['commit']}{' + changes' if source['dirty'] else ''}",
        "seed": str(seed),
        "steps": str(state.step),
        "recipe": json.dumps(asdict(recipe)),
        "images_seen": str(state.step * recipe.batch_size),
        "wall_s": f"{state.wall_s:.1f}",
        "machine": machine(device),
        "num_params": str(sum(p.numel() for p in ema.parameters())),
        "loss_curve": json.dumps([round(value, 5) for value in curve]),
    }


def write_weights(ema: Any, out: Path, metadata: dict[str, str], *, stored: str = "float32") -> None:
    """Save the weights of a network to `out`, whole or not at all.  stored: what they are rounded to."""
    import torch
    from safetensors.torch import save

    from reference_models.checkpoints import CHECKSUM, own_sha256

    dtype = getattr(torch, stored)
    weights = {key: value.detach().to("cpu", dtype).contiguous() for key, value in ema.state_dict().items()}
    write_whole(out, save(weights, metadata | {CHECKSUM: own_sha256(weights, metadata)}))


def check_room(model: Any, recipe: Recipe, out: Path) -> None:
    """Find out, before any step, whether weights and checkpoint can be written and the loss curve be held.

    UsageError or CheckFailed, in one line.
    """
    from psutil import virtual_memory

    curve_bytes, free_bytes = CURVE_BYTES * recipe.num_steps, virtual_memory().available
    if curve_bytes > free_bytes:
        raise CheckFailed(
            f"--steps {recipe.num_steps}: the losses alone take {curve_bytes / 1e9:,.0f} GB of memory, "
            f"{free_bytes / 1e9:,.0f} GB are free"
        )
    weights_bytes = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    needed_bytes = 2 * COPIES * weights_bytes + 8 * recipe.num_steps  # twice: the new checkpoint beside the old one
    check_target(out, "--out", needed_bytes=needed_bytes)


def checkpoint_path(name: str, seed: int, recipe: Recipe, out: Path) -> Path:
    """Where a training keeps its state: a name of its own, so that two into one folder, or one file, share nothing."""
    return out.with_name(f"{out.name}.{identity_of(name, seed, recipe)}.checkpoint")


def identity_of(name: str, seed: int, recipe: Recipe) -> str:
    """Eight hexadecimal digits for what is trained."""
    identity = json.dumps([name, seed, asdict(recipe)], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:8]


def digits_on(device: str) -> tuple[Tensor, Tensor]:
    """Training scans in [-1, 1], float32 (N, 3, 8, 8), and their labels, int64 (N,)."""
    import torch

    from bench.datasets import digits

    images, labels = digits.load("train")
    return torch.from_numpy(images).to(device).float() / 127.5 - 1, torch.from_numpy(labels).to(device)


def model_job(name: str, seed: int, device: str) -> Job:
    """A generator, trained on the latents (or tokens) of all scans."""
    import torch

    from reference_models import build, find

    spec = find(name)
    if spec.recipe is None:
        raise UsageError(
            f"model {name!r} cannot be trained here: only models of the digits scale have a training recipe"
        )
    made_from = []
    model: Any = build(name, device=device, weights=None, seed=seed)
    if start := starting_weights(name, spec.recipe):
        model.init_from_one_step(build(str(spec.recipe.start_from), weights=start).state_dict())
        made_from.append(start)
    if AUTOENCODERS[spec.autoencoder].recipe is not None:
        tokenizer = shipped_weights(spec.autoencoder)
        if tokenizer is None:
            raise UsageError(f"model {name!r} generates tokens of {spec.autoencoder!r}, which has no weights here")
        made_from.append(tokenizer)
    images, labels = digits_on(device)
    with torch.inference_mode():
        latents = model.autoencoder.encode(images)
    latents = latents.clone()  # inference tensors take no part in training

    jitter = spec.recipe.jitter

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        y, chosen = labels[indices], latents[indices]
        if jitter:
            noise = torch.randn(images[indices, :1].shape, generator=generator, device=images.device)
            with torch.no_grad():
                chosen = model.autoencoder.encode(images[indices] + jitter * noise)
        return model.training_loss(chosen, y if y.ndim == 1 else y[:, 0], generator)

    return Job(model, spec.recipe, labels, loss, model.images_per_sample, tuple(made_from))


def starting_weights(name: str, recipe: Recipe) -> Path | None:
    """The weights that a model is fine-tuned from; None where it is trained from nothing."""
    if recipe.start_from is None:
        return None
    start = shipped_weights(recipe.start_from)
    if start is None:
        raise UsageError(
            f"model {name!r} is fine-tuned from {recipe.start_from!r}, which has no weights here: "
            f"python -m bench train {recipe.start_from} --out reference_models/weights/{recipe.start_from}.safetensors"
        )
    return start


def scenes_job(name: str, seed: int, device: str) -> Job:
    """A generator of images and text, trained on fresh scenes: in each step one caption and some questions of each."""
    import torch

    from bench.datasets import scenes
    from reference_models import build, find
    from reference_models.checkpoints import load_into, read_own_state
    from reference_models.spec import ScenesRecipe

    recipe = find(name).recipe
    assert isinstance(recipe, ScenesRecipe), f"every model of the scenes scale has a recipe: {name}"
    model: Any = build(name, device=device, weights=None, seed=seed)
    if start := starting_weights(name, recipe):
        load_into(model, read_own_state(start), str(start))
    weighted = {} if recipe.text_weight is None else {"text_weight": recipe.text_weight}
    tokenizer, lengths = model.tokenizer, (model.text_length, model.question_length)
    indices = torch.arange(scenes.NUM_TRAIN_SCENES, device=device)

    def loss(indices: Tensor, generator: torch.Generator) -> Tensor:
        batch = [scenes.scene("train", seed, index) for index in indices.tolist()]
        draws = torch.rand(len(batch), 1 + recipe.num_questions, generator=generator, device=generator.device).tolist()
        captions, asked, answered = [], [], []
        for scene, (first, *others) in zip(batch, draws, strict=True):
            captions.append(scene.caption(int(first * len(scenes.WORDINGS))))
            questions = scene.questions
            for draw in others:
                question = questions[int(draw * len(questions))]
                asked.append(question.text)
                answered.append(f"{question.text} {question.answer}")
        images = torch.from_numpy(np.stack([scene.image for scene in batch])).to(device)
        images = images.float() / 127.5 - 1
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        latents, read = (model.autoencoder.encode(x) for x in (images, images + recipe.jitter * noise))
        tokens, prompts, texts = (
            tokenizer.tokenize(rows, length).to(device)
            for rows, length in zip((captions, asked, answered), (*lengths, lengths[1]), strict=True)
        )
        to_learn = (prompts == tokenizer.end_id).long()
        return model.training_loss(latents, tokens, generator, questions=(texts, to_learn), read=read, **weighted)

    # Half precision, so that all shipped weights stay below 25 MB; what training goes on from is not rounded.
    stored = "float32" if find(name).ingredient else "float16"
    return Job(model, recipe, indices, loss, made_from=(start,) if start else (), stored=stored)


def tokenizer_job(name: str, seed: int, device: str) -> Job:
    """A tokenizer, trained on the scans themselves."""
    from reference_models.autoencoders import build_autoencoder

    spec = AUTOENCODERS[name]
    if spec.recipe is None:
        raise UsageError(
            f"autoencoder {name!r} cannot be trained here: only tokenizers of the digits scale have a recipe"
        )
    model: Any = build_autoencoder(name, weights=None, device=device, seed=seed)
    images, labels = digits_on(device)
    return Job(model, spec.recipe, labels, lambda indices, generator: model.training_loss(images[indices], generator))
