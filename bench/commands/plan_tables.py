"""The tables of `bench plan`: each run with its settings, what it answers and costs; once, what is missing."""

from __future__ import annotations

from bench.analysis.forecast import Forecast
from bench.commands.outlook import Outlook, costs, counted, outlook, slow
from bench.console import console, duration, say
from bench.formatting import disk_size, quantity, settings_words
from bench.plan import Plan, PlannedRun
from bench.records.schema import REAL_DATA

GROUNDS = {
    "measured": "by the images per second measured before",
    "roofline": "at least, at the roofline",
    "counts": "counted; no roofline of this device is known",
}


def print_plan(plan: Plan) -> None:
    """Each run with its settings, state and cost, what is missing, and the sum."""
    from rich.table import Table

    found = outlook(plan)
    table = Table(title=f"scale {plan.scale} on {plan.device}: {len(plan.runs)} runs", title_justify="left")
    for column in ("model", "protocol", "settings", "answers", "state", "cost"):
        table.add_column(column, overflow="fold")
    missing = numbered(found)
    for i, (run, cost) in enumerate(zip(plan.runs, found.forecasts, strict=True)):
        lacks = ", ".join(f"[{missing[one]}]" for one in found.missing(i))
        table.add_row(
            run.spec.model,
            protocol_words(run),
            in_force(run),
            ", ".join(run.answers) or "no claim",
            state_words(found, i, lacks),
            cost_words(run, cost),
        )
    console().print(table)
    for lack, number in missing.items():
        say(f"[{number}] {lack}")
    chosen = [i for i in range(len(plan.runs)) if i not in found.measured]
    for line in [counted(found), *costs(found, chosen), *slow(found, found.todo)]:
        say(line)


def numbered(found: Outlook) -> dict[str, int]:
    """What is missing, in the order of the runs, with its number."""
    lacks = dict.fromkeys(one for i in range(len(found.runs)) for one in found.missing(i))
    return {lack: number for number, lack in enumerate(lacks, 1)}


def protocol_words(run: PlannedRun) -> str:
    protocol = run.spec.protocol
    if protocol.pilot_of:
        return f"{protocol.name} (pilot: {protocol.num_images:,} of {protocol.pilot_of:,} images)"
    return protocol.name + (" (quick)" if protocol.quick else "")


def in_force(run: PlannedRun) -> str:
    """As formatting has them, all settings in force; of counts and real data there are none."""
    from bench.protocols import kind_of
    from bench.studies import settings_of

    if run.spec.model == REAL_DATA or not kind_of(run.spec.protocol).needs_model:
        return "-"
    return settings_words(settings_of(run.spec)) or "-"


def state_words(found: Outlook, i: int, lacks: str) -> str:
    """As "ready; 500 of 50,000 are in the store". lacks: the numbers of what is missing, "" where nothing is."""
    if i in found.measured:
        return "measured"
    cost = found.forecasts[i]
    stored = f"; {cost.num_stored:,} of {cost.num_items:,} are in the store" if cost.num_stored else ""
    if found.runs[i].lacks or i in found.idle:
        return f"not run: needs {lacks}{stored}"
    return f"ready{stored}" + (f"; its scores need {lacks}" if lacks else "")


def cost_words(run: PlannedRun, cost: Forecast) -> str:
    found = []
    if run.cost_s is not None:
        found.append(f"{duration(run.cost_s)} last time")
    if cost.seconds is not None and run.cost_s is None:
        found.append(f"{cost.seconds / 3600:,.3g} device-hours {GROUNDS[cost.ground]}")
    if cost.flops is not None:
        found.append(f"{quantity('flops', cost.flops)}")
    if cost.disk_bytes:
        found.append(f"{disk_size(cost.disk_bytes)} of disk")
    return "; ".join(found) or "not measured yet"
