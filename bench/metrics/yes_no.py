"""Yes/no question sets, in percent: POPE (arXiv:2305.10355) and MME (arXiv:2306.13394).

Each has its own way to read yes or no out of an answer, established from its evaluation script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.metrics.item_scores import ItemScore
from bench.records.schema import Metric

PERCENT = 100.0


def parse_pope(answer: str) -> str:
    """POPE's reading: "no" where the first sentence has the word No, no or not, else "yes"; so of an empty answer too.

    The sentence ends at the first full stop, words are what single spaces part, commas do not count; "NO" and "no!" are
    none of those words.
    """
    words = answer.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(words) else "yes"


def is_yes_or_no(answer: str) -> bool:
    """Whether a word of the answer is yes, no or not, in any case: what a reader would take for an answer."""
    return not {"yes", "no", "not"}.isdisjoint(re.findall(r"[a-z]+", answer.lower()))


def parse_mme(answer: str) -> str:
    """MME's reading: yes or no among the first four letters, whatever their case, yes first; else "other"."""
    start = answer.lower()[:4]
    return next((word for word in ("yes", "no") if word in start), "other")


def compute_pope_scores(
    said_yes: np.ndarray, is_yes: np.ndarray, files: Sequence[str] | None = None
) -> dict[str, ItemScore]:
    """POPE's five numbers; yes is the positive class.  said_yes, is_yes: (N,) bool.

    files: (N,) of each question the file it stands in; each number is then the mean over the files. None: one file.
    Without a yes among the answers precision is 0 by convention, as is F1 without any yes (POPE's script stops).
    """
    items = np.arange(len(is_yes))
    labels = np.array(files if files is not None else [""] * len(is_yes))

    def score(of: Callable[[np.ndarray, np.ndarray], float]) -> ItemScore:
        def mean(indices: np.ndarray) -> float:
            parts = [indices[labels[indices] == name] for name in np.unique(labels[indices])]
            return PERCENT * float(np.mean([of(said_yes[part], is_yes[part]) for part in parts]))

        return ItemScore(mean, items, "%", PERCENT, labels if files is not None else None)

    def share(part: np.ndarray, whole: np.ndarray) -> float:
        return float(part.sum() / max(1, whole.sum()))

    return {
        "pope_accuracy": score(lambda said, true: float((said == true).mean())),
        "pope_precision": score(lambda said, true: share(said & true, said)),
        "pope_recall": score(lambda said, true: share(said & true, true)),
        "pope_f1": score(lambda said, true: float(2 * (said & true).sum() / max(1, said.sum() + true.sum()))),
        "pope_yes_ratio": score(lambda said, true: float(said.mean())),
    }


def compute_mme_scores(
    correct: np.ndarray, subtasks: Sequence[str], parts: Mapping[str, Sequence[str]]
) -> dict[str, ItemScore]:
    """MME over images with two questions each: accuracy, accuracy+ (both questions right), and the summed score.

    The score of a subtask is accuracy plus accuracy+, 0 to 200; mme_score sums the subtasks there are.
    correct: (N, 2) bool, per image   subtasks: (N,) of each image   parts: names of sums over some subtasks, as
    {"mme_perception": ("existence", ...)}; left out where one of its subtasks is not there.
    """
    labels = np.array(subtasks)
    present = list(dict.fromkeys(subtasks))
    both = correct.sum(1) == correct.shape[1]
    images = np.arange(len(labels))

    def summed(names: Sequence[str]) -> ItemScore:
        def of(indices: np.ndarray) -> float:
            chosen = [indices[labels[indices] == name] for name in names]
            return PERCENT * sum(float(correct[rows].mean() + both[rows].mean()) for rows in chosen if len(rows))

        items = images[np.isin(labels, names)]
        return ItemScore(of, items, "", 2 * PERCENT * len(names), labels)

    scores = {
        "mme_accuracy": ItemScore(lambda indices: float(PERCENT * correct[indices].mean()), images, "%", PERCENT),
        "mme_accuracy_plus": ItemScore(lambda indices: float(PERCENT * both[indices].mean()), images, "%", PERCENT),
        "mme_score": summed(present),
    }
    for name, names in parts.items():
        if set(names) <= set(present):
            scores[name] = summed(names)
    return scores


def _metric(name: str, title: str, what: str, unit: str = "%", higher_is_better: bool | None = True) -> Metric:
    return Metric(name=name, unit=unit, higher_is_better=higher_is_better, title=title, what=what)


METRICS = (
    _metric("pope_accuracy", "POPE accuracy", "is the object there: answers that are right"),
    _metric("pope_precision", "POPE precision", "is the object there: share of yes answers that are right"),
    _metric("pope_recall", "POPE recall", "is the object there: share of objects there that get a yes"),
    _metric("pope_f1", "POPE F1", "harmonic mean of POPE's precision and recall"),
    _metric("pope_yes_ratio", "POPE yes ratio", "share of answers that are yes; half of them should", "%", None),
    _metric("mme_accuracy", "MME accuracy", "yes/no questions that are answered rightly, all subtasks together"),
    _metric("mme_accuracy_plus", "MME accuracy+", "images with both questions answered rightly"),
    _metric("mme_score", "MME score", "accuracy plus accuracy+, summed over the subtasks there are", ""),
    _metric("mme_perception", "MME perception", "the same over MME's ten perception subtasks, 0 to 2000", ""),
    _metric("mme_cognition", "MME cognition", "the same over MME's four cognition subtasks, 0 to 800", ""),
)
