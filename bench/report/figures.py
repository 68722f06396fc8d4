"""Figures for a paper, as PDF and PNG: what the page draws as SVG, from the same rows and panels, set by matplotlib.

    python -m bench export figures OUT

Nothing is computed here. The page draws its own charts (charts/svg.py) because importing matplotlib takes longer than
all the rest of it; here a file of a journal's width, with its fonts embedded, is the point.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.analysis.records import whiskers
from bench.analysis.speed import is_estimated
from bench.analysis.studies import answers_of, settings_in_use
from bench.errors import CheckFailed
from bench.files import check_writable, make_folder, sweep_temporaries, write_whole
from bench.formatting import number
from bench.records.schema import Record
from bench.report.charts.lines import Panel
from bench.report.charts.speedups import KINDS, Row, times_text
from bench.report.charts.svg import colour_of, marker_of
from bench.report.page import HERE
from bench.report.reading import Found, made_of_all, read
from bench.report.sections.answers import picture_rows
from bench.report.sections.studies.trade_off import AXES, cost_panels
from bench.stats import Interval
from bench.studies import STUDIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TWO_COLUMNS = 6.75  # inches, as conferences set a figure over both columns; 3.25: over one
SUFFIXES = (".pdf", ".png")
STYLE = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,  # TrueType, which journals ask for
    "savefig.dpi": 300,
}
# Variables that matplotlib reads, stumbles over where they are odd, and that change none of these files: they are drawn
# without a window, and hold no time.
UNUSED = ("MPLBACKEND", "SOURCE_DATE_EPOCH")
MARKS = {"d": "D", "x": "X"}  # matplotlib's names of two of our markers


@dataclass(frozen=True)
class Bar:
    """A latency of one model."""

    model: str
    latency_s: Interval
    estimated: bool  # from sampled calls


def export_figures(results: Path, out: Path, width: float = TWO_COLUMNS) -> list[Path]:
    """Write every figure that the records of a folder can fill into `out`; returns the files. width: inches.

    UsageError where there is no such folder of records, or `out` is a file; CheckFailed where nothing can be drawn.
    """
    found = read([results])
    check_writable(out, "export figures")

    def drawable(fit: Found) -> tuple[list[Row], dict[str, list[Bar]], dict[str, Panel]]:
        return picture_rows(fit.judged), latencies_of(fit.by_machine), quality_against_cost(fit.by_machine)

    rows, latencies, panels = made_of_all(found, drawable)
    if not (rows or latencies or panels):
        raise CheckFailed(f"nothing to draw: {results} holds no speed-up, no latency and no run of the study trade-off")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # else it tells where no HOME can be written to
    make_folder(out, "export figures")
    sweep_temporaries(out)
    with without_variables(UNUSED):
        import matplotlib

        with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]  # its keys are a Literal of 300
            drawn = {"speedups": speedup_figure(rows, width)} if rows else {}
            drawn |= {f"latency-{name}": latency_figure(bars, width) for name, bars in latencies.items()}
            drawn |= {"quality-cost": cost_figure(panels, width)} if panels else {}
            return [save(figure, out / f"{name}{suffix}") for name, figure in drawn.items() for suffix in SUFFIXES]


@contextmanager
def without_variables(names: Sequence[str]) -> Iterator[None]:
    """Within the block the environment lacks these."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def save(figure: Figure, path: Path) -> Path:
    """Whole or not at all, and without the time of writing: equal records give equal files."""
    metadata, kind = {"CreationDate": None} if path.suffix == ".pdf" else None, path.suffix.removeprefix(".")
    write_whole(path, lambda file: figure.savefig(file, format=kind, metadata=metadata))
    return path


# -- what is drawn -----------------------------------------------------------------------------------------------------


def latencies_of(groups: Mapping[str, Sequence[Record]]) -> dict[str, list[Bar]]:
    """By protocol, the fastest model first; of the machine that measured last among those that have any."""
    found: dict[str, list[Bar]] = {}
    for records in groups.values():
        here: dict[str, list[Bar]] = {}
        for record in sorted(filter(is_timed, records), key=lambda record: record.measurements["latency_s"].value):
            latency, estimated = whiskers(record.measurements["latency_s"]), is_estimated(record)
            here.setdefault(record.protocol.name, []).append(Bar(record.model, latency, estimated))
        found = here | found
    return found


def is_timed(record: Record) -> bool:
    kept = record.status == "ok" and record.protocol.collects in ("timings", "composed") and not record.protocol.study
    return kept and "latency_s" in record.measurements


def quality_against_cost(groups: Mapping[str, Sequence[Record]]) -> dict[str, Panel]:
    """The panels of the study "trade-off", of the machine that measured last among those that have any."""
    for records in groups.values():
        answers = answers_of(STUDIES["trade-off"], records, settings_in_use(records))
        if panels := cost_panels(answers):
            return panels
    return {}


# -- how it is drawn ---------------------------------------------------------------------------------------------------


