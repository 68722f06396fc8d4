"""results/README.md, generated from the dataclasses of records/ and their comments, and from METRICS.

python -m bench.report.records_readme > results/README.md
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

from bench.metrics import METRICS
from bench.records import parts, schema
from bench.records.store import NOT_STORED

HEAD = """# Records

Generated from `bench/records/` (`python -m bench.report.records_readme > results/README.md`).

One file per run, `results/<machine>/<model>--<protocol>--<UTC date-time>.json`, for example
`results/amd-epyc-2c/dit-digits--digits-quality--20260131T142530Z.json`. `<machine>` is a slug of the hardware; facts of
the machine stand once, in its `machine.json`, and in a record only where they differ. Per-item results (by scene, and
examples) stand apart, in `samples/<record>.jsonl.gz`, one JSON object per line: `{"scene_scores": ...}` or
`{"example": ...}`.

A file is written whole or not at all (under a temporary name, then renamed) and never changed: a later run of the same
model, protocol and settings supersedes it, and the report shows the latest. A smoke run (`protocol.quick`) gives way to
a pilot (`protocol.pilot_of`), and that to a full run. `sha256` is the checksum of all other keys (JSON, sorted, UTF-8):
a record that was edited is named by `python -m bench report` and rests under no verdict; `samples_sha256` is that of
the samples file, and `machine.json` has one of its own. Any record can be deleted; `python -m bench reproduce` measures
again what is missing.

`results/parity.json` is no record: `python -m bench parity CASES --save results/parity.json` keeps there how every
output of our models compares with that of the authors' own code, with the checksum of each case, the authors' commit
and the version of our code. Its keys: `bench/records/parity.py`.

The files are JSON (UTF-8, sorted keys, no NaN or infinity). A key that is left out has the default given here: what
could not be measured is `None`, never 0. They hold no host name, no user name and no absolute path. Units: seconds end
in `_s`, bytes in `_bytes`, rates in `_per_s`, counts begin with `num_`, shares from 0 to 1 end in `_share`.
"""
SKIPPED = {("Record", name) for name in NOT_STORED}
CHECKED = {"Count": "int (0 or more)", "Positive": "int (1 or more)", "Rate": "float (above 0)"}
CHECKED |= {"Seconds": "float (above 0)", "Number": "int or float"}
BESIDE = (parts.SceneScores, parts.Example)


def document() -> str:
    """The whole text."""
    return "\n".join([HEAD, *(section(kind) for kind in kinds()), metrics_section()])


def kinds() -> list[type]:
    """Record, then every dataclass below it in the order of its first mention, then what the samples hold."""
    found: dict[type, None] = {schema.Record: None}
    for kind in found.copy():
        found |= dict.fromkeys(below(kind))
    return [*dict.fromkeys([*found, *BESIDE])]


def below(kind: type) -> Iterator[type]:
    for name, hint in typing.get_type_hints(kind).items():
        if (kind.__name__, name) not in SKIPPED:
            for inner in dataclasses_in(hint):
                yield inner
                yield from below(inner)


def dataclasses_in(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for argument in typing.get_args(hint):
        yield from dataclasses_in(argument)


def section(kind: type) -> str:
    """Heading, docstring and a table of the fields of a dataclass."""
    lines = [f"## `{kind.__name__}`", "", " ".join(inspect.cleandoc(kind.__doc__ or "").split()), ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    comments = comments_of(kind)
    for field in dataclasses.fields(kind):
        if (kind.__name__, field.name) not in SKIPPED:
            cells = (f"`{field.name}`", type_words(str(field.type)), default_words(field), comments.get(field.name, ""))
            lines.append("| " + " | ".join(cell.replace("|", "or") for cell in cells) + " |")
    if kind is schema.Record:
        lines += [
            "| `schema` | int | | version of this layout |",
            "| `sha256` | str | | checksum of all other keys |",
            "| `samples_sha256` | str | none | checksum of the samples file |",
        ]
    return "\n".join([*lines, ""])


def comments_of(kind: type) -> dict[str, str]:
    """The comment on (or right below) the line of each field."""
    source = inspect.getsource(kind).splitlines()
    tree = ast.parse("\n".join(source)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = " ".join(source[line - 1] for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))
            found[node.target.id] = text.partition("  # ")[2].strip() or text.partition(" # ")[2].strip()
    return found


def type_words(annotation: str) -> str:
    """As "map of str to Measurement", from an annotation in the source."""
    words = " ".join(annotation.split()).replace("Mapping[", "map[").replace("tuple[", "list[").replace(", ...]", "]")
    words = re.sub(r"Literal\[([^\]]*)\]", lambda found: found[1].replace("'", '"').replace(", ", " or "), words)
    for name, plain in CHECKED.items():
        words = re.sub(rf"\b{name}\b", plain, words)
    return words


def default_words(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return {"": '""', (): "[]"}.get(field.default, str(field.default))  # type: ignore[arg-type]
    return "" if field.default_factory is dataclasses.MISSING else "empty"


def metrics_section() -> str:
    """The keys of `measurements`."""
    lines = [
        "## Metrics",
        "",
        "The keys of `measurements`.",
        "",
        "| name | unit | version | meaning |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{m.name}` | {m.unit} | {m.version} | {m.what} |" for m in METRICS.values()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(document(), end="")
