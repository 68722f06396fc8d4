"""Small multiples of lines with intervals: a number over a setting, quality over cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.report.charts.svg import (
    FONT,
    NARROW,
    Axis,
    Chart,
    axis_over,
    colour_of,
    marker_of,
    text_width,
    tick_text,
    whiskers,
    wrapped,
    x_axis,
    y_axis,
)
from bench.stats import Interval

LEGEND, TITLE, PANEL, FOOT, LABEL = 17, 18, 92, 20, 18  # heights in pixels
LEFT = 38  # of the axis
BETWEEN = 4  # the labels of two ticks, at least


@dataclass(frozen=True)
class Line:
    """Values of one model, or of one of its networks."""

    model: str  # its family's colour and marker
    points: Sequence[tuple[float, Interval]]
    thin: bool = False  # without markers
    label: str = ""  # in the legend; "": none

    def ends(self, x: str = "") -> str:
        """The first and the last value, as "1.2 to 6.5"; x: its name, as in "1.2 at T = 1 to 6.5 at T = 64"."""
        ends = dict.fromkeys((self.points[0], self.points[-1]))
        return " to ".join(f"{y.value:.3g}" + (f" at {x} = {at}" if x else "") for at, y in ends)


@dataclass(frozen=True)
class Panel:
    """Lines over one axis."""

    title: str
    lines: Sequence[Line]
    log_x: bool = False
    log_y: bool = False
    level: Interval | None = None  # a value to compare with: dashed in the band of its interval
    in_use: float | None = None  # the x in use: dotted
    front: Sequence[tuple[float, float]] = ()  # corners of the Pareto front
    height: float = PANEL


def lines_chart(panels: Sequence[Panel], x_label: str, description: str, columns: int = 2) -> Markup:
    """`columns` panels to a row, one legend above all."""
    legend = list({line.label: line for panel in panels for line in panel.lines if line.label}.values())
    places = wrapped([24 + text_width(line.label) for line in legend], NARROW)
    top = LEGEND * (1 + max((row for row, _ in places), default=-1))
    height = top + math.ceil(len(panels) / columns) * (TITLE + panels[0].height + FOOT) + LABEL
    chart = Chart(NARROW, height, description)
    for (row, x), line in zip(places, legend, strict=True):
        y = LEGEND * (row + 0.5)
        chart.marker(x + 5, y, marker_of(line.model), colour_of(line.model))
        chart.text(x + 13, y, line.label)
    width = NARROW / columns
    for place, panel in enumerate(panels):
        row, column = divmod(place, columns)
        left = width * column + LEFT
        y0 = top + row * (TITLE + panel.height + FOOT)
        if panel.title:
            chart.text(left - LEFT + 2, y0 + TITLE / 2, panel.title, bold=True)
        draw_panel(chart, panel, left, width * (column + 1) - 6, y0 + TITLE, y0 + TITLE + panel.height)
    chart.text(NARROW / 2, height - LABEL / 2, x_label, "muted", "middle")
    return chart.svg()


def draw_panel(chart: Chart, panel: Panel, left: float, right: float, top: float, bottom: float) -> None:
    every = [(x, y) for line in panel.lines for x, y in line.points]
    shown = [bound for _, y in every for bound in (y.value, y.low, y.high)]
    shown += [panel.level.low, panel.level.high] if panel.level else []
    x_scale = axis_over([x for x, _ in every], left, right, log=panel.log_x)
    y_scale = axis_over(shown, bottom, top, log=panel.log_y, zero=not panel.log_y)
    y_axis(chart, y_scale, left, right)
    ends_of_x(chart, x_scale, sorted({x for x, _ in every}), top, bottom)
    if panel.level:
        chart.box(left, right, y_scale.at(panel.level.low), y_scale.at(panel.level.high), "muted", 0.15)
        y = y_scale.at(panel.level.value)
        chart.line([(left, y), (right, y)], "muted", 1.2, "5 3")
    if panel.in_use is not None:
        chart.line([(x_scale.at(panel.in_use), top), (x_scale.at(panel.in_use), bottom)], "ink", 1, "1 3")
    if panel.front:
        corners = [(x_scale.at(x), y_scale.at(y)) for x, y in panel.front]
        chart.line([(corners[0][0], top), *corners, (right, corners[-1][1])], "ink", 1.2, opacity=0.7)
    for line in panel.lines:
        draw_line(chart, line, x_scale, y_scale)


def draw_line(chart: Chart, line: Line, x_scale: Axis, y_scale: Axis) -> None:
    colour = colour_of(line.model)
    at = [(x_scale.at(x), y_scale.at(y.value), y) for x, y in line.points if math.isfinite(y.value)]
    if len(at) > 1:
        chart.line([(x, y) for x, y, _ in at], colour, 1 if line.thin else 1.6, opacity=0.55 if line.thin else 1)
    for x, y, found in at if not line.thin else ():
        whiskers(chart, y_scale, found, x, colour, 1.2, upright=True)
        chart.marker(x, y, marker_of(line.model), colour, 3.4)


def ends_of_x(chart: Chart, axis: Axis, values: Sequence[float], top: float, bottom: float) -> None:
    """The values themselves, or every second, as ticks where they are few and fit, else round ones."""
    room = axis.stop - axis.start
    for shown in (values, values[::2]):
        if len(values) <= 8 and sum(text_width(tick_text(v)) + 6 for v in shown) <= room + 20:
            if crowded(axis, shown):
                continue
            for value in shown:
                x = axis.at(value)
                chart.line([(x, top), (x, bottom)], "rule", 1)
                chart.text(x, bottom + 10, tick_text(value), "muted", "middle")
            return
    x_axis(chart, axis, top, bottom, most=max(2, int(room / (5 * FONT))))


def crowded(axis: Axis, values: Sequence[float]) -> bool:
    pairs = itertools.pairwise(values)
    widths = {value: text_width(tick_text(value)) for value in values}
    return any(axis.at(b) - axis.at(a) < (widths[a] + widths[b]) / 2 + BETWEEN for a, b in pairs)
