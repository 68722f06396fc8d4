"""results/README.md is what the dataclasses of records/ say, to the letter."""

from __future__ import annotations

import dataclasses
import re

from bench.metrics import METRICS
from bench.records import parts, schema
from bench.report.records_readme import SKIPPED, document, kinds
from tests.paths import ROOT


def test_the_readme_of_the_records_is_the_generated_one():
    """After a change of records/ or METRICS: `python -m bench.report.records_readme > results/README.md`."""
    assert (ROOT / "results" / "README.md").read_text(encoding="utf-8") == document()


def rows(kind: type) -> dict[str, list[str]]:
    """The table of a dataclass: by key its type, default and meaning."""
    section = document().partition(f"## `{kind.__name__}`\n")[2].partition("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"
    ]
    return {key.strip("`"): others for key, *others in cells}


def test_every_key_of_a_record_stands_there_with_its_type_and_a_meaning():
    for kind in kinds():
        found = rows(kind)
        stored = [f.name for f in dataclasses.fields(kind) if (kind.__name__, f.name) not in SKIPPED]
        assert list(found)[: len(stored)] == stored, kind.__name__
        for name in found:
            assert len(found[name]) == 3, (kind.__name__, name)
            kept_as, _, meaning = found[name]
            assert kept_as, (kind.__name__, name)
            assert meaning, (kind.__name__, name)


def test_every_part_of_a_record_has_its_table_once():
    """All dataclasses of parts.py, and those of schema.py that a record holds."""
    headings = re.findall(r"^## `(\w+)`$", document(), flags=re.MULTILINE)
    assert len(headings) == len(set(headings))
    of_records = (schema.Record, schema.Protocol, schema.Environment, schema.Inputs)
    of_parts = [
        one for one in vars(parts).values() if dataclasses.is_dataclass(one) and one.__module__ == parts.__name__
    ]
    assert set(headings) == {kind.__name__ for kind in (*of_records, *of_parts)} - {parts.Samples.__name__}


def test_every_metric_has_a_row():
    table = document().partition("## Metrics")[2]
    assert re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE) == list(METRICS)
