"""The meeting point: build the model, measure (evaluators/), store the record.

A run that fails becomes a record that says why, and the others go on.
"""

from __future__ import annotations

import hashlib
import json
import math
import pkgutil
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from bench import assets
from bench.console import is_stopping, say
from bench.errors import Awaited, CheckFailed, CheckpointError, UsageError
from bench.evaluators import Context
from bench.files import check_writable
from bench.metrics import METRICS
from bench.models import REAL_IMAGES, build_for, file_sha256, identity, origin
from bench.plan import Plan, PlannedRun
from bench.processes import Job, last_words, run_jobs
from bench.protocols import is_timed, kind_of
from bench.records import environment
from bench.records.environment import num_workers
from bench.records.json_files import plain, read_json, write_json
from bench.records.latest import is_current
from bench.records.parts import Samples
from bench.records.schema import REAL_DATA, Inputs, Protocol, Record, RunSpec
from bench.records.store import WORK, after_earlier, load_records, save_record, sweep
from bench.sampling.files import at_work
from bench.sampling.precision import PLAIN, running_in
from bench.studies import settings_of

NOTHING: dict[str, Any] = {  # of a run that failed: the parts of its record
    **dict.fromkeys(("images", "texts", "paintings", "timing", "counts")),
    "speedups": (),
    "samples": Samples(),
}
LEDGER = "measured-here.json"


@dataclass(frozen=True)
class Awaiting:
    """In place of a record: a run that has done what it can and goes on after something that is not done here."""

    what: str


Task = tuple[PlannedRun, Inputs, str, Path, bool]  # run_one's arguments
FOR_USERS = (UsageError, CheckFailed, CheckpointError)  # errors whose message stands by itself


def run_inputs(spec: RunSpec, device: str, work: Path) -> Inputs:
    """What the numbers of a run depend on. A record with equal inputs is not measured again.

    Of code the versions, which are raised by hand when numbers change; of files the checksums; the machine only where a
    clock is read.
    """
    protocol = spec.protocol
    versions, files, weights = {"evaluator": kind_of(protocol).version}, {}, None
    if protocol.features:
        files["features"] = features_sha256(protocol)
    needed = [*protocol.assets, *([REAL_IMAGES] if spec.model == REAL_DATA and protocol.assets else [])]
    files |= {name: assets.checksum(assets.find(name)) for name in needed}
    if spec.model != REAL_DATA:
        own = identity(spec, work)
        weights = own.files.pop("weights", None)
        versions |= own.versions
        files |= own.files
    for name in spec.baselines:
        theirs = identity(replace(spec, model=name), work)
        versions |= {f"{name} {part}": version for part, version in theirs.versions.items()}
        files |= {f"{name} {part}": sha256 for part, sha256 in theirs.files.items()}
    return Inputs(
        settings=dict(spec.settings),
        weights_sha256=weights,
        weights_origin=None if spec.model == REAL_DATA else origin(spec, work),
        files={name: sha256 for name, sha256 in files.items() if sha256},
        versions=versions,
        metric_versions={name: METRICS[name].version for name in protocol.metrics},
        torch=environment.versions().get("torch"),
        machine=environment.machine(device) if is_timed(protocol) else None,
    )


def features_sha256(protocol: Protocol) -> str | None:
    """Of the weights of a protocol's feature extractor; None where they are not there."""
    from bench.features.kinds import EXTRACTORS

    path = EXTRACTORS[protocol.features].weights()
    return file_sha256(path) if path.is_file() else None


def run_plan(plan: Plan, tell: Callable[[PlannedRun], None] = lambda run: None) -> list[Record]:
    """Run what can run and is not measured yet; returns the records of the runs that failed. tell: of each that ended.

    Runs that time nothing go side by side, one per core; then each of the others has the machine to itself.
    """
    work = plan.results / WORK
    check_writable(work, "results")
    sweep(plan.results)
    with at_work(work, "runs"):
        return run_what_lacks(plan, work, tell)


def run_what_lacks(plan: Plan, work: Path, tell: Callable[[PlannedRun], None]) -> list[Record]:
    """`run_plan` in a folder that can be written to."""
    failed = []
    here = ledger_of(work)
    is_measured = measured_here(plan.results, here)
    todo: dict[bool, list[Task]] = {True: [], False: []}  # by whether a clock is read
    lost: list[tuple[PlannedRun, Record | Awaiting]] = []  # failed before they could start
    for planned in plan.runs:
        if planned.lacks:
            say(f"{planned.title}: not run: needs {'; '.join(planned.lacks)}")
            continue
        waits, nothing_else = awaits(planned.spec, work)
        if nothing_else:
            say(f"{planned.title}: not run: needs {waits}")
            continue
        try:
            inputs = run_inputs(planned.spec, plan.device, work)
        except Exception as error:
            if is_stopping():
                raise KeyboardInterrupt from error
            lost.append((planned, failed_record(planned.spec, Inputs(), plan.device, reason_of(error))))
            continue
        if is_measured(planned.spec, inputs):
            say(f"{planned.title}: measured before, inputs unchanged")
            continue
        todo[is_timed(planned.spec.protocol)].append((planned, inputs, plan.device, work, plan.keep_images))
    alone = ((task[0], run_one(*task)) for task in todo[True])
    for planned, measured in chain(lost, run_side_by_side(todo[False]), alone):
        if isinstance(measured, Awaiting):
            say(f"{planned.title}: waits for {measured.what}")
            tell(planned)
            continue
        path, record = keep(measured, plan.results)
        here |= ledger_of(work) | {path.relative_to(plan.results).as_posix()}  # a run beside this one writes it, too
        write_json(sorted(here), work / LEDGER)
        if record.status == "failed":
            say(f"{planned.title}: failed: {record.reason}")
            failed.append(record)
        else:
            say(f"{planned.title}: done in {record.wall_s:.1f} s")
        tell(planned)
    return failed


