"""The study "quality": more images of each family, scored in a second feature space, class by class, and for copies."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.studies import Answers, agreement
from bench.formatting import listed, number
from bench.metrics import METRICS
from bench.records.schema import REAL_DATA, Record
from bench.report.sections.studies.common import Section
from bench.report.tables import HELD_OUT, NONE, Table, cell, derived, images_cell, plain_table

SPACES = ("fid", "fid_fixed")
COLUMNS = (*SPACES, "fid_per_class", "nearest_train")


def quality(answers: Answers) -> Section:
    records = sorted(answers.records, key=lambda record: (record.model == REAL_DATA, fid_or_last(record)))
    models = [record for record in records if record.model != REAL_DATA]
    if not any(name in record.measurements for record in models for name in COLUMNS):
        return Section()
    return Section(findings=[*filter(None, (agreement_words(models), floor_words(records)))], tables=[scores(records)])


def fid_or_last(record: Record) -> float:
    return record.measurements["fid"].value if "fid" in record.measurements else float("inf")


def agreement_words(models: Sequence[Record]) -> str:
    """Of how many pairs either space says which is better, and where the two contradict each other."""
    found = agreement(models, SPACES)
    if not found.num_pairs:
        return ""
    of_pairs = f"{found.num_pairs} pairs" if found.num_pairs > 1 else "the one pair"
    sentence = (
        f"Of {of_pairs} of models FID tells {found.told[0]} apart, the fixed filters {found.told[1]}, {found.both} "
        "alike in both: these are differences of one training run each, by the intervals of the images"
    )
    against = listed([f"{one.model} and {other.model}" for one, other in found.against])
    return f"{sentence}. The two contradict each other on {against}." if against else f"{sentence}."


def floor_words(records: Sequence[Record]) -> str:
    """That the real-data floor stands at another count, and is no floor for these."""
    real = next((record for record in records if record.model == REAL_DATA and "fid" in record.measurements), None)
    counts = {record.measurements["fid"].n for record in records if "fid" in record.measurements and record is not real}
    if real is None or counts == {real.measurements["fid"].n}:
        return ""
    return (
        f"Only {real.measurements['fid'].n} scans were held out: their distances, of fewer images, come out higher and "
        f"are no floor for {listed([f'{count:,}' for count in sorted(filter(None, counts))])} images."
    )


def scores(records: Sequence[Record]) -> Table:
    rows = []
    for record in records:
        cells = [cell(record, name) for name in COLUMNS]
        by_class = record.images.class_distances if record.images else ()
        worst = max(range(len(by_class)), key=by_class.__getitem__, default=None)
        key = f"images.class_distances.{worst}"
        cells.append(NONE if worst is None else derived(record, key, by_class[worst], number, f"of digit {worst}"))
        label = HELD_OUT if record.model == REAL_DATA else record.model
        rows.append((label, (images_cell(record, COLUMNS), *cells)))
    titles = [(METRICS[name].title, "lower is better" if name != "nearest_train" else "pixels") for name in COLUMNS]
    return plain_table(
        "More images of each family, with 95 % intervals over images below; sorted by FID. The last column names the "
        "digit that is farthest from its own scans.",
        ("Images", *titles, ("Worst class", "its distance")),
        rows,
    )
