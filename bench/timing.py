"""`python -m bench time MODEL ...`: latency and throughput of sampling, as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from bench import environment
from bench.collect.timings import collect_timings
from bench.console import console
from bench.generate import require_labels
from bench.metrics.latency import summarise
from bench.records import UsageError
from bench.results import check_json_path, write_json

DTYPES = ("float32", "bfloat16", "float16")


def time_models(
    names: list[str], *, batch_sizes: list[int], device: str, dtype: str, compiled: bool, json_file: Path | None
) -> None:
    """Time each model at each batch size, with shipped weights or random ones (speed does not depend on them)."""
    import torch

    from reference_models import build, find

    if dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}; known: {', '.join(DTYPES)}")
    check_json_path(json_file)
    for name in names:
        require_labels(find(name))
    table = Table(title=f"{environment.machine(device)}, {dtype}", title_justify="left")
    for column in (
        "model",
        "batch",
        "latency p50",
        "p90",
        "95 % interval",
        "images/s",
        "rounds",
        "network evaluations",
    ):
        table.add_column(column, justify="left" if column == "model" else "right")
    found: dict[str, Any] = {}
    for name in names:
        model = build(name, device=device, dtype=getattr(torch, dtype))
        if compiled:
            model.compile_steps()
        for batch_size in batch_sizes:
            raw = collect_timings(
                model,
                latency_batch_size=batch_size,
                throughput_batch_size=0,
                min_rounds=10,
                min_duration_s=2.0,
                settings={},
            )
            metrics = summarise(raw)
            latency = metrics["latency_s"]
            table.add_row(
                name,
                str(batch_size),
                f"{latency.value * 1e3:,.1f} ms",
                f"{metrics['latency_p90_s'].value * 1e3:,.1f} ms",
                f"{(latency.ci_low or 0) * 1e3:,.1f}-{(latency.ci_high or 0) * 1e3:,.1f} ms",
                f"{batch_size / latency.value:,.2f}",
                str(latency.n),
                f"{metrics['nfe'].value:,.0f}",
            )
            found[f"{name}@{batch_size}"] = {
                "metrics": {key: asdict(value) for key, value in metrics.items()},
                "raw": raw,
                "sampling": dict(model.spec.sampling),
            }
    console().print(table)
    if json_file is not None:
        content = {
            "metrics": {
                metric if len(found) == 1 else f"{run}/{metric}": value  # one run: the metric's plain name
                for run, entry in found.items()
                for metric, value in entry["metrics"].items()
            },
            "raw": {name: entry["raw"] for name, entry in found.items()},
            "protocol": {
                "batch_sizes": batch_sizes,
                "dtype": dtype,
                "compiled": compiled,
                "sampling": {name: entry["sampling"] for name, entry in found.items()},
            },
            "environment": environment.describe(device),
        }
        write_json(content, json_file)
