"""The part "Dual Diffusion" of the report: one model that paints, captions and answers, beside an autoregressive one.

Records of the scale "scenes" stand here and in no other table; so do the runs of the study "text-steps".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.studies import seconds_per_item
from bench.claims import BENCHMARK_CLAIMS
from bench.claims.text import BENCHMARK_TABLE, BENCHMARKS, OUTSIDE_USERS, TEXT_CLAIMS, WEIGHTS
from bench.formatting import Unit, as_words, listed, number
from bench.metrics import METRICS
from bench.metrics.scene_check import METRIC_BY_TASK
from bench.records.parts import Example, Measurement
from bench.records.schema import REAL_DATA, Record
from bench.report.charts.drawing import png_size
from bench.report.charts.scenes import measured_steps, printed_steps, speed_of_steps
from bench.report.tables import Cell, Table, cell
from bench.report.tables.method import environment_tables, protocol_tables
from bench.report.tables.text_audits import audit_table, degenerate_words
from bench.report.words import anchor, badge_of
from bench.studies import STUDIES
from bench.verdict.judge import judge

SCALE = "scenes"
DUAL, AUTOREGRESSIVE = "d-dit-digits", "ar-vlm-digits"
CAPTIONS, ANSWERS, PAINTINGS = "scenes-captions", "scenes-answers", "scenes-paintings"
NAMES = {REAL_DATA: "real scenes"}  # what the checker makes of them: its ceiling
TASKS = (  # heading, protocol, what is counted, models, metrics
    (
        "Captions",
        CAPTIONS,
        "scenes",
        (DUAL, AUTOREGRESSIVE),
        ("caption_accuracy", "cider", "bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l"),
    ),
    (
        "Answers",
        ANSWERS,
        "scenes",
        (DUAL, AUTOREGRESSIVE),
        (
            *("vqa_accuracy", "vqa_accuracy_yes_no", "vqa_accuracy_number", "vqa_accuracy_other"),
            *("pope_accuracy", "pope_precision", "pope_recall", "pope_f1", "pope_yes_ratio"),
        ),
    ),
    (
        "Paintings",
        PAINTINGS,
        "captions to paint",
        (DUAL, REAL_DATA),
        (
            *("scene_accuracy", "scene_single_object", "scene_two_objects", "scene_counting", "scene_colours"),
            *("scene_position", "scene_attribution"),
        ),
    ),
)
COSTS = (("texts_per_s", "Time per text"), ("throughput_per_s", "Time per painting"))  # rate, title of its inverse
UNIT, MILLISECONDS = Unit(), Unit(1e-3, "ms")

Found = Mapping[tuple[str, str], Record]  # by protocol and model


def dual_view(
    records_by_machine: Mapping[str, Sequence[Record]], claims: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The whole part. claims: those of the page as it sets them; what they say of D-DiT is repeated first."""
    by_machine = {name: of_scenes(records) for name, records in records_by_machine.items()}
    ids = {claim.id for claim in TEXT_CLAIMS}
    every = [record for records in records_by_machine.values() for record in records]
    return {
        "claims": [claim for claim in claims if claim["id"] in ids],
        "views": [machine_view(name, records) for name, records in by_machine.items() if records],
        "benchmarks": benchmarks_view(every),
        "outside_users": OUTSIDE_USERS,
    }


def of_scenes(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.protocol.scale == SCALE]


def machine_view(machine: str, records: Sequence[Record]) -> dict[str, Any]:
    """What one machine measured."""
    prefix = anchor(f"{machine} scenes")
    found = {
        (record.protocol.name, record.model): record
        for record in records
        if record.status == "ok" and not record.protocol.study
    }
    steps = [record for record in records if record.status == "ok" and record.protocol.study]
    texts = [
        (f"{model}, {heading.lower()}", found[protocol, model])
        for heading, protocol, *_ in TASKS[:2]
        for model in (DUAL, AUTOREGRESSIVE)
        if (protocol, model) in found
    ]
    labels = {record.file: record.model for record in records}
    return {
        "machine": machine,
        "id": prefix,
        "lead": lead(found),
        "rankings": [f"Dual Diffusion on {machine}, {SCALE}: {lead(found)}"] if lead(found) else [],
        "tables": task_tables(found),
        "notes": not_scored(found),
        "charts": [*measured_steps(steps, prefix), printed_steps(prefix), *speed_of_steps(steps, prefix)],
        "examples": examples_of(found, prefix),
        "audit": audit_table(texts),
        "degenerate": degenerate_words(texts),
        "by_type": type_table(found),
        "lacking": lacking(records),
        "protocols": protocol_tables(list(found.values()), labels),
        "environments": environment_tables(list(found.values())),
    }


# -- the answer in words -----------------------------------------------------------------------------------------------


