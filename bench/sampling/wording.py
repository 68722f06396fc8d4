"""How a question is put to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_models.spec import Spec

# How the authors' evaluation script puts a question to the released weights. The scenes' models are trained on bare
# questions.
RELEASED = "Q: {question} Answer the question using a single word or phrase. A: "
RELEASED_VIZWIZ = (
    "Q: {question} Answer the question using a single word or phrase. "
    "Reply unanswerable if information is not present in the image. A: "
)


def wording(spec: Spec, name: str) -> str:
    """How questions of a format (a key of question_formats.FORMATS) are put to a model; "{question}" is theirs."""
    if spec.recipe is not None:
        return "{question}"
    return RELEASED_VIZWIZ if name == "vizwiz" else RELEASED


def worded(question: str, template: str) -> str:
    return template.replace("{question}", question)
