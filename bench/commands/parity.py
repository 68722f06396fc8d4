"""`bench parity`: our models against numbers of the authors' own code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.app import example
from bench.console import say

if TYPE_CHECKING:
    from bench.records.parity import ParityCase
    from reference_models.parity import Case


@example("python -m bench parity tests/data/*.safetensors --save results/parity.json")
def parity(
    cases: Annotated[list[Path], typer.Argument(help="parity case files")],
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="keep the result; the report shows results/parity.json")
    ] = None,
) -> None:
    """Compare our models with numbers of the authors' own code, one line per output."""
    print_checks(cases, save)


def print_checks(paths: list[Path], save: Path | None = None) -> None:
    """Print one line per output: family, case, output, relative error, ok or FAIL. CheckFailed unless all are ok.

    save: the file that keeps what was found, also where something failed; see bench/records/parity.py
    """
    from datetime import UTC, datetime

    from bench.errors import CheckFailed
    from bench.files import check_target
    from bench.records.environment import describe
    from bench.records.parity import Parity, save_parity
    from reference_models.parity import load_case

    if save:
        check_target(save, "--save")
    cases = [load_case(path) for path in paths]
    environment = describe()
    checked = [checked_case(case) for case in cases]
    if save:
        save_parity(Parity(tuple(checked), environment, datetime.now(UTC).isoformat(timespec="seconds")), save)
        say(f"parity: {save}")
    failed = sum(not output.ok for case in checked for output in case.outputs) + sum(bool(c.reason) for c in checked)
    if failed:
        num_outputs = sum(len(case.outputs) for case in checked)
        raise CheckFailed(f"parity: {failed} failed of {num_outputs} outputs in {len(cases)} cases")


def checked_case(case: Case) -> ParityCase:
    """Compare one case and print its lines."""
    import math

    from bench.assets.checksums import digest
    from bench.errors import CheckpointError
    from bench.records.parity import ParityCase, ParityOutput
    from reference_models.parity import check, code_versions

    outputs, reason = [], ""
    try:
        for c in check(case):
            say(f"{c.family:14} {c.case:18} {c.output:24} {c.error:.2e} {'ok' if c.ok else 'FAIL'}")
            error = c.error if math.isfinite(c.error) else None
            outputs.append(ParityOutput(c.output.removeprefix("out."), error, c.tolerance, c.ok))
    except CheckpointError as error:
        say(f"{case.family:14} {case.path.stem:18} FAIL: {error}")
        reason = " ".join(str(error).replace(str(case.path), case.path.name).split())
    return ParityCase(
        name=case.path.stem,
        family=case.family,
        sha256=digest(case.path),
        source=case.source,
        versions=code_versions(case.family),
        num_outputs=len(case.expected),
        outputs=tuple(outputs),
        reason=reason,
    )
