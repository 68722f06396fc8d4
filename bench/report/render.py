"""Records -> reports/index.html: one file that needs no network and no JavaScript.

    python -m bench report --results results --out reports/index.html

Here the records are read, judged and put into the words and cells of a page; page.html.jinja sets them.
A number of a paper and a measured number never stand in one column.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bench.claims import CLAIMS, PUBLISHED_QUALITY, PUBLISHED_SPEED
from bench.formatting import Unit, display_unit, interval, number, quantity
from bench.metrics import METRICS
from bench.records import Claim, Comparison, Measurement, Record, UsageError, Verdict
from bench.report import charts
from bench.results import latest, load_records
from bench.verdict import METRIC_WORDS, Interval, as_interval, judge, listed

HERE = Path(__file__).parent
REAL_DATA = "real-data"
ENGINES_AGREE = 1e-3  # the two FID engines see the same features: they differ by rounding only
GRID_WIDTH_PX = 280  # a sample grid is enlarged by the largest whole factor that fits: square, crisp pixels

# Columns of the tables, by metric; titles and meanings are the metrics' own (bench.metrics, which brings no torch).
SCORES = ("fid", "fid_clean", "kid", "inception_score", "precision", "recall")
SPEEDS = ("latency_s", "latency_p90_s", "latency_p95_s", "latency_p99_s", "throughput_per_s")
COSTS = ("num_params", "nfe", "flops", "peak_memory_bytes")
AUDIT_WORDS = {
    "num_images": "images",
    "nonfinite": "NaN or infinite",
    "constant": "constant",
    "duplicates": "duplicates",
    "class_counts": "recognised, per class",
    "recognised_share": "recognised as the class asked for",
    "copies_share": "copies of training images",
    "failures": "failures",
}
AUDIT_REPEATS = ("duplicates_share", "labels_asked", "image_size")  # say again what other columns say
FIELD_WORDS = {
    "name": "protocol",
    "scale": "scale",
    "num_images": "images generated, class-balanced",
    "seed": "seed",
    "features": "feature extractor",
    "reference": "reference images",
    "batch_size": "images per call (changes no image)",
    "latency_batch_size": "batch size, latency",
    "throughput_batch_size": "batch size, throughput",
    "min_rounds": "timed rounds at least",
    "min_duration_s": "timed seconds at least",
    "dtype": "arithmetic",
    "quick": "smoke run",
}
SCORING_WORDS = {  # of raw.scoring
    "features_what": "features",
    "features_sha256": "weights of the extractor, SHA-256",
    "interval": "intervals",
    "resampling_seed": "seed of the resampling",
    "inception_score_splits": "splits of the Inception Score",
    "kid_subset_size": "subset size of KID",
    "precision_recall_neighbours": "neighbours of precision and recall",
}
TIMINGS_IGNORE = ("num_images", "batch_size", "features", "reference")
IMAGES_IGNORE = ("latency_batch_size", "throughput_batch_size", "min_rounds", "min_duration_s")
ENVIRONMENT_WORDS = {
    "machine": "machine",
    "processor": "processor",
    "num_cores": "cores",
    "num_threads": "threads used",
    "memory_bytes": "memory",
    "system": "system",
    "device": "device",
    "gpu": "GPU",
    "gpu_memory_bytes": "GPU memory",
    "cuda": "CUDA",
    "tf32": "TF32",
}
BADGES = {  # word -> style of its badge, and a sign that does not rest on colour
    "reproduced": ("yes", "✓"),
    "holds in small": ("yes", "✓"),
    "not reproduced": ("no", "✗"),
    "does not hold in small": ("no", "✗"),
    "inconclusive": ("open", "≈"),
    "not comparable": ("unlike", "≠"),
    "not run": ("none", "–"),
}


def render(results_dirs: Sequence[Path], out: Path, *, now: datetime | None = None) -> Path:
    """Write the report on the records of `results_dirs` to `out`, and return `out`.

    UsageError where a folder does not exist. Files that are not records are listed in the report.
    """
    results_dirs, out = [Path(folder) for folder in results_dirs], Path(out)
    for folder in results_dirs:
        if not folder.is_dir():
            raise UsageError(f"results folder {str(folder)!r} does not exist; `python -m bench reproduce` makes one")
    records, unreadable = load_records(results_dirs)
    page = (
        environment()
        .get_template("page.html.jinja")
        .render(context(latest(records), unreadable, now or datetime.now(UTC), links(records, results_dirs, out)))
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.tmp")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(out)
    return out


def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"prose": prose, "anchor": anchor}
    return made


def links(records: Iterable[Record], results_dirs: Sequence[Path], out: Path) -> dict[str, str]:
    """Relative links from the page to the record files that lie in a folder beside or below the page's own."""
    found = {}
    for record in records:
        for folder in results_dirs:
            path = folder / record.file
            relative = Path(os.path.relpath(path, out.parent)).as_posix()
            if path.exists() and not relative.startswith("../.."):
                found[record.file] = relative
    return found


