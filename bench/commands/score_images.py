"""What `bench score images` prints."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.score_tables import finish, score_table
from bench.console import say
from bench.datasets.resizing import find_resize
from bench.errors import UsageError
from bench.evaluators.image_scores import NAMES, ON_REQUEST, make_statistics, score_images
from bench.files import check_target
from bench.formatting import number
from bench.records.json_files import check_json_path
from bench.sampling.files import in_use

if TYPE_CHECKING:
    from rich.table import Table


# -- what a user sees --------------------------------------------------------------------------------------------------


def render_table(result: Mapping[str, Any]) -> Table:
    """The answer of `score_images` as a rich table."""
    protocol = result["protocol"]
    title = f"{protocol['generated']['name']} against {protocol['reference']['name']}"
    if protocol["features"]:
        title += f", features {protocol['features']}"
    if protocol["resize"]:
        title += f", resized: {protocol['resize']}"
    floors = {}
    for name, real in result["floor"].items():
        floors[name] = number(real["value"], real["ci_low"], real["ci_high"])
        if name in result["metrics"] and real["n"] != result["metrics"][name]["n"]:
            floors[name] += f" (of {real['n']})"  # fewer images score a higher FID: say so beside the number
    names = list(protocol["metric_versions"])
    return score_table(title, names, result, counted="images", beside_title="real-data floor", beside=floors)


def score_and_print(
    generated: str | Path,
    *,
    reference: str | None,
    features: str | None = None,
    weights: Path | None = None,
    json_file: Path | None = None,
    device: str = "cpu",
    resize: str | None = None,
    size: int | None = None,
    classes: int | None = None,
    also: Sequence[str] = (),
    save_statistics: Path | None = None,
) -> None:
    """What the command line does. CheckFailed at the end, after printing and writing, where a score was refused."""
    from bench.console import console

    check_json_path(json_file)
    for place in (generated, reference):
        if place and in_use(Path(place)):
            say(f"warning: {place}: a process is writing into this folder; what is scored is what is there now")
    rule = find_resize(resize, size)
    if unknown := [name for name in also if name not in ON_REQUEST]:
        raise UsageError(f"--also {unknown[0]}: unknown score; known: {', '.join(ON_REQUEST)}")
    if save_statistics is not None:
        _check_target(save_statistics)
    made: dict[str, Any] = {"features": features, "weights": weights, "device": device, "resize": rule}
    if reference is None:
        if save_statistics is None:
            raise UsageError("--reference is missing: a folder, an .npz or a data set's name to score against")
        needs = {"--json": json_file is not None, "--also": bool(also), "--classes": classes is not None}
        if given := [name for name, is_given in needs.items() if is_given]:
            raise UsageError(f"{given[0]} needs --reference: without it there are no scores")
        audit = make_statistics(generated, save_statistics, **made)
        if "found_words" in audit:
            say(f"images: {audit['found_words']}")
        say(f"statistics: {save_statistics} ({audit['num_images']} images)")
        return
    names = [*NAMES, *dict.fromkeys(also)]
    result = score_images(
        str(generated), reference, **made, names=names, num_classes=classes, save_statistics=save_statistics
    )
    console().print(render_table(result))
    print_found(result["protocol"])
    copies = result["audit"].get("copies_share")
    if copies is not None:
        say(f"{copies:.1%} of the images are copies of training scans")
    if save_statistics is not None:
        say(f"statistics: {save_statistics}")
    finish(result, json_file)


def print_found(protocol: Mapping[str, Any]) -> None:
    """What was found in each folder and left out, and what is known of the classes."""
    for role in ("generated", "reference"):
        if "found_words" in protocol[role]:
            say(f"{role}: {protocol[role]['found_words']}")
    if protocol["classes"].startswith(("unknown", "do not fit", "not drawn")) and protocol["features"]:
        say(f"classes: {protocol['classes']}; intervals take the images as drawn independently")


def _check_target(path: Path) -> None:
    """UsageError or CheckFailed where the statistics cannot be written, before the work."""
    if path.suffix != ".npz":
        raise UsageError(f"--save-statistics {path}: expected a name that ends in .npz")
    if not os.path.lexists(path.absolute().parent):
        raise UsageError(f"--save-statistics {path}: its folder does not exist")
    check_target(path, "--save-statistics")
