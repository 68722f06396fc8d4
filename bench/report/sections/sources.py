"""What is printed: the claims whose sources disagree, source by source; every printed table as context, folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.claims import PUBLISHED_PAINTING, PUBLISHED_QUALITY, PUBLISHED_SPEED, PUBLISHED_UNDERSTANDING
from bench.claims.ledger import SourceGroup, as_printed, beyond_the_ledger, sources_of
from bench.claims.published import Published
from bench.claims.text import BENCHMARKS
from bench.formatting import listed, named, settings_words
from bench.metrics import title_of
from bench.published import PUBLISHED
from bench.report.families import family_of
from bench.report.tables import Cell, Rows, Table, badge_cell, plain_table
from bench.report.words import source_words
from bench.verdict.judged import Judged

DISAGREE = (("Printed", ""), ("Standing", "of the source"), ("Verdict", "paper's size"))
DISPUTED = (("In use", "judged by"), "Also printed", "Where")
Columns = tuple[tuple[str, str], ...]  # heading, field of a row
QUALITY: Columns = (("FID", "fid"), ("Inception Score", "inception_score"), ("Parameters", "params"))
SPEED: Columns = (("Printed", "number"), ("Unit", "unit"))
READING: Columns = (
    *(("CIDEr", "cider"), ("VQAv2", "vqa_v2"), ("VizWiz", "vizwiz"), ("OKVQA", "okvqa"), ("MME", "mme")),
    *(("GQA", "gqa"), ("POPE", "pope"), ("Parameters", "params")),
)
FROM_TEXT: Columns = (
    *(("Overall", "overall"), ("Single object", "single"), ("Two objects", "two"), ("Counting", "counting")),
    *(("Colours", "colours"), ("Position", "position"), ("Attribute binding", "attribution")),
)
ANSWERED_ON = {each.scale: each.name for each in BENCHMARKS if each.metric == "vqa_accuracy"}  # one metric, many data
PRINTED = (
    ("Printed scores, ImageNet 256×256, 50,000 images", QUALITY, PUBLISHED_QUALITY),
    ("Printed speeds; the units differ by source", SPEED, PUBLISHED_SPEED),
    ("Printed scores of reading images; CIDEr times 100, accuracies in %", READING, PUBLISHED_UNDERSTANDING),
    ("Printed scores of images from text, GenEval", FROM_TEXT, PUBLISHED_PAINTING),
)


def disagreements(judged: Mapping[str, Judged]) -> list[tuple[str, Table]]:
    """(family, claim x source): every thing on which sources print what cannot be one number, a row per source; then
    the claims that contradict each other although they speak of several things."""
    by_family: dict[str, list[tuple[str, Rows]]] = {}
    told: set[str] = set()
    for group in sources_of([found.claim for found in judged.values()]):
        if group.disagree:
            rows = [source_row(judged[claim.id]) for claim in group.claims]
            by_family.setdefault(family_of(group.model), []).append((thing(group), rows))
            told.update(claim.id for claim in group.claims)
    for name, found in judged.items():
        linked = [name, *(other for other in found.claim.conflicts_with if other in judged)]
        if len(linked) > 1 and name not in told:
            family = family_of(found.claim.paper_scale.subject)
            rows = [source_row(judged[each]) for each in linked]
            by_family.setdefault(family, []).append((found.claim.headline.rstrip("."), rows))
            told.update(linked)
    return [(family, Table("", DISAGREE, groups, first="Source")) for family, groups in by_family.items()]


def thing(group: SourceGroup) -> str:
    """As "transdiff-h: FID", "dit-xl-2 (cfg_scale 1.5): Inception Score", "d-dit-256: VQA accuracy on VizWiz"."""
    model = named(group.model, group.settings)
    title = title_of(group.metric).replace("_", " ")
    if on := ANSWERED_ON.get(group.claims[0].paper_scale.scale):
        title = f"{title} on {on}"
    return f"{model}, how many times as fast as {listed(group.baselines)}" if group.baselines else f"{model}: {title}"


def source_row(found: Judged) -> tuple[str, tuple[Cell, ...]]:
    source, verdict, side = found.claim.source, found.paper.verdict, found.claim.paper_scale
    of = f"of {side.subject}" if side.metric == "throughput_per_s" else ""
    return (
        f"{source.paper.split(' (')[0]}, {source.where}",
        (Cell(as_printed(found.claim), of), Cell(source.standing), badge_cell(verdict.word, verdict.marker)),
    )


def disputed_settings() -> Table | None:
    """Settings that sources print differently for the same numbers: those in use, and each other one."""
    rows = [
        (
            f"{row.model} ({row.variant})" if row.variant else row.model,
            [
                Cell(settings_words({name: row.sampling.get(name) for name in other.settings})),
                Cell(settings_words(other.settings)),
                Cell(other.source),
            ],
        )
        for row in PUBLISHED.values()
        for other in row.disputed
    ]
    return plain_table("Settings printed differently for the same numbers.", DISPUTED, rows) if rows else None


def printed_tables() -> list[tuple[str, Table]]:
    found = [(caption, columns, beyond_the_ledger(groups)) for caption, columns, groups in PRINTED]
    return [(caption, printed_table(columns, groups)) for caption, columns, groups in found if groups]


def printed_table(columns: Columns, groups: Sequence[Published]) -> Table:
    """A group of rows per source."""
    body = [
        (source_words(group), [(row.model, [Cell(getattr(row, n) or "–") for _, n in columns]) for row in group.rows])
        for group in groups
    ]
    return Table("", [(heading, "printed" if heading != "Unit" else "") for heading, _ in columns], body)
