"""What the `score` doors print and write: a table of metrics, the reasons of those that are missing, the JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.console import cell, say
from bench.errors import CheckFailed
from bench.formatting import interval, number
from bench.metrics import METRICS
from bench.metrics.text_audit import CLASSES
from bench.records.json_files import write_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def score_table(
    title: str,
    names: Sequence[str],
    result: Mapping[str, Any],
    *,
    counted: str,
    beside_title: str = "",
    beside: Mapping[str, str] = {},
) -> Table:
    """`result["metrics"]` as a table, one row per name, in this order; "refused" or "not run" where there is no number.

    counted: title of the column of n, as "images"    beside, beside_title: one more column, a text per name; "": none
    """
    from rich.table import Table

    table = Table(title=cell(title), title_justify="left")
    table.add_column("metric")
    for column in ("value", "95 % interval", counted, *([beside_title] if beside_title else [])):
        table.add_column(column, justify="right")
    for name in names:
        metric = METRICS[name]
        if name in result["metrics"]:
            found = result["metrics"][name]
            bounds = found["value"], found["ci_low"], found["ci_high"]
            value = f"{number(*bounds)} {metric.unit}".rstrip()
            cells = [value, interval(*bounds) or "unknown", str(found["n"] or "-")]
            table.add_row(metric.title, *cells, *([beside.get(name, "-")] if beside_title else []))
        else:
            table.add_row(metric.title, "refused" if name in result.get("refused", {}) else "not run")
    return table


def finish(result: Mapping[str, Any], json_file: Path | None) -> None:
    """Print why numbers are missing and write the JSON file. CheckFailed at the end where a score was refused."""
    refused = result.get("refused", {})
    for name, reason in {**result["not_run"], **refused}.items():
        word = "refused" if name in refused else "not run"
        say(f"{METRICS[name].title}: {word}: {reason}")
    if json_file is not None:
        write_json(result, json_file)
    if refused:
        raise CheckFailed(f"refused: {', '.join(refused)}: {next(iter(refused.values()))}")


WORD_BY_CLASS = dict(zip(CLASSES, ("empty", "end token first", "truncated", "repeated"), strict=True))
SHOWN_CHARACTERS = 60  # of an example


def print_scores(console: Console, title: str, result: Mapping[str, Any], *, counted: str) -> None:
    """The table with both numbers, then the audit and the warnings."""
    rest = {
        name: number(found["value"], found["ci_low"], found["ci_high"])
        for name, found in result["without_degenerate"].items()
    }
    names = [name for name in METRICS if name in result["metrics"] or name in result["not_run"]]
    console.print(score_table(title, names, result, counted=counted, beside_title="without degenerate", beside=rest))
    for line in audit_lines(result["audit"]):
        say(line)
    for warning in result["warnings"]:
        say(f"warning: {warning}")


def audit_lines(audit: Mapping[str, Any]) -> list[str]:
    """The audit in words, one line per class of degenerate texts, with examples."""
    total = audit["num_texts"]
    if audit["num_degenerate"]:
        lines = [f"degenerate: {audit['num_degenerate']} of {total} texts ({audit['degenerate_share']:.1%})"]
    else:
        lines = [f"no text of {total} is degenerate"]
    if audit["num_with_finish"] < total:
        lines[0] += f"; {total - audit['num_with_finish']} do not say how they ended (key 'finish')"
    for name in CLASSES:
        if audit[f"num_{name}"]:
            examples = ", ".join(f"{e['id']}: {e['text'][:SHOWN_CHARACTERS]!r}" for e in audit["examples"][name])
            lines.append(f"  {WORD_BY_CLASS[name]}: {audit[f'num_{name}']} ({examples})")
    lines.append(
        f"{audit['num_distinct']} different texts; the most common, {audit['most_common_text'][:SHOWN_CHARACTERS]!r}, "
        f"is {audit['most_common_share']:.1%}"
    )
    return lines
