"""Records on disk: written whole, read back equal, superseded by later ones; a bad file harms no other."""

from __future__ import annotations

import getpass
import json
import math
import re
import socket
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import CheckFailed
from bench.records.parts import Measurement
from bench.records.store import is_current, latest, load_record, load_records, save_record
from tests.fake_records import ENVIRONMENT, latency, quality, record
from tests.paths import ROOT

RESULTS = ROOT / "results"


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    written = quality("dit-digits", 2.2)
    path = save_record(written, tmp_path)
    assert path == tmp_path / "acme-cpu-2c" / "dit-digits--digits-quality--20260131T142530Z.json"
    assert load_records([tmp_path]) == ([replace(written, file=f"acme-cpu-2c/{path.name}")], [])


def test_a_file_is_sorted_indented_json_and_nothing_else_is_left_behind(tmp_path):
    path = save_record(latency("dit-digits", 0.2), tmp_path)
    data = json.loads(path.read_text())
    assert path.read_text() == json.dumps(data, indent=2, sort_keys=True) + "\n"
    assert "file" not in data  # a record does not name itself
    assert list(path.parent.iterdir()) == [path]


def test_the_time_in_the_name_is_utc(tmp_path):
    path = save_record(record("dit-digits", "digits-latency", created_utc="2026-02-01T01:00:00+02:00"), tmp_path)
    assert path.name == "dit-digits--digits-latency--20260131T230000Z.json"


def test_two_runs_of_one_second_are_both_kept(tmp_path):
    paths = [save_record(quality("dit-digits", fid), tmp_path) for fid in (2.0, 3.0)]
    assert len(set(paths)) == 2
    assert sorted(r.measurements["fid"].value for r in load_records([tmp_path])[0]) == [2.0, 3.0]


def test_numpy_numbers_are_written_as_numbers(tmp_path):
    raw = {"rounds_s": np.array([0.5, 0.25]), "count": np.int64(3)}
    made = load_record(save_record(record("dit-digits", "digits-latency", raw=raw), tmp_path))
    assert made.raw == {"rounds_s": [0.5, 0.25], "count": 3}


@pytest.mark.parametrize("bad", [math.nan, math.inf, np.float64("nan")])
def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path, bad):
    with pytest.raises(CheckFailed, match=r"record\.raw\.rounds_s\[1\] is (nan|inf)"):
        save_record(record("dit-digits", "digits-latency", raw={"rounds_s": [0.5, bad]}), tmp_path)
    with pytest.raises(CheckFailed, match=r"record\.measurements\.fid\.value is (nan|inf)"):
        save_record(record("dit-digits", "digits-quality", measurements={"fid": Measurement(bad, "")}), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ('{"model": "dit-di', "not JSON"),
        ("[1]", "a JSON list, expected an object"),
        ('{"model": NaN}', "holds NaN"),
        ('{"model": "x"}', "lacks protocol"),
        ('{"schema": 2}', "schema 2, expected 1"),
    ],
)
def test_a_corrupt_file_is_named_in_one_line_and_harms_no_other(tmp_path, text, complaint):
    save_record(quality("dit-digits", 2.2), tmp_path)
    (tmp_path / "acme-cpu-2c" / "broken.json").write_text(text)
    records, unreadable = load_records([tmp_path])
    assert [r.model for r in records] == ["dit-digits"]
    assert len(unreadable) == 1
    assert unreadable[0].startswith(f"acme-cpu-2c/broken.json: {complaint}")
    assert "\n" not in unreadable[0]


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("measurements", {"fid": {"value": "low", "unit": ""}}, "measurements.fid.value is no number"),
        ("measurements", {"fid": {"valeu": 1.0}}, "created_utc or measurements"),
        ("created_utc", "yesterday", "created_utc or measurements"),
        ("protocol", {}, "lacks protocol.name"),
        ("raw", [], "raw is a list, expected an object"),
        ("colour", "red", "unknown keys colour"),
    ],
)
def test_a_file_with_a_wrong_key_is_named(tmp_path, key, value, complaint):
    path = save_record(quality("dit-digits", 2.2), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ValueError, match=re.escape(complaint)):
        load_record(path)


