"""Answers to the questions of held-out scenes (VQA accuracy, POPE's numbers over the yes/no ones) or of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from bench.console import progress
from bench.datasets.json_files import Id, shown
from bench.datasets.mme import COGNITION, PERCEPTION, QUESTIONS_PER_IMAGE
from bench.datasets.scenes_files import pope_set, question_set, questions_of
from bench.datasets.texts import Text, check_ids
from bench.datasets.vqa_v2 import QuestionSet, Truth
from bench.errors import UsageError
from bench.evaluators import Context, benchmark_texts
from bench.evaluators.benchmark_texts import FILE
from bench.evaluators.scene_examples import SCALE, by_scene, chosen, example, scenes_of, text_costs
from bench.evaluators.text_scores import bounded, measure_both, text_protocol
from bench.metrics import vqa, yes_no
from bench.metrics.item_scores import ItemScore, mean_score, measure
from bench.metrics.text_audit import audit_texts
from bench.metrics.vqa import PERCENT, clean, normalize
from bench.records import environment
from bench.records.json_files import plain
from bench.records.parts import Measurement, Samples, Texts
from bench.records.schema import RunSpec
from bench.sampling.texts import Item, collect_texts

OFFICIAL = "official"
SCORINGS = (OFFICIAL, "d-dit")
VQA_FORMATS = ("vqa-v2", "okvqa", "vizwiz")  # scored by agreement with annotators


def measure_answers(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """One answer per question, of scenes or of a released benchmark."""
    protocol = spec.protocol
    if protocol.scale != SCALE:
        return _measure_photos(model, spec, context)
    shown = scenes_of(protocol)
    asked = list(questions_of(shown))
    with progress(f"{spec.model}: answers", len(asked)) as bar:
        found = collect_texts(
            model,
            [Item(scene.image, question.text) for _, scene, question in asked],
            seed=protocol.seed,
            batch_size=protocol.batch_size,
            settings=spec.settings,
            advance=bar.update,
        )
    answers: dict[Id, Text] = {question_id: text for (question_id, *_), text in zip(asked, found.texts, strict=True)}
    scores = score_answers(answers, question_set(shown))
    yes_no = pope_set(shown)
    pope = score_answers({question_id: answers[question_id] for question_id in yes_no.questions}, yes_no, "pope")
    measurements, kept = text_costs(found, protocol.batch_size)
    for part in (scores, pope):
        measurements |= {name: Measurement(**fields) for name, fields in part["metrics"].items()}
    kept |= {key: scores[key] for key in ("audit", "not_run", "warnings")}
    kept["without_degenerate"] = scores["without_degenerate"] | pope["without_degenerate"]
    kept["scoring"] = scores["protocol"]
    kept["by_question_type"] = {
        kind: {"accuracy": part["vqa_accuracy"]["value"], "n": part["vqa_accuracy"]["n"]}
        for kind, part in scores["breakdown"]["question_type"].items()
    }
    texts = [text.text for text in found.texts]
    right = [normalize(clean(text)) == question.answer for text, (_, _, question) in zip(texts, asked, strict=True)]
    accuracies = [row["vqa_accuracy"] for row in scores["per_question"]]
    scored = by_scene([scene.index for _, scene, _ in asked], {"vqa_accuracy": accuracies})
    examples = tuple(
        replace(
            example(scene, scene.image, prompt=said.text, text=texts[i], references=said.answers, right=right[i]),
            accuracy=accuracies[i] / PERCENT,
        )
        for i, (_, scene, said) in ((i, asked[i]) for i in chosen(right))
    )
    samples = Samples(scenes=scored, examples=examples)
    return {"measurements": measurements, "texts": msgspec.convert(plain(kept), Texts), "samples": samples}


def _measure_photos(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    asked, questions = benchmark_texts.asked_questions(spec)
    stored = benchmark_texts.collect(model, spec, asked, context.work)
    said = stored.read()
    scores = score_answers(benchmark_texts.texts_by_id(asked, said), questions, asked.name)
    rows = {row["question_id"]: row for row in scores["per_question"]}
    accuracy = [rows[one].get("vqa_accuracy", PERCENT * rows[one].get("correct", 0)) / PERCENT for one in asked.ids]
    samples = benchmark_texts.examples(
        asked, said, [one == 1 for one in accuracy], lambda one: questions.truths[one].answers, accuracy
    )
    return benchmark_texts.record_fields(model, spec, asked, stored, said, scores) | {"samples": samples}


@dataclass(frozen=True)
class Scored:
    """What one format's scorer makes of N answers."""

    scores: dict[str, ItemScore]
    columns: dict[str, Sequence[Any]]  # what is kept of each question, (N,) by key of per_question
    breakdown: dict[str, dict[str, dict[str, ItemScore]]] = field(default_factory=dict)  # kind -> its value -> metric
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # what the audit counts besides
    item_by_question: np.ndarray | None = None  # (N,) item index, where an item is not a question; None: it is


