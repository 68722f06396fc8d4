"""`python -m bench work`: a worker that fills the store for all runs of a plan in which nothing is timed.

    torchrun --nproc-per-node 8 --nnodes 2 --rdzv-endpoint HOST:29500 -m bench work --scale imagenet-256
    python -m bench work --scale imagenet-256 --slurm-nodes 2 --slurm-gpus 8 --slurm-partition gpu

Then `python -m bench reproduce --scale imagenet-256` finds everything there, scores it and writes the records. Workers
need no connection to each other, only the results folder on a file system that all of them see.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.app import MOST, MOST_WORKERS, Asked, example, resolve_device, with_options
from bench.commands.outlook import Left, before, check_room, outlook
from bench.console import say
from bench.errors import CheckFailed, CheckpointError, UsageError
from bench.plan import Plan, PlannedRun
from bench.processes import Job, run_jobs
from bench.protocols import is_timed, kind_of
from bench.records.schema import REAL_DATA
from bench.records.store import WORK
from bench.sampling import files
from bench.sampling.precision import PLAIN, running_in
from bench.sampling.ranks import Rank, limit_threads, this_rank
from bench.sampling.workers import stopping

if TYPE_CHECKING:
    from bench.evaluators.benchmark_texts import StoredTexts
    from bench.sampling.images import Samples


@example("torchrun --nproc-per-node 8 -m bench work --scale imagenet-256")
@with_options(Asked)
def work(
    options: dict[str, Any],
    batch_size: Annotated[
        int, typer.Option(min=0, max=MOST, help="images per call; changes no image; 0: the protocol's")
    ] = 0,
    slurm_nodes: Annotated[
        int, typer.Option(min=0, max=MOST_WORKERS, help="submit to Slurm: machines; 0: work here")
    ] = 0,
    slurm_gpus: Annotated[
        int | None, typer.Option(min=1, max=MOST_WORKERS, help="workers per machine, a GPU each [default: 8]")
    ] = None,
    slurm_partition: Annotated[str | None, typer.Option(help="partition of Slurm")] = None,
    slurm_hours: Annotated[
        float | None, typer.Option(min=0.1, max=24 * 366, help="time limit of the job [default: 24]")
    ] = None,
) -> None:
    """Fill the store for all runs of a plan in which nothing is timed; `reproduce` then writes the records. Resumable.

    Any number of workers: torchrun, Slurm, or the same command in several terminals."""

    orders = Orders(**options | {"results": options["results"].absolute()}, batch_size=batch_size)
    told = {"num_gpus": slurm_gpus, "partition": slurm_partition, "hours": slurm_hours}
    given: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if slurm_nodes:
        submit(orders, num_nodes=slurm_nodes, **given)
        return
    if given:
        option = "--slurm-" + next(iter(given)).removeprefix("num_")
        raise UsageError(f"{option} goes with --slurm-nodes: without it this process does the work")
    with stopping():
        fill_store(orders, this_rank())


@dataclass(frozen=True, kw_only=True)
class Orders(Asked):
    """What the workers are told."""

    batch_size: int = 0  # images per call; 0: the protocol's
    announced: bool = False  # somebody has said already what there is to do


def fill_store(orders: Orders, rank: Rank) -> None:
    """Collect what the runs of a plan need, as one worker of many. CheckFailed at the end where a run failed.

    Runs that are measured already are left out, unless pixels are to be kept.
    """
    plan = orders.plan(rank.device(resolve_device(orders.device)))
    files.check_writable(plan.results, "--results")
    runs = to_collect(plan)
    if not runs:
        say("work: nothing to do: every run of this plan is measured, is timed, or lacks something")
        return
    found = outlook(replace(plan, runs=tuple(runs)))
    if not rank.rank and not orders.announced:
        for line in before(found):
            say(line)
    check_room(found)
    with files.at_work(plan.results / WORK, "work"):
        collect_runs([runs[i] for i in found.todo], plan, rank, orders.batch_size, Left(found, found.todo))


def collect_runs(runs: Sequence[PlannedRun], plan: Plan, rank: Rank, batch_size: int, left: Left) -> None:
    """The samples of these runs, in the store. CheckFailed at the end where a run failed."""
    failures: dict[int, str] = {}
    done: set[int] = set()
    # First what nobody is at work on, so that workers spread over the runs; then the rest of each.
    for leave_claimed in (True, False):
        for place, run in enumerate(runs):
            if place in failures or place in done:
                continue
            try:
                collected = collect_run(run, plan, rank, batch_size, leave_claimed)
            except (CheckFailed, CheckpointError, FloatingPointError, RuntimeError, ValueError, OSError) as error:
                failures[place] = " ".join(f"{error}".split())
                say(f"{run.title}: failed: {failures[place]}")
                continue
            if collected.is_complete():
                done.add(place)
                say(f"{run.title}: {collected.num} {run.spec.protocol.collects} in {collected.name}")
                left.tell(run)
    if failures:
        place, reason = next(iter(failures.items()))
        raise CheckFailed(f"{len(failures)} of {len(runs)} runs failed, first: {runs[place].title}: {reason}")


def collectable(plan: Plan) -> list[PlannedRun]:
    """The runs of a plan that a worker can help with: nothing in them is timed, a model generates, nothing lacks."""
    return [
        run
        for run in plan.runs
        if run.spec.protocol.collects in ("images", "geneval", "captions", "answers")
        and not is_timed(run.spec.protocol)
        and run.spec.model != REAL_DATA
        and not run.lacks
    ]


def to_collect(plan: Plan) -> list[PlannedRun]:
    """The collectable runs of a plan whose items are still needed: not measured, or their pixels are to be kept."""
    from bench.run import ledger_of, measured_here, run_inputs

    runs = collectable(plan)
    if plan.keep_images:
        return runs
    is_measured = measured_here(plan.results, ledger_of(plan.results / WORK))
    return [run for run in runs if not is_measured(run.spec, run_inputs(run.spec, plan.device, plan.results / WORK))]


def collect_run(run: PlannedRun, plan: Plan, rank: Rank, batch_size: int, leave_claimed: bool) -> Samples | StoredTexts:
    """The samples of one run, in the store of the plan's results folder."""
    from bench.evaluators import benchmark_texts, images
    from bench.models import build_for

    work = plan.results / WORK
    model = build_for(run.spec.model, run.spec.protocol, plan.device, work)
    limit_threads(model.spec)
    if kind_of(run.spec.protocol).reads:
        collect = benchmark_texts.collect_run
        with running_in(PLAIN, plan.device):  # as in run.py: a store must not tell who filled it
            return collect(model, run.spec, work, rank=rank, batch_size=batch_size, leave_claimed=leave_claimed)
    return images.collect(
        model,
        run.spec,
        work,
        rank=rank,
        batch_size=batch_size,
        leave_claimed=leave_claimed,
        keep_images=plan.keep_images,
    )


