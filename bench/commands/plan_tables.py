"""The tables of `bench plan`: each run with its settings, what it answers and costs; once, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bench.analysis.forecast import Forecast, forecast
from bench.console import console, duration
from bench.formatting import as_words, listed, quantity
from bench.models import image_size_of
from bench.plan import Plan, PlannedRun
from bench.protocols.at_paper_size import MODELS_OF
from bench.records import environment
from bench.records.schema import REAL_DATA
from bench.records.store import load_records

GROUNDS = {
    "measured": "by the images per second measured before",
    "roofline": "at least, at the roofline",
    "counts": "counted; no roofline of this device is known",
}


def print_plan(plan: Plan) -> None:
    """Each run with its settings, state and cost, what is missing, and the sum."""
    from rich.table import Table

    forecasts = forecasts_of(plan)
    table = Table(title=f"scale {plan.scale} on {plan.device}: {len(plan.runs)} runs", title_justify="left")
    for column in ("model", "protocol", "settings", "answers", "state", "cost"):
        table.add_column(column, overflow="fold")
    missing = numbered(plan)
    for run, cost in zip(plan.runs, forecasts, strict=True):
        lacks = ", ".join(f"[{missing[one]}]" for one in run.lacks)
        table.add_row(
            run.spec.model,
            protocol_words(run),
            settings_words(run),
            ", ".join(run.answers) or "no claim",
            f"not run: needs {lacks}" if lacks else "ready",
            cost_words(run, cost),
        )
    console().print(table)
    for lack, number in missing.items():
        print(f"[{number}] {lack}")
    for line in total(plan, forecasts):
        print(line)


def numbered(plan: Plan) -> dict[str, int]:
    """What is missing, in the order of the runs, with its number."""
    lacks = dict.fromkeys(one for run in plan.runs for one in run.lacks)
    return {lack: number for number, lack in enumerate(lacks, 1)}


def protocol_words(run: PlannedRun) -> str:
    protocol = run.spec.protocol
    if protocol.pilot_of:
        return f"{protocol.name} (pilot: {protocol.num_images:,} of {protocol.pilot_of:,} images)"
    return protocol.name + (" (quick)" if protocol.quick else "")


def settings_words(run: PlannedRun) -> str:
    """All settings in force; of counts and real data there are none."""
    from bench.protocols import kind_of
    from bench.studies import settings_of

    if run.spec.model == REAL_DATA or not kind_of(run.spec.protocol).needs_model:
        return "-"
    return ", ".join(f"{name} {as_words(name, value)}" for name, value in settings_of(run.spec).items()) or "-"


def cost_words(run: PlannedRun, cost: Forecast) -> str:
    found = []
    if run.cost_s is not None:
        found.append(f"{duration(run.cost_s)} last time")
    if cost.seconds is not None and run.cost_s is None:
        found.append(f"{cost.seconds / 3600:,.3g} device-hours {GROUNDS[cost.ground]}")
    if cost.flops is not None:
        found.append(f"{quantity('flops', cost.flops)}")
    if cost.disk_bytes:
        found.append(f"{cost.disk_bytes / 1e9:,.2g} GB of disk")
    return "; ".join(found) or "not measured yet"


def forecasts_of(plan: Plan) -> list[Forecast]:
    """A forecast for every run of a plan, from all records of its results folder."""
    records = load_records([plan.results]).records
    machine = machine_of(plan.device)
    return [forecast(run.spec, records, machine, image_size=size_of(run), pixels=plan.keep_images) for run in plan.runs]


def size_of(run: PlannedRun) -> int:
    if run.spec.model != REAL_DATA:
        return image_size_of(run.spec)
    scale = MODELS_OF.get(run.spec.protocol.scale, run.spec.protocol.scale).rpartition("-")[2]
    return int(scale) if scale.isdecimal() else 8


def machine_of(device: str) -> str:
    """The slug of the machine; "" for a GPU that is not here."""
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            return ""
    return environment.machine(device)


def num_devices(device: str) -> int:
    """Devices that share what is not timed."""
    if device != "cuda":
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def total(plan: Plan, forecasts: Sequence[Forecast]) -> list[str]:
    """The sum over the runs that generate images: hours, disk, when they would end; and what it leaves out."""
    found = [(run, cost) for run, cost in zip(plan.runs, forecasts, strict=True) if cost.disk_bytes]
    if not found:
        return []
    disk = sum(cost.disk_bytes for _, cost in found)
    flops = sum(cost.flops or 0.0 for _, cost in found)
    lines = [f"images of {len(found)} runs: {quantity('flops', flops)}, {disk / 1e9:,.3g} GB of disk"]
    seconds = [run.cost_s or cost.seconds for run, cost in found]
    known, devices = [one for one in seconds if one], num_devices(plan.device)
    if known:
        bound = any(cost.ground == "roofline" and not run.cost_s for run, cost in found)
        ends = datetime.now() + timedelta(seconds=sum(known) / devices)
        least = "at least " if bound else ""
        lines.append(
            f"{least}{sum(known) / 3600:,.3g} device-hours: on {devices} device{'s' * (devices > 1)} it would end "
            f"{least and 'not before '}{ends:%Y-%m-%d %H:%M}"
        )
    if len(known) < len(found):
        what = f"{len(found) - len(known)} of them" if known else "them"
        lines.append(f"no time is told of {what}: no roofline of this device and no rate of these models is recorded")
    uncounted = [run.spec.model for run, cost in found if cost.flops is None and run.spec.model != REAL_DATA]
    if uncounted and plan.scale.startswith("imagenet"):
        lines.append(f"not counted: {listed(list(dict.fromkeys(uncounted)))}")
    return lines
