"""Made-up records of the scenes scale, for tests only: no number here was measured."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from bench.metrics.text_audit import audit_texts
from bench.protocols import PROTOCOLS
from bench.records.parts import Example, Measurement, Paintings, Samples, TextAudit, Texts, TypeScore
from bench.records.schema import Inputs, Record, RunSpec
from bench.studies import STUDIES
from tests.fake_records import measured, record

READING = {"num_steps": 64, "cached": True}
GENERATING = {"num_steps": 28, "cfg_scale": 2.0, "shift": 1.0}


def scene_png(seed: int) -> str:
    """A coloured 16x16 picture, base64 PNG."""
    from PIL import Image

    pixels = np.zeros((16, 16, 3), np.uint8)
    rng = np.random.default_rng(seed)
    pixels[:8, 8 * (seed % 2) : 8 * (seed % 2) + 8, seed % 3] = rng.integers(0, 255, (8, 8))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def example(
    number: int, right: bool, text: str, *, prompt: str = "", references: Sequence[str] = (), **more: Any
) -> Example:
    return Example(
        scene=number,
        image_png=scene_png(number),
        prompt=prompt,
        text=text,
        references=tuple(references),
        right=right,
        **more,
    )


def scored(model: str, protocol: str, scores: dict[str, float], per_s: float, nfe: float, **changes: Any) -> Record:
    """A record of texts: scores with intervals of a twentieth, so many texts per second."""
    num = PROTOCOLS[protocol].num_images
    measurements = {name: measured(value, value / 20, num) for name, value in scores.items()}
    measurements["texts_per_s"] = measured(per_s, per_s / 50, 32, "texts/s")
    measurements["nfe"] = Measurement(nfe, "evaluations")
    versions = dict.fromkeys(PROTOCOLS[protocol].metrics, 1)
    inputs = Inputs(weights_sha256="cd" * 32, metric_versions=versions)
    return record(model, protocol, measurements=measurements, inputs=inputs, **{"settings": READING, **changes})


def texts_of(texts: Sequence[str], finishes: Sequence[str], **more: Any) -> Texts:
    """What a record keeps of these texts."""
    return Texts(audit=msgspec.convert(audit_texts(texts, finishes).summary, TextAudit), **more)


CAPTION = "a red 3 top left , a blue 7 bottom right"


def captions(model: str = "d-dit-digits", cider: float = 6.5, *, empty: int = 0, **changes: Any) -> Record:
    """A record under scenes-captions; so many of 500 captions are empty."""
    texts = [""] * empty + [f"{CAPTION} {i}" for i in range(500 - empty)]
    finishes = ["end-first"] * empty + ["end"] * (500 - empty)
    examples = [example(i, False, "a red 8 top left", references=[CAPTION]) for i in range(6)]
    examples += [example(9, False, "", references=[CAPTION])] if empty else []
    examples += [example(20 + i, True, CAPTION, references=[CAPTION]) for i in range(6)]
    names = ("bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l")
    scores = {"cider": cider, "caption_accuracy": 12 * cider, **{n: 0.9 - 0.1 * i for i, n in enumerate(names)}}
    without = {"cider": Measurement(cider + 0.3, "", cider, cider + 0.6, 500 - empty)} if empty else {}
    kept = {
        "texts": texts_of(texts, finishes, without_degenerate=without),
        "samples": Samples(examples=tuple(examples)),
        "family": model[:-7],
    }
    return scored(model, "scenes-captions", scores, 40.0, 12.0, **{**kept, **changes})


def answers(model: str = "d-dit-digits", accuracy: float = 88.0, **changes: Any) -> Record:
    """A record under scenes-answers."""
    truth = ["red"] * 8 + ["crimson", "green"]
    asked = "what colour is the 3 ?"
    examples = [example(i, False, "blue", prompt=asked, references=truth, accuracy=0.0) for i in range(5)]
    examples += [example(9, False, "crimson", prompt=asked, references=truth, accuracy=0.3)]
    examples += [example(20 + i, True, "red", prompt=asked, references=truth, accuracy=1.0) for i in range(6)]
    scores = {"vqa_accuracy": accuracy, "vqa_accuracy_yes_no": accuracy + 4, "vqa_accuracy_number": accuracy - 3}
    scores |= {"vqa_accuracy_other": accuracy - 1, "pope_accuracy": accuracy + 4, "pope_precision": accuracy + 3}
    scores |= {"pope_recall": accuracy + 5, "pope_f1": accuracy + 4, "pope_yes_ratio": 51.0}
    types = {
        "is there": TypeScore(accuracy=accuracy + 4, n=1000),
        "which digit is": TypeScore(accuracy=70.0, n=870),
    }
    kept = {
        "texts": texts_of(["red"] * 4800, ["end"] * 4800, by_question_type=types),
        "samples": Samples(examples=tuple(examples)),
        "family": model[:-7],
    }
    return scored(model, "scenes-answers", scores, 300.0, 3.0, **{**kept, **changes})


def paintings(model: str = "d-dit-digits", accuracy: float = 78.0, **changes: Any) -> Record:
    """A record under scenes-paintings; `real-data` is the checker's ceiling."""
    tasks = {"single": True, "two": True, "counting": True, "colours": False, "position": True}
    tasks["attribute_binding"] = False
    read = "a red 3 top left , a green 7 bottom right"
    examples = [example(i, False, read, prompt=CAPTION, tasks=tasks) for i in range(5)]
    examples += [example(20 + i, True, CAPTION, prompt=CAPTION, tasks=dict.fromkeys(tasks, True)) for i in range(7)]
    names = ("single_object", "two_objects", "counting", "colours", "position", "attribution")
    scores = {
        "scene_accuracy": accuracy,
        **{f"scene_{name}": min(99.0, accuracy + 9 + i) for i, name in enumerate(names)},
    }
    measurements = {name: measured(value, 2.0, unit="%") for name, value in scores.items()}
    settings: dict[str, Any] = {}
    if model != "real-data":
        measurements |= {"throughput_per_s": measured(90.0, 2.0, 10), "nfe": Measurement(56, "evaluations")}
        settings = GENERATING
    samples = Samples(examples=tuple(examples))
    made = {"measurements": measurements, "settings": settings, "paintings": Paintings(), "samples": samples, **changes}
    return record(model, "scenes-paintings", family="real" if model == "real-data" else "d-dit", **made)


