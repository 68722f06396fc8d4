"""Generate a folder of images: one PNG per image, resumable, by any number of processes (torchrun)."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.collect.images import batches, generate_batch
from bench.console import progress
from bench.records import UsageError
from bench.results import plain, write_json

if TYPE_CHECKING:
    from reference_models.spec import ImageModel, Spec

MANIFEST = "generated-by.json"  # beside the images: what they are, so that another run does not mix with them


def file_sha256(path: Path) -> str:
    """Hash of a file, or of the names and sizes of a folder's files."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path)} {file.stat().st_size}\n".encode())
        return digest.hexdigest()
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def load_model(name: str, *, weights: Path | None, device: str, dtype: str = "float32") -> tuple[ImageModel, str]:
    """(model, sha256 of its weights). Digits weights are shipped; any other model needs `weights`."""
    import torch

    from reference_models import build, find, load_official
    from reference_models.checkpoints import shipped_weights

    spec = find(name)
    require_labels(spec)
    shipped = shipped_weights(name)
    torch_dtype = getattr(torch, dtype)
    if spec.scale == "digits":
        path = weights or shipped
        if path is None:
            raise UsageError(
                f"{name} has no shipped weights: train it (python -m bench train {name}) and pass --weights FILE"
            )
        return build(name, weights=path, device=device, dtype=torch_dtype), file_sha256(path) if path.exists() else ""
    if weights is None:
        where = f" (released at {spec.official.repository}, {spec.official.file})" if spec.official else ""
        raise UsageError(f"{name} needs its released weights: pass --weights FILE{where}")
    return load_official(name, weights, device=device, dtype=torch_dtype), file_sha256(weights)


def require_labels(spec: Spec) -> None:
    """UsageError for a model that does not paint from class labels."""
    if spec.network.conditioned_on != "labels":
        raise UsageError(
            f"{spec.name} paints from {spec.network.conditioned_on}, not from class labels: not measured here yet"
        )


def generate_folder(
    name: str, *, num: int, seed: int, out: Path, batch_size: int, weights: Path | None, device: str
) -> None:
    """Write `out`/000000.png ... Existing images are kept; a folder of another run is refused."""
    from PIL import Image

    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    model, weights_sha256 = load_model(name, weights=weights, device=device)
    identity: dict[str, Any] = {"model": name, "seed": seed, "weights_sha256": weights_sha256, **model.spec.sampling}
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

    missing = [i for i in range(rank, num, world) if not (out / f"{i:06d}.png").exists()]
    total = len(range(rank, num, world))
    with progress(f"generate {name}", total) as bar:
        bar.update(total - len(missing))
        for batch in batches(len(missing), batch_size):
            indices = missing[batch.start : batch.stop]
            for i, image in zip(indices, generate_batch(model, indices, seed, {}), strict=True):
                temporary = out / f".{i:06d}.{os.getpid()}.tmp"
                Image.fromarray(image.transpose(1, 2, 0)).save(temporary, format="PNG")
                os.replace(temporary, out / f"{i:06d}.png")
            bar.update(total - len(missing) + batch.stop)
    print(f"images: {out} ({num} of {name}, seed {seed})")
