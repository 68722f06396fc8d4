"""What is no caption and no answer: the audit of the texts beside their scores, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.formatting import as_words
from bench.metrics import METRICS
from bench.metrics.text_audit import CLASSES
from bench.records.parts import Measurement
from bench.records.schema import Record
from bench.report.tables import NONE, Cell, Table, derived, measured_cell, plain_table

WORDS = dict(zip(CLASSES, ("Empty", "End token first", "Truncated", "Repeated"), strict=True))
SCORE = {"captions": "cider", "answers": "vqa_accuracy"}  # by what a protocol collects: the score shown beside
SHOWN_CHARACTERS = 80

Named = Sequence[tuple[str, Record]]  # a label, as "d-dit-digits, captions", and its record


def audit_table(texts: Named) -> Table | None:
    """Rates of each class of degenerate texts, and the score of all texts and of the others."""
    audited = [(label, record) for label, record in texts if record.texts]
    if not audited:
        return None
    columns = ("Texts", *WORDS.values(), "Degenerate", "Different texts", "Most common", "Score", "Score without them")
    rows = [(label, audit_cells(record)) for label, record in audited]
    caption = "Audit of the texts. A degenerate text is scored like any other; the last column leaves them out."
    return plain_table(caption, columns, rows, first="Texts of")


def audit_cells(record: Record) -> list[Cell]:
    assert record.texts is not None
    audit = record.texts.audit
    total = audit.num_texts
    name = SCORE[record.protocol.collects]
    return [
        counted(record, "num_texts"),
        *(counted(record, f"num_{kind}", rate(getattr(audit, f"num_{kind}"), total)) for kind in CLASSES),
        counted(record, "num_degenerate", rate(audit.num_degenerate, total)),
        counted(record, "num_distinct"),
        derived(
            record,
            "texts.audit.most_common_share",
            audit.most_common_share,
            lambda share: as_words("_share", share),
            shortened(audit.most_common_text, 24),
        ),
        score_cell(record, f"measurements.{name}", record.measurements.get(name)),
        score_cell(record, f"texts.without_degenerate.{name}", record.texts.without_degenerate.get(name))
        if audit.num_degenerate
        else Cell("the same"),
    ]


def counted(record: Record, field: str, below: str = "") -> Cell:
    """A count of the audit."""
    assert record.texts is not None
    return derived(
        record, f"texts.audit.{field}", getattr(record.texts.audit, field), lambda count: f"{count:,}", below
    )


def score_cell(record: Record, key: str, measured: Measurement | None) -> Cell:
    if measured is None:
        return NONE
    found, title = measured_cell(record, key, measured), METRICS[key.rpartition(".")[2]].title
    return replace(found, below=", ".join(filter(None, (title, found.below))))


def rate(count: int, total: int) -> str:
    return as_words("_share", count / total) if count and total else ""


def quoted(text: str) -> str:
    return f"“{shortened(text, SHOWN_CHARACTERS)}”" if text.strip() else "(nothing)"


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def degenerate_words(texts: Named) -> list[str]:
    """A sentence per class of degenerate texts that was found, with examples; one where there is none."""
    audits = [(label, record.texts.audit) for label, record in texts if record.texts]
    sentences = []
    for label, audit in audits:
        for kind in CLASSES:
            if examples := audit.examples.get(kind):
                texts_shown = dict.fromkeys(quoted(example.text) for example in examples)
                sentences.append(f"{label}, {WORDS[kind].lower()}: {', '.join(texts_shown)}.")
    if audits and not sentences:
        sentences.append("No text of either model is degenerate.")
    return sentences
