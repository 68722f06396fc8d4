"""What `bench score captions` prints."""

from __future__ import annotations

from pathlib import Path

from bench.commands.score_tables import finish, print_scores
from bench.datasets import coco_captions
from bench.evaluators.captions import score_captions
from bench.evaluators.text_scores import file_protocol
from bench.records.json_files import check_json_path


def score_and_print(
    results: Path, *, annotations: Path, spice: bool = False, subset: bool = False, json_file: Path | None = None
) -> None:
    """What the command line does."""
    from bench.console import console

    check_json_path(json_file)
    texts, references = coco_captions.load_results(results), coco_captions.load(annotations)
    result = score_captions(texts, references, spice=spice, subset=subset)
    result["protocol"] = {**file_protocol(results=results, annotations=annotations), **result["protocol"]}
    title = f"{results.name} against {annotations.name}"
    if not result["protocol"]["comparable"]:
        title += " (fallback tokenizer: not comparable)"
    print_scores(console(), title, result, counted="images")
    finish(result, json_file)