# -- the page ----------------------------------------------------------------------------------------------------------


def context(
    records: Sequence[Record], unreadable: Sequence[str], now: datetime, link_by_file: Mapping[str, str]
) -> dict[str, Any]:
    """Everything the template prints."""
    order = model_order(records)
    by_machine: dict[str, list[Record]] = {}
    by_scale: dict[tuple[str, str], list[Record]] = {}  # scales never share a table
    for record in sorted(records, key=lambda record: (machine_of(record), order[record.model], record.file)):
        by_machine.setdefault(machine_of(record), []).append(record)
        by_scale.setdefault((machine_of(record), str(record.protocol.get("scale", ""))), []).append(record)
    groups = [group_view(machine, scale, group, order) for (machine, scale), group in sorted(by_scale.items())]
    judged = {name: [judge(claim, group) for claim in CLAIMS] for name, group in by_machine.items()}
    if not judged:
        judged = {"": [judge(claim, []) for claim in CLAIMS]}
    claims = [
        claim_view(claim, {name: verdicts[i] for name, verdicts in judged.items()}) for i, claim in enumerate(CLAIMS)
    ]
    smoke = sorted({record.model for record in records if record.protocol.get("quick")})
    return {
        "css": Markup((HERE / "page.css").read_text(encoding="utf-8")),
        "title": ("SMOKE RUN: " if smoke else "") + "Do the headline claims hold?",
        "rendered": f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "smoke": smoke,
        "summary": summary(judged, groups, bool(smoke)),
        "claims": claims,
        "machines": list(by_machine),
        "groups": groups,
        "not_run": not_run(claims),
        "failed": [record for record in records if record.status != "ok"],
        "unreadable": unreadable,
        "records": [record_view(record, link_by_file) for group in by_machine.values() for record in group],
        "published_quality": PUBLISHED_QUALITY,
        "published_speed": PUBLISHED_SPEED,
    }


def machine_of(record: Record) -> str:
    return str(record.environment.get("machine", "unknown machine"))


def model_order(records: Iterable[Record]) -> dict[str, int]:
    """Every model's place in tables and colours: real data first, then as the claims name them, then by name."""
    named = [REAL_DATA]
    for claim in CLAIMS:
        for side in filter(None, (claim.in_small, claim.paper_scale)):
            named += [side.subject, *side.baselines]
    present = {record.model for record in records}
    ordered = [model for model in dict.fromkeys(named) if model in present] + sorted(present - set(named))
    return {model: place for place, model in enumerate(ordered)}