def colours() -> dict[str, str]:
    """The page's colours by name ("series-1"), of its light scheme."""
    css = (HERE / "page.css").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for name, value in re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{3,8})", css):
        found.setdefault(name, value)
    return found


def canvas(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure that belongs to no window: pyplot, which keeps figures, is not used."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def spread(found: Interval) -> list[list[float]]:
    """What `errorbar` takes: the distances to both ends."""
    return [[found.value - found.low], [found.high - found.value]]


def point(axes: Axes, x: float, y: float, shape: str, colour: str, hollow: bool, **errors: Any) -> None:
    face = "white" if hollow else colour
    axes.errorbar(x, y, fmt=MARKS.get(shape, shape), color=colour, mfc=face, ms=4, lw=1, **errors)


def name_rows(axes: Axes, labels: Sequence[str], x_label: str) -> None:
    """A row per label, the first on top, over a logarithmic axis."""
    axes.set(xscale="log", xlabel=x_label, yticks=range(len(labels)), yticklabels=labels)
    axes.invert_yaxis()


def speedup_figure(rows: Sequence[Row], width: float) -> Figure:
    """A row per model that TransDiff was compared with: printed numbers with their bands, measured ones beside."""
    palette = colours()
    figure, (axes,) = canvas(width, 0.7 + 0.55 * len(rows))
    for place, row in enumerate(rows):
        for printed in row.printed:
            axes.fill_betweenx(
                [place - 0.4, place + 0.4], printed.low, printed.high, color=palette["printed"], alpha=0.28
            )
            axes.plot([printed.value] * 2, [place - 0.4, place + 0.4], color=palette["printed"], lw=1.8)
        for line, (kind, found) in enumerate(row.measured):
            shape, colour, hollow, _ = KINDS[kind]
            y = place - 0.3 + 0.6 * (line + 0.5) / len(row.measured)
            point(axes, found.value, y, shape, palette[colour], hollow, xerr=spread(found))
            beside = (max(found.high, found.value), y)
            axes.annotate(times_text(found.value), beside, (4, 0), textcoords="offset points", va="center", fontsize=6)
    axes.axvline(1, color=palette["ink"], lw=1)
    name_rows(axes, [row.label for row in rows], "TransDiff: how many times as fast")
    used = {kind for row in rows for kind, _ in row.measured}
    axes.plot([], [], color=palette["printed"], lw=5, alpha=0.4, label="printed, with what counts as reproduced")
    for kind in (kind for kind in KINDS if kind in used):
        shape, colour, hollow, words = KINDS[kind]
        axes.plot(
            [], [], MARKS.get(shape, shape), color=palette[colour], mfc="white" if hollow else None, ms=4, label=words
        )
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=7)
    return figure


def latency_figure(bars: Sequence[Bar], width: float) -> Figure:
    """A row per model, the fastest first; estimated latencies are hollow."""
    palette = colours()
    figure, (axes,) = canvas(width, 0.6 + 0.2 * len(bars))
    for place, bar in enumerate(bars):
        colour, found = palette[colour_of(bar.model)], bar.latency_s
        point(axes, found.value, place, marker_of(bar.model), colour, bar.estimated, xerr=spread(found))
        text = number(found.value, found.low, found.high)
        axes.annotate(text, (found.high, place), (4, 0), textcoords="offset points", va="center", fontsize=6)
    what = "estimated latency of one image" if all(bar.estimated for bar in bars) else "latency of one call"
    axes.margins(x=0.12)
    name_rows(axes, [bar.model for bar in bars], f"{what}, s (left is better)")
    return figure


def cost_figure(panels: Mapping[str, Panel], width: float) -> Figure:
    """FID against every kind of cost, side by side."""
    palette = colours()
    figure, every = canvas(width, 0.55 * width if len(panels) > 1 else 0.75 * width, len(panels))
    for axes, (kind, panel) in zip(every, panels.items(), strict=True):
        for line in panel.lines:
            colour, shape = palette[colour_of(line.model)], marker_of(line.model)
            x, y = [x for x, _ in line.points], [y.value for _, y in line.points]
            axes.plot(x, y, color=colour, lw=1, alpha=0.7)
            for at, found in line.points:
                point(axes, at, found.value, shape, colour, False, yerr=spread(found))
            axes.plot([], [], MARKS.get(shape, shape), color=colour, ms=4, label=line.label)
        if panel.level:
            axes.axhspan(panel.level.low, panel.level.high, color=palette["muted"], alpha=0.15)
            axes.axhline(panel.level.value, color=palette["muted"], lw=1, ls="--")
        if panel.front:
            axes.plot([x for x, _ in panel.front], [y for _, y in panel.front], color=palette["ink"], lw=0.8)
        axes.set(xscale="log", yscale="log", xlabel=AXES[kind].replace(", logarithmic", ""))
    every[0].set_ylabel("FID (lower is better)")
    handles, labels = every[0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside upper center", ncols=4, frameon=False, fontsize=7)
    return figure
