"""`python -m tests.mutants`: which single-token changes of the code that judges do its tests notice?

    --seed 0 --each 10    so many changes of each file, drawn by this seed
    --only stats kid      files whose path holds one of these words
    --jobs 2              changes that are tried at a time

A change is noticed where one of the file's own tests fails. One that only makes them run on and on (a loop that does
not end) is named, and counts on neither side; so do those that change no behaviour: they stand in equivalent.txt, each
with the reason. Exit status 1 where fewer than 90 % of the others are noticed.

A script of our own, because both usual tools cost too much here: mutmut 3 changes only what stands in functions (the
flags of metrics, tableaus and constants do not), and cosmic-ray starts a Python for each change, which imports torch
for seconds where the tests take less than one. Here everything that is not ours is imported once, and each change is
a fork in which one module is loaded with one token changed.
"""

from __future__ import annotations

import os

if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch: the forks run side by side
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # no test of TARGETS needs one

import argparse
import gc
import importlib.util
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from importlib.machinery import SourceFileLoader
from pathlib import Path

from tests.mutants.changes import Change, changes
from tests.mutants.targets import TARGETS

ROOT = Path(__file__).parents[2]
LEAST = 0.9
IMPORTED_ONCE = (
    "numpy",
    "pandas",
    "scipy.stats",
    "scipy.linalg",
    "scipy.spatial",
    "sklearn.metrics",
    "sklearn.datasets",
)
IMPORTED_ONCE += ("torch", "torchvision", "torch_fidelity", "cleanfid.fid", "pycocoevalcap.cider.cider", "PIL.Image")
IMPORTED_ONCE += ("pytest", "hypothesis", "msgspec", "rich", "typer", "jinja2")
PYTEST = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:unraisableexception")
# A change ends after so many times the processor time of the tests, and so many seconds: not after a time of the clock,
# which other work on the machine stretches, or only where it sleeps.
SLOWER, SLACK_S, ASLEEP = 4, 10, 20
TOO_LONG = (signal.SIGXCPU, signal.SIGALRM)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="+", default=[""])
    options = parser.parse_args()
    for name in IMPORTED_ONCE:
        if importlib.util.find_spec(name.split(".")[0]):
            __import__(name)
    gc.freeze()  # no collection of a fork walks through them, which would take longer than its tests
    with tempfile.TemporaryDirectory() as tempfile.tempdir:  # of all forks, whatever ends them
        share = share_noticed(options)
    gc.unfreeze()
    return int(share < LEAST)


def share_noticed(options: argparse.Namespace) -> float:
    """Try the changes that the options ask for and print what becomes of each."""
    targets = {path: tests for path, tests in TARGETS.items() if any(word in path for word in options.only)}
    durations: dict[tuple[str, ...], float] = {}
    wanted = []
    equivalent = known_equivalents()
    for path in targets:
        text = (ROOT / path).read_text(encoding="utf-8")
        drawn = random.Random(f"{options.seed} {path}").sample(found := changes(text), min(options.each, len(found)))
        wanted += [(path, text, change) for change in drawn if (path, change.key(text)) not in equivalent]
    counts: Counter[tuple[str, str]] = Counter()
    running: dict[int, tuple[str, str, Change, float]] = {}
    while wanted or running:
        while wanted and len(running) < options.jobs:
            path, text, change = wanted.pop(0)
            if targets[path] not in durations:
                durations[targets[path]] = passes(targets[path])
            pid = start(targets[path], path, change.apply(text), SLACK_S + SLOWER * durations[targets[path]])
            running[pid] = path, text, change, time.monotonic()
        pid, status = os.wait()
        path, text, change, started = running.pop(pid)
        ran_on = os.WIFSIGNALED(status) and os.WTERMSIG(status) in TOO_LONG
        word = "RAN ON" if ran_on else "noticed" if status else "SURVIVED"
        counts[path, word] += 1
        print(f"{word:9}{time.monotonic() - started:6.1f} s  {path}:{change.line}  {change.key(text)}", flush=True)
    print()
    for path in targets:
        noticed, survived, ran_on = (counts[path, word] for word in ("noticed", "SURVIVED", "RAN ON"))
        print(f"{noticed:4} of {noticed + survived:3}  {path}{f', {ran_on} ran on' if ran_on else ''}")
    noticed, survived = (sum(counts[path, word] for path in targets) for word in ("noticed", "SURVIVED"))
    share = noticed / max(1, noticed + survived)
    all_in_all = f"{noticed} of {noticed + survived} changes noticed: {share:.1%}"
    print(f"\nseed {options.seed}: {all_in_all} (at least {LEAST:.0%} wanted)")
    return share


def known_equivalents() -> set[tuple[str, str]]:
    """(path, key) of the changes that change no behaviour."""
    rows = [row.split("\t") for row in (Path(__file__).parent / "equivalent.txt").read_text("utf-8").splitlines()]
    return {(row[0], row[1]) for row in rows if len(row) == 3}


def passes(tests: tuple[str, ...]) -> float:
    """Processor seconds of the tests as the code stands. Ends here where one fails: then nothing can be told."""
    _, status, used = os.wait4(start(tests), 0)
    if status != 0:
        sys.exit(f"these tests fail as the code stands: {' '.join(tests)}")
    return used.ru_utime + used.ru_stime


def start(tests: tuple[str, ...], path: str = "", text: str = "", limit_s: float = 600) -> int:
    """A process that runs the tests with the file at `path` read as `text`; it ends with pytest's status, or by one of
    TOO_LONG after `limit_s` seconds of the processor."""
    pid = os.fork()
    if pid:
        return pid
    limit = 1 + int(limit_s)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10))
    signal.alarm(ASLEEP * limit)
    out = os.open(os.devnull, os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if path:
        sys.meta_path.insert(0, _Finder(path, text))
    import pytest

    folder = Path(tempfile.gettempdir()) / f"tests-of-{os.getpid()}"
    status = pytest.main([*PYTEST, f"--basetemp={folder}", *(str(ROOT / test) for test in tests)], [_Ends()])
    os._exit(int(status))  # where no test was found


class _Ends:
    """A plugin: the process ends with the last test, and tidies nothing up."""

    @staticmethod
    def pytest_sessionfinish(exitstatus: int) -> None:
        os._exit(int(exitstatus))


class _Finder:
    """Loads one module from a text in place of its file."""

    def __init__(self, path: str, text: str):
        self.path, self.text = path, text
        self.name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, ROOT / self.path, loader=_Loader(name, self))


class _Loader(SourceFileLoader):
    def __init__(self, name: str, finder: _Finder):
        super().__init__(name, str(ROOT / finder.path))
        self.text = finder.text

    def get_code(self, fullname: str) -> object:
        return compile(self.text, self.path, "exec")


if __name__ == "__main__":
    sys.exit(main())
