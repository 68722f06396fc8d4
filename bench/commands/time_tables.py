"""What `bench time` prints: one table of all runs, the stages of each, and a line per ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.table import Table

from bench.console import console
from bench.formatting import BYTES, SECONDS, THOUSANDS, Unit, pick
from bench.metrics.stages import summarise_stages

ESTIMATED_WITHIN = 0.05  # relative difference of an estimated latency from a measured one


def print_timings(found: Mapping[str, Mapping[str, Any]], ratios: Sequence[Mapping[str, Any]], conditions: str) -> None:
    """found: "<model>@<batch size>" -> what `timing.time_model` gives."""
    numbers = ("batch", "p50", "95 % interval", "p90", "p99", "images/s", "peak memory", "evaluations", "rounds")
    table = _table(conditions, "model", *numbers)
    table.add_column("remarks")
    for run, entry in found.items():
        name, _, batch_size = run.partition("@")
        _add_rows(table, name, batch_size, entry["metrics"], entry["raw"])
    console().print(table)
    for run, entry in found.items():
        if "stages" in entry["raw"]:
            _print_stages(run, entry["raw"])
        if "check_composed" in entry["raw"]:
            _print_check(run, entry["raw"]["check_composed"])
    for ratio in ratios:
        _print_ratio(ratio)


def _table(title: str, first: str, *numbers: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _add_rows(table: Table, model: str, batch_size: str, metrics: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    latency = metrics["latency_s"]
    table.add_row(
        model,
        batch_size,
        seconds(latency.value),
        span(latency.ci_low, latency.ci_high),
        *(seconds(metrics[key].value if key in metrics else None) for key in ("latency_p90_s", "latency_p99_s")),
        f"{int(batch_size) / latency.value:.3g}",
        amount(metrics["peak_memory_bytes"].value, BYTES),
        f"{metrics['nfe'].value:,.0f}",
        str(latency.n),
        remarks(raw["latency"]),
    )
    if "throughput" in raw:
        rate, size = metrics["throughput_per_s"], raw["throughput"]["batch_size"]
        interval = span(*(None if end is None else size / end for end in (rate.ci_high, rate.ci_low)))
        cells = (str(size), seconds(size / rate.value), interval, "", "", f"{rate.value:.3g}", "", "", str(rate.n))
        table.add_row("  its best batch", *cells, remarks(raw["throughput"]))


def _print_stages(run: str, raw: Mapping[str, Any]) -> None:
    limits, found = raw["machine_limits"], summarise_stages(raw["stages"], raw["machine_limits"])
    title = (
        f"{run.replace('@', ', batch ')}: where the time goes; limits here: matrix product "
        f"{limits['matmul_flop_per_s'] / 1e9:,.0f} GFLOP/s, copy {limits['copy_bytes_per_s'] / 1e9:,.0f} GB/s"
    )
    if "whole_s" in raw["stages"]:
        total = sum(row["seconds"].value for row in found.values())
        title += f"; stages add up to {total / median(raw['stages']['whole_s']):.1%} of the uninterrupted call"
    table = _table(title, "stage", "time", "share", "calls", "FLOP", "weights read", "of the limit", "free: at most")
    for stage, row in found.items():
        table.add_row(
            stage,
            seconds(row["seconds"].value),
            f"{row['share']:.1%}",
            f"{row['num_calls']:,}" if "num_calls" in row else "",
            amount(row["flops"], THOUSANDS) if "flops" in row else "",
            amount(row["weight_bytes"], BYTES) if "weight_bytes" in row else "",
            f"{row['reached_share']:.0%}" if row.get("reached_share") is not None else "",
            f"{row['amdahl_bound']:.3g} x" if row["amdahl_bound"] is not None else "",
        )
    console().print(table)


def _print_check(run: str, check: Mapping[str, Any]) -> None:
    ratio = check["ratio"]
    verdict = "within" if abs(ratio["value"] - 1) <= ESTIMATED_WITHIN else "NOT within"
    console().print(
        f"{run}: estimated / measured {ratio['value']:.3f}, 95 % interval {span_of(ratio)} "
        f"({ratio['n']} pairs): {verdict} {ESTIMATED_WITHIN:.0%}{_others(check)}"
    )


def _print_ratio(found: Mapping[str, Any]) -> None:
    title = f"{found['model']} against {found['baseline']}, {found['mode']}"
    if found["not_comparable"]:
        console().print(f"{title}: not comparable: {found['not_comparable']}")
        return
    ratio, sides = found["ratio"], found["footing"].values()
    batches, evaluations = (
        " against ".join(str(side[field]) for side in sides) for field in ("batch_size", "network_evaluations")
    )
    console().print(
        f"{title}: {ratio['value']:.3g} times the images per second, 95 % interval {span_of(ratio)} "
        f"({ratio['n']} pairs{', estimated' if found['composed'] else ''}; batch {batches}){_others(found)}\n"
        f"  evaluations: {evaluations}"
    )


def remarks(series: Mapping[str, Any]) -> str:
    """What a reader must know of a series: estimated, disturbed, cut short."""
    found = []
    if series.get("composed"):
        found.append(f"estimated, error {series['error_s'] / sorted(series['rounds_s'])[0]:.1%}")
    if series["disturbed"]:
        found.append(_others(series).removeprefix("; "))
    if series["rounds_ended_by"] == "time":
        found.append("cut short")
    return "; ".join(found)


def _others(series: Mapping[str, Any]) -> str:
    if not series["disturbed"]:
        return ""
    cores, gpu = series.get("foreign_load"), series.get("foreign_gpu_share")
    parts = [*([f"{cores:.2g} cores" if cores is not None else ""]), *([f"{gpu:.0%} of the GPU"] if gpu else [])]
    return f"; DISTURBED: others used {', '.join(filter(None, parts))}"


def seconds(value: float | None) -> str:
    return "-" if value is None else amount(value, SECONDS)


def span(low: float | None, high: float | None) -> str:
    return "-" if low is None and high is None else f"{seconds(low)} to {seconds(high)}"


def span_of(ratio: Mapping[str, Any]) -> str:
    return "unknown" if ratio["ci_low"] is None else f"{ratio['ci_low']:.3g} to {ratio['ci_high']:.3g}"


def amount(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """A value in the unit that suits it, to three digits."""
    unit: Unit = pick(units, value)
    return f"{value / unit.size:.3g} {unit.symbol}".strip()
