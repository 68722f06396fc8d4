"""What a stage of a timed call took, did and reached: each number with the formula that gives it from the records."""

from __future__ import annotations

from bench.analysis.evidence import Trace, in_record
from bench.analysis.formulas import key_of, read_from
from bench.analysis.speed import Rooflines, conditions_of, stages_of
from bench.metrics.stages import StageSummary
from bench.records.parts import REST, Part
from bench.records.schema import Record

MATMUL, COPY = "timing.roofline.matmul_flop_per_s", "timing.roofline.copy_bytes_per_s"


def stage_numbers(record: Record, stage: str, rooflines: Rooflines) -> dict[str, Trace]:
    """By name "seconds", "share", "calls", "seconds_per_call", "flops", "weight_bytes", "roofline_share" and
    "amdahl_bound"; what is unknown, or nothing, is left out. Of the rest between the parts nothing was counted."""
    row = stages_of(record)[stage]
    seconds, whole = rounds_key(stage), " + ".join(map(rounds_key, stages_of(record)))
    found = {
        "seconds": in_record(record, seconds, row.seconds),
        "share": in_record(record, f"{seconds} / ({whole})", row.share),
    }
    if row.amdahl_bound is not None:
        found["amdahl_bound"] = in_record(record, f"1 / (1 - {seconds} / ({whole}))", row.amdahl_bound)
    if stage == REST:
        return found
    calls = sum_key(record, stage, "num_calls")
    found["calls"] = in_record(record, calls, row.num_calls)
    found["seconds_per_call"] = in_record(record, f"{seconds} / {calls}", row.seconds / row.num_calls)
    found["flops"] = in_record(record, sum_key(record, stage, "flops"), row.flops)
    if read := sum_key(record, stage, "weight_bytes"):
        found["weight_bytes"] = in_record(record, read, row.weight_bytes)
    reached = roofline_share(record, stage, row, rooflines)
    return found | ({"roofline_share": reached} if reached else {})


def roofline_share(record: Record, stage: str, row: StageSummary, rooflines: Rooflines) -> Trace | None:
    """The least time over the measured one, by the highest roofline that any run on the machine found; None: unknown,
    or the stage does nothing that a roofline limits."""
    reached, conditions = row.roofline_share, conditions_of(record)
    if not reached or conditions is None:
        return None
    least = [
        f"max({key}.flops@1 / {MATMUL}@2" + (f", {key}.weight_bytes@1 / {COPY}@3)" if part.weight_bytes else ")")
        for key, part in parts_of(record, stage).items()
    ]
    files = (record.file, *(rooflines[conditions][name][1] for name in ("matmul_flop_per_s", "copy_bytes_per_s")))
    return Trace(reached, files, f"({' + '.join(least)}) / {rounds_key(stage)[:-1]}@1)")


def flop_rate(record: Record, seconds: Trace) -> Trace | None:
    """FLOP/s of an image that takes `seconds`, which may stand in another record; None where nothing was counted."""
    if (flops := record.measurements.get("flops")) is None:
        return None
    key = f"measurements.flops@1 / ({read_from(seconds.key, 2)})"
    return Trace(flops.value / seconds.value, (record.file, seconds.files[0]), key)


def rounds_key(stage: str) -> str:
    return f"median({key_of('timing', 'stages', 'rounds_s', stage)})"


def parts_of(record: Record, stage: str) -> dict[str, Part]:
    """The parts of a stage, by key."""
    parts = record.timing.stages.parts if record.timing and record.timing.stages else {}
    return {key_of("timing", "stages", "parts", name): part for name, part in parts.items() if part.stage == stage}


def sum_key(record: Record, stage: str, field: str) -> str:
    """Of a count summed over the parts of a stage; "" where no part was counted."""
    keys = [f"{key}.{field}" for key, part in parts_of(record, stage).items() if getattr(part, field) is not None]
    return f"sum({', '.join(keys)})" if keys else ""
