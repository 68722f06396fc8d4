"""`bench compare A B --html FILE`: what changed between two sets of records, as one page that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from bench.records.schema import Word
from bench.report.page import HERE, environment
from bench.report.tables import Cell, Table, badge_cell, plain_table

Rows = Sequence[tuple[str, ...]]
Verdicts = Sequence[tuple[str, str, Word, Word, str]]


def comparison_page(
    a: str,
    b: str,
    verdicts: Verdicts,
    values: Rows,
    counted: Sequence[str],
    regressions: Sequence[str],
    faults: Sequence[str],
) -> str:
    """verdicts: claim, scale, word of A, word of B, state. values: model, protocol, metric, A, B, state."""
    told = {
        "css": Markup((HERE / "page.css").read_text(encoding="utf-8")),
        "script": Markup((HERE / "page.js").read_text(encoding="utf-8")),
        "a": a,
        "b": b,
        "regressions": regressions,
        "faults": faults,
        "counted": counted,
        "tables": [table for table in (verdict_table(verdicts), value_table(values)) if table],
    }
    page: Any = environment().get_template("comparison.html.jinja").render(told)
    return str(page).lstrip()


def verdict_table(rows: Verdicts) -> Table | None:
    body = tuple(
        (claim, (Cell(scale), badge_cell(one), badge_cell(other), Cell(state)))
        for claim, scale, one, other, state in rows
    )
    columns = (("Scale", ""), ("A", ""), ("B", ""), ("", ""))
    return plain_table("Verdicts that either side could give.", columns, body, "Claim") if body else None


def value_table(rows: Rows) -> Table | None:
    body = tuple((model, tuple(map(Cell, cells))) for model, *cells in rows)
    columns = (("Protocol", ""), ("Metric", ""), ("A", ""), ("B", ""), ("", ""))
    return plain_table("Measured values, with 95 % intervals; equal ones left out.", columns, body) if body else None
