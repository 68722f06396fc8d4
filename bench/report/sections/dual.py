"""The part "Dual Diffusion": one model that generates, captions and answers, beside an autoregressive one.

Records of the scale "scenes" stand here and in no other table of scores; so do the runs of the study "text-steps".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from bench.analysis.formulas import key_of
from bench.analysis.records import whiskers
from bench.analysis.studies import answers_of, settings_in_use
from bench.claims.published_text import PRINTED_STEPS
from bench.claims.text import STEPS_TABLE
from bench.formatting import as_words, listed, number
from bench.metrics import METRICS, title_of
from bench.metrics.scene_check import METRIC_BY_TASK
from bench.records.parts import Example
from bench.records.schema import REAL_DATA, Record
from bench.report.charts.lines import Line, Panel, lines_chart
from bench.report.charts.svg import png_size
from bench.report.sections.studies.common import lacking_words
from bench.report.tables import NONE, Cell, Table, cell, derived, plain_table
from bench.report.tables.method import environment_tables, protocol_tables
from bench.report.tables.text_audits import audit_table, degenerate_words
from bench.report.words import anchor
from bench.studies import STUDIES

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
        "Generated images",
        PAINTINGS,
        "captions to generate from",
        (DUAL, REAL_DATA),
        (
            *("scene_accuracy", "scene_single_object", "scene_two_objects", "scene_counting", "scene_colours"),
            *("scene_position", "scene_attribution"),
        ),
    ),
)
COST = "nfe"  # counted; these runs come from different hours, so that their times would compare the hours

Found = Mapping[tuple[str, str], Record]  # by protocol and model


def of_scenes(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.protocol.scale == SCALE]


def dual_view(machine: str, every: Sequence[Record]) -> dict[str, Any]:
    """What one machine measured of the scenes."""
    records = of_scenes(every)
    found = {
        (record.protocol.name, record.model): record
        for record in records
        if record.status == "ok" and not record.protocol.study
    }
    curves = curves_of([record for record in records if record.status == "ok" and record.protocol.study])
    texts = [
        (f"{model}, {heading.lower()}", found[protocol, model])
        for heading, protocol, *_ in TASKS[:2]
        for model in (DUAL, AUTOREGRESSIVE)
        if (protocol, model) in found
    ]
    labels = {record.file: record.model for record in records}
    return {
        "machine": machine,
        "id": anchor(f"{machine} scenes"),
        "lead": lead(found),
        "tables": task_tables(found),
        "notes": not_scored(found),
        "charts": step_charts(curves),
        "steps": steps_table(curves),
        "printed_steps": printed_steps(),
        "examples": examples_of(found),
        "audit": audit_table(texts),
        "degenerate": degenerate_words(texts),
        "by_type": type_table(found),
        "lacking": lacking(records),
        "protocols": protocol_tables(list(found.values()), labels),
        "environments": environment_tables(list(found.values())),
    }


# -- the answer in words -----------------------------------------------------------------------------------------------


def lead(found: Found) -> tuple[str | Cell, ...]:
    """The three tasks in one sentence, the rival's number in brackets; () where nothing was measured."""
    parts = (
        (CAPTIONS, "caption_accuracy", "gets {} of the captions wholly right", AUTOREGRESSIVE),
        (ANSWERS, "vqa_accuracy", "answers with a VQA accuracy of {}", AUTOREGRESSIVE),
        (PAINTINGS, "scene_accuracy", "generates {} of the scenes as asked", REAL_DATA),
    )
    clauses: list[list[str | Cell]] = []
    for protocol, metric, words, other in parts:
        ours, theirs = (value_of(found, protocol, model, metric) for model in (DUAL, other))
        if ours:
            before, after = words.split("{}")
            clauses.append([before, ours, after])
            if theirs:
                beside = {REAL_DATA: "of real scenes the checker passes "}.get(other, f"{other}: ")
                clauses[-1] += [f" ({beside}", theirs, ")"]
    if not clauses:
        return ()
    joined = [""] + [", "] * (len(clauses) - 2) + [" and "] * (len(clauses) > 1)
    said = [part for joint, clause in zip(joined, clauses, strict=True) for part in (joint, *clause)]
    return (f"One network, {DUAL}, ", *said, ".")


