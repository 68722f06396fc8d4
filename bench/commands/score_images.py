"""What `bench score images` prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands.score_tables import finish, score_table
from bench.evaluators.image_scores import NAMES, score_images
from bench.formatting import number
from bench.records.json_files import check_json_path

if TYPE_CHECKING:
    from rich.table import Table


# -- what a user sees --------------------------------------------------------------------------------------------------


def render_table(result: Mapping[str, Any]) -> Table:
    """The answer of `score_images` as a rich table."""
    protocol = result["protocol"]
    title = f"{protocol['generated']['name']} against {protocol['reference']['name']}"
    if protocol["features"]:
        title += f", features {protocol['features']}"
    floors = {}
    for name, real in result["floor"].items():
        floors[name] = number(real["value"], real["ci_low"], real["ci_high"])
        if name in result["metrics"] and real["n"] != result["metrics"][name]["n"]:
            floors[name] += f" (of {real['n']})"  # fewer images score a higher FID: say so beside the number
    return score_table(title, NAMES, result, counted="images", beside_title="real-data floor", beside=floors)


def score_and_print(
    generated: str | Path,
    *,
    reference: str,
    features: str | None = None,
    weights: Path | None = None,
    json_file: Path | None = None,
    device: str = "cpu",
) -> None:
    """What the command line does. CheckFailed at the end, after printing and writing, where a score was refused."""
    from rich.console import Console

    check_json_path(json_file)
    result = score_images(str(generated), reference, features=features, weights=weights, device=device)
    console = Console()
    console.print(render_table(result))
    copies = result["audit"].get("copies_share")
    if copies is not None:
        console.print(f"{copies:.1%} of the images are copies of training scans")
    finish(console, result, json_file)
