"""Every claim in use with the verdicts that the page shows: of the first machine that could give one, and measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.claims.files import Known, claims_in_use
from bench.protocols import PROTOCOLS
from bench.records.schema import REAL_DATA, Claim, Comparison, Record, Verdict
from bench.verdict.judge import judge

Records = Mapping[str, Sequence[Record]]  # by machine, the one that measured last first


@dataclass(frozen=True)
class Side:
    """One side of a claim: what was asked, the verdict and the records that were judged."""

    asked: Comparison
    verdict: Verdict
    machine: str
    judged: Sequence[Record]
    shown: Sequence[Record]  # the same, each with the machine's roofline: for display only

    @property
    def was_run(self) -> bool:
        return self.verdict.word != "not run"


@dataclass(frozen=True)
class Judged:
    claim: Claim
    paper: Side
    small: Side | None  # None: small says nothing
    every: Mapping[str, Sequence[Verdict]]  # by machine, at every scale

    @property
    def sides(self) -> list[Side]:
        """At the paper's size, then in small where small models can speak."""
        return [self.paper, *([self.small] if self.small else [])]

    @property
    def main(self) -> Side:
        """The side that gives the heading its verdict."""
        return self.small if self.small and self.small.was_run and not self.paper.was_run else self.paper

    def elsewhere(self, side: Side) -> str:
        """As " (on amd-epyc-2c)" where another machine than the one that measured last had to answer; else ""."""
        return f" (on {side.machine})" if side.was_run and side.machine != next(iter(self.every)) else ""


def claims_of_page() -> tuple[Claim, ...]:
    """The ledger and the claims of $ARBITER_CLAIMS. UsageError names a mistake in those."""
    protocols = {name: (protocol.scale, protocol.metrics) for name, protocol in PROTOCOLS.items()}
    return claims_in_use(known=Known(protocols=protocols))


def verdicts_of(claims: Iterable[Claim], records: Sequence[Record]) -> list[list[Verdict]]:
    """Of each claim `judge`, given the records that it could ask for alone: of hundreds of claims most speak of few.

    The records, of one machine, are looked through once, however many the claims.
    """
    places: dict[str, list[int]] = {}  # by model
    for place, record in enumerate(records):
        places.setdefault(record.model, []).append(place)
    with_speedups = [place for place, record in enumerate(records) if record.speedups]

    def judged(claim: Claim) -> list[Verdict]:
        sides = [claim.paper_scale, *([claim.in_small] if claim.in_small else [])]
        models = {REAL_DATA, *(model for side in sides for model in (side.subject, *side.baselines))}
        asked = {*with_speedups, *(place for model in models for place in places.get(model, ()))}
        return judge(claim, [records[place] for place in sorted(asked)])

    return [judged(claim) for claim in claims]


def judge_claim(claim: Claim, by_machine: Mapping[str, Sequence[Verdict]], records: Records, shown: Records) -> Judged:
    """Either side's verdict by the first machine that could give one: what a machine measured comes before what another
    estimated, or was made elsewhere. by_machine: its verdicts on each"""
    sides = []
    for place, asked in enumerate([claim.paper_scale, *([claim.in_small] if claim.in_small else [])]):
        ran = [machine for machine, verdicts in by_machine.items() if verdicts[place].word != "not run"]
        ran.sort(key=lambda machine: by_machine[machine][place].marker != "")
        machine = (ran or list(by_machine))[0]
        verdict = by_machine[machine][place]
        sides.append(Side(asked, verdict, machine, records.get(machine, ()), shown.get(machine, ())))
    return Judged(claim, sides[0], sides[1] if len(sides) > 1 else None, by_machine)


def judge_all(records: Records, shown: Records) -> dict[str, Judged]:
    """By id, every claim in use. shown: the same records as the page displays them."""
    claims = claims_of_page()
    verdicts = {machine: verdicts_of(claims, found) for machine, found in (records or {"": ()}).items()}
    by_claim = [{machine: found[place] for machine, found in verdicts.items()} for place in range(len(claims))]
    return {claim.id: judge_claim(claim, every, records, shown) for claim, every in zip(claims, by_claim, strict=True)}
