"""A run's model with its weights: the shipped ones, those trained here, or what the authors released."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import assets
from bench.assets.asset import PIPELINE
from bench.assets.checksums import digest as digest_of_file
from bench.console import say
from bench.errors import UsageError
from bench.protocols import SMALL
from bench.published import PUBLISHED, Precision, Published, Reseeding
from bench.records.schema import REAL_DATA, Protocol, RunSpec
from reference_models.shipped import FOLDER_VARIABLE, SHIPPED, shipped_weights
from reference_models.sizes.autoencoders import AUTOENCODERS

if TYPE_CHECKING:
    import torch

    from reference_models.image_model import ImageModel
    from reference_models.spec import Official, Spec


DTYPES = ("float32", "bfloat16", "float16")

REAL_IMAGES = "imagenet-val"  # the asset whose images are scored as if they were generated

MANY_TOKENS = 1024  # more than any text has


def file_sha256(path: Path) -> str:
    """Hash of a file, or of the names and sizes of a folder's files."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path)} {file.stat().st_size}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()
    return digest_of_file(path)


def check_dtype(dtype: str) -> None:
    if dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}; known: {', '.join(DTYPES)}")


def load_model(
    name: str,
    *,
    weights: Path | None,
    device: str,
    dtype: str = "float32",
    autoencoder: Path | None = None,
    decoder_dtype: str | None = None,
) -> tuple[ImageModel, str]:
    """(model, sha256 of its weights). Digits weights are shipped; any other model needs `weights`.

    weights: a file; of a model of text and images the released folder, which brings its autoencoder and text encoder
    autoencoder: the released file of the autoencoder, which other models of paper size need beside their own
    decoder_dtype: of a released autoencoder; None: `dtype`
    """
    import torch

    from reference_models import build, find

    spec = find(name)
    check_dtype(dtype)
    torch_dtype = getattr(torch, dtype)
    if spec.recipe is not None:
        if autoencoder is not None:
            raise UsageError(f"{name} brings its own autoencoder: leave out --autoencoder")
        path = weights or shipped_weights(name)
        if path is None:
            folder = os.environ.get(FOLDER_VARIABLE)
            where = f" in {FOLDER_VARIABLE}={folder}" if folder else ""
            raise UsageError(
                f"{name} has no shipped weights{where}: train it (python -m bench train {name}) and pass --weights FILE"
            )
        if AUTOENCODERS[spec.autoencoder].recipe and shipped_weights(spec.autoencoder) is None:
            raise UsageError(f"{name} needs the weights of {spec.autoencoder}: {train_command(spec.autoencoder)}")
        model = build(name, weights=path, device=device, dtype=torch_dtype)
        return with_autoencoder(model), file_sha256(path) if path.exists() else ""
    _check_released(spec, weights, autoencoder)
    assert weights is not None
    try:
        dtypes = {"dtype": torch_dtype, "autoencoder_dtype": getattr(torch, decoder_dtype or dtype)}
        model = load_weights(name, weights, autoencoder, device=device, **dtypes)
        if model.weights_entry is not None:
            say(f"{name}: weights: entry {model.weights_entry!r} of {weights}")
        return with_autoencoder(model), file_sha256(weights)
    except ImportError as error:
        raise UsageError(f"{name}: {error}") from error


def with_autoencoder(model: ImageModel) -> ImageModel:
    """The model, once the file of its autoencoder is read, too: what is damaged is found before any work."""
    model.autoencoder.eval()
    return model


def load_weights(
    name: str,
    weights: Path,
    autoencoder: Path | None = None,
    *,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    autoencoder_dtype: torch.dtype | None = None,
) -> ImageModel:
    """A model of paper size with the authors' weights, or with those that `bench train` wrote.

    dtype: None: float32    autoencoder_dtype: None: that of the model
    """
    import torch

    from reference_models import build, find, load_official
    from reference_models.autoencoders import build_autoencoder

    dtype = dtype or torch.float32
    decoder_dtype = autoencoder_dtype or dtype
    if not _trained_here(weights):
        return load_official(
            name, weights, autoencoder=autoencoder, device=device, dtype=dtype, autoencoder_dtype=decoder_dtype
        )
    spec, model = find(name), build(name, weights=weights, device=device, dtype=dtype)
    model.attach(
        spec, lambda: build_autoencoder(spec.autoencoder, weights=autoencoder, device=device, dtype=decoder_dtype)
    )
    return model


