"""Numbers over training seeds and their sampling seeds, each with the formula that gives it from the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.evidence import Trace, Traced
from bench.analysis.formulas import of_file
from bench.analysis.seeds import Seeds, mean_over_training_seeds, paired_difference, spreads_of
from bench.analysis.studies import fid_half_width
from bench.records.schema import Record
from bench.stats import Interval, as_interval

Measured = Mapping[Seeds, Record]  # records of one metric, by seeds


def mean(records: Measured, metric: str) -> Traced:
    """Over training seeds, of the means over their sampling seeds."""
    seeds = sorted(records)
    found = mean_over_training_seeds({each: records[each].measurements[metric].value for each in seeds})
    files = tuple(records[each].file for each in seeds)
    return Traced(found, Trace(found.value, files, mean_of_means(seeds, metric)))


def paired(pairs: Mapping[Seeds, tuple[Record, Record]], metric: str) -> Traced:
    """The mean difference of pairs, over seeds as above."""
    seeds, found = sorted(pairs), paired_difference(metric, pairs)
    files = tuple(pairs[each][side].file for side in (0, 1) for each in seeds)
    key = f"{mean_of_means(seeds, metric)} - {mean_of_means(seeds, metric, 1 + len(seeds))}"
    return Traced(found, Trace(found.value, files, key))


def spreads(records: Measured, metric: str) -> tuple[Traced | None, Traced | None]:
    """Standard deviations of another training run and of another sampling of one run; None where unknown."""
    seeds = sorted(records)
    files, groups = tuple(records[each].file for each in seeds), ", ".join(groups_of(seeds, metric).values())
    between, within = spreads_of({each: records[each].measurements[metric].value for each in seeds})
    return bare(between, files, f"between({groups})"), bare(within, files, f"within({groups})")


def half_width(records: Sequence[Record]) -> Traced | None:
    """The mean half-width of the interval of one run's FID, over the runs that have one; None where none has."""
    known = [record for record in records if (fid := record.measurements.get("fid")) and as_interval(fid).is_known]
    high, low = (of_file(f"measurements.fid.{end}", 1, len(known)) for end in ("ci_high", "ci_low"))
    key = f"(mean({high}) - mean({low})) / 2"
    return bare(fid_half_width(records), tuple(record.file for record in known), key)


def bare(value: float | None, files: tuple[str, ...], key: str) -> Traced | None:
    """Without an interval."""
    return None if value is None else Traced(Interval(value, float("nan"), float("nan")), Trace(value, files, key))


def mean_of_means(seeds: Sequence[Seeds], metric: str, first: int = 1) -> str:
    return f"mean({', '.join(f'mean({key})' for key in groups_of(seeds, metric, first).values())})"


def groups_of(seeds: Sequence[Seeds], metric: str, first: int = 1) -> dict[int, str]:
    """By training seed the key of its values.  first: the place of these files where others stand before them."""
    keys = {}
    for training in dict.fromkeys(seed for seed, _ in seeds):
        places = [first + place for place, (seed, _) in enumerate(seeds) if seed == training]
        keys[training] = of_file(f"measurements.{metric}", places[0], places[-1])
    return keys
