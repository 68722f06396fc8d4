"""A card per headline claim: its verdict, one line of result, a bar, the sides; all else is folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from bench.analysis.front import costed
from bench.analysis.speed import highest_rooflines, timed_of
from bench.analysis.speedups import shared_evaluations, shared_times
from bench.claims import CLAIMS, SIZE_CLAIMS
from bench.formatting import listed, named
from bench.metrics import title_of
from bench.records.schema import Claim, Comparison, Source
from bench.report.charts.speedups import claim_bar
from bench.report.families import family_of
from bench.report.sections.answers import (
    Fragment,
    difference_parts,
    evidence_of,
    made_on,
    not_measured,
    printed_of,
    speed_parts,
    speeds,
    verdict_cell,
)
from bench.report.tables import NONE, Cell, Heading, Rows, Table, badge_cell, cell
from bench.report.tables.speed import flops_cell, shared_cells, side_cells
from bench.report.words import SENTENCE, Said, badge_of, commands_in, in_parts, link_of
from bench.stats import Interval
from bench.verdict.finding import METRIC_WORDS
from bench.verdict.judge import find, not_run_reason
from bench.verdict.judged import Judged, Side

CONTEXT = ("VAR", "RAR")  # papers whose rows are judged in one table each, apart from the headlines
SPEED = ("latency_s", "decoder_time_share")
SIDES = ("At the paper's size", "In small")
EVALUATIONS = ("Evaluations", "of the network")
SPEED_COLUMNS = (
    *(("Time", "of one image"), EVALUATIONS, ("FLOPs", ""), ("FLOP/s", "")),
    *(("Of the roofline", "main stage, its own run"), ("Main stage", "share of the time, its own run")),
)


def paper_of(claim: Claim) -> str:
    """As "TransDiff"."""
    return claim.source.paper.split(" (")[0]


def families_of(claim: Claim) -> str:
    """The families that a claim speaks of, as "transdiff dit sit": the page filters by them."""
    side = claim.paper_scale
    return " ".join(dict.fromkeys(family_of(model) for model in (side.subject, *side.baselines)))


def headline_claims() -> list[Claim]:
    return [claim for claim in CLAIMS if paper_of(claim) not in CONTEXT]


def cards(judged: Mapping[str, Judged], said: Said) -> list[dict[str, Any]]:
    return [card(judged[claim.id], said) for claim in headline_claims()]


def card(found: Judged, said: Said) -> dict[str, Any]:
    claim, here = found.claim, f"claim-{found.claim.id}"
    conflicts, see_conflicts = said.new(claim.conflicts, here)
    caveats, see_caveats = said.new([claim.tolerance_reason, claim.caveat], here)
    reasons, _ = said.new([side.verdict.reason for side in found.sides], here)
    return {
        "id": here,
        "claim": claim,
        "family": families_of(claim),
        "paper": paper_of(claim),
        "headline": claim.headline.rstrip("."),
        "main": badge_of(found.main.verdict.word, found.main.verdict.marker),
        "sides": [
            {
                "name": name,
                "badge": badge_of(side.verdict.word, side.verdict.marker),
                "parts": (*result_parts(claim, side), made_on(found, side)),
                "files": by_run(side.verdict.records),
                "command": command_of(side.asked),
            }
            for name, side in zip(SIDES, found.sides, strict=False)
        ],
        "bar": bar_of(claim, found),
        "table": sides_table(found),
        "link": link_of(claim.source.url),
        "printed": f"x{claim.value:g}" if claim.unit == "times" else f"{claim.value:g} {claim.unit}",
        "conflicts": conflicts,
        "caveats": sentences_of(caveats),
        "see": list(dict.fromkeys([*see_conflicts, *see_caveats])),
        "reasons": sentences_of(reasons),
    }


def sentences_of(texts: Iterable[str]) -> list[str]:
    return [sentence for text in texts for sentence in SENTENCE.split(text)]


def by_run(files: Iterable[str]) -> dict[str, list[str]]:
    """By model and protocol, as "transdiff-digits digits-study", the record files, each once."""
    found: dict[str, list[str]] = {}
    for file in dict.fromkeys(files):
        found.setdefault(file.split("/")[1].rsplit("--", 1)[0].replace("--", " "), []).append(file)
    return found


def result_parts(claim: Claim, side: Side) -> Sequence[Fragment]:
    """What was measured of one side, in one line."""
    asked = side.asked
    if side.was_run and (measured := speeds(side)):
        return speed_parts(measured, kernels=True)
    if side.was_run and asked.kind == "direction":
        return difference_parts(side, METRIC_WORDS.get(asked.metric, asked.metric))
    if side.verdict.value is None:
        return not_measured(side)
    shown = verdict_cell(side.verdict)
    return (shown, f" {claim.unit} ({shown.below or 'interval unknown'})")


def command_of(side: Comparison) -> str:
    """What measures that side again."""
    names = (named(side.subject, side.settings), *side.baselines)
    return " && ".join(commands_in(not_run_reason(side, dict.fromkeys(names, ""))))


def bar_of(claim: Claim, found: Judged) -> Markup | None:
    """The printed band and what was measured on one axis: of speeds all evidence, else the side that was judged."""
    paper = found.paper
    if paper.asked.metric == "latency_s":
        counted = {"flops": ", by FLOPs"}
        measured = [(e.kind, e.baseline + counted.get(e.kind, ""), e.ratio.found) for e in evidence_of(found)]
        return claim_bar(printed_of(claim), measured, 1.0, log=True) if measured else None
    verdict = found.main.verdict
    if verdict.value is None or verdict.ci_low is None or verdict.ci_high is None:
        return None
    estimate = Interval(verdict.value, verdict.ci_low, verdict.ci_high)
    if found.main is paper:
        printed, kind = printed_of(claim), "estimated" if verdict.marker.startswith("by counting") else "paper"
        return claim_bar(printed, [(kind, "", estimate)], printed.low, log=False)
    return claim_bar(None, [("small", "", estimate)], 0.0, log=False)


def sides_table(found: Judged) -> Table | None:
    """Either side's models: of speed what their time is made of, else what they score and cost."""
    groups = [(heading, rows) for heading, side in zip(SIDES, found.sides, strict=False) if (rows := rows_of(side))]
    if not groups:
        return None
    columns: Sequence[Heading] = SPEED_COLUMNS
    if found.paper.asked.metric not in SPEED:
        columns = ((title_of(found.main.asked.metric), "one run"), EVALUATIONS, ("FLOPs", "of one image"))
    if all(cells[-1] == NONE for _, rows in groups for _, cells in rows):
        columns = columns[:-1]
        groups = [(heading, [(label, cells[:-1]) for label, cells in rows]) for heading, rows in groups]
    return Table("", columns, groups, first="Side")


