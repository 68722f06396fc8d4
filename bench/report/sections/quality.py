"""One machine at one scale: its scores and samples, and how they were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.records import label_by_file
from bench.formatting import listed
from bench.metrics import METRICS, title_of
from bench.records.schema import REAL_DATA, Record
from bench.report.charts.svg import png_size
from bench.report.tables import COSTS, HELD_OUT, SCORES, SPEEDS, earlier_version, score_table
from bench.report.tables.method import audit_table, environment_tables, protocol_tables
from bench.report.words import SCALE_TITLES, anchor

ENGINES_AGREE = 1e-3  # the two FID engines see the same features: they differ by rounding only
GRID_WIDTH_PX = 272  # a sample grid is enlarged by the largest whole factor that fits: square, crisp pixels


def group_view(machine: str, scale: str, records: Sequence[Record]) -> dict[str, Any]:
    """The scores of one machine at one scale, and how they were measured."""
    labels = label_by_file(records)
    images = [record for record in records if record.protocol.collects == "images"]
    shown = {name for record in records for name in record.measurements}
    return {
        "machine": machine,
        "scale": scale,
        "title": f"{SCALE_TITLES[scale]} ({scale})" if scale in SCALE_TITLES else scale,
        "id": anchor(f"{machine} {scale}"),
        "smoke": any(record.protocol.quick for record in records),
        "scores": score_table(images, labels),
        "engines": engines(images),
        "meanings": [
            (METRICS[name].title, meaning(name, records)) for name in (*SCORES, *SPEEDS, *COSTS) if name in shown
        ],
        "refused": refusals(images, labels),
        "elsewhere": made_elsewhere(records),
        "samples": sample_grids(images, labels),
        "protocols": protocol_tables(records, labels),
        "environments": environment_tables(records),
        "audit": audit_table(images, labels),
    }


def meaning(metric: str, records: Sequence[Record]) -> str:
    """What a metric is; where records hold an earlier version of it, what that was."""
    told, older = METRICS[metric].what, earlier_version(metric, records)
    return f"{told}. These records hold {older}: {METRICS[metric].earlier}" if older else told


def made_elsewhere(records: Sequence[Record]) -> list[str]:
    """A sentence per record of what this suite did not make, with what is taken for granted."""
    found = []
    for record in records:
        if record.elsewhere:
            assumed = f" Taken for granted: {listed(record.elsewhere.assumed)}." if record.elsewhere.assumed else ""
            found.append(
                f"{record.protocol.name} of {record.model} was made elsewhere and scored here: "
                f"{record.elsewhere.words}.{assumed}"
            )
    return found


def refusals(images: Sequence[Record], labels: Mapping[str, str]) -> list[str]:
    """Scores that were refused or could not be computed, with the reason."""
    found = []
    for record in images:
        if record.images is None:
            continue
        for reasons, verb in ((record.images.refused, "refused"), (record.images.not_run, "not run")):
            for name, why in reasons.items():
                found.append(f"{title_of(name)} of {labels[record.file]} was {verb}: {why}")
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
            label = HELD_OUT if real else labels[record.file]
            grids.append(
                {
                    "label": label,
                    "png": png,
                    "width": size[0] * factor,
                    "height": size[1] * factor,
                    "rows": (rows := rows_in(record, size)),
                    "strip": f"{size[0]} / {(size[1] + 1) // rows - 1}",  # shape of one row
                    "style": "crisp" if factor > 1 else "",
                    "alt": f"Grid of {'real images' if real else f'images generated by {label}, one class per column'}",
                }
            )
    return grids


def rows_in(record: Record, size: tuple[int, int]) -> int:
    """Rows of images, a pixel apart, in a grid of `size` (width, height); 1 where it holds none whole (thumbnails)."""
    image_size = record.images.audit.image_size if record.images else None
    if not image_size or any((whole + 1) % (part + 1) for whole, part in zip(size, reversed(image_size), strict=True)):
        return 1
    return (size[1] + 1) // (image_size[0] + 1)