def summary(judged: Mapping[str, list[list[Verdict]]], groups: Sequence[Mapping[str, Any]], smoke: bool) -> list[str]:
    """What was found, in plain words."""
    if not groups:
        return ["Nothing was measured yet: there is no record to judge. `python -m bench reproduce` makes them."]
    sentences, paper_sentences = [], []
    for name, pairs in judged.items():
        where = f"On {name}, " if len(judged) > 1 else ""
        small = Counter(pair[1].word for pair in pairs if len(pair) > 1)
        paper = Counter(pair[0].word for pair in pairs)
        if set(small) != {"not run"}:
            sentences.append(capital(f"{where}in small, {counted(small)}."))
        if set(paper) != {"not run"}:
            paper_sentences.append(capital(f"{where}at the paper's scale, {counted(paper)}."))
    sentences += paper_sentences or [
        "None was judged at the paper's scale: that needs released weights, reference statistics or a GPU, listed "
        "under “What was not run”."
    ]
    if smoke:
        sentences.insert(0, "This is a smoke run: no claim is judged by it.")
    meaning = (
        "“In small” means: small models of the same algorithms, one per family, trained on 8×8 scans of handwritten "
        "digits and measured here. That can show a direction (which model is better, which is faster), never a paper's "
        "number; printed and measured numbers are kept apart throughout."
    )
    return [" ".join(sentences), *[" ".join(group["rankings"]) for group in groups if group["rankings"]], meaning]


def counted(words: Counter[Any]) -> str:
    """As "3 of 7 headline claims hold, 2 do not, 1 is inconclusive and 1 was not run"."""
    total = sum(words.values())
    phrases = (
        (("holds in small",), "holds", "hold"),
        (("reproduced",), "is reproduced", "are reproduced"),
        (("does not hold in small",), "does not", "do not"),
        (("not reproduced",), "is not reproduced", "are not reproduced"),
        (("inconclusive",), "is inconclusive", "are inconclusive"),
        (("not comparable",), "is not comparable", "are not comparable"),
        (("not run",), "was not run", "were not run"),
    )
    found = [(sum(words[word] for word in group), one, many) for group, one, many in phrases]
    parts = [f"{count} {one if count == 1 else many}" for count, one, many in found if count]
    first, *rest = parts
    count, verb = first.split(" ", 1)
    if verb in ("does not", "do not"):
        verb += " hold"
    return listed([f"{count} of {total} headline claims {verb}", *rest])


def not_run(claims: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts "not run", one per reason, with the claims they leave open."""
    by_reason: dict[str, dict[str, Any]] = {}
    for claim in claims:
        for row in claim["verdicts"]:
            if row["word"] == "not run":
                entry = by_reason.setdefault(
                    row["reason"], {"reason": row["reason"], "side": row["side"], "claims": {}}
                )
                entry["claims"][claim["id"]] = claim["headline"]
    return list(by_reason.values())


def claim_view(claim: Claim, verdicts_by_machine: Mapping[str, Sequence[Verdict]]) -> dict[str, Any]:
    """A claim with its verdicts: on either side those of the machines that could give one, else what is missing."""
    rows = []
    small = {name: pair[1] for name, pair in verdicts_by_machine.items() if len(pair) > 1}
    paper = {name: pair[0] for name, pair in verdicts_by_machine.items()}
    for side, verdicts in (("In small", small), ("At the paper's scale", paper)):
        run = {name: verdict for name, verdict in verdicts.items() if verdict.word != "not run"}
        alike = not run and len({verdict.reason for verdict in verdicts.values()}) == 1
        for name, verdict in list((run or verdicts).items())[: 1 if alike else None]:
            style, sign = BADGES[verdict.word]
            rows.append(
                {
                    "side": side,
                    "machine": "" if alike or len(verdicts_by_machine) == 1 else name,
                    "word": verdict.word,
                    "style": style,
                    "sign": sign,
                    "reason": verdict.reason,
                    "records": verdict.records,
                }
            )
    return {
        "id": claim.id,
        "headline": claim.headline,
        "quote": claim.quote,
        "printed": f"x{claim.value:g}" if claim.unit == "times" else f"{claim.value:g} {claim.unit}",
        "source": claim.source,
        "tolerance": f"± {claim.tolerance:.0%}".replace("%", " %"),
        "tolerance_reason": claim.tolerance_reason,
        "conflicts": claim.conflicts,
        "caveat": claim.caveat,
        "verdicts": rows,
        "question": question(claim.in_small) if claim.in_small else "",
        "in_small": [row for row in rows if row["side"] == "In small"],
        "at_paper_scale": [row for row in rows if row["side"] != "In small"],
    }


def question(side: Comparison) -> str:
    """What is asked in small."""
    metric = METRIC_WORDS.get(side.metric, side.metric)
    return f"Has {side.subject} {side.better} {metric} than {listed(side.baselines)}?"


# -- one machine, one scale --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A number and, below it, its interval or a remark."""

    text: str
    below: str = ""


@dataclass(frozen=True)
class Table:
    caption: str
    columns: tuple[tuple[str, str], ...]  # heading, remark
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]  # label, cells; a single cell spans the row
    floor_rows: int = 0  # leading rows that are real data, not a model


