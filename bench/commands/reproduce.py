"""`bench plan`, `reproduce` and `study`: the main job and its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.app import REPORT, RESULTS, Device, ResultsDir, example, resolve_device
from bench.console import console
from bench.errors import CheckFailed
from bench.plan import Plan


@example("python -m bench plan --only transdiff-digits")
def plan(
    scale: Annotated[str, typer.Option(help="digits, scenes, imagenet-256 or coco-captions")] = "digits",
    only: Annotated[list[str] | None, typer.Option(help="this model only (repeatable)")] = None,
    quick: Annotated[bool, typer.Option(help="plan the smoke run")] = False,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
) -> None:
    """What `reproduce` would run, what is missing, what it would cost."""
    from bench.plan import make_plan

    print_plan(make_plan(scale=scale, only=only or (), quick=quick, device=resolve_device(device), results=results))


@example("python -m bench reproduce --quick")
def reproduce(
    scale: Annotated[str, typer.Option(help="digits, scenes, imagenet-256 or coco-captions")] = "digits",
    only: Annotated[list[str] | None, typer.Option(help="this model only (repeatable)")] = None,
    quick: Annotated[bool, typer.Option(help="a smoke run, too small to judge by, and stamped so")] = False,
    retrain: Annotated[bool, typer.Option(help="train every model of the scale anew first, measure those")] = False,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
    report: Annotated[Path, typer.Option(help="the report to write")] = REPORT,
) -> None:
    """The main job: run what the claims need, judge them, render the report. Continues where it was interrupted."""
    from bench.plan import make_plan
    from bench.records.store import RETRAINED
    from bench.training.schedule import retrain_for

    device = resolve_device(device)
    if retrain:
        results = results / RETRAINED
        retrain_for(scale, only or (), results, device)
    carry_out(make_plan(scale=scale, only=only or (), quick=quick, device=device, results=results), report)


@example("python -m bench study trade-off guidance")
def study(
    names: Annotated[list[str] | None, typer.Argument(help="studies, see `bench list` [default: all]")] = None,
    device: Device = "auto",
    results: ResultsDir = RESULTS,
    report: Annotated[Path, typer.Option(help="the report to write")] = REPORT,
) -> None:
    """Answer questions that take many runs (steps, guidance, training seeds). Continues where it was interrupted."""
    from bench.plan import make_study_plan
    from bench.training.schedule import train_seeds_for

    device = resolve_device(device)
    train_seeds_for(names or (), results, device)
    carry_out(make_study_plan(names or (), device=device, results=results), report)


def carry_out(plan: Plan, report: Path) -> None:
    """Run a plan and render the report of its results folder. CheckFailed at the end where runs failed."""
    from bench.report import render
    from bench.run import run_plan

    failed = run_plan(plan)
    print(f"report: {render([plan.results], report)}")
    if failed:
        raise CheckFailed(
            f"{len(failed)} of {len(plan.runs)} runs failed, first: {failed[0].model}: {failed[0].reason}"
        )


def print_plan(plan: Plan) -> None:
    from rich.table import Table

    table = Table(title=f"scale {plan.scale} on {plan.device}: {len(plan.runs)} runs", title_justify="left")
    for column in ("model", "protocol", "answers", "state", "cost"):
        table.add_column(column, overflow="fold")
    for run in plan.runs:
        state = "ready" if not run.lacks else "not run: needs " + "; ".join(run.lacks)
        cost = "not measured yet" if run.cost_s is None else f"{run.cost_s:.0f} s last time"
        protocol = run.spec.protocol.name + (" (quick)" if run.spec.protocol.quick else "")
        table.add_row(run.spec.model, protocol, ", ".join(run.answers) or "-", state, cost)
    console().print(table)
