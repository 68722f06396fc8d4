"""What the `score` doors print and write: a table of metrics, the reasons of those that are missing, the JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.formatting import interval, number
from bench.metrics import METRICS
from bench.records import CheckFailed
from bench.results import write_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def score_table(
    title: str,
    names: Sequence[str],
    result: Mapping[str, Any],
    *,
    counted: str,
    beside_title: str,
    beside: Mapping[str, str],
) -> Table:
    """`result["metrics"]` as a table, one row per name, in this order; "refused" or "not run" where there is no number.

    counted: title of the column of n, as "images"    beside, beside_title: one more column, a text per name
    """
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    for column in ("value", "95 % interval", counted, beside_title):
        table.add_column(column, justify="right")
    for name in names:
        metric = METRICS[name]
        if name in result["metrics"]:
            found = result["metrics"][name]
            bounds = found["value"], found["ci_low"], found["ci_high"]
            value = f"{number(*bounds)} {metric.unit}".rstrip()
            cells = (value, interval(*bounds) or "unknown", str(found["n"] or "-"), beside.get(name, "-"))
            table.add_row(metric.title, *cells)
        else:
            table.add_row(metric.title, "refused" if name in result.get("refused", {}) else "not run", "", "", "")
    return table


def finish(console: Console, result: Mapping[str, Any], json_file: Path | None) -> None:
    """Print why numbers are missing and write the JSON file. CheckFailed at the end where a score was refused."""
    refused = result.get("refused", {})
    for name, reason in {**result["not_run"], **refused}.items():
        word = "refused" if name in refused else "not run"
        console.print(f"{METRICS[name].title}: {word}: {reason}", highlight=False, soft_wrap=True)
    if json_file is not None:
        write_json(result, json_file)
    if refused:
        raise CheckFailed(f"refused: {', '.join(refused)}: {next(iter(refused.values()))}")
