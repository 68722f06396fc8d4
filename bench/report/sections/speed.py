"""The part "Speed": how long a call takes, in batches, by stages, against quality, and what guards those times.

What a record does not hold is said to be not measured; old records hold less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bench.analysis.records import floor_of, label_by_file, whiskers
from bench.analysis.speed import rates_of, stages_of
from bench.formatting import listed, quantity
from bench.records.schema import Record
from bench.report.charts.drawing import Point
from bench.report.charts.speed import distribution_chart, sweep_chart, waterfall_chart
from bench.report.charts.studies import cost_chart
from bench.report.sections.studies.trade_off import front_of
from bench.report.tables import Table
from bench.report.tables.speed import Grouped, composed_table, latency_table, stage_table, sweep_table, validity_table
from bench.report.tables.speedups import ratio_table
from bench.report.words import anchor

TIMED = ("timings", "composed")
HERE = "python -m bench reproduce"
ON_A_GPU = f"{HERE} --scale imagenet-256 --device cuda"
DISTRIBUTION = (
    "Every timed round at batch 1: the share of them that took at most so long. A marker stands at the median; the "
    "steeper a curve, the steadier the time."
)
SWEEP = "Images per second against batch size: a curve that is flat from the start gains nothing from batches."
WATERFALL = "The stages of one call, each beginning where the last one ended; beside each its time and share."
QUALITY = (
    "FID against latency, both measured here with the same settings; whiskers are 95 % intervals. Staircase and "
    "outlined markers: the Pareto front, models that no other beats in both. Dashed: the floor set by real held-out "
    "scans, with its interval."
)
LIMIT = (
    "“Of the limit”: the least time in which this machine could do the operations and read the weights of a stage "
    "({limits}), over the time that it took. “If it were free”: the most that any speed-up of this stage alone could "
    "gain, by Amdahl's law."
)


@dataclass(frozen=True)
class Block:
    """One question on the times of a group of runs, with whatever answers it."""

    title: str
    charts: tuple[tuple[Markup, str], ...] = ()
    tables: tuple[Table | Grouped, ...] = ()
    notes: tuple[str, ...] = ()
    missing: str = ""  # "" or "not measured: ..."
    alarms: tuple[str, ...] = ()  # failures, which must be seen


def speed_view(by_machine: Mapping[str, Sequence[Record]], order: Mapping[str, int]) -> dict[str, Any]:
    """What the part shows: per machine the ratios, then a view per protocol of times."""
    machines = []
    for machine, records in by_machine.items():
        kept = [record for record in records if not record.protocol.study]
        groups: dict[str, list[Record]] = {}
        for record in kept:
            if record.protocol.collects in TIMED:
                groups.setdefault(record.protocol.name, []).append(record)
        if groups or any(record.speedups for record in kept):
            views = [group_view(machine, name, group, kept, order) for name, group in groups.items()]
            machines.append({"machine": machine, "ratios": ratio_block(kept, machine), "views": views})
    return {"machines": machines, "gpu": gpu_words([r for records in by_machine.values() for r in records])}


def gpu_words(records: Sequence[Record]) -> str:
    """ "" where some time was measured on a GPU, else the command that would."""
    timed = [record for record in records if record.protocol.collects in (*TIMED, "ratios")]
    if any(record.environment.device.startswith("cuda") for record in timed):
        return ""
    return (
        f"Not run on a GPU: `{ON_A_GPU}` would time every model at the paper's size, whole, and with "
        "`--scale coco-captions` D-DiT."
    )


def ratio_block(records: Sequence[Record], machine: str) -> Block:
    table = ratio_table(records)
    title = "One model against another"
    failed = [
        f"{record.model}, {record.protocol.name}: {record.reason}"
        for record in records
        if record.protocol.collects == "ratios" and record.status != "ok"
    ]
    if table is None:
        missing = f"Not measured: ratios. No two models were timed in the same rounds on {machine}, as `{HERE}` does."
        return Block(title, missing=missing, alarms=tuple(failed))
    return Block(title, tables=(table,), alarms=tuple(failed))


def group_view(
    machine: str, name: str, records: Sequence[Record], all_records: Sequence[Record], order: Mapping[str, int]
) -> dict[str, Any]:
    """The runs of one machine under one protocol."""
    labels, prefix = label_by_file(records), anchor(f"speed {machine} {name}")
    series = {labels[record.file]: order[record.model] for record in records}
    composed = records[0].protocol.collects == "composed"
    blocks = [
        times(records, labels, series, prefix),
        stages(records, labels, series, prefix),
        *([] if composed else [batches(records, labels, series, prefix)]),
        *([] if composed else [quality(records, all_records, labels, order, prefix)]),
        *([] if composed else [validity(records, labels)]),
    ]
    return {"id": prefix, "protocol": name, "composed": composed, "blocks": [block for block in blocks if block]}


def times(records: Sequence[Record], labels: Mapping[str, str], series: Mapping[str, int], prefix: str) -> Block:
    """Percentiles and distributions; of composed times what they are made of."""
    if records[0].protocol.collects == "composed":
        note = (
            "A composed time has no distribution: of each part a few calls are timed, and the whole is their time "
            "times the exact counts."
        )
        return Block("Composed times", tables=(composed_table(records, labels),), notes=(note,))
    rounds = {labels[r.file]: r.timing.latency.rounds_s for r in records if r.status == "ok" and r.timing}
    lacking = [labels[r.file] for r in records if r.status == "ok" and labels[r.file] not in rounds]
    chart = ((Markup(distribution_chart(rounds, series, f"{prefix}-rounds")), DISTRIBUTION),) if rounds else ()
    return Block(
        "Time of one call",
        chart,
        (latency_table(records, labels),),
        missing=not_measured("the rounds", lacking),
    )


def batches(records: Sequence[Record], labels: Mapping[str, str], series: Mapping[str, int], prefix: str) -> Block:
    found = [record for record in records if rates_of(record)]
    missing = not_measured("a batch sweep", [labels[r.file] for r in records if r.status == "ok" and r not in found])
    if not found:
        return Block("Batches", missing=missing)
    svg = sweep_chart({labels[r.file]: rates_of(r) for r in found}, series, f"{prefix}-sweep")
    return Block("Batches", ((Markup(svg), SWEEP),), (sweep_table(found, labels),), missing=missing)


def stages(records: Sequence[Record], labels: Mapping[str, str], series: Mapping[str, int], prefix: str) -> Block:
    title = "Where the time goes"
    found = [record for record in records if stages_of(record)]
    missing = not_measured("stages", [labels[r.file] for r in records if r.status == "ok" and r not in found])
    if not found:
        return Block(title, missing=missing)
    seconds = {labels[r.file]: {name: row.seconds for name, row in stages_of(r).items()} for r in found}
    svg = waterfall_chart(seconds, series, f"{prefix}-stages")
    note = LIMIT.format(limits=limit_words(found))
    return Block(title, ((Markup(svg), WATERFALL),), (stage_table(found, labels),), (note,), missing)


def limit_words(records: Sequence[Record]) -> str:
    """The machine's limits (timed.at_the_machines_roofline), as "matrix product 55 GFLOP/s, copy 10 GB/s"."""
    found = next((record.timing.roofline for record in records if record.timing and record.timing.roofline), None)
    if found is None:
        return "not measured: the machine's limits"
    product, copy = quantity("flops", found.matmul_flop_per_s), found.copy_bytes_per_s / 1e9
    return f"matrix product {product}/s, copy {copy:.3g} GB/s, the most that any run here found"


