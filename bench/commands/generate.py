"""Generate a folder of images: one PNG per image, resumable, by any number of processes (torchrun).

From prompts, `prompts.json` beside the images holds what each was painted from: [{"file_name", "prompt"}, ...].
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from bench.commands.app import Device, Dtype, example, resolve_device
from bench.console import progress
from bench.datasets.prompts import load_prompts
from bench.errors import UsageError
from bench.models import check_prompts, file_sha256, load_model
from bench.records.json_files import plain, write_json
from bench.sampling.images import batches, generate_batch

if TYPE_CHECKING:
    from reference_models.spec import ImageModel, Spec


@example("python -m bench generate transdiff-digits --num 100 --seed 0 --out samples")
def generate(
    model: Annotated[str, typer.Argument(help="a model, see `bench list`")],
    out: Annotated[Path, typer.Option(help="folder for 000000.png, 000001.png, ...")],
    num: Annotated[int | None, typer.Option(min=1, help="number of images [default: one per prompt]")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="of models that paint from text: one per line, a JSON list, or COCO captions")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="images per call; changes no image")] = 50,
    weights: Annotated[Path | None, typer.Option(help="weights file, released checkpoint or released folder")] = None,
    autoencoder: Annotated[Path | None, typer.Option(help="its released file, of models of paper size")] = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
) -> None:
    """Paint images: image i has label i mod num_classes (or prompt i), depends on the seed and i alone. Resumable."""

    generate_folder(
        model,
        num=num,
        seed=seed,
        out=out,
        batch_size=batch_size,
        weights=weights,
        device=resolve_device(device),
        dtype=dtype,
        autoencoder=autoencoder,
        prompts=prompts,
    )


MANIFEST = "generated-by.json"  # beside the images: what they are, so that another run does not mix with them
PROMPTS = "prompts.json"


def asked_prompts(spec: Spec, prompts: Path | None, num: int | None) -> list[str] | None:
    """The first `num` prompts of a file, None for a model of class labels. UsageError where they do not fit it."""
    if spec.network.conditioned_on == "labels":
        if prompts is not None:
            raise UsageError(f"{spec.name} paints from class labels: leave out --prompts")
        if num is None:
            raise UsageError(f"{spec.name} paints from class labels: pass --num, the number of images")
        return None
    if prompts is None:
        raise UsageError(f"{spec.name} paints from prompts: pass --prompts FILE")
    found = load_prompts(prompts)
    if num is not None and num > len(found):
        raise UsageError(f"--num {num}: {prompts} holds {len(found)} prompts")
    return found[:num]


def paint(model: ImageModel, indices: list[int], seed: int, prompts: list[str] | None) -> np.ndarray:
    """The images of these indices, uint8 (B, 3, H, W): of their prompts, or of the labels i mod num_classes."""
    from reference_models.noise import image_seeds

    if prompts is None:
        return generate_batch(model, indices, seed, {})
    asked: Any = [prompts[i] for i in indices]
    return model.generate(asked, image_seeds(seed, indices)).cpu().numpy()


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
    """Write `out`/000000.png ... Existing images are kept; a folder of another run is refused."""
    from PIL import Image

    from reference_models import find

    asked = asked_prompts(find(name), prompts, num)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    model, weights_sha256 = load_model(name, weights=weights, device=device, dtype=dtype, autoencoder=autoencoder)
    identity: dict[str, Any] = {"model": name, "seed": seed, "weights_sha256": weights_sha256, **model.spec.sampling}
    if dtype != "float32":
        identity["dtype"] = dtype
    if asked is not None and prompts is not None:
        if not model.network_evaluations():
            raise UsageError(f"{name} reads images and paints none; see `python -m bench caption --help`")
        check_prompts(model, asked, f"prompts {prompts}")
        identity["prompts_sha256"] = file_sha256(prompts)
        num = len(asked)
    assert num is not None  # asked_prompts has seen to it
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file, expected a folder")
    out.mkdir(parents=True, exist_ok=True)
    manifest = out / MANIFEST
    holds_images = any(out.glob("*.png"))  # asked first: a process beside this one writes the manifest before any image
    if manifest.exists():
        if json.loads(manifest.read_text()) != plain(identity):
            raise UsageError(f"--out {out}: holds images of another run ({MANIFEST} differs); choose another folder")
    elif holds_images:
        raise UsageError(f"--out {out}: holds images that this command did not make; choose another folder")
    else:
        write_json(identity, manifest)
    if asked is not None:
        write_json([{"file_name": f"{i:06d}.png", "prompt": prompt} for i, prompt in enumerate(asked)], out / PROMPTS)

    missing = [i for i in range(rank, num, world) if not (out / f"{i:06d}.png").exists()]
    total = len(range(rank, num, world))
    with progress(f"generate {name}", total) as bar:
        bar.update(total - len(missing))
        for batch in batches(len(missing), batch_size):
            indices = missing[batch.start : batch.stop]
            for i, image in zip(indices, paint(model, indices, seed, asked), strict=True):
                temporary = out / f".{i:06d}.{os.getpid()}.tmp"
                Image.fromarray(image.transpose(1, 2, 0)).save(temporary, format="PNG")
                os.replace(temporary, out / f"{i:06d}.png")
            bar.update(total - len(missing) + batch.stop)
    print(f"images: {out} ({num} of {name}, seed {seed})")
