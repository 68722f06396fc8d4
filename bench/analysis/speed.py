"""Speed from records: speed-ups in interleaved rounds, rates by batch size, stages, the machine's roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.evidence import Trace
from bench.metrics.latency import best_batch, rates
from bench.metrics.stages import StageSummary, summarise_stages
from bench.protocols import RATIOS
from bench.records.comparable import differing_fields
from bench.records.parts import REST, Measurement, Speedup
from bench.records.schema import Comparison, Record
from bench.stats import ratio_of_medians

STAGE_ORDER = ("text_encoder", "encoder", "transformer", "network", "decoder", "denoiser", "autoencoder", REST)
MIDDLE = 3.5  # the place of a stage of another name
EQUAL = "forced equal"


# -- batches -----------------------------------------------------------------------------------------------------------


def rates_of(record: Record) -> dict[int, float]:
    """Images per second at the median round, by batch size of a sweep; {} where there is none."""
    return rates(record.timing.sweep) if record.timing and record.timing.sweep else {}


def rate_key(record: Record, batch_size: int, of: str = "") -> str:
    """The formula of that rate in the record. of: "@2" where its file is the second of a trace."""
    batches = record.timing.sweep.batches if record.timing and record.timing.sweep else ()
    batch = f"timing.sweep.batches.{[found.batch_size for found in batches].index(batch_size)}"
    return f"{batch}.batch_size{of} / median({batch}.rounds_s{of})"


def was_cut_short(record: Record) -> bool:
    """Whether a sweep ended for its time with its best batch last: a larger one may be better still."""
    sweep = record.timing.sweep if record.timing else None
    return sweep is not None and sweep.ended_by == "time" and best_batch(sweep) == max(rates(sweep))


@dataclass(frozen=True)
class BestBatches:
    """Two models, each in the batch of its sweep that generates most images per second."""

    sizes: tuple[int, int]
    ratio: float  # of the first's rate to the second's
    trace: Trace


def best_batches(ours: Record, theirs: Record) -> BestBatches:
    """Of two records that each hold a sweep."""
    first, second = (best_batch(side.timing.sweep) for side in (ours, theirs))  # type: ignore[union-attr,arg-type]
    ratio = rates_of(ours)[first] / rates_of(theirs)[second]
    key = f"({rate_key(ours, first, '@1')}) / ({rate_key(theirs, second, '@2')})"
    return BestBatches((first, second), ratio, Trace(ratio, (ours.file, theirs.file), key))


Sweeps = Mapping[tuple[str, str], Record]


def latest_sweeps(records: Sequence[Record]) -> Sweeps:
    """By model and scale the latest run that holds a sweep."""
    return {
        (record.model, record.protocol.scale): record
        for record in sorted(records, key=lambda record: (record.created_utc, record.file))
        if record.timing and record.timing.sweep and rates_of(record)
    }


# -- stages ------------------------------------------------------------------------------------------------------------


def stages_of(record: Record) -> dict[str, StageSummary]:
    """The summary of a record's stages in the order in which they run; {} where none were kept."""
    timing = record.timing
    found = summarise_stages(timing.stages, timing.roofline) if timing and timing.stages else {}
    place = {stage: index for index, stage in enumerate(STAGE_ORDER)}
    return dict(sorted(found.items(), key=lambda each: place.get(each[0], MIDDLE)))


def at_the_machines_roofline(records: Sequence[Record]) -> list[Record]:
    """The records, each with the highest roofline that any run on its machine found, with its threads and dtype.

    A roofline is what the machine does at best, and every run looks for it for a second only, which may be a slow one.
    """
    best = highest_rooflines(records)
    return [with_roofline(record, best) for record in records]


Conditions = tuple[str, str, int]  # machine, dtype, threads
Rooflines = Mapping[Conditions, Mapping[str, tuple[float, str]]]  # by name of the rate: the highest, whose file


def highest_rooflines(records: Sequence[Record]) -> Rooflines:
    best: dict[Conditions, dict[str, tuple[float, str]]] = {}
    for record in records:
        if (conditions := conditions_of(record)) and record.timing:
            known = best.setdefault(conditions, {})
            for name in ("matmul_flop_per_s", "copy_bytes_per_s"):
                found = (getattr(record.timing.roofline, name), record.file)
                known[name] = max(known.get(name, (0.0, "")), found)
    return best


def conditions_of(record: Record) -> Conditions | None:
    """Of a record's roofline; None where it has none."""
    roofline = record.timing.roofline if record.timing else None
    return (record.environment.machine, roofline.dtype, roofline.num_threads) if roofline else None


def with_roofline(record: Record, best: Rooflines) -> Record:
    conditions, timing = conditions_of(record), record.timing
    if conditions is None or timing is None or timing.roofline is None:
        return record
    rates = {name: value for name, (value, _) in best[conditions].items()}
    return replace(record, timing=replace(timing, roofline=replace(timing.roofline, **rates)))  # type: ignore[arg-type]


def timed_of(model: str, side: Comparison, records: Sequence[Record]) -> Record | None:
    """The model's latest timed record under the side's protocol, or else under the one that stands in for it."""
    for protocol in filter(None, (side.protocol, side.stand_in)):
        fitting = [
            record
            for record in records
            if (record.model, record.protocol.name, record.status) == (model, protocol, "ok") and record.timing
        ]
        if fitting:
            return max(fitting, key=lambda record: (record.created_utc, record.file))
    return None


