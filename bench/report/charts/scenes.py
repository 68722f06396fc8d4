"""The charts of "Dual Diffusion": what more text steps bring, measured and printed, and what each step costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.analysis.records import whiskers
from bench.claims.published_text import PRINTED_STEPS
from bench.claims.text import STEPS_TABLE
from bench.formatting import listed
from bench.metrics import METRICS
from bench.records.schema import Record
from bench.report.charts.drawing import COLOURS, MARKERS, colour_of
from bench.report.charts.studies import panels_chart
from bench.stats import Interval

CACHED, PLAIN = 2, 4  # series: colours and markers of the two samplers
PRINTED = 0
X_LABEL = "text diffusion steps T, logarithmic"
PROTOCOLS = {"scenes-captions-study": "captions", "scenes-answers-study": "answers"}
Chart = tuple[Markup, str]  # SVG, caption


@dataclass(frozen=True)
class Curve:
    """A value over the number of steps."""

    label: str  # set at its right end; "": none
    series: int  # colour and marker
    by_steps: Mapping[int, Interval]


@dataclass(frozen=True)
class StepPanel:
    title: str
    curves: tuple[Curve, ...]
    logarithmic: bool = False  # its y axis; else it starts at 0, so that a flat curve looks flat


def measured_steps(records: Sequence[Record], prefix: str) -> list[Chart]:
    """Quality over T, of the sampler that skips steps without a change. Plain texts are the same, so left out."""
    panels = []
    for protocol, metric in (
        ("scenes-captions-study", "cider"),
        ("scenes-answers-study", "vqa_accuracy"),
        ("scenes-captions-study", "caption_accuracy"),
        ("scenes-answers-study", "pope_accuracy"),
    ):
        unit = METRICS[metric].unit
        if found := by_steps(records, protocol, metric, cached=True):
            title = METRICS[metric].title + (f", {unit}" if unit else "")
            panels.append(StepPanel(title, (Curve("", CACHED, found),)))
    if not panels:
        return []
    ends = [f"{p.title} {ends_of(p.curves[0])}" for p in panels]
    svg = steps_chart(
        panels, f"{prefix}-steps", f"Measured on held-out scenes, over the number of steps: {listed(ends)}."
    )
    counts = {PROTOCOLS[r.protocol.name]: r.protocol.num_images for r in records if r.protocol.name in PROTOCOLS}
    scenes = listed([f"{what} of {num} scenes" for what, num in counts.items()])
    return [(svg, f"Measured: d-dit-digits over the number of text steps; {scenes}, whiskers are 95 % intervals.")]


def speed_of_steps(records: Sequence[Record], prefix: str) -> list[Chart]:
    """Texts per second over T, of both samplers."""
    panels = []
    for protocol, what in PROTOCOLS.items():
        curves = [
            Curve(label, series, found)
            for label, series, cached in (("skips steps", CACHED, True), ("plain", PLAIN, False))
            if (found := by_steps(records, protocol, "texts_per_s", cached=cached))
        ]
        if curves:
            panels.append(StepPanel(f"{what.capitalize()} per second, logarithmic", tuple(curves), logarithmic=True))
    if not panels:
        return []
    ends = [f"{p.title}, {c.label}, {ends_of(c)}" for p in panels for c in p.curves]
    svg = steps_chart(panels, f"{prefix}-step-speed", f"Texts per second over the number of steps: {listed(ends)}.")
    caption = (
        "Measured: texts per second in batches of 16. “Skips steps” leaves out, for each text on its own, the steps in "
        "which none of its words changes; “plain” evaluates the network for every text in every step, as the authors' "
        "sampler does in batches. Both give the same texts, so that quality has one curve."
    )
    return [(svg, caption)]


def printed_steps(prefix: str) -> Chart:
    """The paper's own curve, in a chart of its own: its numbers stand on no axis with measured ones."""
    vqa, cider = (
        {steps: Interval(scores[i], scores[i], scores[i]) for steps, scores in PRINTED_STEPS.items()} for i in (0, 1)
    )
    panels = [
        StepPanel("CIDEr, printed", (Curve("", PRINTED, cider),)),
        StepPanel("VQAv2 accuracy, %, printed", (Curve("", PRINTED, vqa),)),
    ]
    numbers = ", ".join(f"T {steps}: CIDEr {c:g}, VQAv2 {v:g}" for steps, (v, c) in PRINTED_STEPS.items())
    svg = steps_chart(panels, f"{prefix}-printed-steps", f"Printed for D-DiT: {numbers}.")
    caption = (
        f"Printed for D-DiT on COCO and VQAv2 ({STEPS_TABLE.where}; standing: {STEPS_TABLE.standing}). Other data, "
        "another size, CIDEr times 100: only the shape can be compared."
    )
    return svg, caption


def by_steps(records: Sequence[Record], protocol: str, metric: str, *, cached: bool) -> dict[int, Interval]:
    """A metric by number of steps, the fewest first."""
    found = {
        int(record.settings["num_steps"]): whiskers(record.measurements[metric])
        for record in records
        if record.protocol.name == protocol
        and metric in record.measurements
        and "num_steps" in record.settings
        and bool(record.settings.get("cached", True)) is cached
    }
    return dict(sorted(found.items()))


def ends_of(curve: Curve) -> str:
    """As "1.2 at T = 1 to 6.5 at T = 64"."""
    steps = list(curve.by_steps)
    return " to ".join(f"{curve.by_steps[t].value:.3g} at T = {t}" for t in dict.fromkeys((steps[0], steps[-1])))


# -- drawing -----------------------------------------------------------------------------------------------------------


def steps_chart(panels: Sequence[StepPanel], name: str, description: str) -> Markup:
    return Markup(panels_chart(panels, draw_steps, X_LABEL, name, description))


def draw_steps(axes: Axes, panel: StepPanel) -> None:
    """T in powers of two; labels above the first curve and below the others."""
    axes.set_xscale("log", base=2)
    steps = sorted({t for curve in panel.curves for t in curve.by_steps})
    top = max(interval.high for curve in panel.curves for interval in curve.by_steps.values())
    for place, curve in enumerate(panel.curves):
        values = list(curve.by_steps.values())
        axes.errorbar(
            list(curve.by_steps),
            [v.value for v in values],
            yerr=[[v.value - v.low for v in values], [v.high - v.value for v in values]],
            fmt=MARKERS[curve.series] + "-",
            color=colour_of(curve.series),
            markersize=4.5,
            linewidth=1.2,
            elinewidth=1,
            capsize=2,
        )
        if curve.label:
            last = max(curve.by_steps)
            axes.annotate(
                curve.label,
                (last, curve.by_steps[last].value),
                xytext=(-7, -7) if place else (4, 7),
                textcoords="offset points",
                ha="right",
                color=colour_of(curve.series),
            )
    axes.set_title(panel.title, loc="left", fontsize=9, color=COLOURS["ink"], pad=4)
    axes.set_xlim(min(steps) / 1.4, max(steps) * 1.4)
    if panel.logarithmic:
        lows = [interval.low for curve in panel.curves for interval in curve.by_steps.values() if interval.low > 0]
        axes.set_yscale("log")
        axes.set_ylim(min(lows, default=top / 10) / 2, 1.6 * top)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if top < 30 * min(lows, default=top) else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_ylim(0, 1.15 * top)
        axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(FixedLocator(steps))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
