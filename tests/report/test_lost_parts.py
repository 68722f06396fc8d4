"""Records that lost a key are judged and shown without it: whatever is missing or odd, there is a page that says so.

ARBITER_DRAWS=700 draws more places than the usual 12.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.claims import CLAIMS, SIZE_CLAIMS
from bench.records.parts import Counts
from bench.records.store import content_sha256, load_records
from bench.report import render
from bench.studies import STUDIES
from bench.verdict.judge import judge
from tests.command_line import bench
from tests.fake_records import composed, full_set, ratios, record, timed
from tests.fake_scenes import scenes_set
from tests.fake_studies import studied
from tests.pages import NOW, text_of, write

PARTS = ("measurements", "images", "texts", "paintings", "timing", "speedups", "counts", "environment", "settings")
DRAWS = range(int(os.environ.get("ARBITER_DRAWS", "12")))
ODD = ["x", "[/red]\x1b[31m<b>", "NaN", "", 1e300, -1, 0, 2**62, 0.5, None, True, [], {}, [[1]], {"value": None}]
REFERENCES = STUDIES["references"].runs


def everything():
    """One record of each kind and more."""
    return [
        *full_set(),
        timed("sit-digits", {"network": 0.3, "autoencoder": 0.02, "rest": 0.08}),
        timed("transdiff-digits", {"encoder": 0.01, "decoder": 0.05, "rest": 0.02}, settings={"num_steps": 3}),
        ratios("transdiff-digits", {"dit-digits": 2.8, "sit-digits": 3.1}),
        composed("transdiff-l", {"encoder": 3.0, "decoder": 95.0, "autoencoder": 2.0}, 1e13),
        composed("dit-xl-2", {"network": 396.0, "autoencoder": 4.0}, 3e13),
        record("dit-s-8", "paper-size", settings={}, counts=Counts(num_params=33_142_016, flops=7.2e8)),
        *map(studied, REFERENCES),
        *scenes_set(),
    ]


def places(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every key of every object within the parts of a record."""
    if isinstance(data, dict):
        for key in data.keys() if place else data.keys() & set(PARTS):
            yield (*place, key)
            yield from places(data[key], (*place, key))
    elif isinstance(data, list):
        for i, item in enumerate(data):
            yield from places(item, (*place, i))


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """A full results folder."""
    return write(tmp_path_factory.mktemp("intact"), everything())


def damaged(intact: Path, folder: Path, draw: int, damage: Callable[[Any, Any, np.random.Generator], None]) -> Path:
    """The folder of results in which `damage(object or list, key or place)` was done to each record, at one place drawn
    at random, as another program might write it."""
    results, generator = Path(shutil.copytree(intact, folder / "results")), np.random.default_rng(draw)
    for path in sorted(results.glob("*/*--*.json")):
        data = json.loads(path.read_text())
        found = sorted(places(data), key=str)
        *outer, key = found[generator.integers(len(found))]
        inner = data
        for each in outer:
            inner = inner[each]
        damage(inner, key, generator)
        path.write_text(json.dumps({**data, "sha256": content_sha256(data)}))
    return results


def judged_and_rendered(results: Path, out: Path) -> tuple[list[str], str]:
    """(what could not be read, the page)"""
    loaded = load_records([results])
    for claim in (*CLAIMS, *SIZE_CLAIMS):
        judge(claim, loaded.records)
    page = render([results], out, now=NOW).read_text()
    words = text_of(page)
    assert all(" ".join(fault.split()) in words for fault in loaded.faults)
    return loaded.faults, page


@pytest.mark.parametrize("draw", DRAWS)
def test_every_record_may_lack_a_key_and_there_is_a_page(intact, tmp_path, draw):
    def lose(inner, key, generator):
        del inner[key]

    faults, _ = judged_and_rendered(damaged(intact, tmp_path, draw, lose), tmp_path / "index.html")
    assert faults


@pytest.mark.parametrize("draw", DRAWS)
def test_every_record_may_hold_something_odd_and_there_is_a_page(intact, tmp_path, draw):
    """One value in place of which another stands, of any type and size."""

    def replace(inner, key, generator):
        inner[key] = ODD[generator.integers(len(ODD))]

    _, page = judged_and_rendered(damaged(intact, tmp_path, draw, replace), tmp_path / "index.html")
    assert "\x1b" not in page
    assert "[31m<b>" not in page


# -- the other commands ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strange(intact, tmp_path_factory):
    """(records of which one has a setting of another type, its name): no schema knows the settings of every model."""
    results = Path(shutil.copytree(intact, tmp_path_factory.mktemp("strange") / "results"))
    for path in sorted(results.glob("*/transdiff-mrar-digits--digits-study*.json")):
        data = json.loads(path.read_text())
        if "num_images" in data["settings"]:
            data["settings"]["num_images"] = "[/red]"
            path.write_text(json.dumps({**data, "sha256": content_sha256(data)}))
            return results, path.name
    raise AssertionError("no record of a row of images")


CALLS = {
    "report": ["report", "--out", "o.html", "--results"],
    "tables": ["report", "--format", "csv", "--out", "o.csv", "--results"],
    "figures": ["export", "figures", "figures", "--results"],
    "measurements": ["export", "table", "t.csv", "--results"],
    "records": ["list", "records", "--results"],
    "verdicts": ["list", "claims", "--results"],
}


@pytest.mark.parametrize("call", CALLS)
def test_a_record_that_a_command_cannot_take_leaves_the_others_their_place(
    capsys, tmp_path, monkeypatch, strange, call
):
    monkeypatch.chdir(tmp_path)
    assert bench(capsys, *CALLS[call], strange[0])[0] == 0


def test_a_comparison_names_the_record_that_it_leaves_out(capsys, intact, strange):
    results, name = strange
    for pair in ((intact, results), (results, intact)):
        status, said, err = bench(capsys, "compare", *pair)
        assert (status, err) == (0, "")
        assert f"{name}: left out: TypeError" in " ".join(said.split())


@pytest.mark.parametrize("call", ["tables", "figures", "measurements", "records", "verdicts"])
def test_a_file_that_is_no_record_is_named_by_every_command(capsys, tmp_path, monkeypatch, intact, call):
    monkeypatch.chdir(tmp_path)
    results = Path(shutil.copytree(intact, tmp_path / "results"))
    (next(results.glob("*/")) / "dit-digits--digits-quality--1.json").write_text("{}")
    status, said, _ = bench(capsys, *CALLS[call], results)
    assert status == 0
    assert "dit-digits--digits-quality--1.json: schema None" in " ".join(said.split())


def test_a_page_of_damaged_records_is_their_page(capsys, tmp_path, intact):
    """What could not be read is said in both; `verify` fails for the files, and does not blame the page."""
    results = Path(shutil.copytree(intact, tmp_path / "results"))
    path = next(results.glob("*/dit-digits--digits-quality*.json"))
    path.write_text(path.read_text().replace('"value": ', '"value": 1', 1))
    page = render([results], tmp_path / "index.html", now=NOW)
    status, said, err = bench(capsys, "verify", "--results", results, "--report", page)
    assert status == 1
    assert "was edited" in said
    assert "1 file was edited or is damaged" in err
    assert "has the rest as on disk" in err
    assert "is not the report" not in err