def score_answers(
    results: Mapping[Id, Text],
    questions: QuestionSet,
    name: str = "vqa-v2",
    *,
    subset: bool = False,
    seed: int = 0,
    scoring: str = OFFICIAL,
) -> dict[str, Any]:
    """Score one answer per question; for the keys of the result see text_scores.py.

    name: a key of question_formats.FORMATS    subset: score the questions that have a result, though others have
    answers to compare with    scoring: "d-dit" adds the accuracy that D-DiT's own script gives, beside the official.
    Raises UsageError where results and questions do not belong together, where there is nothing to compare an answer
    with, or where a format has no such scoring.
    """
    if scoring not in SCORINGS or (scoring != OFFICIAL and name not in VQA_FORMATS):
        for_all = f"{OFFICIAL} for every format, d-dit for {', '.join(VQA_FORMATS)}"
        raise UsageError(f"--scoring {scoring}: no such scoring of {name} answers; there are: {for_all}")
    if not questions.truths:
        raise UsageError(f"these {name} questions have no public answers to compare with")
    check_ids(results, questions.truths, "question", subset=subset)
    truths = {question_id: truth for question_id, truth in questions.truths.items() if question_id in results}
    empty = [question_id for question_id, truth in truths.items() if not any(one.strip() for one in truth.answers)]
    if empty:
        raise UsageError(f"{len(empty)} of {len(truths)} questions have no reference answer (first: {shown(empty)})")

    ids, given = list(truths), [results[question_id] for question_id in truths]
    said, too_long = bounded([text.text for text in given], "answers")
    texts = [replace(text, text=short) for text, short in zip(given, said, strict=True)]
    audit = audit_texts([text.text for text in texts], [text.finish for text in texts], ids)
    scored = SCORERS[name](texts, list(truths.values()))
    if scoring != OFFICIAL:
        add_d_dits(scored, texts, list(truths.values()), name)
    items = np.arange(len(ids)) if scored.item_by_question is None else scored.item_by_question
    degenerate = np.zeros(items.max() + 1, bool)
    degenerate[items[audit.degenerate]] = True
    metrics, without = measure_both(scored.scores, degenerate, seed=seed)
    counts = [len(truth.answers) for truth in truths.values()]
    return {
        "metrics": metrics,
        "without_degenerate": without,
        "not_run": {},
        "warnings": too_long + scored.warnings + audit.summary["warnings"],
        "audit": audit.summary | scored.counts,
        "breakdown": {
            kind: {
                value: {metric: asdict(found) for metric, score in part.items() if (found := measure(score, seed=seed))}
                for value, part in parts.items()
            }
            for kind, parts in scored.breakdown.items()
        },
        "per_question": [
            {
                "question_id": question_id,
                "answer": texts[i].text,
                **{key: column[i] for key, column in scored.columns.items()},
                "faults": list(audit.faults[i]),
            }
            for i, question_id in enumerate(ids)
        ],
        "protocol": {
            "format": name,
            "scoring": scoring,
            "num_questions": len(ids),
            "answers_per_question": [min(counts), max(counts)],
            "subset": len(ids) < len(questions.truths),
            **text_protocol(list(scored.scores), over="images" if name == "mme" else "questions", seed=seed),
        },
        "environment": environment.describe(),
    }


