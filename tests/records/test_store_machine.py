"""machine.json: the facts of a machine stand once, and what differs stays with its record."""

from __future__ import annotations

import json
from dataclasses import replace

from bench.records.store import load_record, load_records, save_record
from tests.fake_records import ENVIRONMENT, latency


def inline(path):
    """The environment as it stands in a record's file."""
    return json.loads(path.read_text())["environment"]


def test_facts_of_the_machine_stand_once_and_what_differs_stays_with_its_record(tmp_path):
    first = save_record(latency("dit-digits", 0.2), tmp_path)
    facts = (first.parent / "machine.json").read_bytes()
    assert {key: fact for key, fact in json.loads(facts).items() if key != "sha256"} == {
        "memory_bytes": 8 * 2**30,
        "num_cores": 2,
        "processor": "Acme CPU 9000",
        "system": "Linux x86_64",
    }
    assert not {"processor", "num_cores", "memory_bytes", "system"} & inline(first).keys()
    more = replace(ENVIRONMENT, memory_bytes=16 * 2**30, gpu="Acme GPU")
    second = save_record(latency("sit-digits", 0.2, environment=more), tmp_path)
    assert (first.parent / "machine.json").read_bytes() == facts
    assert inline(second)["memory_bytes"] == 16 * 2**30
    assert not {"processor", "num_cores", "system"} & inline(second).keys()
    assert [load_record(path)[0].environment for path in (first, second)] == [ENVIRONMENT, more]


def test_a_fact_that_a_run_did_not_know_is_not_taken_from_the_machine(tmp_path):
    """Unknown is not what another run found."""
    save_record(latency("dit-digits", 0.2), tmp_path)
    unknown = replace(ENVIRONMENT, memory_bytes=None, processor=None)
    path = save_record(latency("sit-digits", 0.2, environment=unknown), tmp_path)
    assert load_record(path)[0].environment == unknown


def test_a_machine_file_that_cannot_be_read_leaves_its_facts_unknown_and_is_named(tmp_path):
    path = save_record(latency("dit-digits", 0.2), tmp_path)
    (path.parent / "machine.json").write_text('{"num_cores": "two"}')
    made, (fault,) = load_record(path)
    assert (made.environment.num_cores, made.environment.processor) == (None, None)
    assert (made.environment.machine, made.measurements) == ("acme-cpu-2c", latency("dit-digits", 0.2).measurements)
    assert fault.startswith("machine.json: ")


def test_a_machine_file_in_which_a_byte_changed_is_named_and_no_other_fact_taken(tmp_path):
    path = save_record(latency("dit-digits", 0.2), tmp_path)
    file = path.parent / "machine.json"
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        made, faults = load_record(path)
        assert made.environment == ENVIRONMENT or (faults and made.environment.processor is None), place


def test_a_machine_file_of_earlier_versions_has_no_checksum_and_is_read(tmp_path):
    path = save_record(latency("dit-digits", 0.2), tmp_path)
    file = path.parent / "machine.json"
    file.write_text(json.dumps({key: fact for key, fact in json.loads(file.read_text()).items() if key != "sha256"}))
    assert load_record(path) == (load_record(path, json.loads(file.read_text()))[0], [])


def test_a_machine_file_that_cannot_be_read_is_one_fault_however_many_records_are_of_the_machine(tmp_path):
    for seconds in (0.1, 0.2, 0.3):
        path = save_record(latency("dit-digits", seconds), tmp_path)
    (path.parent / "machine.json").write_text("[]")
    loaded = load_records([tmp_path])
    assert len(loaded.records) == 3
    (fault,) = loaded.faults
    assert fault.startswith("acme-cpu-2c/machine.json: ")


def test_a_machine_file_that_is_a_link_to_nowhere_loses_no_record(tmp_path):
    path = save_record(latency("dit-digits", 0.1), tmp_path)
    (path.parent / "machine.json").unlink()
    (path.parent / "machine.json").symlink_to("nothing")
    save_record(latency("dit-digits", 0.2), tmp_path)
    loaded = load_records([tmp_path])
    assert len(loaded.records) == 2
    assert [fault.split(":")[0] for fault in loaded.faults] == ["acme-cpu-2c/machine.json"]
