"""Every headline claim with the verdicts that the page shows: of the first machine that could give one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.claims import CLAIMS
from bench.records.schema import Claim, Comparison, Record, Verdict
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

    @property
    def main(self) -> Side:
        """The side that gives the heading its verdict."""
        return self.small if self.small and self.small.was_run and not self.paper.was_run else self.paper


def verdicts_of(claim: Claim, records: Records) -> dict[str, list[Verdict]]:
    """By machine."""
    return {machine: judge(claim, found) for machine, found in records.items()}


def judge_all(records: Records, shown: Records) -> tuple[dict[str, Judged], dict[str, list[Verdict]]]:
    """(by claim what the page shows, by machine every verdict)."""
    found: dict[str, Judged] = {}
    every: dict[str, list[Verdict]] = {machine: [] for machine in records}
    for claim in CLAIMS:
        by_machine = verdicts_of(claim, records) or {"": judge(claim, [])}
        for machine, verdicts in by_machine.items():
            every.setdefault(machine, []).extend(verdicts)
        asked = [claim.paper_scale, *([claim.in_small] if claim.in_small else [])]
        sides = []
        for place, side in enumerate(asked):
            ran = [machine for machine, verdicts in by_machine.items() if verdicts[place].word != "not run"]
            machine = (ran or list(by_machine))[0]
            verdict = by_machine[machine][place]
            sides.append(Side(side, verdict, machine, records.get(machine, ()), shown.get(machine, ())))
        found[claim.id] = Judged(claim, sides[0], sides[1] if len(sides) > 1 else None)
    return found, every
