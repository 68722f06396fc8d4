"""What is printed: the claims whose sources disagree, source by source; every printed table as context, folded."""

from __future__ import annotations

from collections.abc import Sequence

from bench.claims import PUBLISHED_PAINTING, PUBLISHED_QUALITY, PUBLISHED_SPEED, PUBLISHED_UNDERSTANDING
from bench.claims.published import Published, PublishedQuality
from bench.report.tables import NONE, Cell, Table, plain_table

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
PRINTED = (
    ("Printed scores, ImageNet 256×256, 50,000 images", QUALITY, PUBLISHED_QUALITY),
    ("Printed speeds; the units differ by source", SPEED, PUBLISHED_SPEED),
    ("Printed scores of reading images; CIDEr times 100, accuracies in %", READING, PUBLISHED_UNDERSTANDING),
    ("Printed scores of images from text, GenEval", FROM_TEXT, PUBLISHED_PAINTING),
)


def disagreement() -> Table:
    """FID and Inception Score of each TransDiff, a column per source that prints it."""
    sources = [group for group in PUBLISHED_QUALITY if group.where.startswith("TransDiff")]
    rows: dict[str, dict[int, Cell]] = {}
    for place, group in enumerate(sources):
        for row in group.rows:
            assert isinstance(row, PublishedQuality)
            rows.setdefault(row.model, {})[place] = Cell(
                row.fid, f"IS {row.inception_score}" if row.inception_score else ""
            )
    columns = [(group.where.removeprefix("TransDiff, "), group.standing) for group in sources]
    body = tuple((model, tuple(cells.get(i, NONE) for i in range(len(sources)))) for model, cells in rows.items())
    return plain_table("Printed FID, Inception Score below, of the same models by source.", columns, body)


def printed_tables() -> list[tuple[str, Table]]:
    return [(caption, printed_table(columns, groups)) for caption, columns, groups in PRINTED]


def printed_table(columns: Columns, groups: Sequence[Published]) -> Table:
    """A group of rows per source."""
    body = tuple(
        (
            f"{group.where} ({group.url}; standing: {group.standing}{f'; {group.note}' if group.note else ''})",
            tuple((row.model, tuple(Cell(getattr(row, name) or "–") for _, name in columns)) for row in group.rows),
        )
        for group in groups
    )
    return Table("", tuple((heading, "printed" if heading != "Unit" else "") for heading, _ in columns), body)
