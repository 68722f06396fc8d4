"""What `bench time` prints: one table of all runs, the stages of each, and a line per ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.table import Table

from bench.console import console
from bench.formatting import BYTES, SECONDS, THOUSANDS, Unit, pick
from bench.metrics.latency import is_open, summarise
from bench.metrics.stages import summarise_stages
from bench.records.parts import Measurement, Roofline, Series, Speedup, Stages, Timing

ESTIMATED_WITHIN = 0.05  # relative difference of an estimated latency from a measured one


def print_timings(found: Mapping[str, Any], ratios: Sequence[Speedup], title: str) -> None:
    """found: "<model>@<batch size>" -> what `timing.time_model` gives."""
    numbers = ("batch", "p50", "95 % interval", "p90", "p99", "images/s", "peak memory", "evaluations", "rounds")
    table = _table(title, "model", *numbers)
    table.add_column("remarks")
    for run, entry in found.items():
        name, _, batch_size = run.partition("@")
        _add_rows(table, name, batch_size, entry.timing)
    console().print(table)
    for run, entry in found.items():
        if entry.timing.stages and entry.timing.roofline:
            _print_stages(run, entry.timing.stages, entry.timing.roofline)
        if entry.check is not None:
            _print_check(run, entry.check)
    for ratio in ratios:
        _print_ratio(ratio)


def _table(title: str, first: str, *numbers: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _add_rows(table: Table, model: str, batch_size: str, timing: Timing) -> None:
    metrics = summarise(timing)
    latency = metrics["latency_s"]
    table.add_row(
        model,
        batch_size,
        seconds(latency.value),
        span(latency.ci_low, latency.ci_high),
        *(bounded(metrics.get(key)) for key in ("latency_p90_s", "latency_p99_s")),
        f"{int(batch_size) / latency.value:.3g}",
        amount(metrics["peak_memory_bytes"].value, BYTES),
        f"{metrics['nfe'].value:,.0f}",
        str(latency.n),
        remarks(timing.latency),
    )
    if timing.throughput:
        rate, size = metrics["throughput_per_s"], timing.throughput.batch_size
        interval = span(*(None if end is None else size / end for end in (rate.ci_high, rate.ci_low)))
        cells = (str(size), seconds(size / rate.value), interval, "", "", f"{rate.value:.3g}", "", "", str(rate.n))
        table.add_row("  its best batch", *cells, remarks(timing.throughput))


def _print_stages(run: str, stages: Stages, roofline: Roofline) -> None:
    found = summarise_stages(stages, roofline)
    title = (
        f"{run.replace('@', ', batch ')}: where the time goes; roofline here: matrix product "
        f"{roofline.matmul_flop_per_s / 1e9:,.0f} GFLOP/s, copy {roofline.copy_bytes_per_s / 1e9:,.0f} GB/s"
    )
    if stages.whole_s:
        total = sum(row.seconds for row in found.values())
        title += f"; stages add up to {total / median(stages.whole_s):.1%} of the uninterrupted call"
    table = _table(title, "stage", "time", "share", "calls", "FLOP", "weights read", "of the limit", "free: at most")
    for stage, row in found.items():
        table.add_row(
            stage,
            seconds(row.seconds),
            f"{row.share:.1%}",
            *((f"{row.num_calls:,}", amount(row.flops, THOUSANDS)) if row.num_calls else ("", "")),
            amount(row.weight_bytes, BYTES) if row.num_calls else "",
            "" if row.roofline_share is None else f"{row.roofline_share:.0%}",
            "" if row.amdahl_bound is None else f"{row.amdahl_bound:.3g} x",
        )
    console().print(table)


def _print_check(run: str, check: Mapping[str, Any]) -> None:
    ratio = check["ratio"]
    others = others_words(check["disturbed"], check["foreign_load"], check.get("foreign_gpu_share"))
    verdict = "within" if abs(ratio.value - 1) <= ESTIMATED_WITHIN else "NOT within"
    console().print(
        f"{run}: estimated / measured {ratio.value:.3f}, 95 % interval {span_of(ratio)} "
        f"({ratio.n} pairs): {verdict} {ESTIMATED_WITHIN:.0%}{others}"
    )


def _print_ratio(found: Speedup) -> None:
    title = f"{found.model} against {found.baseline}, {found.mode}"
    ratio, sides = found.ratio, found.conditions.values()
    if ratio is None:
        console().print(f"{title}: not comparable: {found.not_comparable}")
        return
    batches, evaluations = (
        " against ".join(str(getattr(side, field)) for side in sides) for field in ("batch_size", "network_evaluations")
    )
    console().print(
        f"{title}: {ratio.value:.3g} times the images per second, 95 % interval {span_of(ratio)} "
        f"({ratio.n} pairs{', estimated' if found.estimated else ''}; batch {batches}){_others(found)}\n"
        f"  evaluations: {evaluations}"
    )


def remarks(series: Series) -> str:
    """What a reader must know of a series: estimated, disturbed, cut short."""
    found = []
    if series.estimated and series.error_s is not None:
        found.append(f"estimated, error {series.error_s / min(series.rounds_s):.1%}")
    if series.disturbed:
        found.append(_others(series).removeprefix("; "))
    if series.rounds_ended_by == "time":
        found.append("cut short")
    return "; ".join(found)


def _others(series: Series | Speedup) -> str:
    return others_words(series.disturbed, series.foreign_load, series.foreign_gpu_share)


def others_words(disturbed: bool | None, cores: float | None, gpu: float | None) -> str:
    if not disturbed:
        return ""
    parts = [*([f"{cores:.2g} cores" if cores is not None else ""]), *([f"{gpu:.0%} of the GPU"] if gpu else [])]
    return f"; DISTURBED: others used {', '.join(filter(None, parts))}"


def bounded(measured: Measurement | None) -> str:
    """A percentile of the tail; none where the rounds are too few to bound it."""
    return seconds(None if measured is None or is_open(measured) else measured.value)


def seconds(value: float | None) -> str:
    return "-" if value is None else amount(value, SECONDS)


def span(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{seconds(low)} to {seconds(high)}"


def span_of(ratio: Measurement) -> str:
    return "unknown" if ratio.ci_low is None else f"{ratio.ci_low:.3g} to {ratio.ci_high:.3g}"


def amount(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """A value in the unit that suits it, to three digits."""
    unit: Unit = pick(units, value)
    return f"{value / unit.size:.3g} {unit.symbol}".strip()
