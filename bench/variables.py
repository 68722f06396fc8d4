"""Environment variables that libraries read: nonsense in one is a line that names it, no traceback and no abort.

What libraries themselves say of a value that they pass over, as OpenMP does of OMP_NUM_THREADS=x, is left to them.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping

from bench.errors import CheckFailed

PAIR = r"[^\s,:\[\]]+\s*:\s*(\[[^\[\]]+\]|[^,:\[\]]+)"  # of torch's allocator: key:value or key:[a:b,c:d]
PROCESSORS = r"-?\d+(-(\d+(:-?\d+)?)?)?"  # of OpenMP: 5, 0-3 or 0-15:4
ALLOCATOR = (rf"\s*({PAIR}\s*(,\s*{PAIR}\s*)*,?)?\s*", "pairs as max_split_size_mb:128,backend:native")
ENDLESS = (rf"[\s,]*({PROCESSORS}([\s,]+{PROCESSORS})*[\s,]*)?", "processors as 0-3,6")
FATAL = {  # values that no Python can catch: what is taken, and an example
    "PYTORCH_ALLOC_CONF": ALLOCATOR,  # else the process is aborted when torch is loaded
    "PYTORCH_CUDA_ALLOC_CONF": ALLOCATOR,
    "GOMP_CPU_AFFINITY": ENDLESS,  # else libgomp looks for the end of the value for ever, and no signal is heard
}
INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\](\w+)")
OURS = ("bench", "reference_models")
LONGEST = 160  # characters of what a library said


def check_variables(environment: Mapping[str, str] = os.environ) -> None:
    """CheckFailed where a variable holds what would abort or stall the process once a library is loaded."""
    for name, (taken, example) in FATAL.items():
        if not re.fullmatch(taken, value := environment.get(name, "")):
            raise CheckFailed(
                f"the variable {name}={value[:40]!r} is nothing that libraries can read: expected {example}"
            )


def import_fault(error: BaseException, environment: Mapping[str, str] = os.environ) -> str:
    """One line where an installed package raised `error` as it was imported, with its variables; "" for other errors.

    Its variables: those that bear its name (PYTORCH_JIT, TORCH_LOGS), and those whose name or value the error quotes.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        found = INSTALLED.search(frame.f_code.co_filename)
        if found and found[1] not in OURS and frame.f_code.co_name == "<module>":
            package, said = found[1], str(error)
            break
    else:
        return ""
    is_its = {
        name: package.upper() in name
        or re.search(rf"\b{re.escape(name)}\b", said)
        or (len(value) > 1 and repr(value) in said)
        for name, value in environment.items()
    }
    its = [f"{name}={value[:40]!r}" for name, value in environment.items() if is_its[name]]
    why = f"set for it: {', '.join(its)}" if its else "is it installed whole?"
    words = " ".join(said.split())
    words = words if len(words) <= LONGEST else words[:LONGEST] + "..."
    return f"the package {package} cannot be imported ({type(error).__name__}: {words}); {why}"