def start_workers(orders: Orders, num_workers: int, work: Path) -> None:
    """Fill the store with so many processes on this machine, and wait for them; of several GPUs each has one.

    A worker that dies is named, the others take over, and what none of them made is left to the caller. All end when
    this process does; what they were at then, interrupted, is removed from the work folder `work`.
    """
    jobs = [
        Job(f"worker {k}", partial(fill_store, orders, Rank(k, num_workers, k if orders.device == "cuda" else None)))
        for k in range(num_workers)
    ]
    with files.at_work(work, "workers"), closing(run_jobs(jobs, num_workers=num_workers)) as outcomes:
        for outcome in outcomes:
            if outcome.error:
                say(f"{outcome.job.name} of {num_workers}: {outcome.error}")


def workers_for(device: str) -> int:
    """How many workers `reproduce` starts unasked: one per visible GPU where there are several, else none."""
    if device != "cuda":
        return 0
    import torch

    num_gpus = torch.cuda.device_count()
    return num_gpus if num_gpus > 1 else 0


def slurm_worker(orders: Orders) -> None:
    """What each task of the job does."""
    import submitit

    task = submitit.JobEnvironment()
    try:
        with stopping():
            fill_store(orders, Rank(task.global_rank, task.num_tasks, task.local_rank))
    except KeyboardInterrupt:  # scancel, the end of the job's time
        say("work: interrupted: submit the job again to continue")
        raise SystemExit(1) from None


def submit(
    orders: Orders,
    *,
    num_nodes: int = 1,
    num_gpus: int = 8,
    partition: str = "",
    hours: float = 24.0,
    cluster: str = "slurm",
) -> Any:
    """Submit a Slurm job of `num_gpus` workers on each of `num_nodes` machines; returns submitit's job.

    cluster: "local" runs the workers on this machine, which tests do. UsageError where there is no submitit or Slurm,
    and where Slurm refuses the job.
    """
    try:
        import submitit
    except ImportError as error:
        raise UsageError("--slurm-nodes needs submitit: pip install 'arbiter-bench[slurm]'") from error
    files.check_writable(orders.results, "--results")
    logs = orders.results / WORK / "slurm"
    try:
        executor = submitit.AutoExecutor(folder=logs, cluster=cluster)
    except RuntimeError as error:
        raise UsageError(f"--slurm-nodes: {error}") from error
    executor.update_parameters(
        name="bench-work",
        nodes=num_nodes,
        tasks_per_node=num_gpus,
        gpus_per_node=num_gpus if cluster == "slurm" else 0,
        timeout_min=max(1, round(60 * hours)),
        **({"slurm_partition": partition} if partition else {}),
    )
    try:
        job = executor.submit(slurm_worker, orders)
    except submitit.core.utils.FailedJobError as error:  # sbatch's own words: no such partition, no such account, ...
        raise UsageError(f"--slurm-nodes: Slurm refused the job: {' '.join(str(error).split())}") from error
    say(f"work: submitted job {job.job_id}: {num_nodes} x {num_gpus} workers; their output: {logs}")
    return job
