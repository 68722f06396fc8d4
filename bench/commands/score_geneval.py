"""What `bench score geneval` prints."""

from __future__ import annotations

from pathlib import Path

from bench.commands.score_tables import finish, score_table
from bench.console import say
from bench.evaluators.geneval import score_results
from bench.metrics.geneval import METRIC_BY_TAG
from bench.records.json_files import check_json_path


def score_and_print(results: Path, *, json_file: Path | None = None) -> None:
    """What the command line does."""
    from bench.console import console

    check_json_path(json_file)
    result = score_results(results)
    names = ["geneval_overall", *METRIC_BY_TAG.values()]
    title = f"{results.resolve().name}: {result['num_images']:,} images of {result['num_prompts']:,} prompts"
    console().print(score_table(title, names, result, counted="prompts"))
    for warning in result["warnings"]:
        say(f"warning: {warning}")
    finish(result, json_file)
