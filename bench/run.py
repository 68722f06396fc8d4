"""The meeting point: build the model, measure (bench/measure), store the record."""

from __future__ import annotations

import hashlib
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench import environment
from bench.generate import file_sha256
from bench.measure.answers import measure_answers
from bench.measure.captions import measure_captions
from bench.measure.composed import measure_composed
from bench.measure.images import measure_images, measure_real_data
from bench.measure.models import build_for
from bench.measure.paintings import measure_paintings, measure_real_scenes
from bench.measure.ratios import measure_ratios
from bench.measure.sizes import measure_sizes
from bench.measure.timings import measure_timings
from bench.metrics import METRICS
from bench.plan import REAL_DATA, WORK, Plan, PlannedRun
from bench.records import CheckFailed, Record, RunSpec
from bench.results import is_current, load_records, save_record, write_json
from bench.retrain import origin, weights_of
from bench.studies import settings_of

LEDGER = "measured-here.json"
MEASURE: dict[str, Callable[[Any, RunSpec, dict[str, Any], Path], dict[str, Any]]] = {  # by what a protocol collects
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
    """Hash of the code that paints and collects: the family's own file, what families share, and bench/collect."""
    import reference_models

    own = Path(inspect.getfile(network))
    others = {module.rsplit(".", 1)[1] for module in reference_models.MODELS.values()} | {"training", "__init__"}
    shared = [path for path in Path(reference_models.__file__).parent.glob("*.py") if path.stem not in others]
    digest = hashlib.sha256()
    for path in [own, *sorted({*shared} - {own}), *sorted((Path(__file__).parent / "collect").glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run_inputs(spec: RunSpec, device: str, work: Path) -> dict[str, Any]:
    """What the numbers of a run depend on. A record with equal inputs is not measured again."""
    from reference_models import find

    baselines = {name: code_sha256(find(name).network) for name in spec.baselines}

    weights = None if spec.model == REAL_DATA else weights_of(spec, work)
    return json.loads(
        json.dumps(
            {
                "model": spec.model,
                "protocol": asdict(spec.protocol),
                "settings": dict(spec.settings),
                "weights_sha256": file_sha256(weights) if weights else None,
                "weights_origin": origin(weights),
                "code_sha256": None if spec.model == REAL_DATA else code_sha256(find(spec.model).network),
                "metric_versions": {name: METRICS[name].version for name in spec.protocol.metrics},
                "torch": environment.versions().get("torch"),
                "machine": environment.machine(device),
                **({"baselines": baselines} if baselines else {}),
            }
        )
    )


def run_plan(plan: Plan) -> list[Record]:
    """Run what can run and is not measured yet; returns the records of the runs that failed."""
    failed = []
    work = plan.results / WORK
    here = set(json.loads((work / LEDGER).read_text())) if (work / LEDGER).exists() else set()
    records, _ = load_records([plan.results])
    for planned in plan.runs:
        title = f"{planned.spec.model} {planned.spec.protocol.name}"
        if planned.lacks:
            print(f"{title}: not run: needs {'; '.join(planned.lacks)}", flush=True)
            continue
        inputs = run_inputs(planned.spec, plan.device, work)
        if any(r.file in here and is_current(r, inputs) for r in records):
            print(f"{title}: measured before, inputs unchanged", flush=True)
            continue
        record = run_one(planned, inputs, plan.device, work)
        path = save_record(record, plan.results)
        here.add(path.relative_to(plan.results).as_posix())
        work.mkdir(parents=True, exist_ok=True)
        write_json(sorted(here), work / LEDGER)
        if record.status == "failed":
            print(f"{title}: failed: {record.reason}", flush=True)
            failed.append(record)
        else:
            print(f"{title}: done in {record.wall_s:.1f} s", flush=True)
    return failed


def run_one(planned: PlannedRun, inputs: dict[str, Any], device: str, work: Path) -> Record:
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
        protocol=asdict(spec.protocol),
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