def group_view(machine: str, scale: str, records: Sequence[Record], order: Mapping[str, int]) -> dict[str, Any]:
    """The measurements of one machine at one scale."""
    prefix, labels = anchor(f"{machine} {scale}"), label_by_file(records)
    images = [record for record in records if record.protocol.get("collects") == "images"]
    timings = [record for record in records if record.protocol.get("collects") == "timings"]
    floor = floor_of(images)
    series = {labels[record.file]: order[record.model] for record in records}
    rounds = {labels[r.file]: r.raw["rounds_s"] for r in timings if r.status == "ok" and r.raw.get("rounds_s")}
    points = quality_points(images, timings, labels, order)
    floor_fid = whiskers(floor["fid"]) if "fid" in floor else None
    shown = {name for record in records for name in record.measurements}
    svgs = []
    if rounds:
        svgs.append((Markup(charts.latency_chart(rounds, series, f"{prefix}-latency")), LATENCY_CAPTION))
    if points:
        svgs.append((Markup(charts.quality_chart(points, floor_fid, f"{prefix}-quality")), QUALITY_CAPTION))
    return {
        "machine": machine,
        "scale": scale,
        "id": prefix,
        "smoke": any(record.protocol.get("quick") for record in records),
        "rankings": rankings(f"{machine}, {scale}", images, timings, labels, floor),
        "scores": score_table(images, labels, floor),
        "engines": engines(images),
        "meanings": [(METRICS[name].title, METRICS[name].what) for name in (*SCORES, *SPEEDS, *COSTS) if name in shown],
        "refused": refusals(images, labels),
        "speeds": metric_table(
            "Time to generate, with 95 % intervals below.", SPEEDS, timings, labels, extra=rounds_column
        ),
        "charts": svgs,
        "samples": sample_grids(images, labels),
        "costs": metric_table("Size and cost of each generator.", COSTS, timings, labels),
        "protocols": protocol_tables(records, labels),
        "environments": environment_tables(records),
        "audit": audit_table(images, labels),
    }


LATENCY_CAPTION = (
    "Every timed round at batch 1. Long bar: median (printed at the right); short bar: 90th percentile. Of more than "
    f"{charts.MAX_DOTS} rounds, as many evenly spaced quantiles are drawn."
)
QUALITY_CAPTION = (
    "FID against latency, both measured here with the same settings; whiskers are 95 % intervals. Dashed: the floor "
    "set by real held-out scans, with its interval."
)


def label_by_file(records: Sequence[Record]) -> dict[str, str]:
    """The model's name, with the settings that tell it apart where one protocol has several records of it."""
    labels = {}
    for record in records:
        same = [r for r in records if (r.model, r.protocol["name"]) == (record.model, record.protocol["name"])]
        names = sorted({name for r in same for name in r.settings})
        differing = [name for name in names if len({json.dumps(r.settings.get(name)) for r in same}) > 1]
        settings = ", ".join(f"{name} {record.settings.get(name)}" for name in differing)
        labels[record.file] = f"{record.model} ({settings})" if settings else record.model
    return labels


def floor_of(images: Sequence[Record]) -> dict[str, Measurement]:
    """What real held-out images score: their own record, or what a model's record holds beside its scores."""
    for record in images:
        if record.model == REAL_DATA and record.status == "ok" and record.measurements:
            return dict(record.measurements)
    for record in images:
        if record.raw.get("floor"):
            return {name: Measurement(**fields) for name, fields in record.raw["floor"].items()}
    return {}


