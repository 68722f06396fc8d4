"""What an image costs: speed in shared rounds, stages, batches, and what guards those times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.analysis.records import label_by_file
from bench.analysis.speed import Rooflines, highest_rooflines, rates_of, stages_of, with_roofline
from bench.formatting import listed, quantity
from bench.records.schema import Record
from bench.report.tables import COSTS, table_of
from bench.report.tables.speed import compliance_table, estimated_table, latency_table, stage_table, sweep_table
from bench.report.tables.speedups import ratio_table
from bench.report.words import SCALE_TITLES

COSTS_OF = ("timings", "composed", "ratios", "kernels", "costs")  # what protocols of this part collect
HERE = "python -m bench reproduce"
ON_A_GPU = f"{HERE} --scale imagenet-256 --device cuda"


def cost_view(records: Sequence[Record], every: Sequence[Record] = ()) -> dict[str, Any]:
    """Of one machine's records; `folded` is (summary, table), `protocols` the names of those that it is on.

    every: those of all machines, which tell what was not measured on any
    """
    rooflines = highest_rooflines(records)
    kept = [record for record in records if not record.protocol.study]
    timed = [record for record in kept if record.protocol.collects in ("timings", "composed")]
    groups: dict[str, list[Record]] = {}
    for record in timed:
        groups.setdefault(record.protocol.name, []).append(record)
    return {
        "ratios": ratio_table(records),
        "folded": [each for name, group in groups.items() for each in tables_of(name, group, rooflines)],
        "alarms": alarms(kept),
        "notes": notes(timed, kept, every or records),
        "protocols": {record.protocol.name for record in records if record.protocol.collects in COSTS_OF},
    }


def tables_of(name: str, records: Sequence[Record], rooflines: Rooflines) -> list[tuple[str, Any]]:
    """The tables of the runs of one protocol."""
    what = SCALE_TITLES.get(records[0].protocol.scale, name)
    labels = label_by_file(records)
    staged = [with_roofline(record, rooflines) for record in records if stages_of(record)]
    swept = [record for record in records if rates_of(record)]
    if records[0].protocol.collects == "composed":
        found = [(f"{what}: estimated latency", estimated_table(records, labels))]
    else:
        found = [
            (f"{what}: percentiles of the time", latency_table(records, labels)),
            (f"{what}: size and cost", table_of("Size and cost of each generator.", COSTS, records, labels)),
        ]
    found += [(f"{what}: where the time goes", stage_table(staged, labels, rooflines))] if staged else []
    found += [(f"{what}: batches", sweep_table(swept, labels))] if swept else []
    if records[0].protocol.collects != "composed":
        found.append((f"{what}: is the time honest?", compliance_table(records, labels)))
    return found


def alarms(records: Sequence[Record]) -> list[str]:
    """Timed runs that failed, or whose times are not to be trusted."""
    collects = ("timings", "composed", "ratios")
    found = [
        f"{r.model}, {r.protocol.name}: {r.reason}"
        for r in records
        if r.protocol.collects in collects and r.status != "ok"
    ]
    return found + [
        f"{r.model}, {r.protocol.name}: the timed run is not valid"
        for r in records
        if r.timing and r.timing.compliance and not r.timing.compliance.valid
    ]


def notes(timed: Sequence[Record], records: Sequence[Record], every: Sequence[Record]) -> list[str]:
    """What a reader of the times must know: other work, the roofline, what was not measured."""
    found = []
    disturbed = [record.model for record in timed if record.timing and record.timing.latency.disturbed]
    if disturbed:
        found.append(f"Other work ran on the machine while {listed(list(dict.fromkeys(disturbed)))} was timed.")
    for (_, dtype, threads), found_by in highest_rooflines(timed).items():
        product, copy = (found_by[name][0] for name in ("matmul_flop_per_s", "copy_bytes_per_s"))
        on = f"{threads} thread{'s' if threads > 1 else ''}, {dtype}"
        found.append(f"Roofline of {on}: matrix product {quantity('flops', product)}/s, copy {copy / 1e9:.3g} GB/s.")
    if not any(record.speedups for record in records):
        found.append(f"Not measured: ratios of shared rounds. `{HERE}` would take them.")
    on_a_gpu = [record for record in every if record.environment.device.startswith("cuda")]
    if timed and not any(record.timing for record in on_a_gpu):
        machines = dict.fromkeys(record.environment.machine for record in on_a_gpu if record.speedups)
        lacks = f"On {listed(list(machines))} only in shared rounds" if machines else "Not run on a GPU"
        found.append(f"{lacks}: `{ON_A_GPU}` would time every model at the paper's size, whole.")
    return found
