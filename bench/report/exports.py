"""The report for other programs and papers: `python -m bench report --format latex`.

markdown, latex: the headline claims, the scores and the speeds as tables.  csv, json, parquet: a row per claim and
side.  badge: a small SVG with the count of verdicts.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.analysis.records import label_by_file
from bench.analysis.table import as_parquet
from bench.errors import UsageError
from bench.files import check_target, make_folder
from bench.formatting import named
from bench.records.json_files import write_bytes, write_text
from bench.report.identity import repository, version
from bench.report.reading import Found, by_scale, made_of_all, read
from bench.report.sections.answers import answers, speed_parts, speeds
from bench.report.sections.cards import headline_claims, row_cells
from bench.report.sections.dual import SCALE as SCENES
from bench.report.tables import Cell, Table, plain_table, score_table
from bench.report.tables.speedups import ratio_table
from bench.report.words import badge_of
from bench.verdict.judged import Judged, Side

COLUMNS = (("Printed", ""), ("Measured", "paper's size"), ("Verdict", "paper's size"), ("Small models", ""))


@dataclass(frozen=True)
class Format:
    """A form of the report: the file that it is written to, beside the page, and its text (None: parquet)."""

    file: str
    text: Callable[[Found], str] | None


def export(results_dirs: Sequence[Path], format_name: str, out: Path | None, beside: Path) -> Path:
    """Write the report in a form of FORMATS to `out` (None: its own file beside `beside`) and return the path."""
    if format_name not in FORMATS:
        raise UsageError(f"unknown format {format_name!r}; known: html, {', '.join(FORMATS)}")
    form = FORMATS[format_name]
    path = out or beside.parent / form.file
    found = read(results_dirs)
    check_target(path, "--out")
    make_folder(path.parent, "--out")
    made = made_of_all(found, form.text or rows_of)
    if isinstance(made, str):
        write_text(made, path)
    else:
        import pandas as pd

        write_bytes(as_parquet(pd.DataFrame(made), path), path)
    return path


# -- a row per claim and side ------------------------------------------------------------------------------------------


def rows_of(found: Found) -> list[dict[str, Any]]:
    """Every claim in use at every scale where it can be judged; None where nothing is known."""
    return [row_of(each, side) for each in found.judged.values() for side in each.sides]


def row_of(found: Judged, side: Side) -> dict[str, Any]:
    claim, verdict, source = found.claim, side.verdict, found.claim.source
    return {
        "claim": claim.id,
        "headline": claim.headline,
        "model": named(side.asked.subject, side.asked.settings),
        "baselines": " ".join(named(name, side.asked.baseline_settings) for name in side.asked.baselines),
        "metric": side.asked.metric,
        "scale": verdict.scale,
        "protocol": side.asked.protocol,
        "printed": claim.value,
        "printed_unit": claim.unit,
        "tolerance": claim.tolerance,
        "verdict": verdict.word,
        "marker": verdict.marker,
        "value": verdict.value,
        "low": known(verdict.ci_low),
        "high": known(verdict.ci_high),
        "unit": verdict.unit,
        "machine": side.machine,
        "records": " ".join(verdict.records),
        "reason": verdict.reason,
        "paper": source.paper,
        "where": source.where,
        "url": source.url,
        "standing": source.standing,
        "contradicted_by": " ".join(claim.conflicts_with),
    }


def known(bound: float | None) -> float | None:
    """A NaN is no bound: JSON has none."""
    return None if bound is None or bound != bound else bound


def as_csv(found: Found) -> str:
    rows, file = rows_of(found), io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def as_json(found: Found) -> str:
    return json.dumps(rows_of(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


# -- tables ------------------------------------------------------------------------------------------------------------


def tables_of(found: Found) -> list[Table]:
    """The headline claims; of each machine its scores and its speeds in shared rounds."""
    headlines = [found.judged[claim.id] for claim in headline_claims()]
    rows = [(each.claim.headline.rstrip("."), short_cells(each)) for each in headlines]
    tables = [plain_table("Printed claims and their verdicts", COLUMNS, rows, "Claim")]
    for machine, group in found.by_machine.items():
        for scale, records in by_scale(group, without=SCENES).items():
            images = [record for record in records if record.protocol.collects == "images"]
            scores = score_table(images, label_by_file(records))
            tables += [replace(scores, caption=f"Scores, {scale}, on {machine}, with 95 % intervals")] if scores else []
        speeds = ratio_table(group)
        tables += [replace(speeds, caption=f"Speed on {machine}: ratios of shared rounds")] if speeds else []
    return tables


def short_cells(found: Judged) -> tuple[Cell, ...]:
    """As the rows of a paper's table, a speed in the words of the page."""
    claim, (_, measured, *others) = found.claim, row_cells(found)
    if timed := speeds(found.paper):
        measured = Cell("".join(part if isinstance(part, str) else part.text for part in speed_parts(timed)))
    return (Cell(f"x{claim.value:g}" if claim.unit == "times" else f"{claim.value:g} {claim.unit}"), measured, *others)