def whiskers(measured: Measurement) -> Interval:
    """The interval for drawing: of no length where it is unknown."""
    known = as_interval(measured)
    return known if known.low == known.low else Interval(measured.value, measured.value, measured.value)


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


def score_table(images: Sequence[Record], labels: Mapping[str, str], floor: Mapping[str, Measurement]) -> Table | None:
    """Scores with 95 % intervals, real data first."""
    models = [record for record in images if record.model != REAL_DATA]
    measurements = {labels[record.file]: record.measurements for record in models}
    rows = {"real held-out scans": floor, **measurements} if floor else measurements
    if not rows:
        return None
    table = table_of("Scores, with 95 % intervals below.", SCORES, rows, failures(models, labels), {}, count=True)
    return replace(table, floor_rows=1 if floor else 0)


def metric_table(
    caption: str, metrics: Sequence[str], records: Sequence[Record], labels: Mapping[str, str], extra: Any = None
) -> Table | None:
    """A row per record and a column per metric; `extra` gives one column more."""
    if not records:
        return None
    rows = {labels[record.file]: record.measurements for record in records}
    table = table_of(caption, metrics, rows, failures(records, labels), batch_remarks(records), parts(records, labels))
    if not extra:
        return table
    heading, cells = extra(records, labels)
    with_extra = tuple(
        (label, row if len(row) < len(table.columns) else (*row, cells.get(label, Cell("–"))))
        for label, row in table.rows
    )
    return replace(table, columns=(*table.columns, heading), rows=with_extra)


def batch_remarks(timings: Sequence[Record]) -> dict[str, str]:
    """The batch size behind each metric, in words."""

    def sizes(kind: str) -> str:
        found = sorted({int(record.protocol.get(f"{kind}_batch_size", 0)) for record in timings})
        return f"batch {listed([str(size) for size in found])}"

    remarks = {name: sizes("latency") for name in SPEEDS}
    return remarks | {"throughput_per_s": sizes("throughput"), "peak_memory_bytes": sizes("throughput")}


