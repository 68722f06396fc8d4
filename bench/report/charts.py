"""The charts of one machine's measurements: every timed round, and FID against latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

from bench.formatting import quantity
from bench.report.drawing import (
    STYLE,
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
from bench.verdict import Interval

MAX_DOTS = 150  # rounds drawn per model: beyond that, as many evenly spaced quantiles


def latency_chart(rounds_s: Mapping[str, Sequence[float]], series: Mapping[str, int], name: str) -> str:
    """One row per model: every timed round as a dot, the median as a bar, the 90th percentile as a tick.

    `name` sets the ids of this chart apart from those of others on the page.
    """
    models = list(rounds_s)
    medians = [float(np.median(rounds_s[model])) for model in models]
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=max(2.4, 0.7 + 0.4 * len(models)), left_pt=12 + text_width(models), right_pt=48)
        for row, model in enumerate(models):
            colour = colour_of(series[model])
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
        cost_axis(axes, "latency_s", [value for rounds in rounds_s.values() for value in rounds])
        axes.set_xlabel("time of one image at batch 1, logarithmic")
        numbers = ", ".join(f"{model} {quantity('latency_s', m)}" for model, m in zip(models, medians, strict=True))
        return inline_svg(axes, name, f"Timed rounds of each model on a logarithmic axis. Medians: {numbers}.")


def quality_chart(points: Sequence[Point], floor: Interval | None, name: str) -> str:
    """FID against latency, with 95 % intervals; the real-data floor as a line."""
    with matplotlib.rc_context(STYLE):
        axes = new_axes(height_in=3.4, left_pt=42, right_pt=6)
        cost_axis(axes, "latency_s", [point.cost.value for point in points], margin=1.9)
        tops = [point.fid.high for point in points] + ([floor.high] if floor else [])
        axes.set_ylim(0, 1.12 * max(tops))
        draw_floor(axes, floor)
        for point in points:
            draw_point(axes, point)
        axes.set_xlabel("median time of one image at batch 1, logarithmic (left is better)")
        axes.set_ylabel("FID (lower is better)")
        names = [Name(point.label, point.series, ((point.cost.value, point.fid.value),)) for point in points]
        set_names(axes, names, floor, covered(axes, points))
        numbers = ", ".join(
            f"{point.label} {quantity('latency_s', point.cost.value)} at FID {quantity('fid', point.fid.value)}"
            for point in points
        )
        return inline_svg(axes, name, f"FID against median latency. {numbers}.")
