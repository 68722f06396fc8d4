"""Texts of scenes: error rates beside a printed score, and whether the small task can tell at all.

A score near its top hides errors: 99.7 and 98.5 % are 5 % apart by no measure, yet one makes five times the errors.
"""

from __future__ import annotations

from bench.analysis.seeds import errors_over_scenes
from bench.formatting import interval, named, number
from bench.metrics import METRICS
from bench.records.comparable import differences
from bench.records.schema import Comparison, Record
from bench.stats import as_interval, difference
from bench.verdict.finding import Finding, direction, weigh

PERCENT = 100.0  # the top of the scores whose errors are compared


def fewer_errors(side: Comparison, subject: Record, baseline: Record) -> Finding | None:
    """The subject's errors in `side.errors_of` over the baseline's, paired over scenes: in small the claim holds where
    the ratio surely lies below `side.errors_allowed`. None where the claim is not judged on errors."""
    metric = side.errors_of
    if not metric:
        return None
    title = METRICS[metric].title
    if metric not in subject.measurements or metric not in baseline.measurements:
        return Finding("inconclusive", f"{title} was not measured of both.")
    if differing := differences(subject, baseline, metric):
        return Finding("not comparable", f"{title}: {subject.model} and {baseline.model} differ in {differing[0]}.")
    ratio = errors_over_scenes(metric, PERCENT, subject, baseline)
    scores = [number(record.measurements[metric].value) for record in (subject, baseline)]
    told = f"{title} {scores[0]} % against {scores[1]} %"
    if ratio is None or not ratio.is_known:
        return Finding("inconclusive", f"{told}: the ratio of errors has no interval.")
    word = direction(-ratio.high, -ratio.low, neutral=-side.errors_allowed)
    bounds = (ratio.value, ratio.low, ratio.high)
    judged = {
        "holds in small": "within",
        "does not hold in small": "beyond",
    }.get(word, "not sure whether within")
    return Finding(
        word,
        f"{told}: {number(*bounds)} times the errors of {baseline.model}, 95 % interval scene by scene "
        f"{interval(*bounds)}, {judged} the {side.errors_allowed:g} times allowed.",
    )


def says_nothing(side: Comparison, control: Record, baseline: Record) -> str:
    """Why the small task cannot tell: the control, which should surely fall short of the baseline were the task hard
    enough, does not by more than the margin. "" where it does, or where either lacks the score.
    """
    if control.status != "ok" or control.protocol.quick or differences(control, baseline, side.metric):
        return ""
    ours, theirs = (record.measurements.get(side.metric) for record in (control, baseline))
    if ours is None or theirs is None:
        return ""
    gap = difference(as_interval(ours), as_interval(theirs))
    word, _ = weigh(gap, side.better, "", side.margin, theirs.value)
    if word != "holds in small":
        return ""
    settings = named(control.model, side.control)
    return (
        f"{settings} already scores {number(ours.value)}, {named(baseline.model, side.baseline_settings)} "
        f"{number(theirs.value)}: a task that the control solves too cannot tell."
    )
