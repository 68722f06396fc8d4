"""The meeting point: build the model, collect each kind of samples once, compute the metrics, store the record."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench import environment
from bench.collect.images import collect_images
from bench.collect.timings import collect_timings
from bench.console import progress
from bench.generate import file_sha256, load_model
from bench.metrics import METRICS
from bench.plan import REAL_DATA, Plan, PlannedRun
from bench.records import CheckFailed, Measurement, Record, RunSpec
from bench.results import load_records, save_record

WORK = ".work"  # inside the results folder, ignored by git: unfinished samples, and the list of records measured here
LEDGER = "measured-here.json"
GRID_ROWS = 6  # rows of the sample grid kept for the report


def code_sha256() -> str:
    """Hash of the code that paints and collects: every module of reference_models and bench/collect."""
    digest = hashlib.sha256()
    for folder in ("reference_models", "bench/collect"):
        for path in sorted((environment.ROOT / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run_inputs(spec: RunSpec, device: str) -> dict[str, Any]:
    """What the numbers of a run depend on. A record with equal inputs is not measured again."""
    from reference_models import shipped_weights

    weights = None if spec.model == REAL_DATA else shipped_weights(spec.model)
    return json.loads(
        json.dumps(
            {
                "model": spec.model,
                "protocol": asdict(spec.protocol),
                "settings": dict(spec.settings),
                "weights_sha256": file_sha256(weights) if weights else None,
                "code_sha256": None if spec.model == REAL_DATA else code_sha256(),
                "metric_versions": {name: METRICS[name].version for name in spec.protocol.metrics},
                "torch": environment.versions().get("torch"),
                "machine": environment.machine(device),
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
        inputs = run_inputs(planned.spec, plan.device)
        if any(r.inputs == inputs and r.status == "ok" and r.file in here for r in records):
            print(f"{title}: measured before, inputs unchanged", flush=True)
            continue
        record = run_one(planned, inputs, plan.device, work)
        path = save_record(record, plan.results)
        here.add(path.relative_to(plan.results).as_posix())
        work.mkdir(parents=True, exist_ok=True)
        temporary = work / f"{LEDGER}.tmp"
        temporary.write_text(json.dumps(sorted(here), indent=1))
        temporary.replace(work / LEDGER)
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
    try:
        if spec.model == REAL_DATA:
            found = _real_data(spec)
        else:
            model, _ = load_model(spec.model, weights=None, device=device, dtype=spec.protocol.dtype)
            found["family"] = model.spec.family
            found["settings"] = {**model.spec.sampling, **spec.settings}
            collect = _images if spec.protocol.collects == "images" else _timings
            found |= collect(model, spec, inputs, work)
    except (CheckFailed, RuntimeError, FloatingPointError) as error:
        status, reason = "failed", " ".join(f"{error}".split())
    return Record(
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
