"""The command line called in this process, and files for it."""

from __future__ import annotations

import json
import sys

import pytest

from bench.__main__ import main


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def bench(capsys, *arguments):
    """(exit status, stdout, stderr) of a call."""
    before, sys.argv = sys.argv, ["bench", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stopped:
            main()
    finally:
        sys.argv = before
    said = capsys.readouterr()
    return stopped.value.code, said.out, said.err


def complains(capsys, *arguments, status=2):
    """The one line on stderr of a call that is wrong (2), or of a check or a run that failed (1)."""
    found, _, err = bench(capsys, *arguments)
    assert found == status, err
    assert err.count("\n") == 1, err
    return err
