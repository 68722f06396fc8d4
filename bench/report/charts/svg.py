"""A chart as SVG, in CSS pixels: text stays text in the page's font, colours are the page's variables.

Drawn here and not by a plotting library: the page's charts are lines, markers and bands, and importing matplotlib alone
took as long as reading, judging and setting everything else. Models are told apart by marker and label, never by colour
alone; one family has one colour on the whole page.
"""

from __future__ import annotations

import base64
import html
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from bench.analysis.evidence import Trace
from bench.report.families import place_of
from bench.stats import Interval

NARROW = 300  # what a telephone of 360 px has for a chart inside a card: its text is shrunk to 11 px at most
FONT = 12
MARKERS = "osdv^xph*"  # one per family, in the order of FAMILIES
SHAPES = {  # corners of a marker around (0, 0), for a radius of 1
    "s": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "d": ((0, -1.15), (1.0, 0), (0, 1.15), (-1.0, 0)),
    "v": ((-1, -0.8), (1, -0.8), (0, 1.05)),
    "^": ((-1, 0.8), (1, 0.8), (0, -1.05)),
    "x": (
        *((-1, -0.35), (-0.35, -1), (0, -0.6), (0.35, -1), (1, -0.35), (0.6, 0)),
        *((1, 0.35), (0.35, 1), (0, 0.6), (-0.35, 1), (-1, 0.35), (-0.6, 0)),
    ),
    "p": tuple((1.05 * math.sin(a), -1.05 * math.cos(a)) for a in (2 * math.pi * i / 5 for i in range(5))),
    "h": tuple((1.05 * math.sin(a), -1.05 * math.cos(a)) for a in (math.pi * i / 3 for i in range(6))),
    "*": tuple(
        (
            (1.2 if i % 2 == 0 else 0.5) * math.sin(math.pi * i / 5),
            -(1.2 if i % 2 == 0 else 0.5) * math.cos(math.pi * i / 5),
        )
        for i in range(10)
    ),
}


def colour_of(model: str) -> str:
    return f"series-{place_of(model) + 1}"


def marker_of(model: str) -> str:
    return MARKERS[place_of(model)]