def rows_of(side: Side) -> Rows:
    """Of speed the times of the rounds that all sides shared, where there are any: those that the ratios are of."""
    asked = side.asked
    if asked.metric in SPEED:
        rooflines, shared = highest_rooflines(side.judged), shared_times(asked, side.judged)
        evaluations = shared_evaluations(asked, side.judged)
        rows: list[tuple[str, tuple[Cell, ...]]] = []
        for model in (asked.subject, *asked.baselines):
            if found := timed_of(model, asked, side.shown):
                rows.append((model, side_cells(found, rooflines, shared.get(model))))
            elif model in shared:
                rows.append((model, shared_cells(shared[model], evaluations.get(model))))
        return rows
    wanted = [(asked.subject, asked.settings), *((model, asked.baseline_settings) for model in asked.baselines)]
    rows = []
    for model, settings in wanted:
        record = find(model, asked.protocol, side.judged, settings)
        if record and record.status == "ok":
            counted = costed(record, "FLOPs", side.judged)
            cost = flops_cell(counted) if counted else NONE
            rows.append((named(model, settings), (cell(record, asked.metric), cell(record, "nfe"), cost)))
    return rows


# -- one table per paper -----------------------------------------------------------------------------------------------


def paper_tables(judged: Mapping[str, Judged], said: Said) -> list[dict[str, Any]]:
    """The claims that have no card and no row among the sizes: one folded table per paper."""
    elsewhere = {claim.id for claim in (*headline_claims(), *SIZE_CLAIMS)}
    by_paper: dict[str, list[Judged]] = {}
    for name, found in judged.items():
        if name not in elsewhere:
            by_paper.setdefault(found.claim.source.paper, []).append(found)
    return [paper_table(found, said) for found in by_paper.values()]


def paper_table(found: Sequence[Judged], said: Said) -> dict[str, Any]:
    """A group per source, whatever the conditions of its numbers, and a row per claim: printed, measured, verdicts."""
    by_source: dict[Source, list[Judged]] = {}
    for each in found:
        by_source.setdefault(replace(each.claim.source, conditions=""), []).append(each)
    counted = Counter(each.main.verdict.word for each in found)
    words = listed([f"{count} {word}" for word, count in counted.items()])
    groups = [
        (
            source.where if len(by_source) > 1 else "",
            [(each.claim.headline.rstrip("."), row_cells(each)) for each in rows],
        )
        for source, rows in by_source.items()
    ]
    columns = (("Printed", ""), ("Measured", "paper's size"), ("Verdict", "paper's size"), ("In small", ""))
    return {
        "paper": paper_of(found[0].claim),
        "title": f"{paper_of(found[0].claim)}'s printed numbers",
        "counted": f"{len(found)} claims: {words}",
        "sources": [(source, link_of(source.url)) for source in by_source],
        "table": Table("", columns, groups, first="Claim"),
        "reasons": reasons_of(found, said),
    }


def reasons_of(found: Sequence[Judged], said: Said) -> list[str]:
    """Why the rows that were judged got their words, each sentence once."""
    reasons = []
    for each in found:
        judged = [side.verdict for side in each.sides if side.was_run]
        kept, _ = said.new([v.reason for v in judged if v.word != "reproduced"], each.claim.id)
        reasons += [f"{each.claim.headline.rstrip('.')}: {text}" for long in kept for text in in_parts(long)]
    return reasons


def row_cells(found: Judged) -> tuple[Cell, ...]:
    paper, small = (badge_cell(s.verdict.word, s.verdict.marker) if s else NONE for s in (found.paper, found.small))
    remark = "sources disagree" if found.claim.conflicts_with else ""
    printed = Cell(found.claim.quote, remark, family=families_of(found.claim))
    return (printed, verdict_cell(found.paper.verdict), paper, small)
