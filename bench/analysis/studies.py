"""Which record answers a study's run, and what a study's records say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.seeds import Seeds, seeds_of
from bench.records.parts import Measurement
from bench.records.schema import Record, RunSpec
from bench.stats import Interval, as_interval, difference
from bench.studies import Settings


def find_record(run: RunSpec, records: Sequence[Record], in_use: Mapping[str, Settings]) -> Record | None:
    """The record of a run: its settings as the run names them, the others as the model's own.

    Where no record tells what is the model's own, that of a run which named the same settings.
    """
    wanted = {**in_use.get(run.model, {}), **run.settings}
    seeds = (run.protocol.training_seed, run.protocol.seed)
    fitting = (
        record
        for record in records
        if record.model == run.model
        and seeds_of(record) == seeds
        and (
            record.settings == wanted
            or (record.settings.keys() - wanted.keys() and dict(record.inputs.settings) == dict(run.settings))
        )
    )
    return next(fitting, None)


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


def seconds_per_item(record: Record, rate_name: str = "throughput_per_s") -> Measurement | None:
    """Of generating an image or a text, in the batches of the run."""
    rate = record.measurements.get(rate_name)
    if rate is None or rate.value <= 0:
        return None
    low, high = (1 / bound if bound else None for bound in (rate.ci_high, rate.ci_low))
    return Measurement(1 / rate.value, "s", low, high, rate.n)


def fid_gap(record: Record, other: Record) -> Interval:
    """FID of one run minus that of another, as independent samples (cautious: runs of one seed share their noise)."""
    return difference(*(as_interval(each.measurements["fid"]) for each in (record, other)))


def fid_half_width(records: Sequence[Record]) -> float | None:
    """Half-width of the bootstrap interval of one run's FID, mean over these; None where none has one."""
    fids = [record.measurements["fid"] for record in records if "fid" in record.measurements]
    widths = [(fid.ci_high - fid.ci_low) / 2 for fid in fids if fid.ci_low is not None and fid.ci_high is not None]
    return sum(widths) / len(widths) if widths else None


# -- numbers over seeds ------------------------------------------------------------------------------------------------

Values = Mapping[Seeds, float]


def values_of(records: Sequence[Record], metric: str) -> dict[Seeds, float]:
    """A metric's values by seeds; "time_s" is the time of an image."""
    found = {
        seeds_of(record): seconds_per_item(record) if metric == "time_s" else record.measurements.get(metric)
        for record in records
    }
    return {seeds: measured.value for seeds, measured in found.items() if measured}
