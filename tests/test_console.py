"""What is printed: text from files never steers the terminal, and there is one way to print it."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys

import pytest
from rich.table import Table

from bench.console import SIGNALS, console, is_stopping, say, stopping
from bench.records.store import save_record
from tests.command_line import bench
from tests.fake_records import quality
from tests.paths import ROOT

ODD = "[red]x[/red] :smile:\x1b[2Jy\x07\r\u202e\ud800"
SHOWN = r"[red]x[/red] :smile:\x1b[2Jy\x07\x0d\u202e\ud800"


def test_a_line_a_cell_and_a_title_show_what_steers_a_terminal(capsys):
    table = Table(title=ODD)
    table.add_column(ODD)
    table.add_row(ODD)
    console().print(table)
    say(ODD)
    out = capsys.readouterr().out
    assert out.count(SHOWN) == 4
    assert not set(ODD) - set(SHOWN) & set(out)


def test_two_lines_of_a_cell_stay_two(capsys):
    table = Table(box=None)
    table.add_column("a\nb")
    console().print(table)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == ["a", "b"]


def prints_of(path):
    """What a module prints by `print`, constants left out."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    return [ast.unparse(call) for call in named if not all(isinstance(given, ast.Constant) for given in call.args)]


def test_every_command_prints_through_the_console():
    paths = [*(ROOT / "bench" / "commands").glob("*.py"), ROOT / "bench" / "run.py", ROOT / "bench" / "files.py"]
    known = ("plain(", "verdicts_counted(", "TITLES[")  # plain already, or words of ours
    found = {path.name: [call for call in prints_of(path) if not any(word in call for word in known)] for path in paths}
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_record_that_cannot_be_read_is_named_without_its_control_codes(capsys, tmp_path, suffix):
    save_record(quality("dit-digits", 2.2), tmp_path / "results")
    (tmp_path / "results" / "acme-cpu-2c" / "a\x1b[2Jb.json").write_text("{")
    status, out, _ = bench(capsys, "export", "table", tmp_path / f"t.{suffix}", "--results", tmp_path / "results")
    assert status == 0
    assert r"not read: acme-cpu-2c/a\x1b[2Jb.json" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_end_interrupts_once_and_what_it_breaks_is_an_interruption(number):
    """Further ones do not disturb the tidying up, and the handlers of before are there again."""
    before = [signal.getsignal(one) for one in SIGNALS]
    tidied = []

    def work():
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt as error:
            os.kill(os.getpid(), number)
            tidied.append(is_stopping())
            raise RuntimeError("Error calling __set_name__") from error  # as Python 3.11 makes of it in a class

    with pytest.raises(KeyboardInterrupt), stopping(), stopping():
        work()
    assert tidied == [True]
    assert [signal.getsignal(one) for one in SIGNALS] == before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_what_nohup_starts_outlives_its_terminal():
    """nohup ignores SIGHUP, and it stays ignored; a SIGTERM ends it all the same."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping():
            os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt), stopping():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_error_that_no_signal_came_before_stays_what_it_is():
    with pytest.raises(ValueError, match="ours"), stopping():
        raise ValueError("ours")
    assert not is_stopping()


def test_nothing_is_left_open_behind_the_watch_for_signals():
    """Python's development mode says what was; as PYTHONWARNINGS=error does."""
    code = "from bench.console import stopping\nwith stopping(lambda: None): pass\nimport time; time.sleep(0.2)"
    call = [sys.executable, "-X", "dev", "-c", code]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
