"""Processes that start warm: forked from one of this test session's own, which has imported torch and the commands.

For tests of what processes do side by side, or when they are stopped: each is a process of its own, with its own
streams, signals and environment, but for the two seconds of importing.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.paths import ROOT

IMPORTED = ["torch", "bench.commands.generate", "bench.commands.describe", "bench.commands.train", "tests.store_worker"]


@functools.cache
def context():
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(IMPORTED)
    return found


def _run(module, arguments, folder, environment, streams):
    for number, name in zip((1, 2), streams, strict=True):
        os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class Warm:
    """`python -m module arguments` with PYTHONPATH and one thread, as a subprocess.Popen with text in its streams."""

    def __init__(self, module: str, *arguments: object, folder: Path = ROOT, environment: Mapping[str, str] = {}):
        own = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        self._folder = tempfile.TemporaryDirectory()
        self._streams = [Path(self._folder.name, name) for name in ("out", "err")]
        for stream in self._streams:
            stream.touch()
        call = (module, list(map(str, arguments)), folder, own, self._streams)
        self._process = context().Process(target=_run, args=call, daemon=True)
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def said(self) -> str:
        """What stands in stdout so far."""
        return self._streams[0].read_text()

    def wait_until(self, said: str, limit_s: float = 60) -> None:
        """Until it has printed this."""
        end = time.monotonic() + limit_s
        while said not in self.said():
            assert self.returncode is None, self._streams[1].read_text()
            assert time.monotonic() < end, "it does not come"
            time.sleep(0.01)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("warm process", timeout or 0)
        return self.said(), self._streams[1].read_text()