def lead(found: Found) -> str:
    """The three tasks in one sentence, the rival's number in brackets."""
    parts = (
        (CAPTIONS, "caption_accuracy", "gets {} of the captions wholly right", AUTOREGRESSIVE),
        (ANSWERS, "vqa_accuracy", "answers with a VQA accuracy of {}", AUTOREGRESSIVE),
        (PAINTINGS, "scene_accuracy", "paints {} of the scenes as asked", REAL_DATA),
    )
    clauses = []
    for protocol, metric, words, other in parts:
        ours, theirs = (value_of(found, protocol, model, metric) for model in (DUAL, other))
        if ours:
            beside = {REAL_DATA: "of real scenes the checker passes {}"}.get(other, f"{other}: {{}}")
            clauses.append(words.format(ours) + (f" ({beside.format(theirs)})" if theirs else ""))
    return f"One network, {DUAL}, {listed(clauses)}." if clauses else ""


def value_of(found: Found, protocol: str, model: str, metric: str) -> str:
    """As "88.1 %"; "" where it was not measured."""
    record = found.get((protocol, model))
    measured = record.measurements.get(metric) if record else None
    return f"{number(measured.value, measured.ci_low, measured.ci_high)} {METRICS[metric].unit}" if measured else ""


def lacking(records: Sequence[Record]) -> list[str]:
    """What failed or was not run, with the command that would run it."""
    known = {(record.protocol.name, record.model): record for record in records}
    sentences, absent = [], []
    for _, protocol, _, models, _ in TASKS:
        for model in models:
            record = known.get((protocol, model))
            if record is None:
                absent.append(f"{protocol} of {model}")
            elif record.status != "ok":
                sentences.append(f"Failed: {protocol} of {model}: {record.reason.rstrip('.')}.")
    if absent:
        sentences.append(f"Not run: {listed(absent)}. `python -m bench reproduce --scale {SCALE}` would run it.")
    runs = STUDIES["text-steps"].runs
    missing = [run for run in runs if not any(is_run_of(record, run) for record in records)]
    if missing:
        command = "`python -m bench study text-steps`"
        sentences.append(f"Text steps: {len(missing)} of {len(runs)} runs are missing. {command} would run them.")
    return sentences


def is_run_of(record: Record, run: Any) -> bool:
    named = record.settings.items() >= dict(run.settings).items()
    return named and (record.model, record.protocol.name) == (run.model, run.protocol.name)


def not_scored(found: Found) -> list[str]:
    """Scores that could not be computed and what a scorer warned of, each with the reason."""
    sentences: dict[str, None] = {}
    for (protocol, model), record in found.items():
        if record.texts is None:
            continue
        for metric, reason in record.texts.not_run.items():
            title = METRICS[metric].title if metric in METRICS else metric
            sentences[f"{title} of {model} was not run: {str(reason).rstrip('.')}."] = None
        for warning in record.texts.warnings:
            sentences[f"{model}, {protocol}: {str(warning).rstrip('.')}."] = None
    return list(sentences)


# -- tables ------------------------------------------------------------------------------------------------------------


def task_tables(found: Found) -> list[Table]:
    """Per task a row for each measure and a column for each model."""
    tables = []
    for heading, protocol, counted, models, metrics in TASKS:
        here = {model: found[protocol, model] for model in models if (protocol, model) in found}
        if not here:
            continue
        rows: list[tuple[str, tuple[Cell, ...]]] = []
        for metric in metrics:
            rows += row_of(titled(metric), {model: r.measurements.get(metric) for model, r in here.items()})
        for rate, title in COSTS:
            times = {model: seconds_per_item(record, rate) for model, record in here.items()}
            rows += row_of(f"{title}, {MILLISECONDS.symbol}", times, MILLISECONDS)
            rows += row_of(titled(rate), {model: r.measurements.get(rate) for model, r in here.items()})
        rows += row_of(METRICS["nfe"].title, {model: r.measurements.get("nfe") for model, r in here.items()})
        nums = sorted({record.protocol.num_images for record in here.values()})
        caption = f"{heading}: {listed([str(num) for num in nums])} held-out {counted}, 95 % intervals below."
        columns = tuple((NAMES.get(model, model), "") for model in here)
        tables.append(Table(caption, columns, tuple(rows), first="Measured"))
    return tables


def row_of(
    title: str, measured: Mapping[str, Measurement | None], unit: Unit = UNIT
) -> list[tuple[str, tuple[Cell, ...]]]:
    """The row, or none where nothing of it was measured."""
    return [(title, tuple(cell(each, unit) for each in measured.values()))] if any(measured.values()) else []


def titled(metric: str) -> str:
    unit = METRICS[metric].unit
    return METRICS[metric].title + (f", {unit}" if unit == "%" or metric == "throughput_per_s" else "")


