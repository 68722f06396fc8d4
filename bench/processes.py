"""Run jobs side by side, each after what it depends on, in processes that end with this one.

A worker is a fresh Python process (spawned: CUDA and thread pools survive no fork) that does one job after another. A
worker that is killed, as the system does where memory runs out, costs its own job and no other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench import console

CONTEXT = multiprocessing.get_context("spawn")
KILLED = "killed: not enough memory?"
MASKS = hasattr(signal, "pthread_sigmask")  # not on Windows
TERMINALS = [number for number in console.SIGNALS if number != signal.SIGTERM]  # control-C, and that it is closed
TIDIES_UP_S = 2.0  # what an idle worker has to end by itself


@dataclass(frozen=True)
class Job:
    """A call, as functools.partial makes it of an importable function and arguments that can be pickled."""

    name: str
    call: Callable[[], Any]
    after: tuple[str, ...] = ()  # names of jobs that must have ended well; others than those given count as done
    log: Path | None = None  # file for all that it prints; None: it prints where this process does


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: Job
    value: Any = None  # what its call returned
    error: str = ""  # why it failed, one line; "": it did not


def last_words(error: BaseException) -> str:
    """The last line of an error's message, after the error's type: "ValueError: 3 is no size"."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[-1:]])


def run_jobs(
    jobs: Sequence[Job],
    *,
    num_workers: int,
    environment: Mapping[str, str] = {},
    look: Callable[[Sequence[Job]], None] = lambda running: None,
    look_every_s: float = 30.0,
) -> Generator[Outcome, None, None]:
    """The outcome of every job as it comes; of jobs that could start, the earlier ones in `jobs` start first.

    environment: variables that the workers have beside those of this process    look: is told every `look_every_s`
    seconds which jobs run. When the iterator is closed, or this process ends in whatever way, so do the workers.
    Raises graphlib.CycleError where jobs wait for each other.
    """
    by_name = {job.name: job for job in jobs}
    places = {name: place for place, name in enumerate(by_name)}
    sorter = TopologicalSorter({job.name: [name for name in job.after if name in by_name] for job in jobs})
    sorter.prepare()
    ready: list[str] = []
    failed: set[str] = set()
    idle: list[Worker] = []
    running: dict[Connection, Worker] = {}
    looked = time.monotonic()
    is_done = False
    try:
        while sorter.is_active():
            ready = sorted([*ready, *sorter.get_ready()], key=places.__getitem__)
            ended: list[Outcome] = []
            while ready and len(running) < num_workers:
                job = by_name[ready.pop(0)]
                if lost := [name for name in job.after if name in failed]:
                    ended.append(Outcome(job, error=f"needs {lost[0]}, which failed"))
                    continue
                worker = idle.pop() if idle else Worker(environment)
                worker.begin(job)
                running[worker.connection] = worker
            for connection in wait(list(running), 0 if ended else look_every_s):
                worker = running.pop(connection)  # type: ignore[call-overload]
                ended.append(worker.end())
                if worker.process.is_alive():
                    idle.append(worker)
            for outcome in ended:
                if outcome.error:
                    failed.add(outcome.job.name)
                sorter.done(outcome.job.name)
                yield outcome
            if running and time.monotonic() - looked >= look_every_s:
                looked = time.monotonic()
                look([worker.job for worker in running.values()])
        is_done = True
    finally:
        for worker in idle:
            worker.connection.close()  # it ends by itself, and tidies up after its libraries
        if is_done:
            for worker in idle:
                worker.process.join(TIDIES_UP_S)
        for worker in (*running.values(), *idle):  # first all, then waited for: an interruption is to be quick
            worker.process.kill()
        for worker in (*running.values(), *idle):
            worker.process.join()
            worker.connection.close()


@dataclass
class Worker:
    """A process that does one job at a time."""

    environment: Mapping[str, str]
    connection: Connection = field(init=False)
    process: Any = field(init=False)
    job: Job = field(init=False)

    def __post_init__(self) -> None:
        self.connection, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs, dict(self.environment)), daemon=True)
        with _terminal_held():  # the worker begins with them held, and lets go of them once they do nothing
            self.process.start()
        theirs.close()  # so that the pipe ends when the worker does

    def begin(self, job: Job) -> None:
        self.job = job
        with suppress(BrokenPipeError):  # it was killed while it had nothing to do: `end` says so
            self.connection.send((job.call, job.log))

    def end(self) -> Outcome:
        """The outcome of the job, once the connection has something to say."""
        try:
            error, value = self.connection.recv()
        except (EOFError, OSError):  # the latter in the middle of an answer
            self.process.join()
            self.connection.close()
            return Outcome(self.job, error=_why_it_died(self.process.exitcode))
        return Outcome(self.job, value, error)


@contextmanager
def _terminal_held() -> Iterator[None]:
    """Within the block a terminal's signals wait, and so they do in processes that are started."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINALS) if MASKS else ()
    try:
        yield
    finally:
        if MASKS:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _why_it_died(status: int) -> str:
    if status >= 0:
        return f"its process ended with exit status {status}"
    number = signal.Signals(-status)
    return KILLED if number.name == "SIGKILL" else f"its process ended by {number.name}"


# -- in a worker -------------------------------------------------------------------------------------------------------


def _serve(connection: Connection, environment: Mapping[str, str]) -> None:
    """Do the jobs that come through `connection`, until it is closed."""
    _end_with_parent()
    for number in TERMINALS:  # they reach all of a terminal's processes: the parent acts
        signal.signal(number, signal.SIG_IGN)
    if MASKS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINALS)
    os.environ.update(environment)
    console.plain_only()
    while True:
        try:
            call, log = connection.recv()
        except EOFError:
            return
        answer: tuple[str, Any]
        with _printing_to(log):
            try:
                answer = "", call()
            except Exception as error:
                if log:
                    traceback.print_exc()
                answer = last_words(error), None
        connection.send(answer)


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, even if that is killed, or was before this call: a thread
    waits for the end of a pipe whose other end the parent alone holds."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _printing_to(log: Path | None) -> Iterator[None]:
    """Within the block all output of this process goes to a file, that of libraries in C too."""
    if log is None:
        yield
        return
    kept = [os.dup(stream) for stream in (1, 2)]
    with open(log, "wb") as file:
        try:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, before in zip((1, 2), kept, strict=True):
                os.dup2(before, stream)
                os.close(before)