# -- one model against another -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paired:
    """One speed-up of a record whose sides were timed in the same rounds."""

    record: Record
    entry: Speedup


def paired_ratios(side: Comparison, records: Sequence[Record]) -> dict[str, Paired]:
    """The speed-ups of the side's subject, by baseline: under "digits-ratios" for "digits-latency"."""
    if side.metric != "latency_s":
        return {}
    protocol = RATIOS.get(side.protocol)
    found: dict[str, Paired] = {}
    for record in sorted(records, key=lambda record: (record.created_utc, record.file)):
        if (record.model, record.protocol.name, record.status) != (side.subject, protocol, "ok"):
            continue
        for entry in record.speedups:
            if entry.mode == EQUAL and entry.baseline in side.baselines:
                found[entry.baseline] = Paired(record, entry)
    return {name: found[name] for name in side.baselines if name in found}


def pairs_of(side: Comparison, records: Sequence[Record]) -> dict[str, Paired]:
    """By baseline: the speed-ups of shared rounds, of whole calls or else of estimated times."""
    stand_in = paired_ratios(replace(side, protocol=side.stand_in), records) if side.stand_in else {}
    return paired_ratios(side, records) or stand_in


@dataclass(frozen=True)
class Kernels:
    """A model against another with and without own kernels (reference_models/layers.py), all in the same rounds."""

    own: Speedup
    torchs: Speedup

    @property
    def names(self) -> set[str]:
        """The own kernels of either side."""
        return {name for side in self.own.conditions.values() for name in side.own_kernels or ()}

    @property
    def has_ratios(self) -> bool:
        return self.own.ratio is not None and self.torchs.ratio is not None

    @property
    def ratios(self) -> tuple[float, float]:
        """With and without them. ValueError where one was not timed."""
        if self.own.ratio is None or self.torchs.ratio is None:
            raise ValueError(f"no ratio against {self.own.baseline}")
        return self.own.ratio.value, self.torchs.ratio.value

    @property
    def moved(self) -> float:
        """The ratio without own kernels over that with them."""
        own, torchs = self.ratios
        return torchs / own

    def gain(self, role: str) -> Measurement:
        """Of one side: its time without own kernels over that with them; below 1 they slow it down."""
        return ratio_of_medians(self.torchs.rounds_s[role], self.own.rounds_s[role])

    def slow_down(self, role: str) -> bool:
        """Whether a side is surely slower with its own kernels."""
        high = self.gain(role).ci_high
        return bool(self.own.conditions[role].own_kernels) and high is not None and high < 1  # type: ignore[index]


def kernels_of(record: Record) -> dict[str, Kernels]:
    """The pairs of a record that were timed both ways, by baseline."""
    found: dict[str, dict[bool, Speedup]] = {}
    for entry in record.speedups:
        found.setdefault(entry.baseline, {})[entry.without_own_kernels] = entry
    return {name: Kernels(both[False], both[True]) for name, both in found.items() if len(both) == 2}


def with_and_without_own_kernels(
    subject: str, baseline: str, scale: str, records: Sequence[Record]
) -> tuple[Paired, Paired] | None:
    """The latest ratios at a scale with own kernels and by torch's alone, where one of the two models has own ones."""
    fitting = [
        record
        for record in records
        if (record.model, record.protocol.scale, record.protocol.collects, record.status)
        == (subject, scale, "kernels", "ok")
        and not record.protocol.quick
    ]
    for record in sorted(fitting, key=lambda record: (record.created_utc, record.file), reverse=True):
        both = kernels_of(record).get(baseline)
        if both and both.names and both.has_ratios:
            return Paired(record, both.own), Paired(record, both.torchs)
    return None


def common_ratios(a: Record, b: Record) -> list[tuple[str, Measurement, Measurement, tuple[str, ...]]]:
    """Of two records of one run each ratio that both hold: its name, both, and the conditions that differ."""
    ours, theirs = ({ratio_name(entry): entry for entry in record.speedups} for record in (a, b))
    found = []
    for name, one in ours.items():
        other = theirs.get(name)
        if other and one.ratio and other.ratio:
            differing = [
                f"{field} of the {role}"
                for role in sorted(one.conditions.keys() & other.conditions.keys())
                for field in differing_fields(one.conditions[role], other.conditions[role], "same model")
            ]
            found.append((name, one.ratio, other.ratio, tuple(differing)))
    return found


def tf32_convolutions(record: Record) -> set[bool]:
    """Whether convolutions might take TF32 while a record's times were taken; of a CPU, or without times, nothing."""
    timed = [side for entry in record.speedups for side in entry.conditions.values()]
    timed += [record.timing.latency.conditions] if record.timing and record.timing.latency.conditions else []
    return {side.tf32_convolution for side in timed if side.tf32_convolution is not None}


def ratio_name(entry: Speedup) -> str:
    return f"times as fast as {entry.baseline} ({entry.mode_in_words})"


def is_estimated(record: Record) -> bool:
    """Whether its times are estimated from sampled calls."""
    return bool(record.protocol.sampled_calls)
