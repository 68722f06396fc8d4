"""The command line: `python -m bench`, or `bench` once installed. Exit status: 0 done, 1 a run failed, 2 wrong call."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from bench.console import plain, stopping
from bench.errors import CaseError, CheckFailed, CheckpointError, UnknownModelError, UsageError
from bench.variables import check_variables, import_fault

WRONG_CALL, FAILED, INTERRUPTED = 2, 1, 130
INTERRUPTED_LINE = "interrupted; run the same command again to continue"
_told = False  # whether that was printed
STATUS_BY_ERROR: dict[type[Exception], int] = {
    UsageError: WRONG_CALL,
    UnknownModelError: WRONG_CALL,
    CaseError: WRONG_CALL,
    CheckFailed: FAILED,
    CheckpointError: FAILED,
    FloatingPointError: FAILED,
}


QUIET = ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")  # of the Hub's libraries: nothing tells of what is run
NO_MEMORY = "can't allocate memory"  # in torch's RuntimeError on a CPU
NO_ROOM = "failed to map segment"  # of a library, says the system's loader
PACKAGES = {  # import -> distribution, where their names differ
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "cleanfid": "clean-fid",
    "torch_fidelity": "torch-fidelity",
    "huggingface_hub": "huggingface-hub",
}


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def start() -> None:
    """The program: `main` in a process that is its own. Interrupted, it ends within two seconds in any case."""
    give_streams()
    for name in QUIET:
        os.environ.setdefault(name, "1")
    with stopping(leave):
        try:
            status = run(sys.argv[1:])
        except KeyboardInterrupt:  # between two lines of `run` itself
            status = INTERRUPTED
        if status == INTERRUPTED:
            leave()
    sys.exit(status)


def leave() -> None:
    """End this process as interrupted, without waiting for what its libraries do at the end; nothing half-written
    stays, and no line is printed twice."""
    from bench.files import remove_own

    global _told
    remove_own()
    if not _told:
        _told = True
        complain(INTERRUPTED_LINE, INTERRUPTED)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)


def give_streams() -> None:
    """Somewhere to print to, where the caller has closed standard output or error, as a service may: else the next
    file that is opened takes their number, and is printed into by libraries."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # as long as the process
        getattr(sys, name).reconfigure(errors="backslashreplace")  # in a locale of ASCII alone, as of old services


def run(arguments: list[str]) -> int:
    """The exit status of `python -m bench ARGUMENTS`; a user's mistake is one line on stderr."""
    global _told
    try:
        with stopping():
            check_variables()
            os.getcwd()  # gone, libraries in C end the process with words of their own
            from bench.commands.app import application  # here: typer takes a while, in which a user may stop

            status = application().main(arguments, prog_name="bench", standalone_mode=False) or 0
            sys.stdout.flush()  # what it cannot print is said here, and not by Python as it ends
        if status == INTERRUPTED:  # what typer makes of control-C
            raise KeyboardInterrupt
        return status
    except KeyboardInterrupt:
        _told = True
        return complain(INTERRUPTED_LINE, INTERRUPTED)
    except BrokenPipeError:
        let_go(sys.stdout)
        return FAILED
    except tuple(STATUS_BY_ERROR) as error:
        return complain(error, next(code for kind, code in STATUS_BY_ERROR.items() if isinstance(error, kind)))
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # typer's, of a group without a command
            print(error.format_message())  # type: ignore[attr-defined]
            return WRONG_CALL
        if hasattr(error, "format_message"):
            return complain(f"{error.format_message()} See `python -m bench --help`.", WRONG_CALL)  # typer's own
        if not (reason := machines_fault(error)):
            raise
        try:
            sys.stdout.flush()
        except OSError:
            let_go(sys.stdout)
        return complain(reason, FAILED)


def machines_fault(error: Exception) -> str:
    """What the machine lacks, in one line: room, a right, memory, a package. "" for every other error: a fault of ours.

    The last resort: what can be known before the work is asked for then, with better words.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if top in ("bench", "reference_models"):
            return ""
        if top in sys.stdlib_module_names:
            return f"this Python was built without its own module {top}: use one that has it"
        return f"needs the package {top}, which is not installed: python -m pip install {PACKAGES.get(top, top)}"
    if isinstance(error, ImportError) and NO_ROOM in str(error):
        return "not enough memory to load a package's libraries"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or NO_MEMORY in str(error):
        return "not enough memory; try a smaller --batch-size or fewer items"
    if isinstance(error, FileNotFoundError) and error.filename is None:  # as os.getcwd() raises it
        return "the folder that this was started in is gone"
    if isinstance(error, OSError) and error.errno is not None:
        where = error.filename if error.filename is not None else "a file or standard output"
        return f"{os.fsdecode(where) if isinstance(where, bytes) else where}: {error.strerror or error}"
    return import_fault(error)


def complain(message: object, status: int) -> int:
    try:
        print(f"bench: {plain(' '.join(str(message).split()))}", file=sys.stderr, flush=True)
    except OSError:  # a terminal that was closed, a full disk
        let_go(sys.stderr)
    return status


def let_go(stream: TextIO) -> None:
    """Print no more to a stream that takes nothing: what is left in it Python would try once more at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    start()
