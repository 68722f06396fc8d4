"""Folders of records: which files count, which record of a run is the latest, and what is committed here."""

from __future__ import annotations

import getpass
import gzip
import json
import os
import re
import socket
import time
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.records.latest import is_current, latest
from bench.records.store import after_earlier, check_there, load_record, load_records, save_record
from bench.records.typed import in_utc
from tests.fake_records import ENVIRONMENT, INPUTS, latency, quality, record, rewrite
from tests.paths import ROOT

RESULTS = ROOT / "results"


def test_unfinished_work_and_other_folders_are_no_records(tmp_path):
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "ledger.json").write_text("[]")
    (tmp_path / "README.md").write_text("# Records")
    loaded = load_records([tmp_path, tmp_path / "not-there"])
    assert (loaded.records, loaded.faults) == ([], [])


def test_a_machine_folder_reads_like_the_folder_above(tmp_path):
    save_record(quality("dit-digits", 2.2), tmp_path)
    assert load_records([tmp_path / "acme-cpu-2c"]) == load_records([tmp_path])
    assert load_records([tmp_path, tmp_path / "acme-cpu-2c"]) == load_records([tmp_path])  # the same run once


def test_the_latest_record_of_each_run_counts():
    old = quality("dit-digits", 3.0, created_utc="2026-01-01T00:00:00+00:00")
    new = quality("dit-digits", 2.0, created_utc="2026-01-02T00:00:00+00:00")
    other_protocol = latency("dit-digits", 0.2)
    other_settings = quality("dit-digits", 2.5, settings={"cfg_scale": 3.0})
    other_machine = quality("dit-digits", 2.1, environment=replace(ENVIRONMENT, machine="b"))
    kept = latest([new, old, other_protocol, other_settings, other_machine])
    assert old not in kept
    assert len(kept) == 4


def test_of_two_runs_within_one_second_the_second_is_the_latest(tmp_path):
    for value in (1.0, 2.0):
        save_record(replace(quality("dit-digits", value), file=""), tmp_path)
    (record,) = latest(load_records([tmp_path]).records)
    assert record.measurements["fid"].value == 2.0


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


def test_what_was_measured_last_counts_though_the_clock_was_set_back(tmp_path):
    """A failure of the wrong future does not stand over the good run that follows it."""
    failed = record(
        "dit-digits",
        "digits-quality",
        status="failed",
        reason="NaN",
        settings={},
        created_utc="2027-01-31T14:25:30+00:00",
    )
    save_record(failed, tmp_path)
    good = quality("dit-digits", 2.2, created_utc="2026-01-31T14:25:30+00:00")
    save_record(after_earlier(good, tmp_path), tmp_path)
    (counts,) = latest(load_records([tmp_path]).records)
    assert (counts.status, counts.created_utc) == ("ok", "2027-01-31T14:25:31+00:00")
    other = replace(good, model="sit-digits")
    assert after_earlier(other, tmp_path) == other


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "yesterday", "2026-13-01T00:00:00", ""])
def test_a_time_that_is_none_makes_no_record(tmp_path, moment):
    path = save_record(quality("dit-digits", 2.2), tmp_path)
    rewrite(path, {**json.loads(path.read_text()), "created_utc": moment})
    loaded = load_records([tmp_path])
    assert not loaded.records
    assert "created_utc" in loaded.faults[0]


def test_times_of_several_zones_are_in_one_order(tmp_path):
    early, late = "2026-01-31T23:30:00+02:00", "2026-01-31T22:00:00+00:00"
    for moment, model in ((late, "dit-digits"), (early, "sit-digits")):
        path = save_record(quality(model, 2.2), tmp_path)
        rewrite(path, {**json.loads(path.read_text()), "created_utc": moment})
    assert [record.model for record in load_records([tmp_path]).records] == ["sit-digits", "dit-digits"]


def test_a_record_is_current_only_if_it_succeeded_on_equal_inputs_under_an_equal_protocol(tmp_path):
    made, _ = load_record(save_record(quality("dit-digits", 2.0), tmp_path))
    assert is_current(made, made.protocol, INPUTS)
    assert not is_current(made, made.protocol, replace(INPUTS, weights_sha256="b"))
    assert not is_current(made, made.protocol, replace(INPUTS, metric_versions={"fid": 2, "latency_s": 1}))
    assert not is_current(made, replace(made.protocol, num_images=7), INPUTS)
    assert not is_current(replace(made, status="failed"), made.protocol, INPUTS)


def test_committed_records_are_readable_and_name_no_host_no_user_and_no_path():
    loaded = load_records([RESULTS])
    assert loaded.faults == []
    texts = {path: path.read_text() for path in RESULTS.glob("*/*.json")}
    texts |= {path: gzip.decompress(path.read_bytes()).decode() for path in RESULTS.glob("*/samples/*.gz")}
    assert len(texts) > len(loaded.records) > 0
    for path, text in texts.items():
        assert not re.search(r'[\s"\'=](/[A-Za-z]|[A-Z]:\\)', text), path
        for private in (socket.gethostname(), getpass.getuser()):
            assert not re.search(rf"\b{re.escape(private)}\b", text), path


def test_a_file_dated_at_the_end_of_the_calendar_stops_no_later_run(tmp_path):
    """Nothing can be dated after it; its record is named as none."""
    path = save_record(quality("dit-digits", 2.0), tmp_path)
    path.rename(path.with_name(path.name.rsplit("--", 1)[0] + "--99991231T235959Z.json"))
    later = quality("dit-digits", 3.0)
    assert after_earlier(later, tmp_path) == later


def test_a_time_without_a_zone_is_utc_wherever_it_is_read(monkeypatch):
    """As the key says: else records would be of another order in another country."""
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert in_utc("2026-01-01T00:00:00") == in_utc("2026-01-01T09:00:00+09:00") == "2026-01-01T00:00:00+00:00"
    monkeypatch.undo()
    time.tzset()


def test_a_folder_that_may_not_be_looked_into_is_named_and_not_passed_over(tmp_path, monkeypatch):
    """A machine's among the faults; of a results folder nothing can be said, and nothing is."""
    save_record(quality("dit-digits", 2.0), tmp_path / "results")
    (tmp_path / "results" / "mine").mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "mine" and allowed(path, mode))
    loaded = load_records([tmp_path / "results"])
    assert (len(loaded.records), loaded.faults) == (1, ["mine: cannot be read: Permission denied"])
    with pytest.raises(UsageError, match="mine': cannot be read: Permission denied"):
        check_there(tmp_path / "results" / "mine")
