"""GenEval (arXiv:2310.11513): shares of the images that show what their prompt asks, as its summary counts them.

Of a task: the share of its images that its evaluator calls correct. Overall: the mean over the tasks, whatever their
sizes. The images of one prompt are no independent draws, so intervals resample prompts, task by task.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.metrics.item_scores import ItemScore
from bench.records.schema import Metric

METRIC_BY_TAG = {  # tag of a prompt in GenEval's files (datasets/geneval.py) -> the score of its task
    "single_object": "geneval_single_object",
    "two_object": "geneval_two_objects",
    "counting": "geneval_counting",
    "colors": "geneval_colours",
    "position": "geneval_position",
    "color_attr": "geneval_attribution",
}


def compute_geneval_scores(
    tags: Sequence[str], num_correct: np.ndarray, num_images: np.ndarray
) -> dict[str, ItemScore]:
    """Scores from 0 to 1 by metric name, over prompts: overall, then those of the tasks that there are.

    tags: (P,) of each prompt    num_correct, num_images: (P,) images of it that are correct, and all of them
    """
    task = np.array([list(METRIC_BY_TAG).index(tag) for tag in tags])
    present = np.unique(task)
    equal = bool((num_images == num_images[0]).all())

    def share(prompts: np.ndarray) -> float:
        return float(num_correct[prompts].sum() / num_images[prompts].sum())

    def overall(prompts: np.ndarray) -> float:
        return float(np.mean([share(prompts[task[prompts] == one]) for one in present]))

    scores = {"geneval_overall": ItemScore(overall, np.arange(len(task)), highest=1.0, strata=task)}
    for place, name in enumerate(METRIC_BY_TAG.values()):
        if place in present:
            scores[name] = ItemScore(share, np.flatnonzero(task == place), highest=1.0, is_mean=equal)
    return scores


def _metric(name: str, title: str, what: str) -> Metric:
    return Metric(name=name, unit="", higher_is_better=True, title=title, what=f"{what}, by GenEval's own detector")


METRICS = (
    _metric("geneval_overall", "GenEval", "mean over its six tasks of the share of images that are as asked"),
    _metric("geneval_single_object", "GenEval single object", "share of images that show the one object named"),
    _metric("geneval_two_objects", "GenEval two objects", "share of images that show both objects named"),
    _metric("geneval_counting", "GenEval counting", "share of images with as many objects as named"),
    _metric("geneval_colours", "GenEval colours", "share of images whose object has the colour named"),
    _metric("geneval_position", "GenEval position", "share of images whose objects stand as named"),
    _metric("geneval_attribution", "GenEval attribution", "share of images in which both objects have their colours"),
)
