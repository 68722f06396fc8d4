"""The meeting point: build the model, collect each kind of samples once, compute the metrics, store the record."""

from __future__ import annotations

import base64
import hashlib
import inspect
import io
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import environment
from bench.collect.features import collect_features
from bench.collect.images import collect_images
from bench.collect.size import collect_size
from bench.collect.timings import collect_timings
from bench.console import progress
from bench.datasets import digits
from bench.generate import file_sha256, load_model
from bench.metrics import METRICS, latency, size
from bench.metrics.feature_similarity import compute_feature_similarity
from bench.plan import REAL_DATA, WORK, Plan, PlannedRun
from bench.records import CheckFailed, Measurement, Record, RunSpec
from bench.results import is_current, load_records, save_record, write_json
from bench.retrain import origin, weights_of
from bench.score import score_images

LEDGER = "measured-here.json"
GRID_ROWS = 6  # rows of the sample grid kept for the report
FEATURE_IMAGES = 100  # images whose semantic features are compared


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
            found = _real_data(spec)
        elif spec.protocol.collects == "sizes":
            found = _sizes(spec)
        else:
            weights = weights_of(spec, work)
            model, _ = load_model(spec.model, weights=weights, device=device, dtype=spec.protocol.dtype)
            found["family"] = model.spec.family
            found["settings"] = {**model.spec.sampling, **spec.settings}
            collect = _images if spec.protocol.collects == "images" else _timings
            found |= collect(model, spec, inputs, work)
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


def _images(model: Any, spec: RunSpec, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    """Generate once, score on all metrics."""
    protocol = spec.protocol
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
    folder = work / "images" / f"{spec.model}-{key}"
    with progress(f"{spec.model}: images", protocol.num_images) as bar:
        images, rounds_s = collect_images(
            model,
            num_images=protocol.num_images,
            seed=protocol.seed,
            batch_size=protocol.batch_size,
            settings=spec.settings,
            folder=folder,
            advance=bar.update,
        )
    found = _scored(images, spec, model.num_classes)
    settings = {**model.spec.sampling, **spec.settings}
    found["raw"] |= {"nfe": model.network_evaluations(**settings), "painting_rounds_s": rounds_s}
    found["measurements"] |= size.summarise({"nfe": found["raw"]["nfe"]})
    if rounds_s:
        found["measurements"]["throughput_per_s"] = latency.compute_throughput(rounds_s, protocol.batch_size)
    if "feature_similarity" in protocol.metrics and hasattr(model, "semantic_features"):
        count = min(FEATURE_IMAGES, protocol.num_images)
        features = collect_features(model, num_images=count, seed=protocol.seed, settings=spec.settings)
        found["measurements"]["feature_similarity"] = compute_feature_similarity(features)
    return found


def _real_data(spec: RunSpec) -> dict[str, Any]:
    """The real-data floor as a run of its own: held-out scans, as many as a model's images, against training scans."""
    images, _ = digits.load("heldout")
    return {"family": "real", **_scored(images[: spec.protocol.num_images], spec, digits.NUM_CLASSES)}


def _scored(images: np.ndarray, spec: RunSpec, num_classes: int) -> dict[str, Any]:
    protocol = spec.protocol
    scores = score_images(images, protocol.reference, features=protocol.features, floor=spec.model != REAL_DATA)
    return {
        "measurements": {name: Measurement(**fields) for name, fields in scores["metrics"].items()},
        "raw": {key: scores[key] for key in ("audit", "floor", "refused", "not_run")} | {"scoring": scores["protocol"]},
        "images_png": grid_png(images[: GRID_ROWS * num_classes], num_classes),
    }


def grid_png(images: np.ndarray, columns: int) -> str:
    """Images uint8 (N, 3, H, W) as one picture, row by row with a black pixel between them, base64 PNG."""
    from PIL import Image

    rows = len(images) // columns
    _, channels, height, width = images.shape
    cells = images[: rows * columns].reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    spaced = np.pad(cells, ((0, 0), (0, 1), (0, 0), (0, 1), (0, 0)))
    picture = spaced.reshape(rows * (height + 1), columns * (width + 1), channels)[:-1, :-1]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _sizes(spec: RunSpec) -> dict[str, Any]:
    """Count on the meta device: no weights, no memory."""
    import reference_models

    model = reference_models.build(spec.model, device="meta", weights=None)
    raw = collect_size(model)
    return {"family": model.spec.family, "measurements": size.summarise(raw), "raw": raw}


def _timings(model: Any, spec: RunSpec, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    protocol = spec.protocol
    stages = ("latency", "throughput", "memory and arithmetic")
    with progress(f"{spec.model}: timing", len(stages)) as bar:
        raw = collect_timings(
            model,
            latency_batch_size=protocol.latency_batch_size,
            throughput_batch_size=protocol.throughput_batch_size,
            min_rounds=protocol.min_rounds,
            min_duration_s=protocol.min_duration_s,
            settings=spec.settings,
            seed=protocol.seed,
            advance=lambda stage: bar.update(stages.index(stage), stage),
        )
        bar.update(len(stages))
    measurements = latency.summarise(raw)
    return {"measurements": measurements, "raw": {"rounds_s": raw["latency"].pop("rounds_s"), **raw}}
