"""The process that speaks with Java ends when its parent does, Java with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from bench.evaluators.java_scorers import CHILD


@pytest.fixture
def busy(tmp_path):
    """(a process, the child that it asked to tokenise, the child's Java, which never answers)."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexec sleep 60\n")
    java.chmod(0o755)
    code = (
        "import json, os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-P', {str(CHILD)!r}, str(os.getpid())], stdin=subprocess.PIPE)\n"
        "child.stdin.write(json.dumps({'task': 'tokenize', 'captions': ['a red 3']}).encode())\n"
        "child.stdin.close()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "PATH": f"{java.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp")}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    child, deadline = psutil.Process(int(parent.stdout.readline())), time.monotonic() + 60
    while not child.children() and time.monotonic() < deadline:
        time.sleep(0.05)
    (java_process,) = child.children()
    yield parent, child, java_process
    parent.kill()
    parent.wait()


def test_nothing_is_left_when_the_parent_is_killed(busy, tmp_path):
    """Killed, not asked to end: it cannot tell anybody. No process stays, nor a temporary file."""
    parent, child, java = busy
    assert list((tmp_path / "tmp").iterdir())
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([child, java], timeout=20)
    assert not alive
    assert not list((tmp_path / "tmp").iterdir())


def test_asked_to_stop_it_does_not_wait_for_java(busy, tmp_path):
    _, child, java = busy
    child.terminate()
    deadline = time.monotonic() + 20
    while child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:  # its parent does not look at it
        time.sleep(0.05)
    assert child.status() == psutil.STATUS_ZOMBIE
    assert not java.is_running()
    assert not list((tmp_path / "tmp").iterdir())
