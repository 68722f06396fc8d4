"""How every chart is drawn: matplotlib SVG, inlined, whose colours are variables of the page (dark, light, print).

matplotlib is given stand-in colours, which `inline_svg` turns into `var(--name)`; text stays text, in the page's font.
Models are told apart by marker and by a label beside it, never by colour alone.
"""

from __future__ import annotations

import base64
import html
import io
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.formatting import display_unit
from bench.stats import Interval

NUM_SERIES = 8  # colours in page.css; the ninth model takes the first again, with another marker
MARKERS = "osD^vPX*hp<>"
COLOURS = {
    "ink": "#010101",
    "muted": "#020202",
    "rule": "#030303",
    **{f"series-{i}": f"#0a0a{i:02x}" for i in range(NUM_SERIES)},
}
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
    """One run in a chart of FID against what an image costs."""

    label: str
    series: int  # its model's place in the report's list of models: colour and marker
    cost: Interval  # latency in seconds, or network evaluations
    fid: Interval
    remark: str = ""  # its settings in short


@dataclass(frozen=True)
class Name:
    """A name to be set beside one of several places, whichever is the freest; the first is tried first."""

    text: str
    series: int
    places: tuple[tuple[float, float], ...]  # x, y in data coordinates


Box = tuple[float, float, float, float]  # left, right, bottom, top, in points of the figure


def new_axes(*, height_in: float, left_pt: float, right_pt: float) -> Axes:
    """Axes with margins in points: a layout engine would draw everything twice more to find them."""
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=72)  # a pixel is a point, as in the SVG
    width_pt, height_pt = 72 * WIDTH_IN, 72 * height_in
    left, bottom = left_pt / width_pt, 38 / height_pt
    return figure.add_axes((left, bottom, 1 - left - right_pt / width_pt, 1 - bottom - 6 / height_pt))


def text_width(texts: Sequence[str]) -> float:
    """Width in points of the longest text, on the safe side for the common system fonts."""
    return 5.4 * max(len(text) for text in texts)


def cost_axis(axes: Axes, metric: str, values: Sequence[float], margin: float = 1.25) -> None:
    """A logarithmic x axis, with ticks like "20 ms" where `metric` is a time."""

    def tick(value: float, _: int) -> str:
        unit = display_unit(metric, [value * 1.001])  # 0.001 s is 1 ms, whatever its last binary digit
        return f"{float(f'{value / unit.size:.3g}'):,g} {unit.symbol}".rstrip()

    axes.set_xscale("log")
    axes.set_xlim(min(values) / margin, max(values) * margin)
    decades = np.log10(max(values) / min(values) * margin**2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1.3 else (1, 3) if decades < 2.5 else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(tick))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def draw_floor(axes: Axes, floor: Interval | None) -> None:
    """What real held-out images score: a dashed line in the band of its interval."""
    if floor:
        axes.axhspan(floor.low, floor.high, color=COLOURS["muted"], alpha=0.15, linewidth=0)
        axes.axhline(floor.value, color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3)))


def draw_point(axes: Axes, point: Point, **changes: Any) -> None:
    """The marker of a model with whiskers; `changes` are of matplotlib's errorbar."""
    cost, fid = point.cost, point.fid
    axes.errorbar(
        cost.value,
        fid.value,
        xerr=[[cost.value - cost.low], [cost.high - cost.value]],
        yerr=[[fid.value - fid.low], [fid.high - fid.value]],
        fmt=MARKERS[point.series % len(MARKERS)],
        color=colour_of(point.series),
        **{"markersize": 6.5, "elinewidth": 1.2, "capsize": 2.5, **changes},
    )


def colour_of(series: int) -> str:
    return COLOURS[f"series-{series % NUM_SERIES}"]


def covered(axes: Axes, points: Sequence[Point]) -> list[Box]:
    """Where the markers and whiskers lie."""
    boxes = []
    for point in points:
        (x, y), (_, low), (_, high) = axes.transData.transform(
            [(point.cost.value, fid) for fid in (point.fid.value, point.fid.low, point.fid.high)]
        )
        boxes += [(x - 5, x + 5, y - 5, y + 5), (x - 3, x + 3, low, high)]
    return boxes


def set_names(axes: Axes, names: Sequence[Name], floor: Interval | None, taken: list[Box]) -> None:
    """The names, each at the spot nearest to one of its places that covers nothing taken and no other name."""
    frame = axes.get_window_extent()

    def free(left: float, width: float, middle: float) -> bool:
        """Whether a name fits there; if so it is taken."""
        box = (left, left + width, middle - 5.5, middle + 5.5)
        inside = left >= frame.x0 and left + width <= frame.x1 and middle > frame.y0 + 6
        if not inside or any(box[0] < b[1] and b[0] < box[1] and box[2] < b[3] and b[2] < box[3] for b in taken):
            return False
        taken.append(box)
        return True

    if floor:
        text = "real held-out scans"
        width = text_width([text])
        levels = [(axes.get_xlim()[0], fid) for fid in (floor.low, floor.value, floor.high)]
        low, line, high = (y for _, y in axes.transData.transform(levels))
        beside = [frame.x1 - width, *np.arange(frame.x0 + 4, frame.x1 - width, 12)]
        floor_spots = [(left, middle) for middle in (high + 7, low - 7, line + 7, line - 7) for left in beside]
        left, middle = next((spot for spot in floor_spots if free(spot[0], width, spot[1])), floor_spots[0])
        annotate(axes, text, left, middle, COLOURS["ink"])
    for name in names:
        width = text_width([name.text])
        steps = sorted((step for step in range(-60, 61, 3)), key=abs)
        places = axes.transData.transform(name.places)
        spots = [(x, y, left, y + step) for step in steps for x, y in places for left in (x + 9, x - 9 - width)]
        x, y, left, middle = next((spot for spot in spots if free(spot[2], width, spot[3])), spots[0])
        end, side = (left, "left") if left > x else (left + width, "right")
        if abs(middle - y) >= 5:
            start, stop = axes.transData.inverted().transform([(x, y), (end, middle)])
            axes.plot(*zip(start, stop, strict=True), color=COLOURS["muted"], linewidth=0.6, zorder=1)
        annotate(axes, name.text, end, middle, colour_of(name.series), side)


def annotate(axes: Axes, text: str, end: float, middle: float, colour: str, side: str = "left") -> None:
    """`text` at a place in points; `side` of it lies at `end`."""
    axes.annotate(text, (end, middle), xycoords="figure points", va="center", ha=side, color=colour)


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


def png_size(encoded: str) -> tuple[int, int] | None:
    """Width and height of a base64 PNG, None where it is not one."""
    try:
        head = base64.b64decode(encoded[:64], validate=True)
    except ValueError:
        return None
    return struct.unpack(">II", head[16:24]) if head.startswith(b"\x89PNG") and len(head) >= 24 else None  # type: ignore[return-value]
