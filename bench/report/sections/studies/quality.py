"""The study "quality": more images of each family, scored in a second feature space, class by class, and for copies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from bench.analysis.studies import told_apart
from bench.formatting import listed, number
from bench.metrics import METRICS
from bench.records.schema import REAL_DATA, Record
from bench.report.sections.studies.common import Answers, Section
from bench.report.tables import HELD_OUT, NONE, Table, cell, derived, images_cell, plain_table

SPACES = ("fid", "fid_fixed")
COLUMNS = (*SPACES, "fid_per_class", "nearest_train")


def quality(answers: Answers) -> Section:
    records = sorted(answers.records, key=lambda record: (record.model == REAL_DATA, fid_or_last(record)))
    models = [record for record in records if record.model != REAL_DATA]
    if not any(name in record.measurements for record in models for name in COLUMNS):
        return Section()
    return Section(findings=[*filter(None, (agreement(models), floor_words(records)))], tables=[scores(records)])


def fid_or_last(record: Record) -> float:
    return record.measurements["fid"].value if "fid" in record.measurements else float("inf")


def agreement(models: Sequence[Record]) -> str:
    """Of how many pairs either space says which is better, and where the two contradict each other."""
    measured = [record for record in models if all(space in record.measurements for space in SPACES)]
    pairs = list(combinations(measured, 2))
    if not pairs:
        return ""
    signs = [[told_apart(*pair, space) for space in SPACES] for pair in pairs]
    both = sum(1 for one, other in signs if one and one == other)
    against = [f"{a.model} and {b.model}" for (a, b), (one, other) in zip(pairs, signs, strict=True) if one * other < 0]
    of_pairs = f"{len(pairs)} pairs" if len(pairs) > 1 else "the one pair"
    sentence = (
        f"Of {of_pairs} of models FID tells {sum(1 for one, _ in signs if one)} apart, the fixed "
        f"filters {sum(1 for _, other in signs if other)}, {both} alike in both: these are differences of one "
        "training run each, by the intervals of the images"
    )
    return f"{sentence}. The two contradict each other on {listed(against)}." if against else f"{sentence}."


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
