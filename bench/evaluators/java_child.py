"""The process that talks to Java: pycocoevalcap's PTB tokenizer, METEOR or SPICE, run as a script by java_scorers.py.

Reads {"task", "captions" or "references" and "candidates"} from stdin as JSON and writes {"result"} or {"error"} to
stdout. pycocoevalcap's classes start Java as their own child and wait for it without limit; so this process ends what
they started, and its parent may end it at any time. Imports nothing of the bench.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

LOOK_EVERY_S = 0.5  # whether the parent lives
STARTED: list[subprocess.Popen] = []
FOLDERS: list[str] = []  # temporary ones
# METEOR's jar reads and writes numbers, and loads its word lists, in the locale that it finds: "0,5" where a comma
# parts decimals, which ends it. On the command line, for options in the environment are not read by every Java.
JAVA_OPTIONS = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")
NOISE = ("Picked up ", "NOTE: Picked up ", "WARNING: ")  # what Java says before it says what is wrong


class RecordedPopen(subprocess.Popen):
    """Popen that is found again when all must end, and that starts Java in one locale everywhere."""

    options: tuple[str, ...] = JAVA_OPTIONS  # of the java command

    def __init__(self, command: Any, *args: Any, **kwargs: Any):
        if isinstance(command, list | tuple) and command and command[0] == "java":
            command = [command[0], *self.options, *command[1:]]
        super().__init__(command, *args, **kwargs)
        STARTED.append(self)


def elsewhere(module: Any, folder: str, names: tuple[str, ...]) -> None:
    """Let a module of pycocoevalcap work in `folder`: it writes beside itself, where a user may not be allowed to."""
    home = Path(module.__file__).parent
    for name in names:
        source, target = home / name, Path(folder, name)
        try:
            os.symlink(source, target)
        except OSError:  # Windows, where links take a right of their own
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    module.__file__ = str(Path(folder, "module.py"))  # from which it takes its folder


def tokenize(request: dict[str, Any], folder: str) -> list[str]:
    """One tokenised caption per caption."""
    from pycocoevalcap.tokenizer import ptbtokenizer

    elsewhere(ptbtokenizer, folder, (ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR,))
    captions = request["captions"]
    found = ptbtokenizer.PTBTokenizer().tokenize({i: [{"caption": text}] for i, text in enumerate(captions)})
    if STARTED[-1].returncode or len(found) != len(captions):
        raise RuntimeError(f"the tokenizer gave {len(found)} lines for {len(captions)} captions")
    return [found[i][0] for i in range(len(captions))]


def meteor(request: dict[str, Any], folder: str) -> dict[str, Any]:
    """The corpus score and the statistics of each image, as the jar prints them."""
    from pycocoevalcap.meteor.meteor import Meteor

    lines: list[str] = []

    class RecordedMeteor(Meteor):
        def _stat(self, *pair: Any) -> str:
            lines.append(super()._stat(*pair))
            return lines[-1]

        def __del__(self) -> None:
            """Not to wait for a lock that a dead Java never releases; main ends what was started."""

    scorer = RecordedMeteor()
    value, _ = scorer.compute_score(
        dict(enumerate(request["references"])), {i: [text] for i, text in enumerate(request["candidates"])}
    )
    return {"value": value, "statistics": [[float(number) for number in line.split()] for line in lines]}


def spice(request: dict[str, Any], folder: str) -> list[float]:
    """F of each image; NaN where SPICE gives none."""
    from pycocoevalcap.spice import spice as module

    elsewhere(module, folder, (module.SPICE_JAR, "lib"))
    RecordedPopen.options = ()  # it has them from its parent, with others that it needs
    module.get_stanford_models = lambda: None  # nothing is downloaded while scoring
    scorer = module.Spice()
    _, scores = scorer.compute_score(
        dict(enumerate(request["references"])), {i: [text] for i, text in enumerate(request["candidates"])}
    )
    return [score["All"]["f"] for score in scores]


def stop(*_: Any) -> None:
    raise SystemExit("asked to stop")


def end_with(parent: int) -> None:
    """End Java and this process once the parent has ended, even if it is killed: nobody waits for the answer then."""
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    for process in STARTED:
        process.kill()
    for folder in FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), daemon=True).start()
    answer_fd = os.dup(1)
    os.dup2(2, 1)  # what the scorers print is no answer
    subprocess.Popen = RecordedPopen  # type: ignore[assignment, misc]
    answer: dict[str, Any]
    with tempfile.TemporaryDirectory() as folder:
        FOLDERS.append(folder)
        try:
            request = json.load(sys.stdin)
            task = {"tokenize": tokenize, "meteor": meteor, "spice": spice}[request["task"]]
            answer = {"result": task(request, folder)}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        # What broke the talk may be Java's end, on its way; unless this process was asked to stop, now.
        patience_s = 1.0 if answer.get("error", "SystemExit").split(":")[0] != "SystemExit" else 0.0
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for process in STARTED:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience_s)
            ended = process.poll()
            process.kill()
            process.wait()
            if patience_s:
                how = "was still running" if ended is None else f"ended with status {ended}"
                said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
                first = next((line for line in said.splitlines() if not line.startswith(NOISE)), "")
                answer["error"] += f"; Java {how}{': ' + first if first else ''}"
    with os.fdopen(answer_fd, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os._exit(0)  # past the destructors


if __name__ == "__main__":
    main()
