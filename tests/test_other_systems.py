"""macOS and Windows: nothing that only Linux has is needed. What they lack is taken away here."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bench import files
from bench.assets import stream
from bench.errors import UsageError
from bench.evaluators import java_scorers
from bench.records import environment
from tests.paths import ROOT

LINUX_ONLY = ("fcntl", "resource", "pwd", "grp", "termios")


def test_every_module_is_imported_without_what_only_unix_has():
    modules = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for top in ("commands", "assets", "sampling", "records", "evaluators", "report")
        for path in sorted((ROOT / "bench" / top).rglob("*.py"))
        if path.stem != "java_child"
    ]
    code = (
        "import importlib, sys, torch, matplotlib, pandas, sklearn.datasets, rich.console, typer, psutil\n"
        f"sys.modules.update(dict.fromkeys({LINUX_ONLY!r}))\n"
        f"[importlib.import_module(name) for name in {modules!r}]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_download_is_locked_without_fcntl(tmp_path, monkeypatch):
    held: set[int] = set()

    def locking(descriptor, mode, count):
        if held:
            raise OSError(36, "locked")
        held.add(descriptor)

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    with stream.locked(tmp_path / "weights"):
        assert held
        with pytest.raises(UsageError, match="another process is downloading it"), stream.locked(tmp_path / "weights"):
            pass


def test_a_file_is_new_once_without_hard_links(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "link")
    assert files.write_new(tmp_path / "manifest", b"first")
    assert not files.write_new(tmp_path / "manifest", b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_a_child_ends_without_process_groups(monkeypatch):
    monkeypatch.delattr(os, "killpg")
    monkeypatch.setattr(java_scorers, "STOP_LIMIT_S", 0.1)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    java_scorers._end(child)
    assert child.returncode


def test_a_machine_without_proc_has_a_name(monkeypatch):
    monkeypatch.setattr(environment, "Path", lambda _: Path("/no/such/file"))
    assert environment.processor()
