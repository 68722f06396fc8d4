"""The picture: printed against measured speed-ups on one logarithmic axis; and the bar of a claim's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.analysis.evidence import Trace
from bench.formatting import number
from bench.report.charts.svg import FONT, NARROW, Axis, Chart, axis_over, text_width, whiskers, wrapped, x_axis
from bench.stats import Interval

WIDE = 700
ROW, BETWEEN = 19, 13  # pixels of a line of a row, and between rows
KINDS = {  # kind of evidence -> marker, colour, whether it is hollow, word in the legend
    "paper": ("d", "series-1", False, "paper's size, measured"),
    "estimated": ("d", "series-1", True, "paper's size, estimated"),
    "flops": ("s", "series-4", True, "paper's size, FLOPs alone"),
    "small": ("o", "series-2", False, "small models, measured"),
}


@dataclass(frozen=True)
class Printed:
    """A printed number with the band that counts as reproduced."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """TransDiff against one other model."""

    label: str
    printed: Sequence[Printed]
    measured: Sequence[tuple[str, Interval]]  # kind of evidence, how many times as fast
    traces: Sequence[Trace] = ()  # where each of these stands; (): nowhere


def speedups_chart(rows: Sequence[Row], width: float = WIDE) -> Markup:
    """A row per model that TransDiff was compared with; `width` in pixels."""
    wide = width > NARROW
    left = 10 + max(text_width(row.label) for row in rows) if wide else 8
    per_row = [max(1, len(row.measured)) * ROW / 1.35 + (0 if wide else ROW) + BETWEEN for row in rows]
    kinds = [kind for kind in KINDS if any(kind == found for row in rows for found, _ in row.measured)]
    legend = legend_of(["printed", *kinds], width)
    top = 20 * (1 + max(row for row, *_ in legend)) + 22
    height = top + sum(per_row) + 40
    chart = Chart(width, height, describe(rows))
    bounds = [b for row in rows for p in row.printed for b in (p.low, p.high)] + [1.0]
    bounds += [b for row in rows for _, found in row.measured for b in (found.low, found.value, found.high)]
    axis = axis_over(bounds, left + 6, width - 10, log=True)
    draw_legend(chart, legend)
    bottom = height - 36
    x_axis(chart, axis, top, bottom, most=9 if wide else 6)
    chart.line([(axis.at(1), top - 4), (axis.at(1), bottom)], "ink", 1.6)
    chart.text(axis.at(1) - 6, top - 12, "slower", "muted", "end")
    chart.text(axis.at(1) + 6, top - 12, "faster", "muted")
    chart.text((left + width) / 2, height - 9, "TransDiff: how many times as fast (logarithmic)", "muted", "middle")
    y: float = top
    for row, extent in zip(rows, per_row, strict=True):
        draw_row(chart, axis, row, y + BETWEEN / 2, y + extent - BETWEEN / 2, wide, left)
        y += extent
    return chart.svg()


def draw_row(chart: Chart, axis: Axis, row: Row, top: float, bottom: float, wide: bool, left: float) -> None:
    if wide:
        chart.text(left - 4, (top + bottom) / 2, row.label, anchor="end", bold=True)
    else:
        chart.text(2, top + ROW / 2 - 2, row.label, bold=True)
        top += ROW - 2
    for printed in row.printed:
        draw_printed(chart, axis, printed, top, bottom)
    label_printed(chart, axis, row.printed, top - 6)
    step = (bottom - top) / max(1, len(row.measured))
    for place, (kind, found) in enumerate(row.measured):
        trace = row.traces[place] if row.traces else None
        trace = trace.inverted if trace and found.value < 1 else trace
        draw_found(chart, axis, kind, found, top + step * (place + 0.5), 4.6, times_text(found.value), trace)


def draw_printed(chart: Chart, axis: Axis, printed: Printed, top: float, bottom: float) -> None:
    chart.box(axis.at(printed.low), axis.at(printed.high), top, bottom, "printed", 0.28)
    chart.line([(axis.at(printed.value), top), (axis.at(printed.value), bottom)], "printed", 2.4)


def draw_found(
    chart: Chart,
    axis: Axis,
    kind: str,
    found: Interval,
    y: float,
    radius: float,
    text: str,
    trace: Trace | None = None,
) -> None:
    """The text stands to the right of the interval, or to its left where there is no room."""
    shape, colour, hollow, _ = KINDS[kind]
    whiskers(chart, axis, found, y, colour, 1.4)
    chart.marker(axis.at(found.value), y, shape, colour, radius, hollow)
    right, left = axis.at(max(found.high, found.value)) + 9, axis.at(min(found.low, found.value)) - 9
    if text and right + text_width(text) > chart.width:
        chart.text(left, y, text, "ink", "end", trace=trace)
    elif text:
        chart.text(right, y, text, trace=trace)


def label_printed(chart: Chart, axis: Axis, printed: Sequence[Printed], y: float) -> None:
    """ "x112" above each printed number; where two would touch, one label for both."""
    labels: list[tuple[float, str]] = []
    for each in sorted(printed, key=lambda each: each.value):
        x, text = axis.at(each.value), f"x{each.value:g}"
        if labels and x - labels[-1][0] < (text_width(text) + text_width(labels[-1][1])) / 2 + 6:
            x, text = (x + labels[-1][0]) / 2, f"{labels.pop()[1]}, {text}"
        labels.append((x, text))
    for x, text in labels:
        half = text_width(text) / 2
        chart.text(min(x, chart.width - half), y, text, anchor="middle", bold=True)


def times_text(times: float) -> str:
    """As "4.7" or "1/14"."""
    return f"{times:.3g}" if times >= 1 else f"1/{1 / times:.3g}"


def legend_of(kinds: Sequence[str], width: float) -> list[tuple[int, float, str, str]]:
    """(row, left end, kind, words) of each entry."""
    words = ["printed, with what counts as reproduced" if kind == "printed" else KINDS[kind][3] for kind in kinds]
    places = wrapped([24 + text_width(each) for each in words], width, start=2.0, gap=4)
    return [(*place, kind, each) for place, kind, each in zip(places, kinds, words, strict=True)]


def draw_legend(chart: Chart, legend: Sequence[tuple[int, float, str, str]]) -> None:
    for row, x, kind, words in legend:
        y = 20 * row + 9
        if kind == "printed":
            chart.box(x, x + 14, y - 6, y + 6, "printed", 0.28)
            chart.line([(x + 7, y - 6), (x + 7, y + 6)], "printed", 2.4)
        else:
            shape, colour, hollow, _ = KINDS[kind]
            chart.marker(x + 7, y, shape, colour, 4.6, hollow)
        chart.text(x + 18, y, words)


def describe(rows: Sequence[Row]) -> str:
    """The chart in words, for who cannot see it."""
    parts = []
    for row in rows:
        numbers = [f"{KINDS[kind][3]} {number(found.value)}" for kind, found in row.measured]
        parts.append(f"{row.label}: {', '.join([*(f'printed x{p.value:g}' for p in row.printed), *numbers])}")
    return f"Printed and measured speed-ups of TransDiff. {'; '.join(parts)}."


def claim_bar(
    printed: Printed | None, measured: Sequence[tuple[str, str, Interval]], neutral: float, *, log: bool
) -> Markup:
    """A claim at a glance: the printed band, what was measured, and a line where neither side wins.

    measured: kind of evidence, label, number with its interval.
    """
    height = 15 * max(1, len(measured)) + 26
    bounds = [b for *_, found in measured for b in (found.low, found.value, found.high)] + [neutral]
    bounds += [printed.low, printed.high] if printed else []
    axis = axis_over(bounds, 12, NARROW - 12, log=log)
    words = [f"measured {number(found.value)} ({KINDS[kind][3]}) {label}".rstrip() for kind, label, found in measured]
    words = ([f"printed {printed.value:g}"] if printed else []) + words
    chart = Chart(NARROW, height, f"{'; '.join(words)}.")
    bottom = height - 20
    x_axis(chart, axis, 2, bottom, most=5)
    chart.line([(axis.at(neutral), 2), (axis.at(neutral), bottom)], "ink", 1.4)
    if printed:
        draw_printed(chart, axis, printed, 2, bottom)
    for place, (kind, label, found) in enumerate(measured):
        draw_found(chart, axis, kind, found, 2 + (bottom - 2) * (place + 0.5) / len(measured), FONT / 2.7, label)
    return chart.svg()