def test_unfinished_work_and_other_folders_are_no_records(tmp_path):
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "ledger.json").write_text("[]")
    (tmp_path / "README.md").write_text("# Records")
    assert load_records([tmp_path, tmp_path / "not-there"]) == ([], [])


def test_a_machine_folder_reads_like_the_folder_above(tmp_path):
    save_record(quality("dit-digits", 2.2), tmp_path)
    assert load_records([tmp_path / "acme-cpu-2c"]) == load_records([tmp_path])
    assert load_records([tmp_path, tmp_path / "acme-cpu-2c"]) == load_records([tmp_path])  # the same run once


def test_the_latest_record_of_each_run_counts():
    old = quality("dit-digits", 3.0, created_utc="2026-01-01T00:00:00+00:00")
    new = quality("dit-digits", 2.0, created_utc="2026-01-02T00:00:00+00:00")
    other_protocol = latency("dit-digits", 0.2)
    other_settings = quality("dit-digits", 2.5, settings={"cfg_scale": 3.0})
    other_machine = quality("dit-digits", 2.1, environment={**ENVIRONMENT, "machine": "b"})
    kept = latest([new, old, other_protocol, other_settings, other_machine])
    assert old not in kept
    assert len(kept) == 4


def test_a_smoke_run_gives_way_to_a_full_run_however_old():
    full = quality("dit-digits", 2.0, created_utc="2026-01-01T00:00:00+00:00")
    smoke = quality("dit-digits", 9.0, quick=True)
    assert latest([full, smoke]) == [full]
    assert latest([smoke]) == [smoke]


def test_a_failure_stands_until_a_later_run_succeeds():
    """A failed run knows no settings, so it is not matched by them."""
    good = quality("dit-digits", 2.0, created_utc="2026-01-01T00:00:00+00:00")
    failed = record("dit-digits", "digits-quality", status="failed", reason="NaN", settings={})
    later = quality("dit-digits", 2.0, created_utc="2026-03-01T00:00:00+00:00")
    assert latest([good, failed]) == [failed]
    assert latest([good, failed, later]) == [later]


def test_a_record_is_current_only_if_it_succeeded_on_equal_inputs():
    made = quality("dit-digits", 2.0, inputs={"weights_sha256": "a", "metrics": ["fid", "kid"]})
    assert is_current(made, {"weights_sha256": "a", "metrics": ("fid", "kid")})  # JSON knows no tuples
    assert not is_current(made, {"weights_sha256": "b", "metrics": ("fid", "kid")})
    assert not is_current(replace(made, status="failed"), made.inputs)


def test_committed_records_are_readable_and_name_no_host_no_user_and_no_path():
    records, unreadable = load_records([RESULTS])
    assert unreadable == []
    for made in records:
        text = (RESULTS / made.file).read_text()
        assert not re.search(r'[\s"\'=](/[A-Za-z]|[A-Z]:\\)', text), made.file
        for private in (socket.gethostname(), getpass.getuser()):
            assert not re.search(rf"\b{re.escape(private)}\b", text), made.file


def test_every_key_of_a_record_is_documented():
    readme = (RESULTS / "README.md").read_text()
    for made in (quality("dit-digits", 2.0), latency("dit-digits", 0.2)):
        keys = [name for name in made.__dataclass_fields__ if name != "file"]
        keys += [*made.protocol, *made.measurements, *made.environment, *made.raw, *made.raw.get("audit", {})]
        keys += list(made.measurements["fid" if "fid" in made.measurements else "latency_s"].__dataclass_fields__)
        assert [key for key in keys if f"`{key}`" not in readme] == []
