"""results/parity.json: read back as written; a changed or odd file is named and never taken for a record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from bench.records.parity import load_parity, save_parity
from bench.records.store import PARITY_FILE, content_sha256, load_records, save_record
from reference_models import specs
from reference_models.sizes.autoencoders import AUTOENCODERS
from tests.fake_parity import CASE, PARITY, REFUSED, WRONG
from tests.fake_records import quality
from tests.paths import DATA, ROOT


@pytest.fixture
def kept(tmp_path):
    save_parity(PARITY, tmp_path / PARITY_FILE)
    return tmp_path / PARITY_FILE


def test_it_is_read_back_as_it_was_written(kept):
    found, faults = load_parity([kept.parent / "none", kept.parent])
    assert (found, faults) == (PARITY, [])
    assert found.sha256 == content_sha256(json.loads(kept.read_text()))


def test_without_the_file_there_is_nothing_and_no_fault(tmp_path):
    assert load_parity([tmp_path]) == (None, [])


def test_it_is_no_record(kept):
    save_record(quality("dit-digits", 2.0), kept.parent)
    loaded = load_records([kept.parent])
    assert (len(loaded.records), loaded.faults) == (1, [])


def test_an_edited_file_is_none(kept):
    kept.write_text(kept.read_text().replace("3.25e-06", "3.25e-09"))
    assert load_parity([kept.parent]) == (
        None,
        ["parity.json: was edited: its content does not have the checksum it was written with"],
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"schema": 7}, "schema 7, expected 1"),
        ({"cases": 3}, "parity: Expected `array`, got `int` - at `$.cases`"),
        ({"cases": [{"name": "mar"}]}, "parity: Object missing required field `family` - at `$.cases[0]`"),
        ({"created_utc": "yesterday"}, "created_utc: "),
        ({"environment": None}, "parity: Expected `object`, got `null` - at `$.environment`"),
    ],
)
def test_odd_types_are_one_line_that_names_the_file(kept, change, fault):
    data = json.loads(kept.read_text()) | change
    kept.write_text(json.dumps(data | {"sha256": content_sha256(data)}))
    found, faults = load_parity([kept.parent])
    assert found is None
    assert len(faults) == 1
    assert faults[0].startswith(f"parity.json: {fault}")


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_half_a_file_is_one_line_that_names_it(tmp_path, content):
    (tmp_path / PARITY_FILE).write_text(content)
    found, faults = load_parity([tmp_path])
    assert found is None
    assert len(faults) == 1
    assert faults[0].startswith("parity.json: ")


def test_the_worst_output_is_one_without_a_number_else_that_of_the_largest_error():
    assert [case.worst for case in (CASE, WRONG, REFUSED)] == [1, 1, None]


def test_a_case_is_ok_where_every_output_that_it_has_was_compared_and_is_ok():
    assert [case.ok for case in (CASE, WRONG, REFUSED)] == [True, False, False]
    assert not replace(CASE, num_outputs=4).ok


def test_the_committed_file_is_of_todays_cases_and_of_todays_models():
    """Else: `python -m bench parity tests/data/*.safetensors --save results/parity.json`."""
    parity, faults = load_parity([ROOT / "results"])
    assert faults == []
    cases = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in DATA.glob("*.safetensors")}
    assert {case.name: case.sha256 for case in parity.cases} == cases
    assert all(case.ok for case in parity.cases)
    today = {name: spec.version for name, spec in (specs() | AUTOENCODERS).items()}
    for case in parity.cases:
        assert case.versions
        assert case.versions == {name: today[name] for name in case.versions}, case.name
