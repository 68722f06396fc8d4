"""The texts of released data sets, read to their end as a run reads them: captions, questions, answers, prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from bench.datasets import coco_captions
from bench.datasets.geneval import load_prompts
from bench.datasets.question_formats import load_question_set

VERSION = 1  # raised when a reader below refuses what it took before


def check_texts(name: str, files: Mapping[str, Path]) -> None:
    """UsageError, in one line, where a file of a data set is cut off, damaged, of another layout, or not the one that
    belongs to the other.

    name: a key of READERS, the name of the asset    files: of the data set, by published name, in the asset's order
    """
    READERS[name](*files.values())


def _questions_with_answers(name: str) -> Callable[..., None]:
    def read(questions: Path, annotations: Path | None = None) -> None:
        load_question_set(questions, annotations, name)

    return read


def _captions(path: Path) -> None:
    coco_captions.load_named(path)


def _pope(*paths: Path) -> None:
    for path in paths:
        load_question_set(path, None, "pope")


def _prompts(path: Path) -> None:
    load_prompts(path)


READERS: dict[str, Callable[..., None]] = {  # MME is text files by the hundred, each of two lines
    "coco-val2014": _captions,
    **{name: _questions_with_answers(name) for name in ("vqa-v2", "okvqa", "vizwiz", "gqa")},
    "pope": _pope,
    "geneval": _prompts,
}
