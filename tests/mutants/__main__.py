"""`python -m tests.mutants`: which single-token changes of the code that judges do its tests notice?

    --seed 0 --each 10    so many changes of each file, drawn by this seed
    --only stats kid      files whose path holds one of these words
    --jobs 2              changes that are tried at a time

A change is noticed where one of the file's own tests fails, or takes far longer. Changes that change no behaviour are
listed in equivalent.txt, each with the reason, and not counted. Exit status 1 where fewer than 90 % of the others are
noticed.

A script of our own, because both usual tools cost too much here: mutmut 3 changes only what stands in functions (the
flags of metrics, tableaus and constants do not), and cosmic-ray starts a Python for each change, which imports torch
for seconds where the tests take less than one. Here everything that is not ours is imported once, and each change is
a fork in which one module is loaded with one token changed.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: the forks run side by side

import argparse
import importlib.util
import random
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
IMPORTED_ONCE = ("numpy", "pandas", "scipy.stats", "scipy.linalg", "sklearn.metrics", "torch", "torchvision", "pytest")
IMPORTED_ONCE += ("torch_fidelity", "cleanfid.fid", "msgspec", "hypothesis", "rich", "typer", "jinja2")
SLOWER, SLACK_S = 4, 60  # a change ends after so many times the tests' own time, and so many seconds


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
    targets = {path: tests for path, tests in TARGETS.items() if any(word in path for word in options.only)}
    durations = {tests: passes(tests) for tests in dict.fromkeys(targets.values())}
    wanted = []
    equivalent = known_equivalents()
    for path in targets:
        text = (ROOT / path).read_text(encoding="utf-8")
        drawn = random.Random(f"{options.seed} {path}").sample(found := changes(text), min(options.each, len(found)))
        wanted += [(path, text, change) for change in drawn if (path, change.key(text)) not in equivalent]
    counts: Counter[tuple[str, bool]] = Counter()
    running: dict[int, tuple[str, str, Change, float]] = {}
    while wanted or running:
        while wanted and len(running) < options.jobs:
            path, text, change = wanted.pop(0)
            pid = start(targets[path], path, change.apply(text), SLACK_S + SLOWER * durations[targets[path]])
            running[pid] = path, text, change, time.monotonic()
        pid, status = os.wait()
        path, text, change, started = running.pop(pid)
        noticed = status != 0
        counts[path, noticed] += 1
        word = "noticed" if noticed else "SURVIVED"
        print(f"{word:9}{time.monotonic() - started:6.1f} s  {path}:{change.line}  {change.key(text)}", flush=True)
    total, noticed_in_all = sum(counts.values()), sum(num for (_, noticed), num in counts.items() if noticed)
    print()
    for path in targets:
        print(f"{counts[path, True]:4} of {counts[path, True] + counts[path, False]:3}  {path}")
    share = noticed_in_all / max(1, total)
    print(
        f"\nseed {options.seed}: {noticed_in_all} of {total} changes noticed: {share:.1%} (at least {LEAST:.0%} wanted)"
    )
    return int(share < LEAST)


def known_equivalents() -> set[tuple[str, str]]:
    """(path, key) of the changes that change no behaviour."""
    rows = [row.split("\t") for row in (Path(__file__).parent / "equivalent.txt").read_text("utf-8").splitlines()]
    return {(row[0], row[1]) for row in rows if len(row) == 3}


def passes(tests: tuple[str, ...]) -> float:
    """Seconds that the tests take as the code stands. Ends here where one fails: then nothing can be told."""
    started = time.monotonic()
    pid = start(tests)
    if os.waitpid(pid, 0)[1] != 0:
        sys.exit(f"these tests fail as the code stands: {' '.join(tests)}")
    return time.monotonic() - started


def start(tests: tuple[str, ...], path: str = "", text: str = "", limit_s: float = 600) -> int:
    """A process that runs the tests with the file at `path` read as `text`; it ends with pytest's status."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(int(limit_s))  # its default action ends the process
    out = os.open(os.devnull, os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if path:
        sys.meta_path.insert(0, _Finder(path, text))
    import pytest

    with tempfile.TemporaryDirectory() as folder:
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--benchmark-skip", f"--basetemp={folder}/t"]
        status = pytest.main([*options, *(str(ROOT / test) for test in tests)])
    os._exit(int(status))


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
