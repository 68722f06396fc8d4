"""A record's samples file: it comes first, and is swept where the record did not come."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from bench.commands.clean import dead_files
from bench.errors import CheckFailed
from bench.records import samples, store
from bench.records.parts import SceneScores
from bench.records.samples import orphans
from bench.records.store import load_records, save_record, sweep
from tests.fake_scenes import captions
from tests.paths import ROOT

SCENES = tuple(SceneScores(scene=i, num=2, totals={"cider": i / 8}) for i in range(3))
MADE = replace(captions(), samples=replace(captions().samples, scenes=SCENES))

KILLED = """
import os, signal, sys
from pathlib import Path
from bench.records import samples
from bench.records.store import save_record
from tests.records.test_samples import MADE
write = samples.write_new
def killed(path, content):
    if path.suffix == ".json":
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, content)
samples.write_new = killed
save_record(MADE, Path(sys.argv[1]))
"""


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "machine.json")


def test_the_samples_of_a_process_that_is_killed_before_its_record_are_swept(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, check=False)
    claim, orphan = names(tmp_path)
    assert orphan.endswith(".jsonl.gz")
    assert claim.startswith(f".{orphan}.")
    assert all(one.goes for one in dead_files(tmp_path))
    assert {one.path.name for one in dead_files(tmp_path)} == {claim, orphan}
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_samples_that_belong_to_a_record_or_to_nobody_known_stay(tmp_path):
    """The latter may be a copy of a folder that is not whole yet: `clean --all` alone removes them."""
    path = save_record(MADE, tmp_path)
    strange = path.parent / "samples" / "strange.jsonl.gz"
    strange.write_bytes(b"")
    before = names(tmp_path)
    sweep(tmp_path)
    assert names(tmp_path) == before
    assert [(one.path, one.goes) for one in dead_files(tmp_path)] == [(strange, False)]


def test_nothing_is_swept_from_under_a_process_that_is_about_to_write_its_record(tmp_path, monkeypatch):
    write, seen = samples.write_new, []

    def looked_at(path, content):
        if path.suffix == ".json":
            sweep(tmp_path)
            seen.append((orphans(path.parent), names(tmp_path)))
        return write(path, content)

    monkeypatch.setattr(samples, "write_new", looked_at)
    path = save_record(MADE, tmp_path)
    ((left, there),) = seen
    assert left == []
    assert f"{path.stem}.jsonl.gz" in there
    assert load_records([tmp_path]).faults == []


@pytest.mark.parametrize("fault", [CheckFailed("No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("is_written", [False, True])
def test_where_the_record_cannot_be_written_its_samples_go_and_else_stay(tmp_path, monkeypatch, fault, is_written):
    """An interruption may come just after the record is there: it is whole then."""
    write = samples.write_new

    def interrupted(path, content):
        if path.suffix == ".json":
            if is_written:
                write(path, content)
            raise fault
        return write(path, content)

    monkeypatch.setattr(samples, "write_new", interrupted)
    with pytest.raises(type(fault)):
        save_record(MADE, tmp_path)
    assert len(names(tmp_path)) == (2 if is_written else 0)
    loaded = load_records([tmp_path])
    assert (len(loaded.records), loaded.faults) == (int(is_written), [])


def test_samples_are_not_left_under_the_name_of_another_processes_record(tmp_path, monkeypatch):
    """Which came between the look for a free name and the writing, and has no samples."""
    first = save_record(replace(MADE, samples=store.Samples()), tmp_path)
    monkeypatch.setattr(store, "free_paths", lambda folder, stem: [folder / f"{stem}.json", folder / f"{stem}_2.json"])
    second = save_record(MADE, tmp_path)
    assert names(tmp_path) == sorted([first.name, second.name, f"{second.stem}.jsonl.gz"])
