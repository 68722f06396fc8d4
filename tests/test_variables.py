"""Nonsense in a variable that a library reads is one line that names it, before it aborts or stalls the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.errors import CheckFailed
from bench.variables import check_variables, import_fault
from tests.paths import ROOT

# Tried on torch 2.15 for Linux: what follows made `import torch` abort, or spin for ever; the rest loads it.
ABORTS = [
    "x",
    "a:",
    ":",
    "a:b,,",
    "a:[",
    "a:[b",
    "a:b:c",
    "a b",
    "a:b c:d",
    "a:b]",
    "[",
    "True",
    "max_split_size_mb",
    ",",
]
LOADS = ["", "a:b", "a:b,", " a:b ", "a: b", "a:[b:c,d]", "expandable_segments:True", "backend:native,x:y"]
LOADS += ["max_split_size_mb:128,garbage_collection_threshold:0.8", "roundup_power2_divisions:[256:1,512:2,>:4]"]
STALLS = ["zzz", "0x", "1:2", "0-3,x"]
BINDS = ["", " ", "0-3", "0 1", "0,1", "0-3:2 7", "0,", "0,,1", "-1", "99999", "3-1"]


@pytest.mark.parametrize(
    ("name", "fatal", "fine"),
    [
        ("PYTORCH_ALLOC_CONF", ABORTS, LOADS),
        ("PYTORCH_CUDA_ALLOC_CONF", ABORTS, LOADS),
        ("GOMP_CPU_AFFINITY", STALLS, BINDS),
    ],
)
def test_a_value_that_would_end_the_process_is_named_and_no_other(name, fatal, fine):
    for value in fine:
        check_variables({name: value})
    for value in fatal:
        with pytest.raises(CheckFailed, match=name) as told:
            check_variables({name: value})
        assert repr(value) in str(told.value)


@pytest.mark.parametrize(
    "variable", ["PYTORCH_CUDA_ALLOC_CONF=x", "GOMP_CPU_AFFINITY=x", "PYTORCH_JIT=maybe", "TORCH_LOGS="]
)
def test_a_command_says_so_in_one_line(variable):
    name, _, value = variable.partition("=")
    call = [sys.executable, "-m", "bench", "time", "dit-digits"]
    done = subprocess.run(call, cwd=ROOT, env={**os.environ, name: value}, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"{name}={value!r}" in done.stderr


def raised(tmp_path, monkeypatch, folder, code):
    """What an import of a package in `folder` raises."""
    (tmp_path / folder / "brittle").mkdir(parents=True)
    (tmp_path / folder / "brittle" / "__init__.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / folder)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # any kind
        __import__("brittle")
    monkeypatch.delitem(sys.modules, "brittle", raising=False)
    return caught.value


def test_a_package_that_cannot_be_imported_is_named_with_the_variables_that_it_reads(tmp_path, monkeypatch):
    error = raised(
        tmp_path, monkeypatch, "site-packages", "raise ValueError('MODE: no such mode: \\'fats\\'' + 'x' * 999)"
    )
    given = {"BRITTLE_LOG": "1", "MODE": "fast", "_": "m", "X": "fats", "MOD": "", "HOME": "/root"}
    line = import_fault(error, given)
    assert "package brittle cannot be imported (ValueError: MODE: no such mode: 'fats'xxx" in line
    assert line.endswith("...); set for it: BRITTLE_LOG='1', MODE='fast', X='fats'")
    assert import_fault(error, {}).endswith("is it installed whole?")
    assert len(line) < 300


def test_what_a_file_of_the_users_own_raises_stays_what_it_is(tmp_path, monkeypatch):
    assert not import_fault(raised(tmp_path, monkeypatch, "models", "raise ValueError('mine')"))
    with pytest.raises(ValueError, match="mine") as caught:
        raise ValueError("mine")
    assert not import_fault(caught.value)
