"""The command line: `python -m bench`, or `bench` once installed. Exit status: 0 done, 1 a run failed, 2 wrong call."""

from __future__ import annotations

import os
import sys

from bench.commands.app import application
from bench.console import plain
from bench.errors import CaseError, CheckFailed, CheckpointError, UnknownModelError, UsageError

WRONG_CALL, FAILED, INTERRUPTED = 2, 1, 130
STATUS_BY_ERROR: dict[type[Exception], int] = {
    UsageError: WRONG_CALL,
    UnknownModelError: WRONG_CALL,
    CaseError: WRONG_CALL,
    CheckFailed: FAILED,
    CheckpointError: FAILED,
    FloatingPointError: FAILED,
}


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of `python -m bench ARGUMENTS`; a user's mistake is one line on stderr."""
    try:
        status = application().main(arguments, prog_name="bench", standalone_mode=False) or 0
        if status == INTERRUPTED:  # what typer makes of control-C
            raise KeyboardInterrupt
        return status
    except KeyboardInterrupt:
        return complain("interrupted; run the same command again to continue", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except tuple(STATUS_BY_ERROR) as error:
        return complain(error, next(code for kind, code in STATUS_BY_ERROR.items() if isinstance(error, kind)))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return complain(f"{error.format_message()} See `python -m bench --help`.", WRONG_CALL)  # typer's own


def complain(message: object, status: int) -> int:
    print(f"bench: {plain(' '.join(str(message).split()))}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