def value_of(found: Found, protocol: str, model: str, metric: str) -> Cell | None:
    """As "88.1 %"; None where it was not measured."""
    record = found.get((protocol, model))
    if record is None or metric not in record.measurements:
        return None
    shown = cell(record, metric)
    return replace(shown, text=f"{shown.text}\N{NO-BREAK SPACE}{METRICS[metric].unit}")


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
    steps = answers_of(STUDIES["text-steps"], records, settings_in_use(records))
    return sentences + [f"Text steps: {sentence}" for sentence in lacking_words(steps)]


def not_scored(found: Found) -> list[str]:
    """Scores that could not be computed and what a scorer warned of, each with the reason."""
    sentences: dict[str, None] = {}
    for (protocol, model), record in found.items():
        if record.texts is None:
            continue
        for metric, reason in record.texts.not_run.items():
            sentences[f"{title_of(metric)} of {model} was not run: {str(reason).rstrip('.')}."] = None
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
        rows = [
            (titled(metric), [cell(record, metric) for record in here.values()])
            for metric in (*metrics, COST)
            if any(metric in record.measurements for record in here.values())
        ]
        nums = sorted({record.protocol.num_images for record in here.values()})
        caption = f"{heading}: {listed([str(num) for num in nums])} held-out {counted}, 95 % intervals below."
        tables.append(plain_table(caption, [NAMES.get(model, model) for model in here], rows, first="Measured"))
    return tables


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
    kinds = dict.fromkeys(kind for types in by_model.values() for kind in types)

    def accuracy(model: str, kind: str) -> Cell:
        if kind not in by_model[model]:
            return NONE
        scored, key = by_model[model][kind], key_of("texts", "by_question_type", kind, "accuracy")
        return derived(found[ANSWERS, model], key, scored.accuracy, number, f"{scored.n:,} questions")

    rows = [(f"{kind} …", [accuracy(model, kind) for model in by_model]) for kind in kinds]
    return plain_table("VQA accuracy in %, by question type.", by_model, rows, first="Question") if rows else None


# -- steps -------------------------------------------------------------------------------------------------------------

CURVES = (  # protocol, metric
    ("scenes-captions-study", "cider"),
    ("scenes-answers-study", "vqa_accuracy"),
    ("scenes-captions-study", COST),
    ("scenes-answers-study", COST),
)
SAMPLERS = ((True, "d-dit-digits", "skips steps"), (False, "ar-vlm-digits", "plain"))  # cached, colour, label


@dataclass(frozen=True)
class Curve:
    """A metric over the number of text steps of one sampler."""

    metric: str
    texts: str  # "captions" or "answers"
    model: str  # whose colour the line has
    label: str
    by_steps: Mapping[int, Record]


def curves_of(records: Sequence[Record]) -> list[Curve]:
    """Both samplers give the same texts: quality has one curve, cost two."""
    curves = []
    for protocol, metric in CURVES:
        for cached, model, label in SAMPLERS if metric == COST else SAMPLERS[:1]:
            found = {
                int(record.settings["num_steps"]): record
                for record in records
                if record.protocol.name == protocol
                and metric in record.measurements
                and "num_steps" in record.settings
                and bool(record.settings.get("cached", True)) is cached
            }
            if found:
                curves.append(Curve(metric, protocol.split("-")[1], model, label, dict(sorted(found.items()))))
    return curves