def type_table(found: Found) -> Table | None:
    """VQA accuracy by the first words of the question."""
    by_model = {
        model: texts.by_question_type
        for model in (DUAL, AUTOREGRESSIVE)
        if (ANSWERS, model) in found and (texts := found[ANSWERS, model].texts)
    }
    types = list(dict.fromkeys(kind for types in by_model.values() for kind in types))
    if not types:
        return None
    rows = tuple(
        (
            f"{kind} …",
            tuple(
                Cell(number(types[kind].accuracy), f"{types[kind].n:,} questions") if kind in types else Cell("–")
                for types in by_model.values()
            ),
        )
        for kind in types
    )
    return Table("VQA accuracy in %, by question type.", tuple((m, "") for m in by_model), rows, first="Question")


# -- what the paper prints ---------------------------------------------------------------------------------------------


def benchmarks_view(records: Sequence[Record]) -> dict[str, Any]:
    """Every score of the paper's benchmark table with its verdict."""
    claims = {claim.id: claim for claim in BENCHMARK_CLAIMS}
    models = sorted({model for benchmark in BENCHMARKS for model in benchmark.printed})
    rows = []
    for benchmark in BENCHMARKS:
        claimed = [claims.get(benchmark.claim_id(model)) for model in models]
        verdicts = [judge(claim, records)[0] if claim else None for claim in claimed]
        cells = [
            {"printed": claim.quote, "reason": verdict.reason, **badge_of(verdict.word)} if claim and verdict else None
            for claim, verdict in zip(claimed, verdicts, strict=True)
        ]
        rows.append({"name": benchmark.name, "cells": cells})
    return {"models": models, "rows": rows, "source": BENCHMARK_TABLE, "needs": WEIGHTS}


HEIGHT_PX = 96  # a picture is enlarged by the largest whole factor that fits
SHOWN = 3  # of the wrong ones and of the right ones, before the rest is folded away
KINDS = {"scenes-paintings": "Paintings", "scenes-captions": "Captions", "scenes-answers": "Answers"}


def examples_of(found: Mapping[tuple[str, str], Record], prefix: str) -> list[dict[str, Any]]:
    """A gallery per task and model; those of the first model of a task are shown, others are folded."""
    galleries = []
    for protocol, title in KINDS.items():
        records = [record for (name, model), record in found.items() if name == protocol and model != REAL_DATA]
        for place, record in enumerate(records):
            found_items = [item_of(protocol, example) for example in record.samples.examples]
            items = [item for item in found_items if item]
            if items:
                galleries.append(gallery(title, record, items, folded=place > 0))
    return galleries


def gallery(title: str, record: Record, items: Sequence[Mapping[str, Any]], *, folded: bool) -> dict[str, Any]:
    wrong, right = ([item for item in items if item["right"] is bool(side)] for side in (0, 1))
    return {
        "title": f"{title} by {record.model}",
        "note": f"{len(wrong)} wrong and {len(right)} right ones, evenly spaced among all of each kind; how often each "
        "occurs stands in the tables.",
        "shown": [] if folded else [*wrong[:SHOWN], *right[:SHOWN]],
        "folded": [*wrong, *right] if folded else [*wrong[SHOWN:], *right[SHOWN:]],
    }


def item_of(protocol: str, example: Example) -> dict[str, Any] | None:
    """One picture with its words; None where the picture cannot be read."""
    size = png_size(example.image_png)
    if size is None:
        return None
    factor = max(1, HEIGHT_PX // size[1])
    right, text = example.right, example.text.strip() or "(nothing)"
    if protocol == "scenes-paintings":
        lines = [("asked for", example.prompt), ("checker reads", text)]
        tasks = example.tasks or {}
        names = ", ".join(METRICS[m].title.lower() for task, m in METRIC_BY_TASK.items() if tasks.get(task) is False)
        remark = f"fails: {names}" if names and not right else ""
    elif protocol == "scenes-captions":
        lines, remark = [("says", text)], ""
        if not right and example.references:
            lines.append(("shows", example.references[0]))
    else:
        lines = [("asked", example.prompt), ("answers", text)]
        counts = Counter(example.references)
        if not right and counts:
            lines.append(("annotators", ", ".join(f"{answer} ({n})" for answer, n in counts.most_common(3))))
        accuracy = example.accuracy
        remark = f"accuracy {as_words('_share', accuracy)}" if accuracy not in (None, 0.0, 1.0) else ""
    return {
        "right": right,
        "sign": "✓" if right else "✗",
        "style": "yes" if right else "no",
        "word": "right" if right else "wrong",
        "png": example.image_png,
        "width": size[0] * factor,
        "height": size[1] * factor,
        "scene": example.scene,
        "lines": lines,
        "remark": remark,
    }
