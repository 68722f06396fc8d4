"""Which record answers a study's run, and what a study's records say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bench.analysis.seeds import Seeds, of_one_network, seed_means, seeds_of, settings_agree, spreads_of
from bench.records.schema import Record, RunSpec
from bench.stats import Interval, as_interval, difference, pooled_variance, student_975
from bench.studies import Settings


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


# -- numbers of a record -----------------------------------------------------------------------------------------------


def fid_gap(record: Record, other: Record) -> Interval:
    """FID of one run minus that of another, as independent samples (cautious: runs of one seed share their noise)."""
    return difference(*(as_interval(each.measurements["fid"]) for each in (record, other)))


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


def smallest_difference(values_by_model: Mapping[str, Values]) -> float | None:
    """The smallest difference of two models' means that these runs would tell apart, in the metric's unit.

    Student's 97.5 % point for the runs of one model, times the standard error of a difference of two means over them:
    sqrt(2 v / n), v the variance of a training run's mean (its samplings' chance included), pooled over the models, n
    the fewest training runs. None where no model was trained twice.
    """
    means = [np.array(list(seed_means(values).values())) for values in values_by_model.values()]
    means = [each for each in means if len(each) > 1]
    if not means:
        return None
    variance, _ = pooled_variance(means)
    assert variance is not None, "each has two values at least"
    num = min(map(len, means))
    return student_975(num - 1) * math.sqrt(2 * variance / num)