# -- axes --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """Data between `low` and `high` as pixels between `start` and `stop`."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        """Held within the axis, so that an interval that leaves it ends at its border."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values, at most so many."""
        if not self.log:
            raw = (self.high - self.low) / most
            scale = 10 ** math.floor(math.log10(raw))
            step = next(scale * m for m in (1, 2, 2.5, 5, 10) if scale * m >= raw * 0.999)
            first = math.ceil(self.low / step - 1e-9)
            return [round(k * step, 12) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for factors in ((1, 2, 5), (1, 3), (1,)):
            ticks = [factor * 10.0**decade for decade in decades for factor in factors]
            found = [tick for tick in ticks if self.low * 0.999 <= tick <= self.high * 1.001]
            if len(found) <= most:
                break
        return found[:: math.ceil(len(found) / most)] if found else [self.low]


def axis_over(values: Iterable[float], start: float, stop: float, *, log: bool, zero: bool = False) -> Axis:
    """An axis that holds the values with some room at either end; from 0 on where `zero`."""
    kept = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = min(kept, default=1.0), max(kept, default=2.0)
    if log:
        room = max((high / low) ** 0.06, 1.05)
        return Axis(low / room, high * room, start, stop, log=True)
    room = 0.07 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(0.0 if zero and low >= 0 else low - room, high + room, start, stop)


def tick_text(value: float) -> str:
    """As "0.2", "1,000", "100 M"."""
    for letter, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if abs(value) >= size:
            return f"{value / size:,.4g} {letter}".replace("-", "−")
    return f"{float(f'{value:.6g}'):,.10g}".replace("-", "−")


def text_width(text: str) -> float:
    """Width in pixels, on the safe side for the common system fonts."""
    return 0.56 * FONT * len(text)


def wrapped(widths: Iterable[float], room: float, start: float = 0.0, gap: float = 0.0) -> list[tuple[int, float]]:
    """(row, left end) of entries that fill rows of `room` pixels one after the other."""
    found: list[tuple[int, float]] = []
    row, x = 0, start
    for width in widths:
        if x > start and x + width > room:
            row, x = row + 1, start
        found.append((row, x))
        x += width + gap
    return found


# -- drawing -----------------------------------------------------------------------------------------------------------


@dataclass
class Chart:
    """What is drawn is appended; `svg` closes it."""

    width: float
    height: float
    description: str
    drawn: list[str] = field(default_factory=list)

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.5, dash: str = "", opacity: float = 1
    ) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        more = (f' stroke-dasharray="{dash}"' if dash else "") + (f' opacity="{opacity:g}"' if opacity < 1 else "")
        self.drawn.append(
            f'<polyline points="{path}" fill="none" stroke="var(--{colour})" stroke-width="{width:g}"{more}/>'
        )

    def box(self, x0: float, x1: float, y0: float, y1: float, colour: str, opacity: float = 1) -> None:
        left, top = min(x0, x1), min(y0, y1)
        self.drawn.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(abs(x1 - x0), 1):.1f}" height="{max(abs(y1 - y0), 1):.1f}"'
            f' fill="var(--{colour})" opacity="{opacity:g}"/>'
        )

    def marker(self, x: float, y: float, shape: str, colour: str, radius: float = 4, hollow: bool = False) -> None:
        fill = "var(--paper)" if hollow else f"var(--{colour})"
        style = f'fill="{fill}" stroke="var(--{colour})" stroke-width="1.4"'
        if shape == "o":
            self.drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {style}/>')
        else:
            corners = " ".join(f"{x + radius * dx:.1f},{y + radius * dy:.1f}" for dx, dy in SHAPES[shape])
            self.drawn.append(f'<polygon points="{corners}" {style}/>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        colour: str = "ink",
        anchor: str = "start",
        *,
        bold: bool = False,
        trace: Trace | None = None,
    ) -> None:
        """`y` is the middle of the line; trace: where a number stands that the text prints."""
        more = ' font-weight="600"' if bold else ""
        if trace:
            more += f' data-value="{trace.value}" data-record="{trace.place}" data-key="{html.escape(trace.key)}"'
        self.drawn.append(
            f'<text x="{x:.1f}" y="{y + 0.36 * FONT:.1f}" text-anchor="{anchor}" fill="var(--{colour})"{more}>'
            f"{html.escape(text)}</text>"
        )

    def svg(self) -> Markup:
        return Markup(
            f'<svg role="img" aria-label="{html.escape(self.description)}" viewBox="0 0 {self.width:g} '
            f'{self.height:g}" font-size="{FONT}">{"".join(self.drawn)}</svg>'
        )


def x_axis(chart: Chart, axis: Axis, top: float, bottom: float, most: int = 6) -> None:
    """Grid lines with their values below."""
    for tick in axis.ticks(most):
        x = axis.at(tick)
        chart.line([(x, top), (x, bottom)], "rule", 1)
        chart.text(x, bottom + 10, tick_text(tick), "muted", "middle")


def y_axis(chart: Chart, axis: Axis, left: float, right: float, most: int = 4) -> None:
    for tick in axis.ticks(most):
        y = axis.at(tick)
        chart.line([(left, y), (right, y)], "rule", 1)
        chart.text(left - 4, y, tick_text(tick), "muted", "end")


def whiskers(
    chart: Chart, axis: Axis, found: Interval, across: float, colour: str, width: float, *, upright: bool = False
) -> None:
    """An interval along an axis; across: where on the other one."""
    if math.isfinite(found.low) and found.high > found.low:
        ends = [(axis.at(bound), across) for bound in (found.low, found.high)]
        chart.line([(y, x) for x, y in ends] if upright else ends, colour, width)


def standalone(svg: str, colours: str) -> str:
    """The chart as a file of its own; `colours`: the page's rules that set its colour variables."""
    text = 'font-family: system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; paint-order: stroke; '
    text += "stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round"  # lines do not strike labels through
    head = f"<style>{colours} text {{ {text} }}</style>"
    svg = str(svg)  # Markup escapes what is added to it
    start = svg.index(">") + 1
    opening = svg[:start].replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f'{opening}{head}<rect width="100%" height="100%" fill="var(--paper)"/>{svg[start:]}\n'


def png_size(encoded: str) -> tuple[int, int] | None:
    """Width and height of a base64 PNG, None where it is not one."""
    try:
        head = base64.b64decode(encoded[:64], validate=True)
    except ValueError:
        return None
    return struct.unpack(">II", head[16:24]) if head.startswith(b"\x89PNG") and len(head) >= 24 else None  # type: ignore[return-value]