def _trained_here(weights: Path) -> bool:
    """Whether a file says that `bench train` wrote it."""
    from safetensors import SafetensorError, safe_open

    if weights.suffix != ".safetensors" or not weights.is_file():
        return False
    try:
        with safe_open(weights, "pt") as file:
            return str((file.metadata() or {}).get("command", "")).startswith("python -m bench train")
    except SafetensorError:
        return False  # whoever reads it says what is wrong


def check_prompts(model: ImageModel, prompts: Sequence[str], source: str, *, are_questions: bool = False) -> None:
    """UsageError where the model cannot read a prompt: the small ones know the words of their scenes alone. A line
    where it does not read prompts to their ends."""
    from reference_models.text_encoders import Tokenizer, WordTokenizer

    tokenizer, different = model.tokenizer, list(dict.fromkeys(prompts))
    assert isinstance(tokenizer, Tokenizer)
    length: int = getattr(model, "question_length" if are_questions else "text_length")  # tokens
    try:
        if isinstance(tokenizer, WordTokenizer):
            tokenizer.tokenize(different, MANY_TOKENS)
        with_one_more = tokenizer.tokenize(different, length + 1)
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from error
    if num := int((with_one_more[:, length - 1] != tokenizer.end_id).sum()):
        of = f"{num:,} of {len(different):,} different texts"
        say(f"{source}: {of} are cut: {model.spec.name} reads {length} tokens, an end among them")


def _check_released(spec: Spec, weights: Path | None, autoencoder: Path | None) -> None:
    """UsageError where a part of what a paper-size model needs was not given."""
    from_labels = spec.network.conditioned_on == "labels"
    if weights is None:
        what = "FILE" if from_labels else "FOLDER"
        raise UsageError(f"{spec.name} needs its released weights: pass --weights {what}{_released(spec.official)}")
    if from_labels and autoencoder is None:
        where = _released(AUTOENCODERS[spec.autoencoder].official)
        raise UsageError(f"{spec.name} generates latents of {spec.autoencoder}: pass --autoencoder FILE{where}")
    lacking = [] if from_labels else [part for part in PIPELINE if not (weights / part).is_dir()]
    if lacking:
        expected = f"expected the released folder, with {', '.join(PIPELINE)}"
        raise UsageError(f"--weights {weights}: lacks {', '.join(lacking)}; {expected}")


def _released(official: Official | None) -> str:
    return f" (released at {official.repository}, {official.file})" if official else ""


def seed_folder(work: Path, training_seed: int) -> Path:
    """Where the weights of a further training seed lie, inside the work folder of a results folder."""
    return work / "weights" / f"seed{training_seed}"


def weights_of(spec: RunSpec, work: Path) -> Path | None:
    """The weights that a run measures, None where they are not there."""
    if is_released(spec):
        return _asset_path(spec, 0)
    return _small_file(spec.model, spec.protocol, work)


def autoencoder_of(spec: RunSpec, work: Path) -> Path | None:
    """The file of a run's autoencoder: the released one, or that trained here beside the model's. Else None."""
    from reference_models import find

    if is_released(spec):
        return _asset_path(spec, 1)
    name = find(spec.model).autoencoder
    return _small_file(name, spec.protocol, work) if AUTOENCODERS[name].recipe else None


def is_released(spec: RunSpec) -> bool:
    """Whether a run loads what the authors published."""
    return "weights" in spec.protocol.needs and spec.model != REAL_DATA


def released_assets(spec: RunSpec) -> tuple[assets.Asset, ...]:
    """The weights that a run loads, then its autoencoder where the weights do not bring it; () where none are
    published."""
    if not is_released(spec):
        return ()
    variant = f"{spec.model}-{spec.protocol.variant}"
    found = assets.of_model(variant) or assets.of_model(spec.model)
    row = published_of(spec)
    return (*found[:1], assets.find(row.autoencoder)) if found and row is not None and row.autoencoder else found


def _asset_path(spec: RunSpec, place: int) -> Path | None:
    found = released_assets(spec)[place : place + 1]
    located = assets.locate(found[0]) if found else None
    return located.path if located is not None and located.usable else None


def _small_file(name: str, protocol: Protocol, work: Path) -> Path | None:
    if not protocol.training_seed:
        return shipped_weights(name)
    path = seed_folder(work, protocol.training_seed) / f"{name}.safetensors"
    return path if path.is_file() else None


def missing_files(spec: RunSpec, work: Path) -> list[str]:
    """The small model and its autoencoder, or the one of them whose weights are not there."""
    from reference_models import find

    name = find(spec.model).autoencoder
    needed = [spec.model] + ([name] if AUTOENCODERS[name].recipe else [])
    return [name for name in needed if _small_file(name, spec.protocol, work) is None]


