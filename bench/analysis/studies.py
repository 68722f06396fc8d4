"""Which record answers a study's run, and what a study's records say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bench.analysis.records import floor_of, label_by_file, whiskers
from bench.analysis.seeds import Seeds, interval_of_gaps, of_one_network, seeds_of, settings_agree, spreads_of
from bench.records.schema import Record, RunSpec
from bench.stats import Interval, as_interval, difference
from bench.studies import Settings, Study


def find_record(run: RunSpec, records: Sequence[Record], in_use: Mapping[str, Settings]) -> Record | None:
    """The record of a run: its settings as the run names them, the others as the model's own.

    Where no record tells what is the model's own, that of a run which named the same settings. A record that lacks a
    setting is of code that had none yet; one that the run names must be there.
    """
    wanted = {**in_use.get(run.model, {}), **run.settings}
    seeds = (run.protocol.training_seed, run.protocol.seed)
    fitting = [
        record
        for record in records
        if (record.model, record.protocol.name) == (run.model, run.protocol.name)
        and seeds_of(record) == seeds
        and (
            (run.settings.keys() <= record.settings.keys() <= wanted.keys() and settings_agree(record.settings, wanted))
            or (record.settings.keys() - wanted.keys() and dict(record.inputs.settings) == dict(run.settings))
        )
    ]
    return next((record for record in fitting if record.settings == wanted), fitting[0] if fitting else None)


def settings_in_use(records: Sequence[Record]) -> dict[str, Settings]:
    """Each model's own sampling settings: what its records have in force and their runs did not name."""
    found: dict[str, Settings] = {}
    for record in sorted(records, key=lambda record: record.created_utc):
        if record.status == "ok":
            named = record.inputs.settings
            own = {name: value for name, value in record.settings.items() if name not in named}
            found.setdefault(record.model, {}).update(own)
    return found


@dataclass(frozen=True)
class Answers:
    """The records that answer one study, all of one machine."""

    study: Study
    records: tuple[Record, ...]  # of the runs that were made, in the study's order
    failed: tuple[tuple[RunSpec, Record], ...]
    lacking: tuple[RunSpec, ...]  # runs that were not made
    in_use: Mapping[str, Settings]  # by model: its own sampling settings
    counted: tuple[Record, ...]  # runs that counted what a point costs
    labels: Mapping[str, str]  # by file: the model with the settings that the study varies
    machine_records: tuple[Record, ...]  # of all studies on that machine, for what stands beside
    floor: Interval | None  # FID of real held-out scans

    def of(self, model: str) -> list[Record]:
        return [record for record in self.records if record.model == model]


def answers_of(study: Study, records: Sequence[Record], in_use: Mapping[str, Settings]) -> Answers:
    """The records among those of one machine that answer a study."""
    studied = [record for record in records if record.protocol.study]
    sound = tuple(record for record in studied if record.status == "ok")
    of_run: dict[tuple[str, str], list[Record]] = {}
    for record in studied:
        of_run.setdefault((record.model, record.protocol.name), []).append(record)
    found = [(run, find_record(run, of_run.get((run.model, run.protocol.name), ()), in_use)) for run in study.runs]
    answered = {record.file: record for _, record in found if record and record.status == "ok"}.values()
    kept = tuple(record for record in answered if record.protocol.collects != "costs")
    floor = floor_of(records, next(run.protocol for run in study.runs if run.protocol.collects != "costs"))
    return Answers(
        study=study,
        records=kept,
        failed=tuple((run, record) for run, record in found if record and record.status != "ok"),
        lacking=tuple(run for run, record in found if record is None),
        in_use=in_use,
        counted=tuple(record for record in sound if record.protocol.collects == "costs"),
        labels=label_by_file(kept),
        machine_records=sound,
        floor=whiskers(floor["fid"]) if "fid" in floor else None,
    )


# -- numbers of a record -----------------------------------------------------------------------------------------------


def fid_gap(record: Record, other: Record, metric: str = "fid") -> Interval:
    """FID of one run minus that of another, as independent samples (cautious: runs of one seed share their noise)."""
    return difference(*(as_interval(each.measurements[metric]) for each in (record, other)))


def told_apart(record: Record, other: Record, metric: str = "fid") -> int:
    """-1 where the first distance is surely the lower, 1 where the higher; 0: neither, or an interval is unknown."""
    gap = fid_gap(record, other, metric)
    return -1 if gap.high < 0 else 1 if gap.low > 0 else 0


@dataclass(frozen=True)
class Agreement:
    """Of pairs of runs: what two metrics say of which is better."""

    num_pairs: int
    told: tuple[int, int]  # pairs that each metric tells apart
    both: int  # pairs that both tell apart, alike
    against: tuple[tuple[Record, Record], ...]  # pairs on which they contradict each other


def agreement(records: Sequence[Record], metrics: tuple[str, str]) -> Agreement:
    """Of the runs that have both metrics."""
    measured = [record for record in records if all(metric in record.measurements for metric in metrics)]
    pairs = list(combinations(measured, 2))
    signs = [[told_apart(*pair, metric) for metric in metrics] for pair in pairs]
    return Agreement(
        len(pairs),
        (sum(one != 0 for one, _ in signs), sum(other != 0 for _, other in signs)),
        sum(one == other != 0 for one, other in signs),
        tuple(pair for pair, (one, other) in zip(pairs, signs, strict=True) if one * other < 0),
    )


def fid_half_width(records: Sequence[Record]) -> float | None:
    """Half-width of the bootstrap interval of one run's FID, mean over these; None where none has one."""
    fids = [record.measurements["fid"] for record in records if "fid" in record.measurements]
    widths = [(fid.ci_high - fid.ci_low) / 2 for fid in fids if fid.ci_low is not None and fid.ci_high is not None]
    return sum(widths) / len(widths) if widths else None


def engine_gap(record: Record) -> float | None:
    """How far the two FID engines are apart, as a share of the FID above 1; None where one of them did not run."""
    if not {"fid", "fid_clean"} <= record.measurements.keys():
        return None
    fid, other = (record.measurements[name].value for name in ("fid", "fid_clean"))
    return abs(fid - other) / max(1.0, fid)


# -- numbers over seeds ------------------------------------------------------------------------------------------------

Values = Mapping[Seeds, float]


def values_of(records: Sequence[Record], metric: str) -> dict[Seeds, float]:
    """A metric's values by seeds, of each training seed those of one network."""
    return {seeds: record.measurements[metric].value for seeds, record in measured_at(records, metric).items()}


def measured_at(records: Sequence[Record], metric: str) -> dict[Seeds, Record]:
    """The records of those values."""
    return of_one_network(record for record in records if metric in record.measurements)


def spread_in_intervals(values: Values, half_width: float | None) -> float | None:
    """How far another training run moves a metric (1.96 standard deviations, what sampling explains taken off), in
    half-widths of one run's bootstrap interval; None where either is unknown."""
    between, _ = spreads_of(values)
    return 1.96 * between / half_width if between is not None and half_width else None


def smallest_difference(one: Values, other: Values) -> float | None:
    """The smallest difference of two models' means over seeds that is told apart: half the interval that a verdict
    gives their paired difference (analysis/seeds.py). None where that is unknown."""
    gaps = {seeds: one[seeds] - other[seeds] for seeds in one.keys() & other.keys()}
    found = interval_of_gaps(gaps) if gaps else None
    return found.high - found.value if found and found.is_known else None
