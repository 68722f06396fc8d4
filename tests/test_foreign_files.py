"""Every reader of a file that somebody else may have written: the right content, or one line that names the file.

Whatever lies at the path: a pipe, a device without an end, a hole of 100 GB, a folder, a link to itself, bytes that
were cut, flipped or swapped, JSON of other types at any place. ARBITER_DRAWS=500 draws more than the usual 15 of each.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.datasets import prompts
from bench.errors import UsageError
from bench.records import samples
from tests.foreign_readers import READERS, REFUSALS, Reader, archive, picture, sealed
from tests.properties import drawn

WAIT_S = 20  # far more than any of these files takes

# -- what a file may be ------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def soon():
    """A test that waits fails."""

    def too_long(number, frame):
        raise AssertionError(f"nothing after {WAIT_S} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(WAIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def check_answer(reader: Reader, path: Path) -> None:
    """What is read, or one line with the name of the file or of its folder."""
    try:
        reader.read(path)
    except REFUSALS as error:
        said = str(error)
        assert "\n" not in said
        assert path.name in said or path.parent.name in said
        assert len(said) < 1500


def hole(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(100 * 2**30)


PLACES: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a device without an end": lambda path: path.symlink_to("/dev/zero"),
    "a hole of 100 GB": hole,
    "nothing": lambda path: None,
    "an empty file": lambda path: path.touch(),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_of_a_size_that_can_be_read_is_said_at_once(name, place, tmp_path):
    path = tmp_path / READERS[name].name
    PLACES[place](path)
    check_answer(READERS[name], path)


@pytest.mark.parametrize("name", READERS)
def test_the_file_that_each_of_these_tests_damages_is_read(name, tmp_path):
    path = tmp_path / READERS[name].name
    path.write_bytes(READERS[name].content())
    READERS[name].read(path)


FOREIGN = [
    picture("PNG"),
    archive(x=np.zeros(1)),
    b"\x80\x02c__builtin__\neval\n.",
    b"null",
    b"[]",
    b"{}",
    b"1",
    b"\0" * 99,
]
ENCODINGS: list[Callable[[bytes], bytes]] = [
    lambda content: b"\xef\xbb\xbf" + content,
    lambda content: content.decode("latin1").encode("utf-16"),
    lambda content: content.decode("latin1").encode("utf-16-be"),
    lambda content: content.replace(b"\n", b"\r\n"),
    lambda content: content + b"\0" * 100,
    lambda content: content + content,
    lambda content: bytes(len(content)),
]


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes of a file after something has happened to it."""
    where = draw(st.integers(0, len(content) - 1))
    kind = draw(st.sampled_from(["cut", "flipped", "put in", "foreign", "encoded"]))
    if kind == "cut":
        return content[:where]
    if kind == "flipped":
        spoilt = bytearray(content)
        for place in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
            spoilt[place] ^= 1 << draw(st.integers(0, 7))
        return bytes(spoilt)
    if kind == "put in":
        return content[:where] + draw(st.binary(min_size=1, max_size=50)) + content[where:]
    if kind == "foreign":
        return draw(st.sampled_from(FOREIGN))
    return draw(st.sampled_from(ENCODINGS))(content)


@pytest.mark.parametrize("name", READERS)
def test_a_file_with_other_bytes_is_read_or_named(name, tmp_path_factory):
    reader = READERS[name]

    @drawn
    @given(damaged(reader.content()))
    def check(content: bytes) -> None:
        path = tmp_path_factory.mktemp("damaged") / reader.name
        path.write_bytes(content)
        check_answer(reader, path)

    check()


# -- JSON of other types -----------------------------------------------------------------------------------------------

ODD = [0, -1, 1.5, 1e300, 2**31, 2**63, -(2**70), True, None, "", "x", "[/red]\x1b[31m<b>", "\ud800", "\0", "../../x"]
ODD += ["a" * 100_000, [], {}, [[]], [None], {"a": 1}, [1, "a"]]
NO_VALUES = {  # text of JSON that Python cannot write
    "NaN": b"NaN",
    "infinite": b"-Infinity",
    "too large": b"1e999",
    "5,000 digits": b"9" * 5000,
    "deep lists": b"[" * 10**6 + b"]" * 10**6,
    "deep objects": b'{"a":' * 10**6 + b"1" + b"}" * 10**6,
    "half open": b"[" * 10**6,
}
MARK = "the place of what no Python value stands for"


def places(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    for key, item in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from places(item, (*place, key))


def replaced(data: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    data = copy.deepcopy(data)
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return data


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if not isinstance(reader.valid, bytes)])
def test_json_of_another_type_anywhere_is_read_or_named(name, tmp_path_factory):
    reader = READERS[name]
    found = list(places(reader.valid))

    @drawn
    @given(st.sampled_from(found), st.sampled_from([*ODD, *map(str, NO_VALUES)]))
    def check(place: tuple[Any, ...], odd: Any) -> None:
        path = tmp_path_factory.mktemp("odd") / reader.name
        if isinstance(odd, str) and odd in NO_VALUES:
            whole = json.dumps(replaced(reader.valid, place, MARK)).encode()
            path.write_bytes(whole.replace(json.dumps(MARK).encode(), NO_VALUES[odd]))
        else:
            path.write_bytes(sealed(replaced(reader.valid, place, odd)))
        check_answer(reader, path)

    check()


KEYED = [
    name for name in READERS if name in ("captions", "caption results", "questions", "annotations", "answers", "GQA")
]


@pytest.mark.parametrize("name", KEYED)
def test_a_key_that_stands_twice_in_an_object_is_named(name, tmp_path):
    """Python's reader keeps the last without a word: of GQA's questions one would be lost."""
    reader = READERS[name]
    path = tmp_path / reader.name
    for place in places(reader.valid):
        inner = reader.valid
        for key in place:
            inner = inner[key]
        if isinstance(inner, dict):
            key = next(iter(inner))
            twice = f"{json.dumps(inner)[:-1]}, {json.dumps(key)}: {json.dumps(inner[key])}}}"
            whole = json.dumps(replaced(reader.valid, place, MARK)).replace(json.dumps(MARK), twice)
            path.write_text(whole)
            with pytest.raises(UsageError, match=rf"has the key '{key}' twice"):
                reader.read(path)


def test_prompts_in_utf_16_are_no_prompts(tmp_path):
    """Every second byte is NUL, which is UTF-8, too."""
    path = tmp_path / "p.txt"
    path.write_bytes("a dog\na cat\n".encode("utf-16-be"))
    with pytest.raises(UsageError, match="control characters, so not text in UTF-8"):
        prompts.load_prompts(path)


def test_a_samples_file_that_unpacks_to_more_than_memory_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "FEW_BYTES", 10**6)
    assert samples.unzipped(gzip.compress(bytes(10**6))) == bytes(10**6)
    with pytest.raises(ValueError, match="holds more than 1,000,000 bytes"):
        samples.unzipped(gzip.compress(bytes(10**6 + 1)))