def step_charts(curves: Sequence[Curve]) -> list[tuple[Any, str]]:
    """Quality and cost over the number of text steps."""
    panels = []
    for (metric, texts), together in groupby(curves, key=lambda curve: (curve.metric, curve.texts)):
        costs = metric == COST
        lines = [
            Line(
                curve.model,
                [(steps, whiskers(record.measurements[metric])) for steps, record in curve.by_steps.items()],
                label=curve.label,
            )
            for curve in together
        ]
        title = f"Cost per {texts.removesuffix('s')}" if costs else titled(metric)
        panels.append(Panel(title, lines, log_x=True, log_y=costs))
    if not panels:
        return []
    ends = listed([f"{panel.title} {line.ends('T')}" for panel in panels for line in panel.lines])
    svg = lines_chart(panels, "text diffusion steps T, logarithmic", f"Over the number of text steps: {ends}.")
    caption = (
        f"Measured on {scenes_words(curves)} over the number of text steps. “Skips steps” leaves out, text by text, "
        "steps in which no word changes; both samplers give the same texts. Cost: network evaluations, not timed."
    )
    return [(svg, caption)]


def scenes_words(curves: Sequence[Curve]) -> str:
    """As "200 held-out scenes (captions) and 100 (answers)"."""
    used: dict[str, set[int]] = {}
    for curve in curves:
        used.setdefault(curve.texts, set()).update(r.protocol.num_images for r in curve.by_steps.values())
    nums = {texts: listed([str(num) for num in sorted(found)]) for texts, found in used.items()}
    return listed([f"{n}{'' if place else ' held-out scenes'} ({t})" for place, (t, n) in enumerate(nums.items())])


def steps_table(curves: Sequence[Curve]) -> Table | None:
    """The numbers of the curves: a row per number of steps."""
    columns = [(titled(c.metric), f"{c.texts}, {c.label}" if c.metric == COST else c.texts) for c in curves]
    rows = [
        (f"T = {steps}", [cell(c.by_steps[steps], c.metric) if steps in c.by_steps else NONE for c in curves])
        for steps in sorted({steps for curve in curves for steps in curve.by_steps})
    ]
    caption = "The curves in numbers, 95 % intervals below; evaluations per text, mean over the texts."
    return plain_table(caption, columns, rows, first="Steps") if rows else None


def printed_steps() -> Table:
    """The paper's own curve: other data, another size, CIDEr times 100; only its shape can be compared."""
    columns = (("CIDEr", "printed"), ("VQAv2, %", "printed"))
    rows = [(f"T = {t}", (Cell(f"{cider:g}"), Cell(f"{vqa:g}"))) for t, (vqa, cider) in PRINTED_STEPS.items()]
    caption = f"D-DiT over T, on COCO and VQAv2 ({STEPS_TABLE.where}; standing: {STEPS_TABLE.standing})."
    return plain_table(caption, columns, rows, first="Steps")


# -- examples ----------------------------------------------------------------------------------------------------------

HEIGHT_PX = 96  # a picture is enlarged by the largest whole factor that fits
SHOWN = 3  # of the wrong ones and of the right ones, before the rest is folded away
KINDS = {"scenes-paintings": "Images", "scenes-captions": "Captions", "scenes-answers": "Answers"}


def examples_of(found: Found) -> list[dict[str, Any]]:
    """A gallery per task and model; those of the first model of a task are shown, others are folded."""
    galleries = []
    for protocol, title in KINDS.items():
        records = [record for (name, model), record in found.items() if name == protocol and model != REAL_DATA]
        for place, record in enumerate(records):
            if items := [item for example in record.samples.examples if (item := item_of(protocol, example))]:
                galleries.append(gallery(title, record, items, folded=place > 0))
    return galleries


def gallery(title: str, record: Record, items: Sequence[Mapping[str, Any]], *, folded: bool) -> dict[str, Any]:
    wrong, right = ([item for item in items if item["right"] is bool(side)] for side in (0, 1))
    return {
        "title": f"{title} by {record.model}: {len(wrong)} wrong and {len(right)} right examples",
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
