"""What `bench score vqa` prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.commands.score_tables import finish, print_scores
from bench.datasets.question_formats import load_question_set, load_results
from bench.evaluators.answers import OFFICIAL, score_answers
from bench.evaluators.text_scores import file_protocol
from bench.metrics import METRICS
from bench.records.json_files import check_json_path

# -- what a user sees --------------------------------------------------------------------------------------------------


def print_breakdown(result: Mapping[str, Any]) -> None:
    """One table per kind of question, one row per value, one column per metric."""
    from rich.table import Table

    from bench.console import cell, console
    from bench.formatting import number

    for kind, parts in result["breakdown"].items():
        metrics = list(dict.fromkeys(metric for part in parts.values() for metric in part))
        table = Table(title=cell(f"by {kind.replace('_', ' ')}"), title_justify="left")
        table.add_column(cell(kind.replace("_", " ")))
        for title in (*(METRICS[metric].title for metric in metrics), "images" if kind == "subtask" else "questions"):
            table.add_column(title, justify="right")
        for value, part in parts.items():
            cells = [number(part[m]["value"], part[m]["ci_low"], part[m]["ci_high"]) for m in metrics]
            table.add_row(cell(value), *cells, str(part[metrics[0]]["n"]))
        console().print(table)


def score_and_print(
    results: Path,
    *,
    questions: Path | None,
    annotations: Path | None = None,
    name: str | None = None,
    subset: bool = False,
    scoring: str = OFFICIAL,
    json_file: Path | None = None,
) -> None:
    """What the command line does."""
    from bench.console import console

    check_json_path(json_file)
    name, question_set = load_question_set(questions, annotations, name)
    result = score_answers(
        load_results(results, name, question_set), question_set, name, subset=subset, scoring=scoring
    )
    files = file_protocol(results=results, questions=questions, annotations=annotations)
    result["protocol"] = {**files, **result["protocol"]}
    print_breakdown(result)
    title = f"{results.resolve().name} ({name})"
    print_scores(console(), title, result, counted="images" if name == "mme" else "questions")
    finish(result, json_file)
