"""`bench compare A B --html FILE`: what changed between two sets of records, as one page that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.records.schema import Word
from bench.report.page import environment
from bench.report.tables import Cell, badge_cell, plain_table

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
    compared = [
        (claim, (Cell(scale), badge_cell(one), badge_cell(other), Cell(state)))
        for claim, scale, one, other, state in verdicts
    ]
    measured = [(model, [*map(Cell, cells)]) for model, *cells in values]
    tables = (
        plain_table("Verdicts that either side could give.", ("Scale", "A", "B", ""), compared, "Claim"),
        plain_table(
            "Measured values, with 95 % intervals; equal ones left out.", ("Protocol", "Metric", "A", "B", ""), measured
        ),
    )
    told = {
        "a": a,
        "b": b,
        "regressions": regressions,
        "faults": faults,
        "counted": counted,
        "tables": [table for table in tables if table.groups[0][1]],
    }
    page: Any = environment().get_template("comparison.html.jinja").render(told)
    return str(page).lstrip()
