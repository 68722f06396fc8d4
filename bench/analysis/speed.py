"""Speed from records: speed-ups in interleaved rounds, rates by batch size, stages, the machine's best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from bench.metrics.stages import REST, summarise_stages
from bench.protocols import RATIOS
from bench.records.schema import Comparison, Record

RUNS = ("text_encoder", "encoder", "transformer", "network", "decoder", "denoiser", "autoencoder", REST)  # in order
MIDDLE = 3.5  # the place of a stage of another name


# -- batches -----------------------------------------------------------------------------------------------------------


def rates_of(record: Record) -> list[tuple[int, float]]:
    """(batch size, images per second at the median round) of a sweep, by size; [] where there is none."""
    batches = (record.raw.get("sweep") or {}).get("batches") or []
    return sorted((found["batch_size"], found["batch_size"] / median(found["rounds_s"])) for found in batches)


# -- stages ------------------------------------------------------------------------------------------------------------


def stages_of(record: Record) -> dict[str, dict[str, Any]]:
    """The summary of a record's stages as they run (a file keeps keys by name); {} where none were kept."""
    stages = record.raw.get("stages")
    found = summarise_stages(stages, record.raw.get("machine_limits")) if stages else {}
    return dict(sorted(found.items(), key=lambda each: RUNS.index(each[0]) if each[0] in RUNS else MIDDLE))


@dataclass(frozen=True)
class Timed:
    """One model, by its own run."""

    model: str
    record: Record
    seconds: float  # of one call at the latency's batch, the median round
    stages: Mapping[str, Mapping[str, Any]]  # of summarise_stages; empty: none were kept

    @property
    def flops(self) -> float | None:
        return self.record.raw.get("flops")

    @property
    def num_calls(self) -> int:
        """Of all parts; 0: not known."""
        return sum(row.get("num_calls", 0) for row in self.stages.values())

    @property
    def main_stage(self) -> str:
        return max(self.stages, key=lambda stage: self.stages[stage]["share"])

    def stage_s(self, stage: str) -> float:
        return self.stages[stage]["seconds"].value

    @property
    def whole_s(self) -> float:
        """The sum of the stages."""
        return sum(map(self.stage_s, self.stages))


def at_the_machines_best(records: Sequence[Record]) -> list[Record]:
    """The records, each with the highest limits that any run on its machine found, with as many threads and its dtype.

    A limit is what the machine does at best, and every run looks for it for a second only, which may be a slow one.
    """

    def conditions(record: Record) -> tuple[Any, ...]:
        limits = record.raw["machine_limits"]
        return record.environment.get("machine"), limits.get("dtype"), limits.get("num_threads")

    best: dict[tuple[Any, ...], dict[str, float]] = {}
    for record in records:
        if record.raw.get("machine_limits"):
            known = best.setdefault(conditions(record), {})
            for name in ("matmul_flop_per_s", "copy_bytes_per_s"):
                known[name] = max(known.get(name, 0.0), record.raw["machine_limits"][name])
    return [
        replace(r, raw={**r.raw, "machine_limits": {**r.raw["machine_limits"], **best[conditions(r)]}})
        if r.raw.get("machine_limits")
        else r
        for r in records
    ]


def timed_of(model: str, side: Comparison, records: Sequence[Record]) -> Timed | None:
    """From the latest record of the model under the side's protocol, or else under the one that stands in for it."""
    for protocol in filter(None, (side.protocol, side.stand_in)):
        fitting = [
            record
            for record in records
            if (record.model, record.protocol.get("name"), record.status) == (model, protocol, "ok")
            and record.raw.get("rounds_s")
        ]
        if fitting:
            record = max(fitting, key=lambda record: (record.created_utc, record.file))
            stages = record.raw.get("stages")
            summary = summarise_stages(stages, record.raw.get("machine_limits")) if stages else {}
            return Timed(model, record, median(record.raw["rounds_s"]), summary)
    return None


def pairs_of(side: Comparison, records: Sequence[Record]) -> dict[str, Paired]:
    """By baseline: the ratios of shared rounds, of whole calls or else of composed times."""
    stand_in = paired_ratios(replace(side, protocol=side.stand_in), records) if side.stand_in else {}
    return paired_ratios(side, records) or stand_in


def times_as_fast(side: Comparison, known: Mapping[str, Timed], pairs: Mapping[str, Paired]) -> dict[str, float]:
    """By baseline: how many times as fast the subject is, by shared rounds where there are any."""
    found = {name: pair.entry["ratio"]["value"] for name, pair in pairs.items() if "ratio" in pair.entry}
    for name in side.baselines:
        if name not in found and name in known and side.subject in known:
            found[name] = known[name].seconds / known[side.subject].seconds
    return {name: found[name] for name in side.baselines if name in found}


def best_rate(record: Record) -> tuple[int, float] | None:
    """(batch size, images per second) of the best batch of a sweep; None where there is none."""
    batches = (record.raw.get("sweep") or {}).get("batches") or []
    rates = [(found["batch_size"], found["batch_size"] / median(found["rounds_s"])) for found in batches]
    return max(rates, key=lambda each: each[1], default=None)


@dataclass(frozen=True)
class Paired:
    """One ratio of a record whose sides were timed round by round."""

    record: Record
    entry: Mapping[str, Any]  # of its raw["ratios"]


def paired_ratios(side: Comparison, records: Sequence[Record]) -> dict[str, Paired]:
    """The ratios of the side's subject, by baseline, on equal footing: under "digits-ratios" for "digits-latency"."""
    if side.metric != "latency_s":
        return {}
    protocol = RATIOS.get(side.protocol)
    found: dict[str, Paired] = {}
    for record in sorted(records, key=lambda record: (record.created_utc, record.file)):
        if (record.model, record.protocol.get("name"), record.status) != (side.subject, protocol, "ok"):
            continue
        for entry in record.raw.get("ratios", ()):
            if entry["mode"] == "forced equal" and entry["baseline"] in side.baselines:
                found[entry["baseline"]] = Paired(record, entry)
    return {name: found[name] for name in side.baselines if name in found}


def is_composed(record: Record) -> bool:
    return bool(record.protocol.get("sampled_calls"))