def words(cell: Cell) -> str:
    below = f" ({cell.below})" if cell.below else ""
    return f"{cell.text}{below}{f', {cell.mark}' if cell.mark else ''}"


def filled(cells: Sequence[Cell], width: int) -> list[str]:
    """The texts of a row, one that spans it followed by empty ones."""
    return [*map(words, cells), *[""] * (width - len(cells))]


def as_markdown(found: Found) -> str:
    lines = ["# TransDiff, MRAR and Dual Diffusion: do the papers' claims hold?", "", f"{made_by()}.", ""]
    lines += [f"- {each.question} **{each.answer}**" for each in answers(found.judged)]
    for table in tables_of(found):
        headings = [table.first, *(f"{name} ({remark})" if remark else name for name, remark in table.columns)]
        lines += ["", f"## {table.caption}", "", markdown_row(headings)]
        lines.append("| --- |" + " ---: |" * len(table.columns))
        for heading, rows in table.groups:
            lines += [markdown_row([f"**{heading}**", *[""] * len(table.columns)])] if heading else []
            lines += [markdown_row([label, *filled(cells, len(table.columns))]) for label, cells in rows]
    return "\n".join(lines) + "\n"


def made_by() -> str:
    """As "Arbiter 0.2.0, https://example.org/arbiter"; without an address where none is declared."""
    return ", ".join(filter(None, (f"Arbiter {version()}", repository())))


def markdown_row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(html.escape(text, quote=False).replace('|', '&#124;') for text in texts)} |"


def as_latex(found: Found) -> str:
    """Tables as the papers set them (booktabs), to \\input into a paper: arrows for the better direction."""
    return f"% {made_by()}\n% needs \\usepackage{{booktabs}}\n" + "\n".join(map(latex_table, tables_of(found)))


ARROWS = {"lower is better": r" $\downarrow$", "higher is better": r" $\uparrow$"}


def latex_table(table: Table) -> str:
    headings = [escape(table.first)]
    for name, remark in table.columns:
        arrow = next((sign for text, sign in ARROWS.items() if remark.endswith(text)), "")
        headings.append(escape(name) + arrow)
    lines = [r"\begin{table}[t]", r"\centering\small", rf"\caption{{{escape(table.caption)}}}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"\toprule", " & ".join(headings) + r" \\"]
    for heading, rows in table.groups:
        lines.append(r"\midrule")
        if heading:
            lines.append(rf"\multicolumn{{{len(table.columns) + 1}}}{{l}}{{\textit{{{escape(heading)}}}}} \\")
        for label, cells in rows:
            lines.append(" & ".join([escape(label), *map(escape, filled(cells, len(table.columns)))]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


SIGNS = {
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"},
    **{"−": "$-$", "–": "--", "×": r"$\times$", "µ": r"$\mu$", "→": r"$\to$", "±": r"$\pm$"},
    **{"“": "``", "”": "''"},
}


def escape(text: str) -> str:
    return re.sub("|".join(map(re.escape, SIGNS)), lambda match: SIGNS[match[0]], text)


# -- badge -------------------------------------------------------------------------------------------------------------

BADGE_STYLES = (("yes", "hold", "#14632f"), ("no", "do not", "#97241f"), ("open", "open", "#7a4b00"))
CHARACTER_PX = 6.6  # of Verdana 11, on the wide side


def as_badge(found: Found) -> str:
    """As "12 claims judged | 4 hold, 5 do not, 3 open": the word of each headline claim's heading, counted by kind."""
    headlines = [found.judged[claim.id] for claim in headline_claims()]
    counts = Counter(badge_of(each.main.verdict.word)["style"] for each in headlines)
    counts["open"] += counts["none"] + counts["unlike"]
    left = f"{len(headlines)} claims of papers"
    parts = [(f"{counts[style]} {word}", colour) for style, word, colour in BADGE_STYLES]
    text = f"{left}: {', '.join(part for part, _ in parts)}"
    boxes, x = [], 0.0
    for words_, colour in ((left, "#555"), *parts):
        width = CHARACTER_PX * len(words_) + 12
        boxes.append(
            f'<rect x="{x:.0f}" width="{width:.0f}" height="20" fill="{colour}"/>'
            f'<text x="{x + width / 2:.0f}" y="14">{html.escape(words_)}</text>'
        )
        x += width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{x:.0f}" height="20" role="img" aria-label="{text}">'
        f'<title>{text}</title><g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" '
        f'font-size="11">{"".join(boxes)}</g></svg>\n'
    )


FORMATS = {
    "markdown": Format("report.md", as_markdown),
    "latex": Format("report.tex", as_latex),
    "csv": Format("verdicts.csv", as_csv),
    "json": Format("verdicts.json", as_json),
    "parquet": Format("verdicts.parquet", None),
    "badge": Format("badge.svg", as_badge),
}
