"""The process that speaks with Java ends when its parent does, Java with it."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from bench.evaluators.java_scorers import CHILD, find_java


@pytest.mark.skipif(find_java() is None, reason="needs Java")
def test_nothing_is_left_when_the_parent_is_killed():
    """Killed, not asked to end: it cannot tell anybody."""
    code = (
        "import subprocess, sys, os, time\n"
        f"child = subprocess.Popen([sys.executable, '-P', {str(CHILD)!r}, str(os.getpid())], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(1.0)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([child], timeout=20)
    assert not alive
