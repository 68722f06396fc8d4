"""Claims as a table, and a user's own from a file: `python -m bench claims FILE`, `python -m bench list claims`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.app import example
from bench.console import plain
from bench.errors import UsageError
from bench.records.schema import Claim

if TYPE_CHECKING:
    from bench.claims.files import Known

WIDE = 1000  # columns where no terminal shows them: a claim a line
NARROW = 180  # columns of a terminal that shows the first of these alone
COLUMNS = ("id", "printed", "within", "standing", "contradicted by", "model", "metric", "protocol", "source")
NUM_FIRST = 5


@example("python -m bench claims my-claims.toml")
def claims(
    file: Annotated[Path, typer.Argument(help="a TOML file with [[sources]] and [[claims]], see CONTRIBUTING.md")],
) -> None:
    """Check a file of claims and list them beside those of the suite that they agree with or contradict."""
    from bench.claims.files import check_claims
    from bench.claims.ledger import ledger, linked, thing_of

    found, mistakes = check_claims(file, known_names())
    for mistake in mistakes[:-1]:
        print(f"bench: {plain(mistake)}", file=sys.stderr)
    if mistakes:
        raise UsageError(mistakes[-1])
    things = {thing_of(claim) for claim in found}
    shown = [claim for claim in linked((*found, *ledger())) if thing_of(claim) in things]
    print_claims(f"{file}, {len(found)} of them, and what others print on the same", shown)


def known_names() -> Known:
    """The models and protocols of this suite, for the names in a file of claims."""
    from bench.claims.files import Known
    from bench.protocols import PROTOCOLS
    from reference_models import specs

    protocols = {name: (protocol.scale, protocol.metrics) for name, protocol in PROTOCOLS.items()}
    return Known(tuple(specs()), protocols)


def print_claims(title: str, shown: Sequence[Claim]) -> None:
    """A table with a row per claim."""
    from rich.table import Table

    from bench.claims.ledger import as_printed
    from bench.console import console

    screen = console()
    if not screen.is_terminal:
        screen.width = WIDE
    columns = COLUMNS if screen.width >= NARROW else COLUMNS[:NUM_FIRST]
    table = Table(title=f"{title} ({len(shown)})", title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name == "id")
    for claim in shown:
        side = claim.paper_scale
        models = " / ".join([side.subject, *side.baselines])
        settings = "".join(f" {name}={value}" for name, value in side.settings.items())
        cells = (
            *(claim.id, as_printed(claim), f"±{100 * claim.tolerance:.2g} %", claim.source.standing),
            *(", ".join(claim.conflicts_with) or "-", models, side.metric, side.protocol + settings),
            f"{claim.source.paper}, {claim.source.where}",
        )
        table.add_row(*cells[: len(columns)])
    screen.print(table, "")
    if columns != COLUMNS:
        screen.print(f"Through a pipe, in a wider terminal or with --json also: {', '.join(COLUMNS[NUM_FIRST:])}.")
