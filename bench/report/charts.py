"""The report's charts: matplotlib SVG, inlined, whose colours are variables of the page (dark, light and print alike).

matplotlib is given stand-in colours, which `inline_svg` turns into `var(--name)`; text stays text, in the page's font.
Models are told apart by marker and by a label beside it, never by colour alone.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.formatting import display_unit, quantity
from bench.verdict import Interval

NUM_SERIES = 8  # colours in page.css; the ninth model takes the first again, with another marker
MARKERS = "osD^vPX*hp<>"
COLOURS = {
    "ink": "#010101",
    "muted": "#020202",
    "rule": "#030303",
    **{f"series-{i}": f"#0a0a{i:02x}" for i in range(NUM_SERIES)},
}
MAX_DOTS = 150  # rounds drawn per model: beyond that, as many evenly spaced quantiles
WIDTH_IN = 5.2  # narrow, so that text stays legible when the chart shrinks to a telephone's width
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "arbiter",  # the same records give the same bytes
    "font.size": 9,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.7,
}


@dataclass(frozen=True)
class Point:
    """One model in the quality-against-latency chart."""

    label: str
    series: int  # its place in the report's list of models: colour and marker
    latency_s: Interval
    fid: Interval


def latency_chart(rounds_s: Mapping[str, Sequence[float]], series: Mapping[str, int], name: str) -> str:
    """One row per model: every timed round as a dot, the median as a bar, the 90th percentile as a tick.

    `name` sets the ids of this chart apart from those of others on the page.
    """
    models = list(rounds_s)
    medians = [float(np.median(rounds_s[model])) for model in models]
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=max(2.4, 0.7 + 0.4 * len(models)), left_pt=12 + text_width(models), right_pt=48)
        for row, model in enumerate(models):
            colour = COLOURS[f"series-{series[model] % NUM_SERIES}"]
            rounds = np.asarray(rounds_s[model], dtype=np.float64)
            p90 = np.quantile(rounds, 0.9)
            if len(rounds) > MAX_DOTS:
                rounds = np.quantile(rounds, np.linspace(0, 1, MAX_DOTS))
            height = 0.28 * np.random.default_rng(row).uniform(-1, 1, len(rounds))  # so that equal rounds stay apart
            axes.scatter(rounds, row + height, s=7, color=colour, alpha=0.4, linewidths=0)
            axes.vlines(medians[row], row - 0.38, row + 0.38, color=colour, linewidth=2.4)
            axes.vlines(p90, row - 0.24, row + 0.24, color=colour, linewidth=1.1)
            label = quantity("latency_s", medians[row])
            axes.text(1.02, row, label, transform=axes.get_yaxis_transform(), va="center")
        axes.set_yticks(range(len(models)), models)
        axes.set_ylim(len(models) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        seconds_axis(axes, [value for rounds in rounds_s.values() for value in rounds])
        axes.set_xlabel("time of one image at batch 1, logarithmic")
        numbers = ", ".join(f"{model} {quantity('latency_s', m)}" for model, m in zip(models, medians, strict=True))
        return inline_svg(axes, name, f"Timed rounds of each model on a logarithmic axis. Medians: {numbers}.")


def quality_chart(points: Sequence[Point], floor: Interval | None, name: str) -> str:
    """FID against latency, with 95 % intervals; the real-data floor as a line."""
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=3.4, left_pt=42, right_pt=6)
        seconds_axis(axes, [point.latency_s.value for point in points], margin=1.9)
        tops = [point.fid.high for point in points] + ([floor.high] if floor else [])
        axes.set_ylim(0, 1.12 * max(tops))
        if floor:
            axes.axhspan(floor.low, floor.high, color=COLOURS["muted"], alpha=0.15, linewidth=0)
            axes.axhline(floor.value, color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3)))
        for point in points:
            latency_s, fid = point.latency_s, point.fid
            axes.errorbar(
                latency_s.value,
                fid.value,
                xerr=[[latency_s.value - latency_s.low], [latency_s.high - latency_s.value]],
                yerr=[[fid.value - fid.low], [fid.high - fid.value]],
                fmt=MARKERS[point.series % len(MARKERS)],
                color=COLOURS[f"series-{point.series % NUM_SERIES}"],
                markersize=6.5,
                elinewidth=1.2,
                capsize=2.5,
            )
        axes.set_xlabel("median time of one image at batch 1, logarithmic (left is better)")
        axes.set_ylabel("FID (lower is better)")
        label_points(axes, points, floor)
        numbers = ", ".join(
            f"{point.label} {quantity('latency_s', point.latency_s.value)} at FID {quantity('fid', point.fid.value)}"
            for point in points
        )
        return inline_svg(axes, name, f"FID against median latency. {numbers}.")


def new_axes(*, height_in: float, left_pt: float, right_pt: float) -> Axes:
    """Axes with margins in points: a layout engine would draw everything twice more to find them."""
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=72)  # a pixel is a point, as in the SVG
    width_pt, height_pt = 72 * WIDTH_IN, 72 * height_in
    left, bottom = left_pt / width_pt, 38 / height_pt
    return figure.add_axes((left, bottom, 1 - left - right_pt / width_pt, 1 - bottom - 6 / height_pt))


def text_width(texts: Sequence[str]) -> float:
    """Width in points of the longest text, on the safe side for the common system fonts."""
    return 5.4 * max(len(text) for text in texts)


def seconds_axis(axes: Axes, values: Sequence[float], margin: float = 1.25) -> None:
    """A logarithmic x axis in seconds, with ticks like "20 ms"."""

    def tick(value: float, _: int) -> str:
        unit = display_unit("latency_s", [value * 1.001])  # 0.001 s is 1 ms, whatever its last binary digit
        return f"{value / unit.size:.3g} {unit.symbol}"

    axes.set_xscale("log")
    axes.set_xlim(min(values) / margin, max(values) * margin)
    decades = np.log10(max(values) / min(values) * margin**2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1.3 else (1, 3) if decades < 2.5 else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def label_points(axes: Axes, points: Sequence[Point], floor: Interval | None) -> None:
    """The names beside their points, each at the nearest place that covers no marker and no other name."""
    frame = axes.get_window_extent()

    def place(x: float, y: float) -> tuple[float, float]:
        return tuple(axes.transData.transform((x, y)))

    taken: list[tuple[float, float, float, float]] = []  # left, right, bottom, top, in points
    for point in points:
        x, y = place(point.latency_s.value, point.fid.value)
        low, high = (place(point.latency_s.value, fid)[1] for fid in (point.fid.low, point.fid.high))
        taken += [(x - 5, x + 5, y - 5, y + 5), (x - 3, x + 3, low, high)]

    def free(left: float, width: float, middle: float) -> bool:
        """Whether a name fits there; if so it is taken."""
        box = (left, left + width, middle - 5.5, middle + 5.5)
        inside = left >= frame.x0 and left + width <= frame.x1 and middle > frame.y0 + 6
        if not inside or any(box[0] < b[1] and b[0] < box[1] and box[2] < b[3] and b[2] < box[3] for b in taken):
            return False
        taken.append(box)
        return True

    if floor:
        text, y = "real held-out scans", place(axes.get_xlim()[0], floor.high)[1] + 7
        width = text_width([text])
        x = next((x for x in (frame.x1 - width, frame.x0 + 4) if free(x, width, y)), frame.x1 - width)
        annotate(axes, text, x, y, COLOURS["ink"])
    for point in points:
        x, y = place(point.latency_s.value, point.fid.value)
        width = text_width([point.label])
        steps = sorted((step for step in range(-60, 61, 3)), key=abs)
        spots = [(left, y + step) for step in steps for left in (x + 9, x - 9 - width)]
        left, middle = next((spot for spot in spots if free(spot[0], width, spot[1])), spots[0])
        colour = COLOURS[f"series-{point.series % NUM_SERIES}"]
        leader = None if abs(middle - y) < 5 else (x, y, left + width * (left < x))
        annotate(axes, point.label, left, middle, colour, leader)


def annotate(
    axes: Axes, text: str, left: float, middle: float, colour: str, leader: tuple[float, float, float] | None = None
) -> None:
    """`text` at a place in points; `leader` is a thin line from a point (x, y) to the text's near end."""
    if leader:
        x, y, end = leader
        start, stop = axes.transData.inverted().transform([(x, y), (end, middle)])
        axes.plot(*zip(start, stop, strict=True), color=COLOURS["muted"], linewidth=0.6, zorder=1)
    axes.annotate(text, (left, middle), xycoords="figure points", va="center", color=colour)


def inline_svg(axes: Axes, name: str, description: str) -> str:
    """The figure of `axes` as an <svg> to set into HTML: described, coloured by the page, with ids of its own."""
    file = io.StringIO()
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes made by new_axes"
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Type": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| version="[^"]*"', "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for variable, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(description)}"', 1)