# -- one scorer per format ---------------------------------------------------------------------------------------------


def _means(metric: str, values: np.ndarray, truths: Sequence[Truth]) -> dict[str, dict[str, dict[str, ItemScore]]]:
    """The mean of `values` (N,), in percent, for every value of every kind of question."""
    found: dict[str, dict[str, dict[str, ItemScore]]] = {}
    for kind in dict.fromkeys(kind for truth in truths for kind in truth.kinds):
        items: dict[str, list[int]] = {}
        for i, truth in enumerate(truths):
            if kind in truth.kinds:
                items.setdefault(truth.kinds[kind], []).append(i)
        found[kind] = {
            value: {metric: mean_score(values, np.array(chosen), unit="%", highest=PERCENT)}
            for value, chosen in sorted(items.items())
        }
    return found


def _score_accuracy(
    texts: Sequence[Text], truths: Sequence[Truth], accuracy: Callable[[str, Sequence[str]], float]
) -> Scored:
    pairs = list(zip(texts, truths, strict=True))
    values = np.array([accuracy(text.text, truth.answers) for text, truth in pairs])
    scored = Scored(
        vqa.compute_vqa_scores(values, [truth.kinds.get("answer_type") for truth in truths]),
        {"vqa_accuracy": (PERCENT * values).tolist()},
        _means("vqa_accuracy", PERCENT * values, truths),
    )
    few = [truth for truth in truths if len(truth.answers) < vqa.ANNOTATORS]
    if few:
        counts = [len(truth.answers) for truth in few]
        some = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else str(counts[0])
        scored.warnings.append(
            f"{len(few)} of {len(truths)} questions have fewer than ten reference answers ({some}): the official rule "
            "presumes ten, and gives an answer that all of them give less than 100 % where they are three or fewer; "
            f"not comparable with published numbers. Beside it: {vqa.AGREEMENT_TITLE}"
        )
        shares = np.array([vqa.agreement(text.text, truth.answers, accuracy) for text, truth in pairs])
        scored.scores["vqa_agreement"] = mean_score(PERCENT * shares, unit="%", highest=PERCENT)
    return scored


def add_d_dits(scored: Scored, texts: Sequence[Text], truths: Sequence[Truth], name: str) -> None:
    """The accuracy by D-DiT's script as one more score, one more column, and a warning of what it is."""
    pairs = zip(texts, truths, strict=True)
    values = PERCENT * np.array(
        [vqa.d_dit_accuracy(text.text, truth.answers, is_vizwiz=name == "vizwiz") for text, truth in pairs]
    )
    other = int((values != np.array(scored.columns["vqa_accuracy"])).sum())
    scored.scores["vqa_accuracy_d_dit"] = mean_score(values, unit="%", highest=PERCENT)
    scored.columns["vqa_accuracy_d_dit"] = values.tolist()
    scored.warnings.append(
        f"{vqa.D_DIT_TITLE}: it differs from the official rule on {other} of {len(texts)} answers; compare it with the "
        "numbers of that paper alone"
    )


def score_vqa(texts: Sequence[Text], truths: Sequence[Truth]) -> Scored:
    """VQAv2 and OK-VQA."""
    return _score_accuracy(texts, truths, vqa.vqa_accuracy)


def score_vizwiz(texts: Sequence[Text], truths: Sequence[Truth]) -> Scored:
    """VizWiz. Whether a question can be answered is taken from the results' "answerable", else from the word itself."""
    scored = _score_accuracy(texts, truths, vqa.vizwiz_accuracy)
    if not all(truth.kinds.get("answerable") in ("0", "1") for truth in truths):
        return scored
    stated = [text.answerable for text in texts if text.answerable is not None]
    if stated and len(stated) < len(texts):
        raise UsageError(f"{len(texts) - len(stated)} of {len(texts)} results lack 'answerable', the others have it")
    said = [
        float(vqa.normalize(vqa.clean(text.text)) == "unanswerable") if text.answerable is None else 1 - text.answerable
        for text in texts
    ]
    truth = np.array([truth.kinds["answerable"] == "0" for truth in truths])
    scored.scores.update(vqa.compute_answerability(truth, np.array(said)))
    return scored