def train_command(name: str) -> str:
    """What makes the weights of a small model or autoencoder where they are looked for."""
    folder = os.environ.get(FOLDER_VARIABLE) or "reference_models/weights"
    return f"python -m bench train {name} --out {folder}/{name}.safetensors"


@dataclass(frozen=True)
class Identity:
    """What a model's numbers depend on."""

    versions: dict[str, int]  # of the code: "model", "autoencoder"
    files: dict[str, str]  # SHA-256 of the files that it loads: "weights", "autoencoder"


def identity(spec: RunSpec, work: Path) -> Identity:
    """The versions of the code of a run's model, the checksums of the files that it loads."""
    from reference_models import find

    model = find(spec.model)
    versions = {"model": model.version, "autoencoder": AUTOENCODERS[model.autoencoder].version}
    if is_released(spec):
        found = zip(("weights", "autoencoder"), released_assets(spec), strict=False)
        return Identity(versions, {name: assets.checksum(asset) for name, asset in found})
    paths = {"weights": weights_of(spec, work), "autoencoder": autoencoder_of(spec, work)}
    return Identity(versions, {name: file_sha256(path) for name, path in paths.items() if path})


def reads_images(spec: Spec) -> bool:
    """Whether a model says texts of images."""
    return spec.network.reading is not None


def origin(spec: RunSpec, work: Path) -> str | None:
    """Whether a run's weights were released by the authors, came with this package or were trained here; None: none."""
    weights = weights_of(spec, work)
    if weights is None:
        return None
    if is_released(spec):
        return "released"
    return "shipped" if weights.parent == SHIPPED else "trained here"


def build_for(name: str, protocol: Protocol, device: str, work: Path) -> Any:
    """The model `name`, its steps compiled where the protocol says so.

    At a paper's size, where speed alone is measured, with random weights: speed does not depend on them. UsageError
    where weights are needed and not there, be they those of the autoencoder.
    """
    model = _model_for(name, protocol, device, work)
    if protocol.compiled:
        model.compile_steps()
    return model


def _model_for(name: str, protocol: Protocol, device: str, work: Path) -> Any:
    import torch

    from reference_models import build, find
    from reference_models.autoencoders import build_autoencoder

    dtype, spec, run = getattr(torch, protocol.dtype), find(name), RunSpec(name, protocol)
    if spec.scale in SMALL:
        if missing := missing_files(run, work):
            raise UsageError(f"{name} needs the weights of {missing[0]}: {train_command(missing[0])}")
        model = build(name, weights=weights_of(run, work), device=device, dtype=dtype)
        if path := autoencoder_of(run, work):
            model.attach(spec, partial(build_autoencoder, spec.autoencoder, weights=path, device=device, dtype=dtype))
        return model
    if not is_released(run):
        return build(name, weights=None, device=device, dtype=dtype)
    needed = [assets.require(asset.name) for asset in released_assets(run)]
    if not needed:
        raise UsageError(f"{name}: nobody has published its weights")
    precision = precision_of(run)
    model, _ = load_model(
        name,
        weights=needed[0],
        autoencoder=needed[1] if len(needed) > 1 else None,
        device=device,
        dtype=precision.weights,
        decoder_dtype=precision.decoder,
    )
    return model


def published_of(spec: RunSpec) -> Published | None:
    """How the authors evaluated a run's model, where the protocol follows that; None where it does not or they do not
    say."""
    if spec.protocol.terms != "published":
        return None
    return PUBLISHED.get((spec.model, spec.protocol.variant)) or PUBLISHED.get((spec.model, ""))


def image_size_of(spec: RunSpec) -> int:
    """Pixels a side of the images that are scored: where the authors resize what a model generates, after that."""
    from reference_models import find

    return resized_to(spec) or find(spec.model).image_size


def resized_to(spec: RunSpec) -> int | None:
    """Pixels a side that generated images are resized to before they are rounded; None: they are taken as they are."""
    row = PUBLISHED.get((spec.model, spec.protocol.variant)) if spec.protocol.terms else None
    return None if row is None or row.resize is None else int(row.scale.rpartition("-")[2])


def reseeding_of(spec: RunSpec) -> Reseeding | None:
    """How a run's batches draw their seeds; None: each image has a seed of its own."""
    row = published_of(spec)
    return row.reseeding if row is not None and spec.protocol.reseeded else None


def precision_of(spec: RunSpec) -> Precision:
    """In which numbers a run's model generates: as published, else in the protocol's."""
    row = published_of(spec)
    if row is not None and row.precision is not None:
        return row.precision
    return Precision(weights=spec.protocol.dtype)  # type: ignore[arg-type]  # check_dtype has the same three