def ledger_of(work: Path) -> set[str]:
    """The records that this folder's runs wrote; none, and a line that says so, where the list is damaged."""
    path = work / LEDGER
    if not path.exists():
        return set()
    try:
        found = read_json(path)
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise ValueError("no list of names")
        return set(found)
    except ValueError as error:
        say(f"{path}: damaged ({error}); what was measured is measured again")
        return set()


def measured_here(results: Path, here: Set[str]) -> Callable[[RunSpec, Inputs], bool]:
    """Whether a run was measured into a results folder here, with these inputs.  here: its `ledger_of`."""
    records = [record for record in load_records([results]).records if record.file in here]
    return lambda spec, inputs: any(r.model == spec.model and is_current(r, spec.protocol, inputs) for r in records)


def keep(record: Record, folder: Path) -> tuple[Path, Record]:
    """Save a record, or, where it holds what no file can (NaN, an object of a library), the fact that it failed."""
    try:
        record = after_earlier(record, folder)
        return save_record(record, folder), record
    except (CheckFailed, TypeError, ValueError) as error:
        bare = replace(record, status="failed", reason=reason_of(error), measurements={}, **NOTHING)
        return save_record(bare, folder), bare


def run_side_by_side(tasks: Sequence[Task]) -> Iterator[tuple[PlannedRun, Record | Awaiting]]:
    """The tasks' records as they come, each from a process of its own where there is more than one at a time."""
    workers = min(len(tasks), num_workers(tasks[0][2])) if tasks else 0
    if workers < 2:
        yield from ((task[0], run_one(*task)) for task in tasks)
        return
    by_name = {str(place): task for place, task in enumerate(sorted(tasks, key=longest_first))}
    jobs = [Job(name, partial(run_one, *task)) for name, task in by_name.items()]
    with closing(run_jobs(jobs, num_workers=workers)) as outcomes:
        for outcome in outcomes:
            planned, inputs, device, *_ = by_name[outcome.job.name]
            yield planned, outcome.value or failed_record(planned.spec, inputs, device, outcome.error)


def longest_first(task: Task) -> float:
    return -(task[0].cost_s or math.inf)


def evaluator_of(spec: RunSpec) -> Callable[[Any, RunSpec, Context], dict[str, Any]]:
    """The function that measures a run. CheckFailed where nothing of the kind is measured on real data."""
    kind = kind_of(spec.protocol)
    place = kind.real if spec.model == REAL_DATA else kind.evaluator
    if not place:
        raise CheckFailed(f"{kind.name} are not measured on real data")
    found: Callable[[Any, RunSpec, Context], dict[str, Any]] = pkgutil.resolve_name(place)
    return found


def run_one(
    planned: PlannedRun, inputs: Inputs, device: str, work: Path, keep_images: bool = False
) -> Record | Awaiting:
    """One run. One that fails, in whatever way, becomes a record with status "failed" and the reason in one line."""
    spec, start = planned.spec, time.monotonic()
    key = hashlib.sha256(json.dumps(plain([spec.model, spec.protocol, inputs]), sort_keys=True).encode()).hexdigest()[
        :16
    ]
    import torch

    num_threads = torch.get_num_threads()
    try:
        if spec.protocol.num_threads is not None:
            torch.set_num_threads(spec.protocol.num_threads)
        model = build_for(spec.model, spec.protocol, device, work) if runs_a_model(spec) else None
        with running_in(PLAIN, device):  # an evaluator says where a paper has it otherwise
            found = evaluator_of(spec)(model, spec, Context(device, work, key, keep_images))
        return replace(empty_record(spec, inputs, device), **found, wall_s=time.monotonic() - start)
    except Awaited as error:
        return Awaiting(reason_of(error))
    except Exception as error:
        if is_stopping():
            raise KeyboardInterrupt from error
        return replace(failed_record(spec, inputs, device, reason_of(error)), wall_s=time.monotonic() - start)
    finally:
        torch.set_num_threads(num_threads)


def awaits(spec: RunSpec, work: Path) -> tuple[str, bool]:
    """(what else must be there before a run can be scored, made elsewhere; whether all that is done here is done)."""
    place = kind_of(spec.protocol).awaits
    if not place:
        return "", False
    found: tuple[str, bool] = pkgutil.resolve_name(place)(spec, work)
    return found


def runs_a_model(spec: RunSpec) -> bool:
    return spec.model != REAL_DATA and kind_of(spec.protocol).needs_model


def reason_of(error: Exception) -> str:
    """An error in one line: the message of one that was written for users, else its type and last line."""
    return " ".join(str(error).split()) if isinstance(error, FOR_USERS) else last_words(error)


def failed_record(spec: RunSpec, inputs: Inputs, device: str, reason: str) -> Record:
    return replace(empty_record(spec, inputs, device), status="failed", reason=reason)


def empty_record(spec: RunSpec, inputs: Inputs, device: str) -> Record:
    """What was run, where and when; nothing measured yet."""
    from reference_models import find

    return Record(
        model=spec.model,
        family="real" if spec.model == REAL_DATA else find(spec.model).family,
        protocol=spec.protocol,
        settings=settings_of(spec) if runs_a_model(spec) else dict(spec.settings),
        measurements={},
        inputs=inputs,
        environment=environment.describe(device),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