def score_gqa(texts: Sequence[Text], truths: Sequence[Truth]) -> Scored:
    """GQA."""
    pairs = [(text.text, truth.answers[0]) for text, truth in zip(texts, truths, strict=True)]
    correct = np.array([said == true for said, true in pairs])
    near = sum(said != true and said.strip().rstrip(".").lower() == true.lower() for said, true in pairs)
    warning = f"{near} answers differ from GQA's by case, outer space or a final full stop alone, and count as wrong"
    return Scored(
        vqa.compute_gqa_scores(correct, [truth.kinds.get("structural_type") for truth in truths]),
        {"correct": correct.tolist()},
        _means("gqa_accuracy", PERCENT * correct, truths),
        [warning] if near else [],
    )


def score_pope(texts: Sequence[Text], truths: Sequence[Truth]) -> Scored:
    """POPE. Where the truths tell its files apart, each number is the mean over them."""
    read = [yes_no.parse_pope(text.text) for text in texts]
    said, true = (np.array([word == "yes" for word in words]) for words in (read, [t.answers[0] for t in truths]))
    files = [truth.kinds[FILE] for truth in truths] if all(FILE in truth.kinds for truth in truths) else None
    scored = Scored(
        yes_no.compute_pope_scores(said, true, files),
        {"read_as": read, "correct": (said == true).tolist()},
        _means("pope_accuracy", PERCENT * (said == true), truths),
    )
    _count_neither(scored, texts, "POPE reads those without No, no or not in their first sentence as yes")
    return scored


def _count_neither(scored: Scored, texts: Sequence[Text], rule: str) -> None:
    """Count answers that are neither yes nor no, and warn."""
    neither = [text.text for text in texts if not yes_no.is_yes_or_no(text.text)]
    scored.counts["num_neither_yes_nor_no"] = len(neither)
    if neither:
        scored.warnings.append(
            f"{len(neither)} of {len(texts)} answers are neither yes nor no (first: {neither[0][:60]!r}); {rule}"
        )


def score_mme(texts: Sequence[Text], truths: Sequence[Truth]) -> Scored:
    """MME: an item is an image with its two questions."""
    read = [yes_no.parse_mme(text.text) for text in texts]
    right = [word == truth.answers[0] for word, truth in zip(read, truths, strict=True)]
    places: dict[str, list[int]] = {}
    for i, truth in enumerate(truths):
        places.setdefault(truth.kinds["image"], []).append(i)
    if odd := [image for image, two in places.items() if len(two) != QUESTIONS_PER_IMAGE]:
        raise UsageError(f"{len(odd)} images have results for one of two questions (first: {shown(odd)})")
    pairs = np.array(list(places.values()))  # (images, 2)
    item_by_question = np.empty(len(texts), int)
    item_by_question[pairs] = np.arange(len(pairs))[:, None]
    correct = np.array(right)[pairs]
    subtasks = [truths[first].kinds["subtask"] for first, _ in pairs]
    parts = {"mme_perception": PERCEPTION, "mme_cognition": COGNITION}
    breakdown = {}
    for subtask in dict.fromkeys(subtasks):
        rows = np.flatnonzero(np.array(subtasks) == subtask)
        breakdown[subtask] = yes_no.compute_mme_scores(correct[rows], [subtask] * len(rows), {})
    scored = Scored(
        yes_no.compute_mme_scores(correct, subtasks, parts),
        {"read_as": read, "correct": right},
        {"subtask": breakdown},
        item_by_question=item_by_question,
    )
    _count_neither(scored, texts, "MME looks at the first four letters alone, and counts others as wrong")
    return scored


SCORERS: dict[str, Callable[[Sequence[Text], Sequence[Truth]], Scored]] = {
    "vqa-v2": score_vqa,
    "okvqa": score_vqa,
    "vizwiz": score_vizwiz,
    "gqa": score_gqa,
    "pope": score_pope,
    "mme": score_mme,
}
