"""Generate a folder of images: one PNG per image, resumable, by any number of processes (torchrun).

    torchrun --nproc-per-node 8 -m bench generate dit-xl-2 --num-images 50000 --out samples ...

From prompts, `prompts.json` beside the images holds what each was generated from: [{"file_name", "prompt"}, ...].
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.app import MOST, Device, Dtype, Seed, example, resolve_device
from bench.console import progress, say
from bench.datasets.prompts import load_prompts
from bench.errors import CheckFailed, UsageError
from bench.models import check_prompts, load_model
from bench.records.json_files import read_json
from bench.sampling import files
from bench.sampling.identity import asked_images, file_checksums, item_identity
from bench.sampling.images import generate_batch
from bench.sampling.png_folder import PngFolder
from bench.sampling.precision import PLAIN, running_in
from bench.sampling.ranks import limit_threads, this_rank
from bench.sampling.shards import rows_of
from bench.sampling.workers import fill, stopping
from reference_models.shipped import shipped_weights

if TYPE_CHECKING:
    from reference_models.spec import Spec


@example("python -m bench generate transdiff-digits --num 100 --seed 0 --out samples")
def generate(
    model: Annotated[str, typer.Argument(help="a model, see `bench list`")],
    out: Annotated[Path, typer.Option(help="folder for 000000.png, 000001.png, ...")],
    num: Annotated[
        int | None,  # torchrun takes `--num` for a short form of its own --numa-binding
        typer.Option("--num", "--num-images", min=1, max=MOST, help="number of images [default: one per prompt]"),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="of models that generate from text: one per line, a JSON list, or COCO captions")
    ] = None,
    seed: Seed = 0,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, help="images per call; changes no image")] = 50,
    weights: Annotated[Path | None, typer.Option(help="weights file, released checkpoint or released folder")] = None,
    autoencoder: Annotated[Path | None, typer.Option(help="its released file, of models of paper size")] = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
) -> None:
    """Generate images: image i has label i mod num_classes (or prompt i), depends on the seed and i alone. Resumable.

    By several processes: torchrun -m bench generate ... --num-images N (torchrun takes --num for itself)."""

    with stopping():
        generate_folder(
            model,
            num=num,
            seed=seed,
            out=out,
            batch_size=batch_size,
            weights=weights,
            device=device,
            dtype=dtype,
            autoencoder=autoencoder,
            prompts=prompts,
        )


PROMPTS = "prompts.json"
PNG_SHARE = 0.5  # of an image's pixels, at least what its PNG takes; and whole blocks of the disk
BLOCK_BYTES = 4096


def asked_prompts(spec: Spec, prompts: Path | None, num: int | None) -> list[str] | None:
    """The first `num` prompts of a file, None for a model of class labels. UsageError where they do not fit it."""
    if spec.network.conditioned_on == "labels":
        if prompts is not None:
            raise UsageError(f"{spec.name} generates from class labels: leave out --prompts")
        if num is None:
            raise UsageError(f"{spec.name} generates from class labels: pass --num, the number of images")
        return None
    if prompts is None:
        raise UsageError(f"{spec.name} generates from prompts: pass --prompts FILE")
    found = load_prompts(prompts)
    if num is not None and num > len(found):
        raise UsageError(f"--num {num}: {prompts} holds {len(found)} prompts")
    return found[:num]


def png_bytes(spec: Spec) -> float:
    """What a PNG of this model takes of the disk, at least."""
    return max(PNG_SHARE * 3 * spec.image_size**2, BLOCK_BYTES)


def generate_folder(
    name: str,
    *,
    num: int | None,
    seed: int,
    out: Path,
    batch_size: int,
    weights: Path | None,
    device: str,
    dtype: str = "float32",
    autoencoder: Path | None = None,
    prompts: Path | None = None,
) -> None:
    """Write `out`/000000.png ... Images of the same run are kept; those damaged are made again; others are refused."""
    from reference_models import find

    spec, rank = find(name), this_rank()
    asked = asked_prompts(spec, prompts, num)
    num = len(asked) if asked is not None else num
    assert num is not None  # asked_prompts has seen to it
    device = rank.device(resolve_device(device))
    files.check_writable(out, "--out")
    there = sum(1 for _ in out.glob("*.png"))
    files.check_writable(out, "--out", needed_bytes=max(0, num - there) * png_bytes(spec))
    limit_threads(spec)
    model, _ = load_model(name, weights=weights, device=device, dtype=dtype, autoencoder=autoencoder)
    if asked is not None:
        if not model.network_evaluations():
            raise UsageError(f"{name} reads images and generates none; see `python -m bench caption --help`")
        check_prompts(model, asked, f"prompts {prompts}")
    checksums = file_checksums(spec, weights or shipped_weights(name), autoencoder)
    every = None if asked is None else load_prompts(prompts)  # type: ignore[arg-type]  # of fewer the same images
    identity = item_identity(
        model, checksums, seed=seed, settings=model.spec.sampling, asked=asked_images("balanced", every)
    )
    folder = PngFolder(out, identity)
    folder.begin()
    if asked is not None:
        write_prompts(asked, out / PROMPTS)

    size, done = min(batch_size, -(-num // rank.world_size)), 0

    def rows(part: int) -> range:
        return rows_of(part, size, num)

    def count(part: int) -> None:
        nonlocal done
        done += len(rows(part))
        bar.update(done)

    def lacks(part: int) -> bool:
        if folder.missing(rows(part)):
            return True
        count(part)
        return False

    def make(part: int) -> None:
        lacking = folder.missing(rows(part), whole=False)
        if lacking:  # else another worker was faster
            for i, image in zip(lacking, generate_batch(model, lacking, seed, {}, prompts=asked), strict=True):
                folder.save(i, image)
        count(part)

    with progress(f"generate {name}", num) as bar, running_in(PLAIN, device):
        parts = -(-num // size)
        fill(parts, folder=out, rank=rank, lacks=lacks, make=make, name=lambda part: f"{rows(part).start}-{size}")
    lost = folder.missing(range(num), whole=False)
    if lost:
        raise CheckFailed(f"--out {out}: {len(lost)} of {num} images vanished while others were made; run it again")
    if strangers := folder.strangers():
        say(f"--out {out}: holds {len(strangers)} PNGs of somebody else's (first: {strangers[0]})")
    say(f"images: {out} ({num} of {name}, seed {seed})")


def write_prompts(asked: list[str], path: Path) -> None:
    """What each image was generated from; the list of an earlier call for more images stays."""
    try:
        longer = len(read_json(path)) > len(asked)
    except (OSError, ValueError, TypeError):
        longer = False
    if not longer:
        listed = [{"file_name": f"{i:06d}.png", "prompt": prompt} for i, prompt in enumerate(asked)]
        files.write_whole(path, (json.dumps(listed, indent=1) + "\n").encode())
