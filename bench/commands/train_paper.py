"""`bench train MODEL --data FOLDER`: a model of paper size, by one process or by those that torchrun starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.app import RESULTS, resolve_device
from bench.console import plain_only, progress, say
from bench.errors import UsageError
from bench.files import check_target, make_folder, making
from bench.models import file_sha256, load_weights
from bench.records.store import WORK
from bench.sampling import files
from bench.sampling.latents import class_folder, latents_of
from bench.sampling.precision import PLAIN, running_in
from bench.sampling.ranks import Rank, this_rank
from bench.training.recipes import Published, published
from reference_models.sizes.autoencoders import AUTOENCODERS

if TYPE_CHECKING:
    from reference_models.spec import Spec
    from reference_models.training import Progress


CHECKPOINT_MINUTES = 30.0


@dataclass(frozen=True)
class Asked:
    """The options of the command that concern paper sizes; None: not given."""

    data: Path | None
    autoencoder: Path | None
    start_from: Path | None
    batch_size: int | None
    accumulate: int | None
    precision: str | None
    mirror: bool | None
    checkpoint_minutes: float | None
    results: Path | None

    @property
    def given(self) -> list[str]:
        """The options that a digits model has no use for."""
        given = [name for name, value in asdict(self).items() if value is not None]
        return [
            "--no-mirror" if name == "mirror" and not self.mirror else "--" + name.replace("_", "-") for name in given
        ]

    @property
    def work(self) -> Path:
        """Where latents are kept."""
        return (RESULTS if self.results is None else self.results) / WORK


def train_paper_model(
    name: str, asked: Asked, *, seed: int, num_steps: int | None, out: Path, device: str
) -> Path | None:
    """Train and save the EMA weights to `out`; None in the processes that do not write it."""
    from reference_models import find

    spec = find(name)
    how = published(spec)
    rank = this_rank()
    if rank.world_size > 1:
        plain_only()
    data_path, autoencoder_path = check_files(spec, how, asked)
    check_target(out, "--out")
    make_folder(out.parent, "--out")
    data = class_folder(data_path, spec.config["num_classes"], spec.network.load().images_per_sample)
    recipe = how.recipe(len(data.paths), batch_size=asked.batch_size, num_steps=num_steps)

    from bench.training.paper_scale import PRECISIONS, Layout, process_group, train_at_paper_scale

    if not rank.rank:
        for line in how.words:
            say(line)
    layout = Layout(rank.rank, rank.world_size, asked.accumulate or 1)
    layout.check(recipe.batch_size, spec.network.load().images_per_sample)
    place = rank.device(resolve_device(device))
    precision = asked.precision or ("bfloat16" if place.startswith("cuda") else "float32")
    if precision not in PRECISIONS:
        raise UsageError(f"unknown --precision {precision!r}; known: {', '.join(PRECISIONS)}")

    from bench.training.train import checkpoint_path, history, identity_of, write_weights

    checkpoint = checkpoint_path(name, seed, recipe, out)
    minutes = CHECKPOINT_MINUTES if asked.checkpoint_minutes is None else asked.checkpoint_minutes
    # The latents in the work folder are read to the end.
    with making(out, identity_of(name, seed, recipe), "--out"), files.at_work(asked.work, f"train-{name}"):
        latents = encode(spec, data, autoencoder_path, asked, rank, place)
        model = starting_model(spec, how, asked.start_from, seed, place)
        identity: dict[str, Any] = {"data": latents.shards.key}
        if asked.start_from is not None:
            identity["start_from_sha256"] = file_sha256(asked.start_from)
        with process_group(layout, place), progress(f"train {name}", recipe.num_steps) as bar:

            def report(state: Progress) -> None:
                if not rank.rank:
                    bar.update(state.step, f"loss {sum(state.losses[-100:]) / len(state.losses[-100:]):.4f}")

            try:
                ema, state = train_at_paper_scale(
                    model,
                    latents,
                    recipe,
                    seed=seed,
                    layout=layout,
                    precision=precision,
                    identity=identity,
                    checkpoint=checkpoint,
                    checkpoint_every_s=60 * minutes,
                    report=report,
                )
            except ValueError as error:
                raise UsageError(str(error)) from error
        if rank.rank:
            return None
        command = f"python -m bench train {name} --data {data_path} --seed {seed}"
        metadata = history(name, command, seed, recipe, ema, state, place)
        metadata |= {key: str(value) for key, value in identity.items()}
        metadata |= {"published": how.source, "not_published": how.not_published, "left_out": how.left_out}
        metadata |= {"precision": precision, "processes": str(rank.world_size), "accumulate": str(layout.accumulate)}
        write_weights(ema, out, metadata)
        checkpoint.unlink(missing_ok=True)
    return out


def check_files(spec: Spec, how: Published, asked: Asked) -> tuple[Path, Path]:
    """(data folder, autoencoder file); UsageError where one of them, or what the model starts from, is missing."""
    if asked.data is None:
        raise UsageError(
            f"{spec.name} is of a paper's size: pass --data FOLDER (ImageNet's train) and --autoencoder FILE"
        )
    official = AUTOENCODERS[spec.autoencoder].official
    where = f" (released at {official.repository}, {official.file})" if official else ""
    if asked.autoencoder is None:
        raise UsageError(f"{spec.name} learns latents of {spec.autoencoder}: pass --autoencoder FILE{where}")
    if not asked.autoencoder.exists():
        raise UsageError(f"--autoencoder {asked.autoencoder}: no such file; expected {spec.autoencoder}{where}")
    start = one_step_name(spec, how)
    if start is not None and asked.start_from is None:
        raise UsageError(f"{spec.name} is fine-tuned from {start}: pass --start-from FILE, released or trained here")
    if start is None and asked.start_from is not None:
        raise UsageError(f"{spec.name} is trained from nothing: leave out --start-from")
    if asked.start_from is not None and not asked.start_from.exists():
        raise UsageError(f"--start-from {asked.start_from}: no such file; expected weights of {start}")
    return asked.data, asked.autoencoder


def one_step_name(spec: Spec, how: Published) -> str | None:
    """The model of the same size that this one is fine-tuned from."""
    return None if how.start_from is None else how.start_from + spec.name.removeprefix(spec.family)


def starting_model(spec: Spec, how: Published, start_from: Path | None, seed: int, device: str) -> Any:
    """The model with the weights that its training starts from, the same in every process."""
    from reference_models import build

    model: Any = build(spec.name, weights=None, seed=seed)
    start = one_step_name(spec, how)
    if start is not None and start_from is not None:
        model.init_from_one_step(load_weights(start, start_from).state_dict())
    return model.to(device)


def encode(spec: Spec, data: Any, autoencoder_path: Path, asked: Asked, rank: Rank, device: str) -> Any:
    """The latents of the data, from the work folder or made now."""
    from reference_models.autoencoders import build_autoencoder

    autoencoder = build_autoencoder(spec.autoencoder, weights=autoencoder_path, device=device)
    with running_in(PLAIN, device):
        return latents_of(
            data,
            autoencoder,
            autoencoder_sha256=file_sha256(autoencoder_path),
            image_size=spec.image_size,
            mirror=asked.mirror is not False,
            work=asked.work,
            rank=rank,
            device=device,
        )
