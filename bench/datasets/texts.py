"""Results files: the captions or answers of a model, a list of {id, text} in the layout of the data set's evaluator.

An entry may also say how its text ended, which only the generator knows, under "finish":

    "end"        the end token came after the text
    "length"     cut at the length limit, no end token
    "end-first"  the end token was the first token, so that nothing was said
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.datasets.json_files import Id, check_list, check_unique, load_json, shown, value
from bench.errors import UsageError

FINISHES = ("end", "length", "end-first")


@dataclass(frozen=True)
class Text:
    """What a model said of one image or to one question."""

    text: str
    finish: str | None = None  # one of FINISHES; None: the file does not say
    answerable: float | None = None  # VizWiz: how likely the question can be answered, 0 to 1; None: not said


def load_texts(path: Path, id_keys: Sequence[str], text_keys: Sequence[str], what: str) -> dict[Id, Text]:
    """Texts by id, in the file's order. UsageError for a file that is not in this layout, or that has an id twice.

    id_keys, text_keys: names that the id and the text go by, the first that an entry has is taken
    what: the ids' noun, as "image"
    """
    expected = f"{{{id_keys[0]}, {text_keys[0]}}} objects"
    entries = check_list(load_json(path, "results"), path, "results", expected)
    ids: list[Id] = []
    texts: list[Text] = []
    for number, entry in enumerate(entries):
        id_key, text_key = _present(entry, id_keys), _present(entry, text_keys)
        ids.append(value(entry, id_key, (int, str), number, path, "results"))
        texts.append(read_text(entry, text_key, number, path))
    check_unique(ids, path, "results", what)
    return dict(zip(ids, texts, strict=True))


def read_text(entry: dict[str, Any], text_key: str, number: int, path: Path) -> Text:
    """The text of entry `number` of a results file."""
    text = value(entry, text_key, str, number, path, "results")
    finish = entry.get("finish")
    if finish is not None and finish not in FINISHES:
        raise UsageError(f"results {path}: entry {number}: 'finish' is {finish!r:.60}; expected {', '.join(FINISHES)}")
    answerable = entry.get("answerable")
    if answerable is not None and not (isinstance(answerable, int | float) and 0 <= answerable <= 1):
        raise UsageError(f"results {path}: entry {number}: 'answerable' is {answerable!r:.60}; expected 0 to 1")
    return Text(text, finish, None if answerable is None else float(answerable))


def _present(entry: dict[str, Any], keys: Sequence[str]) -> str:
    return next((key for key in keys if key in entry), keys[0])


def check_ids(results: Collection[Id], references: Collection[Id], what: str, *, subset: bool = False) -> None:
    """UsageError where results name something unknown or, unless `subset`, leave something out.

    what: the ids' noun, as "image".
    """
    known, given = set(references), set(results)
    unknown = [one for one in results if one not in known]
    missing = [one for one in references if one not in given]
    faults = []
    if unknown:
        faults.append(f"{len(unknown)} of {len(given)} results are for unknown {what} ids (first: {shown(unknown)})")
    if missing and not subset:
        faults.append(f"{len(missing)} of {len(known)} {what} ids have no result (first: {shown(missing)})")
    if faults:
        hint = "; --subset scores those that have one" if missing and not unknown else ""
        raise UsageError(f"{'; '.join(faults)}{hint}")
