"""Records -> reports/index.html: one file that needs no network and no JavaScript.

    python -m bench report --results results --out reports/index.html

Here the records are read, judged and put into the words and cells of a page; page.html.jinja sets them.
A number of a paper and a measured number never stand in one column.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bench.analysis.seeds import seeds_of
from bench.analysis.speed import at_the_machines_roofline
from bench.claims import CLAIMS, PUBLISHED_PAINTING, PUBLISHED_QUALITY, PUBLISHED_SPEED, PUBLISHED_UNDERSTANDING
from bench.errors import UsageError
from bench.formatting import as_words, listed
from bench.records.json_files import write_text
from bench.records.schema import REAL_DATA, Record
from bench.records.store import latest, load_records
from bench.report.sections.dual import SCALE as SCENES
from bench.report.sections.dual import dual_view
from bench.report.sections.quality import group_view
from bench.report.sections.sizes import size_view
from bench.report.sections.speed import speed_view
from bench.report.sections.studies import SECTIONS, studies_view
from bench.report.sections.verdicts import claim_view, not_run, summary
from bench.report.words import anchor, prose
from bench.studies import STUDIES
from bench.verdict.judge import judge

HERE = Path(__file__).parent
PRINTED_TABLES = (  # caption, (heading, field of a row) of each column, groups
    (
        "Printed scores of reading images. CIDEr on COCO, times 100; accuracies in %; MME as a sum of scores.",
        (
            *(("CIDEr", "cider"), ("VQAv2", "vqa_v2"), ("VizWiz", "vizwiz"), ("OKVQA", "okvqa"), ("MME", "mme")),
            *(("GQA", "gqa"), ("POPE", "pope"), ("Parameters", "params")),
        ),
        PUBLISHED_UNDERSTANDING,
    ),
    (
        "Printed scores of painting from text: GenEval, the share of prompts whose picture shows what was asked.",
        (
            *(("Overall", "overall"), ("Single object", "single"), ("Two objects", "two"), ("Counting", "counting")),
            *(("Colours", "colours"), ("Position", "position"), ("Attribute binding", "attribution")),
        ),
        PUBLISHED_PAINTING,
    ),
)


def render(results_dirs: Sequence[Path], out: Path, *, now: datetime | None = None) -> Path:
    """Write the report on the records of `results_dirs` to `out`, and return `out`.

    UsageError where a folder does not exist. Files that are not records are listed in the report.
    """
    results_dirs, out = [Path(folder) for folder in results_dirs], Path(out)
    for folder in results_dirs:
        if not folder.is_dir():
            raise UsageError(f"results folder {str(folder)!r} does not exist; `python -m bench reproduce` makes one")
    loaded = load_records(results_dirs)
    records = loaded.records
    told = context(
        at_the_machines_roofline(latest(records)),
        loaded.faults,
        now or datetime.now(UTC),
        links(records, results_dirs, out),
    )
    page = environment().get_template("page.html.jinja").render(told)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, out)
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
    given, sizes = records, [record for record in records if record.protocol.collects == "sizes"]
    records = [record for record in records if record.protocol.collects != "sizes"]  # sizes have a table apart
    order = model_order(records)
    by_machine: dict[str, list[Record]] = {}
    by_scale: dict[tuple[str, str], list[Record]] = {}  # scales never share a table
    for record in sorted(records, key=lambda record: (machine_of(record), order[record.model], record.file)):
        by_machine.setdefault(machine_of(record), []).append(record)
        if not record.protocol.study and record.protocol.scale != SCENES:  # scenes: a part of their own
            by_scale.setdefault((machine_of(record), record.protocol.scale), []).append(record)
    groups = [group_view(machine, scale, group) for (machine, scale), group in sorted(by_scale.items())]
    judged = {name: [judge(claim, group) for claim in CLAIMS] for name, group in by_machine.items()}
    if not judged:
        judged = {"": [judge(claim, []) for claim in CLAIMS]}
    claims = [
        claim_view(claim, {name: verdicts[i] for name, verdicts in judged.items()}, by_machine)
        for i, claim in enumerate(CLAIMS)
    ]
    studied = {name: [r for r in group if r.protocol.study] for name, group in by_machine.items()}
    dual = dual_view(by_machine, claims)
    weights = weights_stamp(records)
    smoke = sorted({record.model for record in records if record.protocol.quick})
    return {
        "css": Markup((HERE / "page.css").read_text(encoding="utf-8")),
        "title": "".join(f"{stamp}: " for stamp in ("SMOKE RUN" if smoke else "", weights.stamp) if stamp)
        + "Do the headline claims hold?",
        "rendered": f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "smoke": smoke,
        "weights": weights,
        "summary": summary(judged, [*groups, *dual["views"]], bool(smoke)),
        "claims": claims,
        "machines": list(by_machine),
        "groups": groups,
        "speed": speed_view(by_machine, order),
        "dual": dual,
        "studies": [
            studies_view(name, by_machine[name], order)
            for name, found in studied.items()
            if any(record.protocol.scale != SCENES for record in found)
        ],
        "all_studies": [study for study in STUDIES.values() if study.name in SECTIONS],
        "sizes": size_view(sizes, link_by_file),
        "not_run": not_run(claims),
        "num_records": len(given),
        "failed": [record for record in given if record.status != "ok" and not record.protocol.study],
        "unreadable": unreadable,
        "records": [
            record_view(record, link_by_file)
            for group in by_machine.values()
            for record in group
            if not record.protocol.study
        ],
        "study_records": [record_view(record, link_by_file) for group in studied.values() for record in group],
        "published_quality": PUBLISHED_QUALITY,
        "published_speed": PUBLISHED_SPEED,
        "printed_tables": PRINTED_TABLES,
    }


def machine_of(record: Record) -> str:
    return record.environment.machine


def model_order(records: Iterable[Record]) -> dict[str, int]:
    """Every model's place in tables and colours: real data first, then as the claims name them, then by name."""
    named = [REAL_DATA]
    for claim in CLAIMS:
        for side in filter(None, (claim.in_small, claim.paper_scale)):
            named += [side.subject, *side.baselines]
    present = {record.model for record in records}
    ordered = [model for model in dict.fromkeys(named) if model in present] + sorted(present - set(named))
    return {model: place for place, model in enumerate(ordered)}


