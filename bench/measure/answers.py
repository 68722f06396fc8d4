"""Answers to all questions of held-out scenes: VQA accuracy, and POPE's numbers over the yes/no questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.collect.texts import Item, collect_texts
from bench.console import progress
from bench.datasets.json_files import Id
from bench.datasets.scenes_files import pope_set, question_set, questions_of
from bench.datasets.texts import Text
from bench.measure.examples import by_scene, chosen, example, scenes_of, text_costs
from bench.metrics.vqa import PERCENT, clean, normalize
from bench.records import Measurement, RunSpec
from bench.score_vqa import score_answers


def measure_answers(model: Any, spec: RunSpec, inputs: dict[str, Any], work: Path) -> dict[str, Any]:
    """One answer per question."""
    protocol = spec.protocol
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
    measurements, raw = text_costs(found, protocol.batch_size)
    for part in (scores, pope):
        measurements |= {name: Measurement(**fields) for name, fields in part["metrics"].items()}
    raw |= {key: scores[key] for key in ("audit", "not_run", "warnings")}
    raw["without_degenerate"] = scores["without_degenerate"] | pope["without_degenerate"]
    raw["scoring"] = scores["protocol"]
    raw["by_question_type"] = {
        kind: {"accuracy": part["vqa_accuracy"]["value"], "n": part["vqa_accuracy"]["n"]}
        for kind, part in scores["breakdown"]["question_type"].items()
    }
    texts = [text.text for text in found.texts]
    right = [normalize(clean(text)) == question.answer for text, (_, _, question) in zip(texts, asked, strict=True)]
    accuracies = [row["vqa_accuracy"] for row in scores["per_question"]]
    raw["by_scene"] = by_scene([scene.index for _, scene, _ in asked], {"vqa_accuracy": accuracies})
    raw["examples"] = [
        example(scene, scene.image, prompt=question.text, text=texts[i], references=question.answers, right=right[i])
        | {"accuracy": accuracies[i] / PERCENT}
        for i, (_, scene, question) in ((i, asked[i]) for i in chosen(right))
    ]
    return {"measurements": measurements, "raw": raw}
