"""Speed of one model against another: from rounds that both shared where there are any, else from a run of each.

Where no whole image was timed, composed times stand in, and the verdict says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.speed import Paired, is_composed
from bench.formatting import interval, number, quantity
from bench.records.schema import Claim, Comparison, Measurement, Record, Verdict
from bench.stats import Interval, as_interval, quotient, ratio_of_independent_medians
from bench.verdict.finding import Finding, direction, within_tolerance


def faster_in_pairs(claim: Claim, side: Comparison, paired: Paired) -> Finding:
    """How many times faster the subject is, by rounds that hold both sides."""
    model, baseline = paired.entry["model"], paired.entry["baseline"]
    if paired.entry["not_comparable"]:
        return Finding("not comparable", f"{model} and {baseline} differ in {paired.entry['not_comparable']}.")
    ratio, rounds_s = Measurement(**paired.entry["ratio"]), paired.entry["rounds_s"]
    if ratio.ci_low is None:
        return Finding("inconclusive", f"{model} against {baseline}: {ratio.n} pairs of rounds bound no ratio.")
    return times_as_fast(claim, side, as_interval(ratio), rounds_s["model"], rounds_s["baseline"], model, baseline)


def faster(claim: Claim, side: Comparison, subject: Record, baseline: Record) -> Finding:
    """How many times faster the subject is than the baseline, from the raw rounds of a run of each."""
    ours, theirs = subject.raw.get("rounds_s") or [], baseline.raw.get("rounds_s") or []
    if not ours or not theirs:
        return Finding("inconclusive", f"{subject.model if not ours else baseline.model} kept no raw rounds.")
    if is_composed(subject) or is_composed(baseline):
        estimate = quotient(*(as_interval(record.measurements["latency_s"]) for record in (baseline, subject)))
    else:
        estimate = ratio_of_independent_medians(theirs, ours)
    return times_as_fast(claim, side, estimate, ours, theirs, subject.model, baseline.model)


def times_as_fast(
    claim: Claim,
    side: Comparison,
    estimate: Interval,
    ours: Sequence[float],
    theirs: Sequence[float],
    subject: str,
    baseline: str,
) -> Finding:
    """The printed ratio at the paper's scale, the direction in small; `ours` and `theirs` are the rounds."""
    if side.kind == "ratio":
        return within_tolerance(claim, side, estimate, f"{subject} is", f"times as fast as {baseline}")
    word = direction(estimate.low, estimate.high, neutral=1.0)
    numbers = (
        f"median {quantity('latency_s', float(np.median(ours)))} against "
        f"{quantity('latency_s', float(np.median(theirs)))}"
    )
    if word == "does not hold in small":
        times, comparative = Interval(1 / estimate.value, 1 / estimate.high, 1 / estimate.low), "Slower"
    else:
        times, comparative = estimate, "Faster"
    bounds = (times.value, times.low, times.high)
    shown = f"{number(*bounds)} times, 95 % interval {interval(*bounds)}"
    if word == "inconclusive":
        return Finding(word, f"Not told apart from {baseline} in latency ({numbers}; {shown}).", estimate)
    return Finding(word, f"{comparative} than {baseline} ({numbers}; {shown}).", estimate)


# -- composed times ----------------------------------------------------------------------------------------------------


# What a record counts of the calls of each stage.
COUNTS = {"flops": "arithmetic", "weight_bytes": "weights read", "num_kernels": "kernels launched"}


def weighed_for_a_gpu(
    claim: Claim, side: Comparison, finding: Finding, subject: Record | None, baseline: Record | None
) -> Finding:
    """A finding from composed times, which are a CPU's, with what it says of the GPU that the printed number is of.

    There a network may cost by its arithmetic, by the weights that it reads (few rows at a time) or by the kernels that
    it launches (at batch 1 each takes about as long however little it does). So the number may lie anywhere between the
    measured one and those that each of the three alone would give; it is reproduced, or not, where all of that lies
    within the tolerance, or outside.
    """
    if finding.estimate is None or subject is None or not is_composed(subject):
        return finding
    alone = {words: counted_alone(side, subject, baseline, key) for key, words in COUNTS.items()}
    ends = {words: value / side.units_per_printed for words, value in alone.items() if value is not None}
    if not ends:
        return finding
    here = finding.estimate
    possible = Interval(here.value, min(here.low, *ends.values()), max(here.high, *ends.values()))
    word = within_tolerance(claim, side, possible, "", "").word
    counted = ", ".join(f"{number(end)} by {words} alone" for words, end in ends.items())
    consequence = "so that this machine does not settle it" if word == "inconclusive" else "but not by that much"
    return Finding(word, f"{finding.text} It would be {counted}: a GPU may differ, {consequence}.", here)


def counted_alone(side: Comparison, subject: Record, baseline: Record | None, key: str) -> float | None:
    """The number if nothing but one count of the stages cost time; None where a record lacks it."""

    def total(record: Record | None, stage: str | None = None) -> float:
        parts = ((record and record.raw.get("stages")) or {}).get("parts", {}).values()
        return sum(part.get(key, math.nan) for part in parts if stage in (None, part["stage"]))

    above, below = total(subject, "decoder") if side.metric == "decoder_time_share" else total(baseline), total(subject)
    return above / below if above > 0 and below > 0 else None


def said_of_composed(verdict: Verdict, records: Sequence[Record]) -> Verdict:
    """A verdict that rests on composed times, with the circumstances before its reason."""
    record = next(record for record in records if record.file == verdict.records[0])
    environment, threads = record.environment, record.environment.get("num_threads")
    where = "a CPU" if environment.get("device") == "cpu" else str(environment.get("device"))
    circumstances = (
        f"Judged on {where}, not on a GPU ({environment.get('processor')}, {threads} thread"
        f"{'s' if threads != 1 else ''}, {record.protocol.get('dtype')}, batch "
        f"{record.protocol.get('latency_batch_size')}; times composed of a few calls of each part and their exact "
        "counts), where a ratio may differ."
    )
    return replace(verdict, reason=f"{circumstances} {verdict.reason}")
