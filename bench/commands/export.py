"""`bench export`: data sets that are made here, and what the records hold, written as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.app import MOST, RESULTS, ResultsDir, Seed, example
from bench.console import say


@example("python -m bench export scenes scenes --num 500 --split heldout")
def export_scenes(
    out: Annotated[Path, typer.Argument(help="a new folder")],
    num: Annotated[int, typer.Option(min=1, max=MOST, help="number of scenes")] = 500,
    seed: Seed = 0,
    split: Annotated[str, typer.Option(help="heldout or train: whose scans they show")] = "heldout",
) -> None:
    """Images, captions (COCO), questions and answers (VQAv2) and yes/no questions (POPE) of scenes."""
    from bench.datasets.scenes_files import export_and_print

    export_and_print(out, num=num, seed=seed, split=split)


@example("python -m bench export table measurements.csv")
def export_table(
    out: Annotated[Path, typer.Argument(help="a new .csv, .json or .parquet file")],
    results: ResultsDir = RESULTS,
    all_: Annotated[bool, typer.Option("--all", help="also records that later ones supersede")] = False,
) -> None:
    """Every measurement and ratio of speed, one row each: machine, model, protocol, settings, value, interval."""
    from bench.analysis.table import save_table
    from bench.records.latest import latest
    from bench.records.store import check_there, load_records

    check_there(results)
    loaded = load_records([results])
    rows = save_table(loaded.records if all_ else latest(loaded.records), out)
    for fault in loaded.faults:
        say(f"not read: {fault}")
    say(f"table: {out} ({rows} rows)")


@example("python -m bench export figures figures")
def export_figures(
    out: Annotated[Path, typer.Argument(help="a folder; files of the same names are written anew")],
    results: ResultsDir = RESULTS,
    width: Annotated[float, typer.Option(min=2, max=20, help="inches; 3.25 fills one column of two")] = 6.75,
) -> None:
    """Speed-ups, latencies and quality against cost as PDF and PNG, from the data of the report's charts."""
    from bench.report import figures

    for path in figures.export_figures(results, out, width):
        say(path)
