"""A record comes back as it was saved, whatever stands in it; with any byte changed it is named, or the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from bench.records.parts import Measurement
from bench.records.schema import Record
from bench.records.store import load_record, load_records, save_record
from tests.fake_records import full_set, record
from tests.properties import drawn

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(max_size=20).filter(str.isprintable)  # of others a reader is shown the escape
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=12).map(lambda name: f"m_{name}_")
SCALARS = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | NUMBERS | WORDS
SETTINGS = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=4)
MEASUREMENTS = st.builds(
    Measurement, NUMBERS, WORDS, st.none() | NUMBERS, st.none() | NUMBERS, st.none() | st.integers(0, 2**53)
)


@st.composite
def records(draw: Any) -> Record:
    return record(
        "dit-digits",
        "digits-quality",
        settings=draw(SETTINGS),
        measurements=draw(st.dictionaries(NAMES, MEASUREMENTS, max_size=4)),
        reason=draw(WORDS),
        wall_s=draw(st.none() | st.floats(0, 1e9)),
    )


@drawn
@given(records())
def test_a_record_comes_back_as_it_was_saved(tmp_path_factory, made: Record) -> None:
    path = save_record(made, tmp_path_factory.mktemp("results"))
    found, faults = load_record(path)
    assert faults == []
    assert replace(found, file=made.file, sha256=made.sha256) == made
    again = save_record(found, tmp_path_factory.mktemp("again"))
    assert again.read_bytes() == path.read_bytes()


WHOLE = full_set()


@drawn
@given(st.sampled_from(range(len(WHOLE))), st.data())
def test_a_record_of_which_a_byte_was_changed_is_named_or_says_the_same(tmp_path_factory, place, data) -> None:
    """Of white space a change says the same; of the rest none is taken without a word."""
    folder = tmp_path_factory.mktemp("results")
    path = save_record(WHOLE[place], folder)
    before, content = load_record(path)[0], bytearray(path.read_bytes())
    byte = data.draw(st.integers(0, len(content) - 1))
    changed = data.draw(st.integers(0, 255))
    assume(content[byte] != changed)
    content[byte] = changed
    path.write_bytes(content)
    loaded = load_records([folder])
    if loaded.records:
        assert loaded.records == [before]
    else:
        assert len(loaded.faults) == 1
        assert path.name in loaded.faults[0]
        assert "\n" not in loaded.faults[0]