def parts(timings: Sequence[Record], labels: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """What stands below a number without interval: the network evaluations by part of the network."""
    nfe = {labels[record.file]: record.raw.get("nfe") for record in timings}
    return {(label, "nfe"): as_words("nfe", found) for label, found in nfe.items() if isinstance(found, Mapping)}


def rounds_column(records: Sequence[Record], labels: Mapping[str, str]) -> tuple[tuple[str, str], dict[str, Cell]]:
    """How many rounds were timed, and from which to which time they took."""
    cells = {}
    for record in records:
        if rounds := record.raw.get("rounds_s"):
            cells[labels[record.file]] = Cell(
                str(len(rounds)), f"{quantity('latency_s', min(rounds))} to {quantity('latency_s', max(rounds))}"
            )
    return ("Timed rounds", "fastest to slowest below"), cells


def table_of(
    caption: str,
    metrics: Sequence[str],
    rows: Mapping[str, Mapping[str, Measurement]],
    failed: Mapping[str, str],
    remarks: Mapping[str, str],
    below: Mapping[tuple[str, str], str] | None = None,
    *,
    count: bool = False,
) -> Table:
    """Rows of measurements in one unit per column; `count` adds the number of images behind each row.

    remarks: what to add to a metric's heading    below: what to print below the number of (row, metric).
    """
    kept = [name for name in metrics if any(name in row for row in rows.values())] or list(metrics)
    units = {name: display_unit(name, [row[name].value for row in rows.values() if name in row]) for name in kept}
    better = {True: "higher is better", False: "lower is better", None: ""}
    headings = []
    for name in kept:
        symbol = f", {units[name].symbol}" if units[name].symbol else ""
        remark = ", ".join(filter(None, (remarks.get(name), better[METRICS[name].higher_is_better])))
        headings.append((METRICS[name].title + symbol, remark))
    body: list[tuple[str, tuple[Cell, ...]]] = []
    for label, measurements in rows.items():
        if label in failed:
            body.append((label, (Cell(f"failed: {failed[label]}"),)))
            continue
        cells = [cell(measurements.get(name), units[name], (below or {}).get((label, name), "")) for name in kept]
        if count:
            counts = {m.n for m in measurements.values() if m.n is not None}
            cells.append(Cell(" / ".join(f"{n:,}" for n in sorted(counts)) or "–"))
        body.append((label, tuple(cells)))
    return Table(caption, (*headings, *((("Images", ""),) if count else ())), tuple(body))


def failures(records: Sequence[Record], labels: Mapping[str, str]) -> dict[str, str]:
    return {labels[record.file]: record.reason for record in records if record.status != "ok"}


def cell(measured: Measurement | None, unit: Unit, below: str = "") -> Cell:
    if measured is None:
        return Cell("–")
    bounds = (measured.value, measured.ci_low, measured.ci_high)
    return Cell(number(*bounds, unit), interval(*bounds, unit) or below)


def refusals(images: Sequence[Record], labels: Mapping[str, str]) -> list[str]:
    """Scores that were refused or could not be computed, with the reason."""
    found = []
    for record in images:
        for key, verb in (("refused", "refused"), ("not_run", "not run")):
            for name, why in (record.raw.get(key) or {}).items():
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


def quality_points(
    images: Sequence[Record], timings: Sequence[Record], labels: Mapping[str, str], order: Mapping[str, int]
) -> list[charts.Point]:
    """Models whose FID and latency were measured with the same settings: quality and speed of the same outputs."""
    points = []
    for quality in images:
        for speed in timings:
            same = quality.model == speed.model and quality.settings == speed.settings
            if same and "fid" in quality.measurements and "latency_s" in speed.measurements:
                fid, latency_s = (whiskers(r.measurements[m]) for r, m in ((quality, "fid"), (speed, "latency_s")))
                points.append(charts.Point(labels[quality.file], order[quality.model], latency_s, fid))
    return points


def sample_grids(images: Sequence[Record], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The first images of each record, real scans first, enlarged by a whole factor."""
    grids = []
    for record in images:
        size = png_size(record.images_png)
        if size:
            factor = max(1, GRID_WIDTH_PX // size[0])
            real = record.model == REAL_DATA
            label = "real held-out scans" if real else labels[record.file]
            grids.append(
                {
                    "label": label,
                    "png": record.images_png,
                    "width": size[0] * factor,
                    "height": size[1] * factor,
                    "style": "crisp" if factor > 1 else "",
                    "alt": f"Grid of {'real images' if real else f'images generated by {label}, one class per column'}",
                }
            )
    return grids


def png_size(encoded: str) -> tuple[int, int] | None:
    """Width and height of a base64 PNG, None where it is not one."""
    try:
        head = base64.b64decode(encoded[:64], validate=True)
    except ValueError:
        return None
    return struct.unpack(">II", head[16:24]) if head.startswith(b"\x89PNG") and len(head) >= 24 else None  # type: ignore[return-value]


def protocol_tables(records: Sequence[Record], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each distinct protocol with its fields in words and the models it was applied to."""
    distinct: dict[str, dict[str, Any]] = {}
    for record in records:
        key = json.dumps(record.protocol, sort_keys=True)
        entry = distinct.setdefault(key, {"name": record.protocol["name"], "models": [], "rows": []})
        entry["models"].append(labels[record.file])
        timings = record.protocol.get("collects") == "timings"
        hidden = TIMINGS_IGNORE if timings else IMAGES_IGNORE
        entry["rows"] = [
            (words, as_words(field, record.protocol[field]))
            for field, words in FIELD_WORDS.items()
            if field not in hidden and field in record.protocol and record.protocol[field] is not False
        ]
        scoring = record.raw.get("scoring") or {}
        entry["rows"] += [
            (words, as_words(key, scoring[key])) for key, words in SCORING_WORDS.items() if scoring.get(key) is not None
        ]
    return list(distinct.values())


def environment_tables(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Each distinct environment: the machine and the versions. The commit stands with each record."""
    distinct: dict[str, dict[str, Any]] = {}
    for record in records:
        known = {k: v for k, v in record.environment.items() if k not in ("commit", "dirty", "versions")}
        versions = record.environment.get("versions", {})
        entry = distinct.setdefault(json.dumps([known, versions], sort_keys=True), {"models": {}, "rows": []})
        entry["models"][record.model] = None
        entry["rows"] = [
            (ENVIRONMENT_WORDS.get(k, k), as_words(k, known[k])) for k in sorted(known, key=environment_place)
        ]
        entry["versions"] = ", ".join(f"{package} {version}" for package, version in versions.items())
    return list(distinct.values())


def environment_place(key: str) -> tuple[int, str]:
    known = list(ENVIRONMENT_WORDS)
    return (known.index(key) if key in known else len(known), key)


def audit_table(images: Sequence[Record], labels: Mapping[str, str]) -> Table | None:
    """What the audit found before anything was scored."""
    audits = {labels[r.file]: r.raw["audit"] for r in images if isinstance(r.raw.get("audit"), dict)}
    present = [key for audit in audits.values() for key in audit if key not in AUDIT_REPEATS]
    keys = [key for key in dict.fromkeys([*AUDIT_WORDS, *present]) if key in present]
    if not keys:
        return None
    rows = tuple(
        (label, tuple(Cell(as_words(key, audit[key])) if key in audit else Cell("–") for key in keys))
        for label, audit in audits.items()
    )
    return Table(
        "Audit of the images before scoring; images that fail it are not scored.",
        tuple((AUDIT_WORDS.get(key, key.replace("_", " ")), "") for key in keys),
        rows,
    )


def record_view(record: Record, link_by_file: Mapping[str, str]) -> dict[str, Any]:
    """One line of the list of records."""
    commit = record.environment.get("commit")
    state = {True: ", with changes", False: "", None: ", changes unknown"}[record.environment.get("dirty")]
    return {
        "file": record.file,
        "link": link_by_file.get(record.file, ""),
        "status": "smoke run" if record.protocol.get("quick") and record.status == "ok" else record.status,
        "measured": datetime.fromisoformat(record.created_utc).astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
        "commit": f"{str(commit)[:10]}{state}" if commit else "unknown",
        "wall": "–" if record.wall_s is None else f"{record.wall_s:.1f} s",
        "settings": ", ".join(f"{name} {as_words(name, value)}" for name, value in sorted(record.settings.items())),
        "weights": str(record.inputs.get("weights_sha256") or "–")[:12],
    }


# -- words -------------------------------------------------------------------------------------------------------------


def as_words(key: str, value: Any) -> str:
    """A field's value as a reader wants it."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and key.endswith("_bytes"):
        return quantity(key, value)
    if isinstance(value, int | float) and key.endswith("_share"):
        return f"{100 * value:.1f} %"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}" if key != "seed" else str(value)
    if isinstance(value, Mapping) and value:
        return ", ".join(f"{k} {as_words(k, v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        if len(value) > 8 and all(isinstance(v, int | float) for v in value):
            return f"{min(value):g} each" if min(value) == max(value) else f"{min(value):g} to {max(value):g}"
        return ", ".join(as_words("", item) for item in value) or "none"
    return str(value)[:16] if key.endswith("_sha256") else str(value)


def prose(text: str) -> Markup:
    """Escaped text in which `code` is set as code, and no per cent sign stands alone on a line."""
    text = html.escape(text).replace(" %", "\N{NO-BREAK SPACE}%")
    return Markup(re.sub(r"`([^`]+)`", lambda match: as_code(match[1]), text))


def as_code(escaped: str) -> str:
    """Code that breaks between words only: "--only" stays whole."""
    return "<code>" + " ".join(f"<span>{word}</span>" for word in escaped.split(" ")) + "</code>"


def anchor(text: str) -> str:
    """`text` as an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
