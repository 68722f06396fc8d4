"""`bench parity`: our models against numbers of the authors' own code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.app import example
from bench.console import say


@example("python -m bench parity tests/data/transdiff.safetensors")
def parity(cases: Annotated[list[Path], typer.Argument(help="parity case files")]) -> None:
    """Compare our models with numbers of the authors' own code, one line per output."""
    print_checks(cases)


def print_checks(paths: list[Path]) -> None:
    """Print one line per output: family, case, output, relative error, ok or FAIL. CheckFailed unless all are ok."""
    from bench.errors import CheckFailed, CheckpointError
    from reference_models.parity import check, load_case

    cases = [load_case(path) for path in paths]
    num_outputs, failed = 0, 0
    for case in cases:
        try:
            comparisons = list(check(case))
        except CheckpointError as error:
            say(f"{case.family:14} {case.path.stem:18} FAIL: {error}")
            failed += 1
            continue
        for c in comparisons:
            say(f"{c.family:14} {c.case:18} {c.output:24} {c.error:.2e} {'ok' if c.ok else 'FAIL'}")
            num_outputs += 1
            failed += not c.ok
    if failed:
        raise CheckFailed(f"parity: {failed} failed of {num_outputs} outputs in {len(cases)} cases")
