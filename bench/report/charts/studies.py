"""The charts of the studies: FID against cost with the front, panels over a setting, one dot per trained network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.analysis.seeds import Seeds, mean_over_training_seeds
from bench.formatting import quantity
from bench.report.charts.drawing import (
    COLOURS,
    MARKERS,
    STYLE,
    WIDTH_IN,
    Box,
    Name,
    Point,
    colour_of,
    cost_axis,
    covered,
    draw_floor,
    draw_point,
    inline_svg,
    new_axes,
    set_names,
    text_width,
)
from bench.stats import Interval

T = TypeVar("T")  # a panel of any kind
PANEL_HEIGHT_IN = 1.45
X_LABEL_IN = 0.25  # height of the label below all panels


# -- FID against cost --------------------------------------------------------------------------------------------------


def cost_chart(
    lines: Mapping[str, Sequence[Sequence[Point]]],
    front: Sequence[Point],
    floor: Interval | None,
    metric: str,
    x_label: str,
    name: str,
) -> str:
    """FID against cost, both logarithmic: the runs of a model joined by lines, the front as a staircase.

    lines: by model, runs in the order of the setting that moves along a line.  front: the cheapest first.
    """
    points = [point for found in lines.values() for line in found for point in line]
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=4.4, left_pt=42, right_pt=6)
        cost_axis(axes, metric, [point.cost.value for point in points], margin=1.6)
        fid_axis(axes, [point.fid for point in points] + ([floor] if floor else []))
        draw_floor(axes, floor)
        corners = staircase(front, axes)
        axes.plot(*zip(*corners, strict=True), color=COLOURS["ink"], linewidth=1, alpha=0.75, zorder=1)
        for found in lines.values():
            for line in found:
                path = [(point.cost.value, point.fid.value) for point in line]
                axes.plot(*zip(*path, strict=True), color=colour_of(line[0].series), linewidth=1, alpha=0.55, zorder=2)
        for point in points:
            edge = {"markeredgecolor": COLOURS["ink"], "markeredgewidth": 1.2} if point in front else {}
            draw_point(axes, point, markersize=6 if edge else 4.5, elinewidth=0.7, capsize=0, **edge)
        axes.set_xlabel(x_label)
        axes.set_ylabel("FID, logarithmic (lower is better)")
        paths = [[(p.cost.value, p.fid.value) for p in line] for found in lines.values() for line in found]
        taken = covered(axes, points) + [box for path in [*paths, corners] for box in along(axes, path)]
        names = [
            Name(model, found[0][0].series, tuple((p.cost.value, p.fid.value) for line in found for p in line))
            for model, found in lines.items()
        ]
        names += [Name(p.remark, p.series, ((p.cost.value, p.fid.value),)) for p in front if p.remark]
        set_names(axes, names, floor, taken)
        on_front = ", ".join(f"{p.label} {quantity(metric, p.cost.value)} at FID {p.fid.value:.3g}" for p in front)
        return inline_svg(
            axes, name, f"FID against {x_label.split(',')[0]} for {len(points)} runs. On the Pareto front: {on_front}."
        )


def staircase(front: Sequence[Point], axes: Axes) -> list[tuple[float, float]]:
    """The corners of what no run beats: from the top of the chart down to its right end."""
    fids = [axes.get_ylim()[1], *(point.fid.value for point in front)]
    corners = [(p.cost.value, fid) for p, above in zip(front, fids, strict=False) for fid in (above, p.fid.value)]
    return [*corners, (axes.get_xlim()[1], fids[-1])]


def along(axes: Axes, path: Sequence[tuple[float, float]]) -> list[Box]:
    """Boxes that cover a line."""
    boxes = []
    for (x0, y0), (x1, y1) in itertools.pairwise(axes.transData.transform(path)):
        for share in np.linspace(0, 1, max(2, int(math.hypot(x1 - x0, y1 - y0) / 4))):
            x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
            boxes.append((x - 1.5, x + 1.5, y - 1.5, y + 1.5))
    return boxes


def fid_axis(axes: Axes, shown: Sequence[Interval]) -> None:
    """A logarithmic y axis that holds these values with the intervals that are above 0."""
    low = min(interval.low if interval.low > 0 else interval.value for interval in shown)
    high = max(interval.high for interval in shown)
    axes.set_yscale("log")
    axes.set_ylim(low / 1.2, high * 1.25)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y")


# -- panels ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Panel:
    """A measured value over a setting."""

    title: str
    series: int  # colour and marker
    x: tuple[float, ...]
    y: tuple[Interval, ...]
    thin: tuple[tuple[float, ...], ...] = ()  # further lines over the same x, NaN where there is no value
    in_use: float | None = None  # the x in use, marked
    level: Interval | None = None  # a value to compare with: dashed


def panels_chart(
    panels: Sequence[T], draw: Callable[[Axes, T], None], x_label: str, name: str, description: str
) -> str:
    """Two panels to a row, each drawn by `draw` on axes of its own."""
    with matplotlib.rc_context(STYLE):
        rows = math.ceil(len(panels) / 2)
        height_in = X_LABEL_IN + rows * PANEL_HEIGHT_IN
        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=72)
        for place, panel in enumerate(panels):
            row, column = divmod(place, 2)
            bottom = (height_in - (row + 1) * PANEL_HEIGHT_IN + 0.2) / height_in
            axes = figure.add_axes((0.095 + 0.5 * column, bottom, 0.385, (PANEL_HEIGHT_IN - 0.5) / height_in))
            draw(axes, panel)
        figure.text(0.5, 0.4 * X_LABEL_IN / height_in, x_label, ha="center", va="center", color=COLOURS["ink"])
        return inline_svg(axes, name, description)


def draw_panel(axes: Axes, panel: Panel) -> None:
    colour, values = colour_of(panel.series), [interval.value for interval in panel.y]
    if panel.in_use is not None:
        axes.axvline(panel.in_use, color=COLOURS["ink"], linewidth=0.9, linestyle=(0, (1, 2)))
    draw_floor(axes, panel.level)
    for line in panel.thin:
        axes.plot(panel.x, line, color=colour, linewidth=0.9, alpha=0.55)
    below = [interval.value - interval.low for interval in panel.y]
    above = [interval.high - interval.value for interval in panel.y]
    axes.errorbar(
        panel.x,
        values,
        yerr=[below, above],
        fmt=MARKERS[panel.series % len(MARKERS)] + "-",
        color=colour,
        markersize=4.5,
        linewidth=2.2 if panel.thin else 1.2,
        elinewidth=1,
        capsize=2,
    )
    axes.set_title(panel.title, loc="left", fontsize=9, color=colour, pad=4)
    axes.xaxis.set_major_locator(
        MaxNLocator(4, steps=[1, 2, 5, 10], integer=all(float(x).is_integer() for x in panel.x))
    )
    axes.margins(x=0.12, y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y")
    axes.set_axisbelow(True)


# -- training seeds ----------------------------------------------------------------------------------------------------


def seeds_chart(fids: Mapping[str, Mapping[Seeds, float]], series: Mapping[str, int], name: str) -> str:
    """One band per model: a row of dots per trained network, the mean as a bar, its interval as a line below."""
    models = list(fids)
    values = [fid for found in fids.values() for fid in found.values()]
    means = {model: mean_over_training_seeds(found) for model, found in fids.items()}
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=0.7 + 0.75 * len(models), left_pt=12 + text_width(models), right_pt=40)
        cost_axis(axes, "fid", values, margin=1.5)
        for row, model in enumerate(models):
            colour, mean = colour_of(series[model]), means[model]
            axes.axhline(row + 0.5, color=COLOURS["rule"], linewidth=0.7)
            for (training_seed, seed), fid in fids[model].items():
                height = row - 0.3 + 0.2 * training_seed
                face = colour if seed == 0 else "none"
                axes.scatter(fid, height, s=26, marker=MARKERS[series[model] % len(MARKERS)], color=colour, fc=face)
            axes.vlines(mean.value, row - 0.38, row + 0.38, color=colour, linewidth=2.2)
            if not math.isnan(mean.low):
                low = max(mean.low, axes.get_xlim()[0])
                axes.hlines(row + 0.3, low, mean.high, color=colour, linewidth=1.2)
            axes.text(1.02, row, f"{mean.value:.3g}", transform=axes.get_yaxis_transform(), va="center")
        axes.set_yticks(range(len(models)), models)
        axes.set_ylim(len(models) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("FID, logarithmic (lower is better)")
        numbers = ", ".join(f"{model} {mean.value:.3g}" for model, mean in means.items())
        return inline_svg(axes, name, f"FID of every trained network and sampling seed. Means: {numbers}.")
