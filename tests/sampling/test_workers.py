"""Workers in processes of their own: any number, killed or not, in any batches, leave the same shards."""

from __future__ import annotations

import hashlib
import os
import random
import time

import pytest

from bench.console import SIGNALS
from bench.sampling import files
from bench.sampling.ranks import Rank
from bench.sampling.workers import fill
from tests.store_worker import allowed_s
from tests.warm import Warm

NUM, SIZE = 100, 20


def start(store, *, name="noise", num=NUM, batch_size=7, seconds=0.02, rank=None):
    """A worker; rank: (rank, world size)."""
    environment = {} if rank is None else dict(zip(("RANK", "WORLD_SIZE"), map(str, rank), strict=True))
    return Warm("tests.store_worker", store, name, num, batch_size, seconds, SIZE, environment=environment)


def finish(worker):
    out, err = worker.communicate(timeout=240)
    assert worker.returncode == 0, err
    return out.split()[-1]


def hashes(store):
    """Hash of every file of the store but the times, by name."""
    found = [path for path in sorted(store.rglob("*")) if path.is_file() and path.parent.name != "made"]
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one undisturbed worker leaves: (its checksum, the hash of every file)."""
    store = tmp_path_factory.mktemp("alone")
    return finish(start(store, seconds=0)), hashes(store)


@pytest.mark.parametrize("world_size", [2, 3])
def test_any_number_of_workers_leaves_the_same_files(alone, tmp_path, world_size):
    """In batches of another size each; every worker ends with all there."""
    batch_sizes = (20, 3, 11)[:world_size]
    workers = [start(tmp_path, rank=(i, world_size), batch_size=size) for i, size in enumerate(batch_sizes)]
    assert {finish(worker) for worker in workers} == {alone[0]}
    assert hashes(tmp_path) == alone[1]


def test_two_workers_without_ranks_share_the_work(alone, tmp_path):
    """Neither knows of the other but by the claims in the folder."""
    workers = [start(tmp_path, seconds=0.15) for _ in range(2)]
    assert {finish(worker) for worker in workers} == {alone[0]}
    assert hashes(tmp_path) == alone[1]


def test_a_killed_worker_is_replaced(alone, tmp_path):
    """One of two is killed while it works, at a random moment, and started again with another batch size."""
    moment = random.uniform(0, 0.6)
    workers = [start(tmp_path, rank=(i, 2), seconds=0.05) for i in range(2)]
    workers[0].wait_until("ready\n")
    time.sleep(moment)
    workers[0].kill()
    workers[0].communicate()
    again = start(tmp_path, rank=(0, 2), batch_size=13, seconds=0)
    assert finish(again) == finish(workers[1]) == alone[0], f"killed after {moment} s"
    assert hashes(tmp_path) == alone[1], f"killed after {moment} s"


def test_the_others_finish_what_a_dead_worker_was_to_do(alone, tmp_path):
    """Rank 0 of 2 never came."""
    assert finish(start(tmp_path, rank=(1, 2), seconds=0)) == alone[0]
    assert hashes(tmp_path) == alone[1]


def test_what_a_killed_worker_left_is_swept_at_the_next_start(tmp_path):
    """Its claim, and the temporary file that it was writing; those of a living process stay."""
    worker = start(tmp_path, seconds=1)
    deadline = time.monotonic() + 60
    while not (claims := list(tmp_path.rglob("*.claim"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    mine = claims[0].with_name(claims[0].name.replace(f".{worker.pid}.", f".{os.getpid()}."))
    worker.kill()
    worker.communicate()
    temporary = claims[0].parent.parent / claims[0].name.replace("claim", "tmp")
    for path in (temporary, mine):
        path.touch()
    finish(start(tmp_path, seconds=0))
    assert [path for path in tmp_path.rglob(".*") if path.is_file()] == [mine]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_stopped_worker_ends_at_once_and_leaves_whole_shards_alone(alone, tmp_path, number):
    worker = start(tmp_path, seconds=0.1)
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.claim")) and time.monotonic() < deadline:
        time.sleep(0.02)
    begun = time.monotonic()
    worker.send_signal(number)
    worker.communicate(timeout=60)
    assert time.monotonic() - begun < allowed_s()
    assert worker.returncode != 0
    assert not list(tmp_path.rglob(".*"))
    assert hashes(tmp_path).items() <= alone[1].items()
    assert finish(start(tmp_path, seconds=0, batch_size=9)) == alone[0]


@pytest.mark.slow
def test_a_real_model_gives_the_same_bits_by_any_workers(tmp_path):
    """TransDiff at digits scale, one worker in batches of 20, two in batches of 7 and 5."""
    one, two = tmp_path / "one", tmp_path / "two"
    fixed = {"name": "transdiff-digits", "num": 40, "seconds": 0}
    first = finish(start(one, **fixed, batch_size=20))
    workers = [start(two, **fixed, batch_size=size, rank=(i, 2)) for i, size in enumerate((7, 5))]
    assert {finish(worker) for worker in workers} == {first}
    assert hashes(one) == hashes(two)


def test_what_others_are_at_work_on_comes_last(tmp_path):
    """A worker makes what is free, and what is claimed only at the end, or never if it has other things to do."""
    name = files.temporary_name("000000", "claim").replace(f".{os.getpid()}.", f".{os.getppid()}.")
    (tmp_path / files.CLAIMS).mkdir()
    (tmp_path / files.CLAIMS / name).touch()
    made = {leave: [] for leave in (False, True)}
    for leave, found in made.items():
        fill(3, folder=tmp_path, rank=Rank(), lacks=lambda k: True, make=found.append, leave_claimed=leave)
    assert made == {False: [1, 2, 0], True: [1, 2]}


def test_what_killed_workers_left_anywhere_in_a_work_folder_goes_when_a_run_begins_and_when_it_ends(tmp_path):
    """Also in sets that this run does not look into: another process has filled them since. What lives stays."""
    dead = files.temporary_name("000000", "claim").replace(
        f".{os.getpid()}.", ".4194305."
    )  # no process has this number
    alive = files.temporary_name("000001", "claim")
    claims = tmp_path / "store" / "dit-digits-0" / "images-500" / files.CLAIMS
    other = tmp_path / "store" / "var-digits-0" / "digits-500"

    def leave():
        claims.mkdir(parents=True, exist_ok=True)
        (other / "made").mkdir(parents=True, exist_ok=True)
        for path in (claims / dead, claims / alive, other / dead, other / "made" / dead):
            path.touch()

    leave()
    with files.at_work(tmp_path, "runs"):
        assert [path.name for path in tmp_path.rglob(".0*")] == [alive]
        leave()
    assert [path.name for path in tmp_path.rglob(".*.claim")] == [alive]
    (claims / alive).unlink()
    with files.at_work(tmp_path, "runs"):
        pass
    assert not list(tmp_path.rglob(files.CLAIMS))
