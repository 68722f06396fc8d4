"""Little pictures with what was asked and what was said of them, right and wrong, as the page sets them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.metrics import METRICS
from bench.metrics.scene_check import METRIC_BY_TASK
from bench.records import Record
from bench.report.measured import png_size
from bench.report.tables import REAL_DATA
from bench.report.words import as_words

HEIGHT_PX = 96  # a picture is enlarged by the largest whole factor that fits
SHOWN = 3  # of the wrong ones and of the right ones, before the rest is folded away
KINDS = {"scenes-paintings": "Paintings", "scenes-captions": "Captions", "scenes-answers": "Answers"}


def examples_of(found: Mapping[tuple[str, str], Record], prefix: str) -> list[dict[str, Any]]:
    """A gallery per task and model; those of the first model of a task are shown, others are folded."""
    galleries = []
    for protocol, title in KINDS.items():
        records = [record for (name, model), record in found.items() if name == protocol and model != REAL_DATA]
        for place, record in enumerate(records):
            found_items = [item_of(protocol, example) for example in record.raw.get("examples") or ()]
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


def item_of(protocol: str, example: Mapping[str, Any]) -> dict[str, Any] | None:
    """One picture with its words; None where the picture cannot be read."""
    size = png_size(example.get("image_png", ""))
    if size is None:
        return None
    factor = max(1, HEIGHT_PX // size[1])
    right, text = bool(example["right"]), example["text"].strip() or "(nothing)"
    if protocol == "scenes-paintings":
        lines = [("asked for", example["prompt"]), ("checker reads", text)]
        tasks = example.get("tasks") or {}
        names = ", ".join(METRICS[m].title.lower() for task, m in METRIC_BY_TASK.items() if tasks.get(task) is False)
        remark = f"fails: {names}" if names and not right else ""
    elif protocol == "scenes-captions":
        lines, remark = [("says", text)], ""
        if not right and example["references"]:
            lines.append(("shows", example["references"][0]))
    else:
        lines = [("asked", example["prompt"]), ("answers", text)]
        counts = Counter(example["references"])
        if not right and counts:
            lines.append(("annotators", ", ".join(f"{answer} ({n})" for answer, n in counts.most_common(3))))
        accuracy = example.get("accuracy")
        remark = f"accuracy {as_words('_share', accuracy)}" if accuracy not in (None, 0.0, 1.0) else ""
    return {
        "right": right,
        "sign": "✓" if right else "✗",
        "style": "yes" if right else "no",
        "word": "right" if right else "wrong",
        "png": example["image_png"],
        "width": size[0] * factor,
        "height": size[1] * factor,
        "scene": example["scene"],
        "lines": lines,
        "remark": remark,
    }
