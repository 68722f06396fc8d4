"""The ledger: every printed number that can be judged, a claim each, and which of them contradict each other.

`ledger()` holds the headline claims, the sizes, D-DiT's benchmark table and the rows of `tables/*.csv`. A number that a
headline claim quotes is not told again: two claims never quote one source on one number.

Two sources on one thing (model, metric, settings) stand in one group (`sources_of`); where the printed numbers cannot
be one number, rounded, they contradict each other and name each other in `conflicts_with`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from bench.claims import BENCHMARK_CLAIMS, CLAIMS, SIZE_CLAIMS
from bench.claims.printed import read_printed
from bench.claims.published import Published, PublishedQuality, PublishedSpeed
from bench.claims.rows import Row, claim_of
from bench.records.schema import Claim, Source

TABLES = Path(__file__).parent / "tables"
FAMILIES = ("transdiff", "mar", "llamagen", "var", "dit", "sit", "d-dit")  # a table each; MRAR's rows are TransDiff's


@cache
def ledger() -> tuple[Claim, ...]:
    """Every claim of the suite, headlines first, each with the ids of those that contradict it."""
    told = {printed_in(claim) for claim in CLAIMS}
    others = (*SIZE_CLAIMS, *BENCHMARK_CLAIMS, *table_claims())
    return linked((*CLAIMS, *(claim for claim in others if printed_in(claim) not in told)))


def printed_in(claim: Claim) -> tuple[Any, ...]:
    """One source on one number: what two claims may not both quote."""
    side = claim.paper_scale
    settings = tuple(sorted(side.settings.items()))
    return (claim.source, side.subject, side.baselines, side.metric, side.protocol, settings, claim.value)


@cache
def table_claims() -> tuple[Claim, ...]:
    """The claims of `tables/*.csv`, in the order of FAMILIES."""
    sources = {entry.pop("key"): Source(**entry) for entry in read_csv(TABLES / "sources.csv")}
    rows = [row_of(entry) for family in FAMILIES for entry in read_csv(TABLES / f"{family}.csv")]
    return tuple(claim_of(row, sources[row.source]) for row in rows)


def read_csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def row_of(entry: Mapping[str, str]) -> Row:
    """A line of a table; an empty cell is the field's default."""
    given: dict[str, Any] = {name: cell for name, cell in entry.items() if cell}
    if "settings" in given:
        given["settings"] = dict(map(read_setting, given["settings"].split()))
    if "half_unit" in given:
        given["half_unit"] = float(given["half_unit"])
    return Row(**given)


def read_setting(text: str) -> tuple[str, Any]:
    """ "cfg_scale=1.5" and "sampler=dopri5": a number where it reads as one."""
    name, _, value = text.partition("=")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


# -- where the sources agree, and where they do not --------------------------------------------------------------------


@dataclass(frozen=True)
class SourceGroup:
    """What several sources print on one thing: a row of the table of claim x source."""

    model: str  # as in Comparison.subject
    metric: str  # as in Comparison.metric
    baselines: tuple[str, ...]  # of a ratio
    protocol: str  # of its first claim; of speeds the sources may have one each
    settings: Mapping[str, Any]
    claims: tuple[Claim, ...]  # a claim per source

    @property
    def disagree(self) -> bool:
        """Whether two of the printed numbers cannot be one number, rounded."""
        return any(contradict(a, b) for a in self.claims for b in self.claims)


def sources_of(claims: Sequence[Claim] | None = None) -> tuple[SourceGroup, ...]:
    """The claims (None: the ledger) in groups that speak of one thing, in their order; most groups hold one claim."""
    found: dict[tuple[Any, ...], list[Claim]] = {}
    for claim in ledger() if claims is None else claims:
        found.setdefault(thing_of(claim), []).append(claim)
    return tuple(
        SourceGroup(side.subject, side.metric, side.baselines, side.protocol, side.settings, tuple(group))
        for group in found.values()
        for side in [group[0].paper_scale]
    )


def thing_of(claim: Claim) -> tuple[Any, ...]:
    """What a claim speaks of. A speed's protocol is the batch that its source chose: it does not set claims apart."""
    side = claim.paper_scale
    protocol = "" if side.metric == "throughput_per_s" else side.protocol
    return (side.subject, side.baselines, side.metric, protocol, tuple(sorted(side.settings.items())))


def contradict(a: Claim, b: Claim) -> bool:
    """Whether two printed numbers on one thing cannot be one number, rounded."""
    return apart(a.value, b.value, half_unit(a) + half_unit(b))


def apart(a: float, b: float, half_units: float) -> bool:
    return a != b and abs(a - b) >= half_units * (1 - 1e-9)


def half_unit(claim: Claim) -> float:
    """What the rounding of print may hide, in the claim's unit; of a quoted sentence that of the number in it."""
    for text in (claim.quote, f"{claim.value:g}"):
        try:
            return read_printed(text)[1]
        except ValueError:
            continue
    return 0.0


def as_printed(claim: Claim) -> str:
    """The number alone with its unit: a headline quotes a sentence."""
    try:
        read_printed(claim.quote)
        number = claim.quote
    except ValueError:
        number = f"{claim.value:g}"
    return number if number[-1:] in "MB%" else f"{number} {claim.unit}"


def linked(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims, each with the ids of those that contradict it: of its group, and those linked by hand, both ways."""
    claims = tuple(claims)
    conflicts: dict[str, dict[str, None]] = {claim.id: dict.fromkeys(claim.conflicts_with) for claim in claims}
    for group in sources_of(claims):
        ends = [(claim.id, claim.value, half_unit(claim)) for claim in group.claims]
        for name, value, half in ends:
            conflicts[name] |= {other: None for other, b, half_b in ends if apart(value, b, half + half_b)}
    for claim in claims:
        for other in claim.conflicts_with:
            conflicts.get(other, {})[claim.id] = None
    return tuple(
        replace(claim, conflicts_with=tuple(conflicts[claim.id])) if conflicts[claim.id] else claim for claim in claims
    )


def beyond_the_ledger(groups: Sequence[Published]) -> list[Published]:
    """The groups without the rows whose every number is a claim of the ledger, which the papers' tables print."""
    held = {(claim.source.url, claim.value) for claim in ledger()}
    kept = []
    for group in groups:
        rows: Any = tuple(row for row in group.rows if not {(group.url, n) for n in numbers_in(row)} <= held)
        kept += [replace(group, rows=rows)] if rows else []
    return kept


def numbers_in(row: Any) -> set[float]:
    """The scores or the speed of a printed row; of kinds of which the ledger has no row each, NaN: never held."""
    if isinstance(row, PublishedQuality):
        return {float(text) for text in (row.fid, row.inception_score) if text}
    return {float(row.number.removeprefix("x"))} if isinstance(row, PublishedSpeed) else {math.nan}