def quality(
    records: Sequence[Record],
    all_records: Sequence[Record],
    labels: Mapping[str, str],
    order: Mapping[str, int],
    prefix: str,
) -> Block | None:
    """FID against latency of models whose two were measured with the same settings; None at a scale without images."""
    scale = records[0].protocol.scale
    images = [r for r in all_records if (r.protocol.collects, r.protocol.scale) == ("images", scale)]
    if not images:
        return None
    points = points_of(images, records, labels, order)
    title = "Quality against time"
    if not points:
        return Block(title, missing="Not measured: FID and latency of one model with the same settings.")
    floor = floor_of(images).get("fid")
    front = [points[file] for file in front_of(points)]
    svg = cost_chart(
        {point.label: [[point]] for point in points.values()},
        front,
        whiskers(floor) if floor else None,
        "latency_s",
        "median latency at batch 1, logarithmic (left is better)",
        f"{prefix}-quality",
    )
    words = f"On the Pareto front: {listed([point.label for point in front])}."
    return Block(title, ((Markup(svg), QUALITY),), notes=(words,))


def points_of(
    images: Sequence[Record], timings: Sequence[Record], labels: Mapping[str, str], order: Mapping[str, int]
) -> dict[str, Point]:
    """By file of the timed run: quality and speed of the same outputs, which takes the same settings."""
    points = {}
    for scored in images:
        for timed in timings:
            same = scored.model == timed.model and scored.settings == timed.settings
            if same and "fid" in scored.measurements and "latency_s" in timed.measurements:
                latency_s, fid = (whiskers(r.measurements[m]) for r, m in ((timed, "latency_s"), (scored, "fid")))
                points[timed.file] = Point(labels[timed.file], order[timed.model], latency_s, fid)
    return points


def validity(records: Sequence[Record], labels: Mapping[str, str]) -> Block:
    alarms = [f"{labels[r.file]}: {r.reason}" for r in records if r.status != "ok"]
    alarms += [
        f"{labels[r.file]}: the timed run is not valid"
        for r in records
        if r.status == "ok" and r.timing and r.timing.compliance and not r.timing.compliance.valid
    ]
    disturbed = [labels[r.file] for r in records if r.timing and r.timing.latency.disturbed]
    notes = (f"Other work ran on the machine while {listed(disturbed)} was timed.",) if disturbed else ()
    lacking = [labels[r.file] for r in records if r.status == "ok" and not (r.timing and r.timing.compliance)]
    return Block(
        "Is the time honest?",
        tables=(validity_table(records, labels),),
        notes=notes,
        missing=not_measured("validity", lacking),
        alarms=tuple(alarms),
    )


def not_measured(what: str, labels: Sequence[str]) -> str:
    return f"Not measured: {what} of {listed(list(labels))}." if labels else ""
