"""Jobs side by side: order, failures, killed workers, and children that never outlive their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import closing
from functools import partial
from graphlib import CycleError

import psutil
import pytest

from bench import processes
from bench.processes import KILLED, Job, last_words, run_jobs
from tests.paths import ROOT

MARK = "ARBITER_TEST_MARK"
WITHIN_S = 2.0


def answer(value):
    return value, os.getpid(), os.environ.get(MARK)


def meet(mine, other):
    """Come back once the other has come too."""
    mine.touch()
    end = time.monotonic() + 30
    while not other.exists():
        assert time.monotonic() < end, "alone"
        time.sleep(0.01)


def fail(error):
    raise error


def end_by(number):
    os.kill(os.getpid(), number)


def run(*jobs, num_workers=2, **options):
    return {outcome.job.name: outcome for outcome in run_jobs(jobs, num_workers=num_workers, **options)}


def test_jobs_run_after_what_they_depend_on_in_processes_that_are_used_again(monkeypatch):
    jobs = [
        Job("cake", partial(answer, 1), after=("dough", "oven", "bought long ago")),
        Job("dough", partial(answer, 2)),
        Job("oven", partial(answer, 3), after=("dough",)),
    ]
    found = run(*jobs, num_workers=1, environment={MARK: "in the worker"})
    assert list(found) == ["dough", "oven", "cake"]
    assert [outcome.value[0] for outcome in found.values()] == [2, 3, 1]
    assert {outcome.value[2] for outcome in found.values()} == {"in the worker"}
    assert MARK not in os.environ
    (pid,) = {outcome.value[1] for outcome in found.values()}
    assert pid != os.getpid()


def test_two_jobs_run_at_one_time(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    found = run(Job("a", partial(meet, one, other)), Job("b", partial(meet, other, one)))
    assert [outcome.error for outcome in found.values()] == ["", ""]


def test_jobs_that_wait_for_each_other_are_refused():
    with pytest.raises(CycleError):
        run(Job("hen", partial(answer, 1), after=("egg",)), Job("egg", partial(answer, 2), after=("hen",)))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (partial(fail, ValueError("first line\nlast line\n")), "ValueError: last line"),
        (partial(fail, MemoryError()), "MemoryError"),
        (partial(end_by, signal.SIGKILL), KILLED),
        (partial(end_by, signal.SIGTERM), "its process ended by SIGTERM"),
        (partial(os._exit, 3), "its process ended with exit status 3"),
    ],
)
def test_a_job_that_fails_stops_only_those_that_need_it(call, error):
    jobs = [
        Job("bad", call),
        Job("next", partial(answer, 1), after=("bad",)),
        Job("last", partial(answer, 2), after=("next",)),
        Job("good", partial(answer, 3)),
    ]
    found = run(*jobs, num_workers=1)
    assert found["bad"].error == error
    assert found["next"].error == "needs bad, which failed"
    assert found["last"].error == "needs next, which failed"
    assert found["good"].value[0] == 3


def test_all_that_a_job_prints_goes_to_its_log_the_reason_of_a_failure_too(tmp_path, capfd):
    found = run(
        Job("talks", partial(os.system, "echo from a shell"), log=tmp_path / "talks.log"),
        Job("fails", partial(fail, KeyError("x")), log=tmp_path / "fails.log"),
        num_workers=1,
    )
    assert (tmp_path / "talks.log").read_text() == "from a shell\n"
    assert (tmp_path / "fails.log").read_text().endswith("KeyError: 'x'\n")
    assert found["fails"].error == "KeyError: 'x'"
    assert capfd.readouterr() == ("", "")


def test_a_look_is_taken_at_what_runs():
    seen = []
    run(
        Job("slow", partial(time.sleep, 1.0)),
        look=lambda running: seen.append([job.name for job in running]),
        look_every_s=0.1,
    )
    assert seen
    assert all(names == ["slow"] for names in seen)


def test_who_stops_listening_leaves_no_worker_behind():
    before = set(psutil.Process().children())
    with closing(
        run_jobs([Job("quick", partial(answer, 1)), Job("slow", partial(time.sleep, 60))], num_workers=2)
    ) as o:
        assert next(o).job.name == "quick"
        assert workers_of(psutil.Process()) - before
    assert not workers_of(psutil.Process()) - before


def test_who_stops_listening_does_not_wait_for_workers_that_have_nothing_to_do(monkeypatch):
    """Nor for what their libraries do at the end: they are killed with the others."""
    monkeypatch.setattr(processes, "TIDIES_UP_S", 60.0)
    dawdle = "import atexit, time; atexit.register(time.sleep, 120)"
    jobs = [Job("quick", partial(exec, dawdle)), Job("slow", partial(time.sleep, 120))]
    begun = time.monotonic()
    with closing(run_jobs(jobs, num_workers=2)) as outcomes:
        assert next(outcomes).job.name == "quick"
    assert time.monotonic() - begun < 30


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no signal masks")
def test_control_c_waits_while_a_worker_starts_and_never_reaches_it():
    """A terminal sends it to every process: one that is still importing would print a traceback. Nor does SIGHUP."""
    with processes._terminal_held():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    (held,) = run(Job("held", partial(signal.pthread_sigmask, signal.SIG_BLOCK, []))).values()
    assert held.value == set()
    for number in processes.TERMINALS:
        (answers,) = run(Job("answers", partial(signal.getsignal, number))).values()
        assert answers.value == signal.SIG_IGN


def test_workers_that_are_done_leave_nothing_for_python_to_complain_about():
    """Locks that a library made in them are theirs to free: one killed leaves "leaked semaphore objects"."""
    code = "import multiprocessing; globals()['kept'] = multiprocessing.get_context('spawn').Lock()"
    script = f"""
from functools import partial
from bench.processes import Job, run_jobs
assert [outcome.error for outcome in run_jobs([Job("a", partial(exec, {code!r}))], num_workers=1)] == [""]
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_an_error_without_a_message_is_told_by_its_type():
    assert [last_words(error) for error in (MemoryError(), OSError(28, "No space left"), ValueError("a\n b \n"))] == [
        "MemoryError",
        "OSError: [Errno 28] No space left",
        "ValueError: b",
    ]


# -- children end with their parent ------------------------------------------------------------------------------------

PARENT = """
import time
from functools import partial
from bench.processes import Job, run_jobs
list(run_jobs([Job(name, partial(time.sleep, 60)) for name in "ab"], num_workers=2))
"""


def workers_of(process):
    return {child for child in process.children() if "spawn_main" in " ".join(command(child))}


def command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def marked(mark):
    """Every process that has the mark among its variables: the parent, its workers, whoever they leave behind."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.3, 1.5])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_workers_end_with_their_parent_whenever_and_however_it_ends(number, delay_s):
    """`delay_s` after the first worker has started: while Python starts in it, and later."""
    mark = uuid.uuid4().hex
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, env={**os.environ, MARK: mark}, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while not workers_of(psutil.Process(parent.pid)):
        assert time.monotonic() < end, "no worker came"
    time.sleep(delay_s)
    parent.send_signal(number)
    parent.wait(timeout=WITHIN_S)
    end = time.monotonic() + WITHIN_S
    while left := marked(mark):
        assert time.monotonic() < end, left
        time.sleep(0.05)