def seeds_named(record: Record) -> list[tuple[str, int]]:
    """The seeds of a study's record, which tell it from others at its settings."""
    if not record.protocol.study:
        return []
    training_seed, seed = seeds_of(record)
    return [("training seed", training_seed), ("sampling seed", seed)]


def record_view(record: Record, link_by_file: Mapping[str, str]) -> dict[str, Any]:
    """One line of the list of records."""
    commit = record.environment.commit
    state = {True: ", with changes", False: "", None: ", changes unknown"}[record.environment.dirty]
    return {
        "file": record.file,
        "link": link_by_file.get(record.file, ""),
        "status": "smoke run" if record.protocol.quick and record.status == "ok" else record.status,
        "measured": datetime.fromisoformat(record.created_utc).astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
        "commit": f"{str(commit)[:10]}{state}" if commit else "unknown",
        "wall": "–" if record.wall_s is None else f"{record.wall_s:.1f} s",
        "settings": ", ".join(
            f"{name} {as_words(name, value)}"
            for name, value in (*sorted(record.settings.items()), *seeds_named(record))
        ),
        "weights": (record.inputs.weights_sha256 or "–")[:12],
    }


SHIPPED, RETRAINED = "shipped", "trained here"  # inputs.weights_origin


@dataclass(frozen=True)
class Weights:
    """Whose weights were measured, in words; `stamp` is "" where they are the shipped ones, or unknown."""

    stamp: str
    text: str


def weights_stamp(records: Iterable[Record]) -> Weights:
    """Of every model with weights; further training seeds, which never ship, left out."""
    models: dict[str, dict[str, None]] = {}  # by origin
    for record in records:
        if record.inputs.weights_sha256 and not record.protocol.training_seed:
            models.setdefault(record.inputs.weights_origin or "", {})[record.model] = None
    if not models.keys() - {""}:
        return Weights("", "")
    if models.keys() == {SHIPPED}:
        return Weights("", "Weights: shipped with the package.")
    if models.keys() == {RETRAINED}:
        text = "Every model was trained anew before it was measured; no weights that ship with the package are shown."
        return Weights("RETRAINED WEIGHTS", text)
    words = {SHIPPED: "shipped with the package", RETRAINED: "trained anew", "": "of unrecorded origin"}
    text = f"{'; '.join(f'{words.get(origin, origin)}: {listed(list(found))}' for origin, found in models.items())}."
    return Weights("MIXED WEIGHTS" if RETRAINED in models else "", f"Weights {text}")