def step_record(run: RunSpec, place: int) -> Record:
    """Of a run of the study: CIDEr that grows with the steps, accuracy that hardly does."""
    steps, cached = run.settings["num_steps"], run.settings["cached"]
    share = steps / (steps + 6)
    if run.protocol.collects == "captions":
        scores = {"cider": 7 * share, "caption_accuracy": 85 * share}
    else:
        scores = {"vqa_accuracy": 88 - 4 / steps, "pope_accuracy": 92 - 2 / steps}
    nfe = min(steps, 12) if cached else steps
    made = scored(run.model, run.protocol.name, scores, 900.0 / nfe, nfe, settings=dict(run.settings), family="d-dit")
    return replace(made, file=f"{made.file[:-6]}{place:02d}Z.json")


def step_set() -> list[Record]:
    return [step_record(run, place) for place, run in enumerate(STUDIES["text-steps"].runs)]


def scenes_set(**changes: Any) -> list[Record]:
    """What `reproduce --scale scenes` and the study leave: two readers, the generator and the checker's ceiling."""
    return [
        captions(empty=5, **changes),
        captions("ar-vlm-digits", 7.0, **changes),
        answers(**changes),
        answers("ar-vlm-digits", 90.0, **changes),
        paintings(**changes),
        paintings("real-data", 97.0, **changes),
        *step_set(),
    ]
