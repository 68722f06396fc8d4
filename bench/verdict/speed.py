"""Speed of one model against another: from rounds that both shared where there are any, else from a run of each.

Where no whole image was timed, composed times stand in, and the verdict says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.speed import Paired, is_estimated
from bench.formatting import interval, number, quantity
from bench.records.parts import BASELINE, SUBJECT
from bench.records.schema import Claim, Comparison, Record, Verdict
from bench.stats import Interval, as_interval, quotient, ratio_of_independent_medians
from bench.verdict.finding import Finding, direction, within_tolerance


def faster_in_pairs(claim: Claim, side: Comparison, paired: Paired) -> Finding:
    """How many times faster the subject is, by rounds that hold both sides."""
    entry = paired.entry
    if entry.not_comparable or entry.ratio is None:
        return Finding("not comparable", f"{entry.model} and {entry.baseline} differ in {entry.not_comparable}.")
    estimate = as_interval(entry.ratio)
    if not estimate.is_known:
        pairs = entry.ratio.n
        return Finding(
            "inconclusive", f"{entry.model} against {entry.baseline}: {pairs} pairs of rounds bound no ratio."
        )
    ours, theirs = (entry.rounds_s[which] for which in (SUBJECT, BASELINE))
    return times_as_fast(claim, side, estimate, ours, theirs, entry.model, entry.baseline)


def faster(claim: Claim, side: Comparison, subject: Record, baseline: Record) -> Finding:
    """How many times faster the subject is than the baseline, from the raw rounds of a run of each."""
    if subject.timing is None or baseline.timing is None:
        lacking = subject if subject.timing is None else baseline
        return Finding("inconclusive", f"{lacking.model} kept no raw rounds.")
    ours, theirs = subject.timing.latency.rounds_s, baseline.timing.latency.rounds_s
    latencies = [record.measurements.get("latency_s") for record in (baseline, subject)]
    if is_estimated(subject) or is_estimated(baseline):
        known = [as_interval(latency) for latency in latencies if latency]
        if len(known) < 2 or not all(latency.is_known for latency in known):
            why = "a latency, or its interval, is missing"
            return Finding("inconclusive", f"{subject.model} against {baseline.model}: {why}.")
        estimate = quotient(*known)
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
    if finding.estimate is None or subject is None or not is_estimated(subject):
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
        stages = record.timing.stages if record and record.timing else None
        counts = [getattr(part, key) for part in stages.parts.values() if stage in (None, part.stage)] if stages else []
        return sum(math.nan if count is None else count for count in counts)

    above, below = total(subject, "decoder") if side.metric == "decoder_time_share" else total(baseline), total(subject)
    return above / below if above > 0 and below > 0 else None


def said_of_composed(verdict: Verdict, records: Sequence[Record]) -> Verdict:
    """A verdict that rests on composed times, with the circumstances before its reason."""
    record = next(record for record in records if record.file == verdict.records[0])
    environment, threads = record.environment, record.environment.num_threads
    where = "a CPU" if environment.device == "cpu" else environment.device
    circumstances = (
        f"Judged on {where}, not on a GPU ({environment.processor}, {threads} thread"
        f"{'s' if threads != 1 else ''}, {record.protocol.dtype}, batch "
        f"{record.protocol.latency_batch_size}; times composed of a few calls of each part and their exact "
        "counts), where a ratio may differ."
    )
    return replace(verdict, reason=f"{circumstances} {verdict.reason}")
