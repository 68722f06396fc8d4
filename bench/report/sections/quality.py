"""One machine at one scale: its scores, speeds, charts, samples and costs, as the page sets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.records import floor_of, label_by_file
from bench.formatting import listed, number, quantity
from bench.metrics import METRICS
from bench.records.parts import Measurement
from bench.records.schema import REAL_DATA, Record
from bench.report.charts.drawing import png_size
from bench.report.tables import COSTS, SCORES, SPEEDS, metric_table, score_table
from bench.report.tables.method import audit_table, environment_tables, protocol_tables
from bench.report.words import anchor

ENGINES_AGREE = 1e-3  # the two FID engines see the same features: they differ by rounding only
GRID_WIDTH_PX = 272  # a sample grid is enlarged by the largest whole factor that fits: square, crisp pixels


def group_view(machine: str, scale: str, records: Sequence[Record]) -> dict[str, Any]:
    """The measurements of one machine at one scale."""
    prefix, labels = anchor(f"{machine} {scale}"), label_by_file(records)
    images = [record for record in records if record.protocol.collects == "images"]
    timings = [record for record in records if record.protocol.collects == "timings"]
    floor = floor_of(images)
    shown = {name for record in records for name in record.measurements}
    return {
        "machine": machine,
        "scale": scale,
        "id": prefix,
        "only_composed": all(record.protocol.sampled_calls for record in records),
        "smoke": any(record.protocol.quick for record in records),
        "rankings": rankings(f"{machine}, {scale}", images, timings, labels, floor),
        "scores": score_table(images, labels, floor),
        "engines": engines(images),
        "meanings": [(METRICS[name].title, METRICS[name].what) for name in (*SCORES, *SPEEDS, *COSTS) if name in shown],
        "refused": refusals(images, labels),
        "samples": sample_grids(images, labels),
        "costs": metric_table("Size and cost of each generator.", COSTS, timings, labels),
        "protocols": protocol_tables(records, labels),
        "environments": environment_tables(records),
        "audit": audit_table(images, labels),
    }


def rankings(
    name: str,
    images: Sequence[Record],
    timings: Sequence[Record],
    labels: Mapping[str, str],
    floor: Mapping[str, Measurement],
) -> list[str]:
    """The two rankings in words."""
    sentences = []
    if fids := ranking(images, "fid", labels):
        scores = [f"{label} {as_score(measured)}" for label, measured in fids]
        if "fid" in floor:
            scores.append(f"real held-out scans {as_score(floor['fid'])}")
        sentences.append(f"FID on {name}, lower is better: {listed(scores)}.")
    if times := ranking(timings, "latency_s", labels):
        seconds = [f"{label} {quantity('latency_s', measured.value)}" for label, measured in times]
        sentences.append(f"Time of one image on {name}: {listed(seconds)}.")
    return sentences


def ranking(records: Sequence[Record], metric: str, labels: Mapping[str, str]) -> list[tuple[str, Measurement]]:
    """The models with their measurement, the smallest first."""
    found = [
        (labels[record.file], record.measurements[metric])
        for record in records
        if record.model != REAL_DATA and metric in record.measurements
    ]
    return sorted(found, key=lambda pair: pair[1].value)


def as_score(measured: Measurement) -> str:
    return number(measured.value, measured.ci_low, measured.ci_high)


def refusals(images: Sequence[Record], labels: Mapping[str, str]) -> list[str]:
    """Scores that were refused or could not be computed, with the reason."""
    found = []
    for record in images:
        if record.images is None:
            continue
        for reasons, verb in ((record.images.refused, "refused"), (record.images.not_run, "not run")):
            for name, why in reasons.items():
                title = METRICS[name].title if name in METRICS else name
                found.append(f"{title} of {labels[record.file]} was {verb}: {why}")
    return found


def engines(images: Sequence[Record]) -> str:
    """Whether the two FID engines agree."""
    gaps = [
        abs(record.measurements["fid"].value - record.measurements["fid_clean"].value)
        / max(1.0, record.measurements["fid"].value)
        for record in images
        if {"fid", "fid_clean"} <= set(record.measurements)
    ]
    if not gaps:
        return ""
    if max(gaps) > ENGINES_AGREE:
        return (
            f"The two FID engines differ by up to {max(gaps):.1g}, which is more than {ENGINES_AGREE:g}: trust neither."
        )
    return f"The two FID engines agree within {ENGINES_AGREE:g} (largest difference {max(gaps):.1g})."


def sample_grids(images: Sequence[Record], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The first images of each record, real scans first, enlarged by a whole factor."""
    grids = []
    for record in images:
        png = record.images.grid_png if record.images else ""
        size = png_size(png)
        if size:
            factor = max(1, GRID_WIDTH_PX // size[0])
            real = record.model == REAL_DATA
            label = "real held-out scans" if real else labels[record.file]
            grids.append(
                {
                    "label": label,
                    "png": png,
                    "width": size[0] * factor,
                    "height": size[1] * factor,
                    "style": "crisp" if factor > 1 else "",
                    "alt": f"Grid of {'real images' if real else f'images generated by {label}, one class per column'}",
                }
            )
    return grids
