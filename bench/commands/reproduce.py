"""`bench plan`, `reproduce` and `study`: the main job and its parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.app import (
    MOST_WORKERS,
    REPORT,
    RESULTS,
    Asked,
    Device,
    ResultsDir,
    example,
    resolve_device,
    with_options,
)
from bench.console import say
from bench.errors import CheckFailed
from bench.files import check_target

if TYPE_CHECKING:
    from bench.commands.outlook import Outlook
    from bench.plan import Plan


@example("python -m bench plan --scale imagenet-256 --device cuda")
@with_options(Asked)
def plan(options: dict[str, Any]) -> None:
    """What `reproduce` would run, what is missing, what it would cost."""
    from bench.commands.plan_tables import print_plan

    asked = Asked(**options)
    is_gpu = asked.device.startswith("cuda")  # the cost on a GPU may be asked where there is none
    print_plan(asked.plan(asked.device if is_gpu else resolve_device(asked.device)))


@example("python -m bench reproduce --quick")
@with_options(Asked)
def reproduce(
    options: dict[str, Any],
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_WORKERS,
            help="processes that generate side by side [default: one per visible GPU; on a CPU none]",
        ),
    ] = None,
    retrain: Annotated[bool, typer.Option(help="train every model of the scale anew first, measure those")] = False,
    report: Annotated[Path, typer.Option(help="the report to write")] = REPORT,
) -> None:
    """The main job: run what the claims need, judge them, render the report. Continues where it was interrupted."""
    from bench.commands.outlook import outlook
    from bench.commands.work import Orders, start_workers, workers_for
    from bench.records.store import RETRAINED, WORK
    from bench.training.schedule import retrain_for

    asked = Asked(**options)
    device = resolve_device(asked.device)
    check_report(report)
    if retrain:
        asked = replace(asked, results=asked.results / RETRAINED)
        retrain_for(asked.scale, asked.only or (), asked.results, device)
    planned = asked.plan(device)
    num_workers = workers_for(device) if workers is None else workers
    found = announce(planned)
    if num_workers or asked.keep_images:
        told = {"device": device, "results": asked.results.absolute(), "announced": True}
        start_workers(Orders(**options | told), max(1, num_workers), planned.results / WORK)
        found = outlook(planned)
    carry_out(found, report)


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
    check_report(report)
    train_seeds_for(names or (), results, device)
    planned = make_study_plan(names or (), device=device, results=results)
    carry_out(announce(planned), report)


def check_report(report: Path) -> None:
    """Find out before any work whether the report and its picture can be written."""
    from bench.report.page import PICTURE

    check_target(report, "--report")
    check_target(report.parent / PICTURE, "--report: its picture")


def announce(plan: Plan) -> Outlook:
    """Print what is about to run, what it costs and what is missing. CheckFailed where the disk is too small."""
    from bench.commands.outlook import before, check_room, outlook

    found = outlook(plan)
    for line in before(found):
        say(line)
    check_room(found)
    return found


def carry_out(found: Outlook, report: Path) -> None:
    """Run a plan and render the report of its results folder. CheckFailed at the end where runs failed."""
    from bench.commands.outlook import Left
    from bench.report import render
    from bench.run import run_plan

    plan = found.plan
    failed = run_plan(plan, Left(found, found.todo).tell)
    say(f"report: {render([plan.results], report)}")
    if failed:
        raise CheckFailed(
            f"{len(failed)} of {len(plan.runs)} runs failed, first: {failed[0].model}: {failed[0].reason}"
        )
