"""The charts of one machine's times: distributions of rounds, batch sweeps, and where the time of one call goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from bench.formatting import number, percent, quantity
from bench.records.parts import REST
from bench.report.charts.drawing import (
    COLOURS,
    MARKERS,
    STYLE,
    Box,
    Name,
    colour_of,
    cost_axis,
    inline_svg,
    new_axes,
    set_names,
    text_width,
)
from bench.report.charts.studies import along

MAX_STEPS = 150  # steps drawn per distribution: of more rounds, as many evenly spaced quantiles
LEVELS = (0.5, 0.9, 0.95, 0.99)  # grid lines, as in the table
PLOT_IN, NAME_IN = 2.4, 0.17  # heights of the curves, and of the row of a name above them
NAME_PT = 4  # between a name and its line
ROW_IN = 0.19  # height of a stage's row in a waterfall


def distribution_chart(rounds_s: Mapping[str, Sequence[float]], series: Mapping[str, int], name: str) -> str:
    """One step curve per model: the share of its timed rounds that took at most so long; its marker is at the median.

    `name` sets the ids of this chart apart from those of others on the page.
    """
    medians = {label: float(np.median(rounds)) for label, rounds in rounds_s.items()}
    labels = sorted(rounds_s, key=lambda label: max(rounds_s[label]))
    height_in = PLOT_IN + NAME_IN * len(labels)
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=height_in + 44 / 72, left_pt=46, right_pt=6)
        every = [value for rounds in rounds_s.values() for value in rounds]
        cost_axis(axes, "latency_s", every)
        low = min(every) / 1.25
        axes.set_xlim(low, right_end(axes, low, {label: max(rounds_s[label]) for label in labels}))
        axes.set_ylim(0, height_in / PLOT_IN)
        axes.yaxis.set_major_locator(FixedLocator([0, 0.25, *LEVELS[:2], LEVELS[-1]]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
        axes.grid(axis="y")
        for place, label in enumerate(labels):
            colour, values = colour_of(series[label]), np.sort(np.asarray(rounds_s[label], np.float64))
            shares = np.arange(1, len(values) + 1) / len(values)
            if len(values) > MAX_STEPS:
                shares = np.linspace(1 / MAX_STEPS, 1, MAX_STEPS)
                values = np.quantile(values, shares)
            path = [(values[0], 0.0), *zip(values, shares, strict=True)]
            axes.step(*zip(*path, strict=True), where="post", color=colour, linewidth=1.5)
            axes.plot(medians[label], 0.5, MARKERS[series[label] % len(MARKERS)], color=colour, markersize=6)
            top = (height_in - NAME_IN * (place + 0.5)) / PLOT_IN
            axes.vlines(values[-1], 1, top, color=colour, linewidth=0.7)
            axes.annotate(label, (values[-1], top), (NAME_PT, 0), textcoords="offset points", va="center", color=colour)
        axes.set_xlabel("time of one call at batch 1, logarithmic (left is better)")
        axes.set_ylabel("rounds that took at most so long")
        numbers = ", ".join(f"{label} {quantity('latency_s', median)}" for label, median in medians.items())
        return inline_svg(axes, name, f"Distribution of the timed rounds of each model. Medians: {numbers}.")


def right_end(axes: Axes, low: float, ends: Mapping[str, float]) -> float:
    """Where a logarithmic axis from `low` must end so that each name fits to the right of its end."""
    width = axes.get_window_extent().width
    shares = {label: 1 - (text_width([label]) + NAME_PT) / width for label in ends}
    return low * max((end / low) ** (1 / max(0.2, shares[label])) for label, end in ends.items())


def sweep_chart(rates: Mapping[str, Sequence[tuple[int, float]]], series: Mapping[str, int], name: str) -> str:
    """Images per second over batch size, both logarithmic. rates: by model, (batch size, images per second)."""
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=3.6, left_pt=48, right_pt=6)
        sizes = sorted({size for found in rates.values() for size, _ in found})
        shown = [rate for found in rates.values() for _, rate in found]
        axes.set_xscale("log", base=2)
        axes.set_xlim(sizes[0] / 1.5, sizes[-1] * 3)
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
        axes.set_yscale("log")
        axes.set_ylim(min(shown) / 1.3, max(shown) * 1.3)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:,g}"))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.grid()
        axes.set_axisbelow(True)
        taken: list[Box] = []
        for label, found in rates.items():
            marker = MARKERS[series[label] % len(MARKERS)]
            axes.plot(*zip(*found, strict=True), f"{marker}-", color=colour_of(series[label]), markersize=5)
            taken += along(axes, found)
        axes.set_xlabel("batch size, logarithmic")
        axes.set_ylabel("images per second, logarithmic (higher is better)")
        names = [Name(label, series[label], tuple(reversed(found))) for label, found in rates.items()]
        set_names(axes, names, None, taken)
        best = {label: max(found, key=lambda each: each[1]) for label, found in rates.items()}
        numbers = ", ".join(f"{label} {number(rate)} at {size}" for label, (size, rate) in best.items())
        return inline_svg(axes, name, f"Images per second against batch size. At the best batch: {numbers}.")


def waterfall_chart(stages: Mapping[str, Mapping[str, float]], series: Mapping[str, int], name: str) -> str:
    """Of each model its stages from the top down, each bar beginning where the last one ended.

    stages: by model, seconds by stage; drawn as shares of their sum.
    """
    num_rows = sum(len(found) + 1.3 for found in stages.values())
    labels = [stage for found in stages.values() for stage in found]
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=0.75 + ROW_IN * num_rows, left_pt=14 + text_width(labels), right_pt=92)
        axes.set_xlim(0, 1)
        axes.set_ylim(num_rows - 0.3, -0.6)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        beside, row, rows, numbers = axes.get_yaxis_transform(), 0.0, [], []
        for label, found in stages.items():
            whole_s, start = sum(found.values()), 0.0
            time = quantity("latency_s", whole_s)
            axes.text(0, row, f"{label}, {time}", va="center", color=colour_of(series[label]), fontweight="bold")
            row += 1
            for place, (stage, seconds) in enumerate(found.items()):
                share = seconds / whole_s if whole_s else 0.0
                colour, alpha = (COLOURS["muted"], 0.5) if stage == REST else (colour_of(series[label]), 0.85)
                axes.barh(row, share, left=start, height=0.72, color=colour, alpha=alpha)
                start += share
                if place < len(found) - 1:
                    axes.vlines(start, row - 0.36, row + 1.36, color=COLOURS["muted"], linewidth=0.7)
                text = f"{quantity('latency_s', seconds)} · {percent(share)}"
                axes.text(1.02, row, text, transform=beside, va="center")
                rows.append((row, stage))
                row += 1
            row += 0.3
            main = max(found, key=lambda stage: found[stage])
            numbers.append(f"{label} {time}, {main} {percent(found[main] / whole_s if whole_s else 0.0)}")
        axes.set_yticks([place for place, _ in rows], [stage for _, stage in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("share of the time of one call")
        return inline_svg(axes, name, f"Stages of one call. Whole and longest stage: {'; '.join(numbers)}.")
