"""The meeting point: build the model, measure (evaluators/), store the record."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from bench.errors import CheckFailed
from bench.evaluators.answers import measure_answers
from bench.evaluators.captions import measure_captions
from bench.evaluators.images import measure_images, measure_real_data
from bench.evaluators.paintings import measure_paintings, measure_real_scenes
from bench.evaluators.speed import measure_composed, measure_ratios, measure_sizes, measure_timings
from bench.metrics import METRICS
from bench.models import build_for, file_sha256, origin, weights_of
from bench.plan import Plan, PlannedRun
from bench.processes import num_workers, start_worker
from bench.records import environment
from bench.records.schema import REAL_DATA, Inputs, Protocol, Record, RunSpec
from bench.records.store import WORK, is_current, load_records, save_record, write_json
from bench.studies import settings_of

LEDGER = "measured-here.json"
Job = tuple[PlannedRun, Inputs, str, Path]  # run_one's arguments
MEASURE: dict[str, Callable[[Any, RunSpec, Any, Path], dict[str, Any]]] = {  # by what a protocol collects
    "images": measure_images,
    "timings": measure_timings,
    "composed": measure_composed,
    "ratios": measure_ratios,
    "captions": measure_captions,
    "answers": measure_answers,
    "paintings": measure_paintings,
}
MEASURE_REAL: dict[str, Callable[[RunSpec], dict[str, Any]]] = {  # the same of real images, without a model
    "images": measure_real_data,
    "paintings": measure_real_scenes,
}


def code_sha256(network: type) -> str:
    """Hash of the code that paints and collects: the family's own file, what families share, sampling/ and timing/."""
    import reference_models

    own = Path(inspect.getfile(network))
    others = {module.rsplit(".", 1)[1] for module in reference_models.MODELS.values()} | {"training", "__init__"}
    shared = [path for path in Path(reference_models.__file__).parent.glob("*.py") if path.stem not in others]
    digest = hashlib.sha256()
    collectors = [path for name in ("sampling", "timing") for path in (Path(__file__).parent / name).glob("*.py")]
    for path in [own, *sorted({*shared} - {own}), *sorted(collectors)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run_inputs(spec: RunSpec, device: str, work: Path) -> Inputs:
    """What the numbers of a run depend on. A record with equal inputs is not measured again."""
    from reference_models import find

    weights = None if spec.model == REAL_DATA else weights_of(spec, work)
    model = None if spec.model == REAL_DATA else find(spec.model)
    return Inputs(
        settings=dict(spec.settings),
        weights_sha256=file_sha256(weights) if weights else None,
        weights_origin=origin(weights),
        versions={"model": model.version} if model else {},
        metric_versions={name: METRICS[name].version for name in spec.protocol.metrics},
        torch=environment.versions().get("torch"),
        machine=environment.machine(device),
    )


def run_plan(plan: Plan) -> list[Record]:
    """Run what can run and is not measured yet; returns the records of the runs that failed.

    Runs that time nothing go side by side, one per processor; then each of the others has the machine to itself.
    """
    failed = []
    work = plan.results / WORK
    here = set(json.loads((work / LEDGER).read_text())) if (work / LEDGER).exists() else set()
    records = load_records([plan.results]).records
    todo: dict[bool, list[Job]] = {True: [], False: []}  # by whether it times nothing
    for planned in plan.runs:
        if planned.lacks:
            print(f"{title(planned)}: not run: needs {'; '.join(planned.lacks)}", flush=True)
            continue
        inputs = run_inputs(planned.spec, plan.device, work)
        if any(r.file in here and is_current(r, planned.spec.protocol, inputs) for r in records):
            print(f"{title(planned)}: measured before, inputs unchanged", flush=True)
            continue
        todo[times_nothing(planned.spec.protocol)].append((planned, inputs, plan.device, work))
    for planned, record in chain(run_side_by_side(todo[True]), ((job[0], run_one(*job)) for job in todo[False])):
        path = save_record(record, plan.results)
        here.add(path.relative_to(plan.results).as_posix())
        work.mkdir(parents=True, exist_ok=True)
        write_json(sorted(here), work / LEDGER)
        if record.status == "failed":
            print(f"{title(planned)}: failed: {record.reason}", flush=True)
            failed.append(record)
        else:
            print(f"{title(planned)}: done in {record.wall_s:.1f} s", flush=True)
    return failed


def title(planned: PlannedRun) -> str:
    return f"{planned.spec.model} {planned.spec.protocol.name}"


def times_nothing(protocol: Protocol) -> bool:
    return protocol.collects in ("images", "sizes") and "throughput_per_s" not in protocol.metrics


def run_side_by_side(jobs: Sequence[Job]) -> Iterator[tuple[PlannedRun, Record]]:
    """The jobs' records as they come, each from a process of its own where there is more than one at a time."""
    workers = min(len(jobs), num_workers(jobs[0][2])) if jobs else 0
    if workers < 2:
        yield from ((job[0], run_one(*job)) for job in jobs)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), start_worker)
    try:
        longest_first = sorted(jobs, key=lambda job: -(job[0].cost_s or math.inf))
        planned_by_future = {pool.submit(run_one, *job): job[0] for job in longest_first}
        for future in as_completed(planned_by_future):
            yield planned_by_future[future], future.result()
    except BrokenProcessPool as error:
        raise CheckFailed(
            "a process that measured was killed: not enough memory? Run the same command again"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def run_one(planned: PlannedRun, inputs: Inputs, device: str, work: Path) -> Record:
    """One run. A run that fails becomes a record with status "failed" and the reason in one line."""
    spec, start = planned.spec, time.monotonic()
    found: dict[str, Any] = {}
    status, reason = "ok", ""
    num_threads = torch.get_num_threads()
    try:
        if spec.protocol.num_threads is not None:
            torch.set_num_threads(spec.protocol.num_threads)
        if spec.model == REAL_DATA:
            found = MEASURE_REAL[spec.protocol.collects](spec)
        elif spec.protocol.collects == "sizes":
            found = measure_sizes(spec)
        else:
            model = build_for(spec.model, spec.protocol, device, work)
            found["family"] = model.spec.family
            found["settings"] = settings_of(spec)
            found |= MEASURE[spec.protocol.collects](model, spec, inputs, work)
    except (CheckFailed, RuntimeError, FloatingPointError) as error:
        status, reason = "failed", " ".join(f"{error}".split())
    record = Record(
        model=spec.model,
        protocol=spec.protocol,
        inputs=inputs,
        environment=environment.describe(device),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        status=status,  # type: ignore[arg-type]
        reason=reason,
        wall_s=time.monotonic() - start,
        **{"settings": dict(spec.settings), "measurements": {}, **found},
    )
    torch.set_num_threads(num_threads)
    return record
