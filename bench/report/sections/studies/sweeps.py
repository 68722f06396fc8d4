"""The studies of a setting: the guidance of each family, and TransDiff's scales of drift and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.analysis.records import whiskers
from bench.analysis.studies import Answers, fid_gap
from bench.records.schema import Record
from bench.report.charts.lines import Line, Panel, lines_chart
from bench.report.sections.studies.common import Section, differing, fid_of, gap_words, models_of
from bench.report.tables import NONE, SCORES, Cell, Table, cell, plain_table, table_of

# -- guidance ----------------------------------------------------------------------------------------------------------


def guidance(answers: Answers) -> Section:
    sweeps = {model: sweep for model in models_of(answers) if len(sweep := by_scale(answers.of(model))) > 1}
    panels = [panel_of(model, sweep, answers) for model, sweep in sweeps.items() if metric_in(sweep, "fid")]
    ends = ", ".join(f"{panel.title} {panel.lines[0].ends()}" for panel in panels)
    description = f"FID against the guidance scale, from the weakest to the strongest: {ends}."
    caption = "FID (lower is better) against the guidance scale; 1 is without guidance. Dotted: the scale in use."
    charts = [(lines_chart(panels, "guidance scale (cfg_scale)", description), caption)] if panels else []
    scores = table_of("Scores at every guidance scale.", SCORES, answers.records, answers.labels)
    return Section(
        findings=[best_of(model, sweep, answers) for model, sweep in sweeps.items() if metric_in(sweep, "fid")],
        charts=charts,
        folded=[(f"All {len(answers.records)} runs", scores)] if answers.records else [],
    )


def by_scale(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.settings["cfg_scale"])


def metric_in(records: Sequence[Record], metric: str) -> list[Record]:
    return [record for record in records if metric in record.measurements]


def panel_of(model: str, sweep: Sequence[Record], answers: Answers) -> Panel:
    points = [
        (record.settings["cfg_scale"], whiskers(record.measurements["fid"])) for record in metric_in(sweep, "fid")
    ]
    return Panel(model, [Line(model, points)], in_use=answers.in_use[model].get("cfg_scale"))


def best_of(model: str, sweep: Sequence[Record], answers: Answers) -> str:
    """As "Best of 5 scales for dit-digits by FID: 1.5 (0.24), the one in use."."""
    records = metric_in(sweep, "fid")
    best = min(records, key=lambda record: record.measurements["fid"].value)
    scale, own = best.settings["cfg_scale"], answers.in_use[model].get("cfg_scale")
    sentence = f"Best of {len(records)} scales for {model} by FID: {scale:g} ({fid_of(best)})"
    used = next((record for record in records if record.settings["cfg_scale"] == own), None)
    if scale == own:
        sentence += ", the one in use"
    elif used:
        sentence += f", {against(best, used, 'not told apart from', 'better than')} the {own:g} in use ({fid_of(used)})"
    elsewhere = differing(best.settings, answers.in_use[model], ("cfg_scale",))
    return f"{sentence}; at {elsewhere}." if elsewhere else f"{sentence}."


def against(record: Record, other: Record, alike: str, better: str) -> str:
    return better if fid_gap(record, other).high < 0 else alike


# -- TransDiff's scales ------------------------------------------------------------------------------------------------


def scales(answers: Answers) -> Section:
    grid = {
        (record.settings["scale_0"], record.settings["scale_1"]): record for record in metric_in(answers.records, "fid")
    }
    if len(grid) < 2:
        return Section()
    return Section(findings=[do_they_help(grid)], tables=[heat_table(grid)])


def do_they_help(grid: dict[tuple[float, float], Record]) -> str:
    """Whether a setting below 1 is told apart from (1, 1), in words."""
    plain = grid.get((1.0, 1.0))
    others = {at: record for at, record in grid.items() if at != (1.0, 1.0)}
    if plain is None or not others:
        return "The run at (1, 1), or every other, is missing."
    gaps = {at: fid_gap(record, plain) for at, record in others.items()}
    better = [at for at, gap in gaps.items() if gap.high < 0]
    worse = [at for at, gap in gaps.items() if gap.low > 0]
    best = min(gaps, key=lambda at: gaps[at].value)
    numbers = (
        f"the lowest FID of them at ({best[0]:g}, {best[1]:g}), {fid_of(others[best])} against {fid_of(plain)}; "
        f"{gap_words(gaps[best])}"
    )
    if better:
        answer = f"Yes: {len(better)} of {len(gaps)} are told apart from (1, 1) for the better"
    elif len(worse) == len(gaps):
        answer = f"No: all {len(gaps)} are worse than (1, 1)"
    else:
        answer = f"No: none of {len(gaps)} is told apart from (1, 1) for the better"
        answer += f", {len(worse)} for the worse" if worse else ", nor for the worse"
    return (
        f"{answer} ({numbers}). Each was compared with (1, 1) by itself: of {len(gaps)} comparisons one in "
        "twenty would stand out by chance."
    )


def heat_table(grid: dict[tuple[float, float], Record]) -> Table:
    """Rows scale_0, columns scale_1; the darker the cell, the worse."""
    fids = [record.measurements["fid"].value for record in grid.values()]
    low, high = min(fids), max(fids)
    drifts, noises = (sorted(set(found)) for found in zip(*grid, strict=True))

    def tinted(at: tuple[float, float]) -> Cell:
        if at not in grid:
            return NONE
        heat = (grid[at].measurements["fid"].value - low) / (high - low) if high > low else 0.0
        return replace(cell(grid[at], "fid"), heat=heat, mark="neither scaled" if at == (1.0, 1.0) else "")

    return plain_table(
        "FID by the scale of the drift (rows) and of the noise (columns); the stronger the tint, the worse.",
        [f"scale_1 {noise:g}" for noise in noises],
        [(f"{drift:g}", [tinted((drift, noise)) for noise in noises]) for drift in drifts],
        first="scale_0",
    )
