"""`bench report`: the records as a page, or in a form that other programs and papers read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.app import REPORT, RESULTS, RESULTS_OPTION, example
from bench.console import say


@example("python -m bench report --format latex --out tables.tex")
def report(
    results: Annotated[
        list[Path] | None, typer.Option("--results", help="folder of records (repeatable)", **RESULTS_OPTION)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the file to write [default: in reports/, by its format]")] = None,
    format_: Annotated[
        str, typer.Option("--format", help="html, markdown, latex, csv, json, parquet or badge (SVG)")
    ] = "html",
) -> None:
    """Render the report from the records; measures nothing and imports no torch.

    csv, json and parquet hold a row per claim and side; `export table` writes the measurements.
    """
    folders = results or [RESULTS]
    if format_ == "html":
        from bench.report import render

        say(f"report: {render(folders, out or REPORT)}")
    else:
        from bench.report.exports import export

        say(f"{format_}: {export(folders, format_, out, REPORT)}")
