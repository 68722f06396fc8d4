"""Speed of one model against another: from rounds that both shared where there are any, else from a run of each.

Where no whole image was timed, estimated latencies stand in, and the verdict says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.speed import Paired, is_estimated
from bench.formatting import interval_words, listed, number, quantity
from bench.records.comparable import not_comparable
from bench.records.parts import BASELINE, SUBJECT, Conditions, Series
from bench.records.schema import Claim, Comparison, Record, Verdict, Word
from bench.stats import Interval, as_interval, quotient, ratio_of_medians
from bench.verdict.finding import Finding, direction, within_tolerance


def faster_in_pairs(claim: Claim, side: Comparison, paired: Paired) -> Finding:
    """How many times faster the subject is, by rounds that hold both sides."""
    entry = paired.entry
    why = entry.not_comparable or not_comparable(entry.conditions["model"], entry.conditions["baseline"])
    if why or entry.ratio is None:
        return Finding("not comparable", f"{entry.model} and {entry.baseline} differ in {why}.")
    estimate = as_interval(entry.ratio)
    if not estimate.is_known:
        pairs = entry.ratio.n
        return Finding(
            "inconclusive", f"{entry.model} against {entry.baseline}: {pairs} pairs of rounds bound no ratio."
        )
    ours, theirs = (entry.rounds_s[which] for which in (SUBJECT, BASELINE))
    finding = times_as_fast(claim, side, estimate, ours, theirs, entry.model, entry.baseline)
    return replace(finding, text=finding.text + beside_other_work({entry.model: entry.disturbed}))


def beside_other_work(disturbed: Mapping[str, bool | None]) -> str:
    """A sentence for the reason of a verdict where a model's times are marked as disturbed; else ""."""
    models = [model for model, marked in disturbed.items() if marked]
    return f" Other work ran on the machine while {listed(models)} was timed." if models else ""


def conditions_differ(subject: Record, baseline: Record, ours: Series, theirs: Series) -> str:
    """Why the times of two runs do not compare: conditions that someone chose, or the machine's pace; else ""."""
    one, other = conditions_of(subject, ours), conditions_of(baseline, theirs)
    if one and other and (why := not_comparable(one, other)):
        return f"{subject.model} and {baseline.model} differ in {why}."
    return machine_speeds_differ(subject, baseline)


def conditions_of(record: Record, series: Series) -> Conditions | None:
    return series.conditions or (record.timing.latency.conditions if record.timing else None)


def faster(claim: Claim, side: Comparison, subject: Record, baseline: Record) -> Finding:
    """How many times faster the subject is than the baseline, from the raw rounds of a run of each."""
    if subject.timing is None or baseline.timing is None:
        lacking = subject if subject.timing is None else baseline
        return Finding("inconclusive", f"{lacking.model} kept no raw rounds.")
    series = subject.timing.latency, baseline.timing.latency
    if why := conditions_differ(subject, baseline, *series):
        return Finding("not comparable", why)
    ours, theirs = (each.rounds_s for each in series)
    latencies = [record.measurements.get("latency_s") for record in (baseline, subject)]
    if is_estimated(subject) or is_estimated(baseline):
        known = [as_interval(latency) for latency in latencies if latency]
        if len(known) < 2 or not all(latency.is_known for latency in known):
            why = "a latency, or its interval, is missing"
            return Finding("inconclusive", f"{subject.model} against {baseline.model}: {why}.")
        estimate = quotient(*known)
    else:
        estimate = as_interval(ratio_of_medians(theirs, ours, paired=False))
    finding = times_as_fast(claim, side, estimate, ours, theirs, subject.model, baseline.model)
    disturbed = {subject.model: series[0].disturbed, baseline.model: series[1].disturbed}
    return replace(finding, text=finding.text + beside_other_work(disturbed))


SPEED_APART = 0.15  # relative difference of two machines' matrix products above which their times are not compared


def machine_speeds_differ(subject: Record, baseline: Record) -> str:
    """Why the times of two runs do not compare: the machine ran at another pace; "" where it did not, or is unknown."""
    rooflines = [record.timing.roofline if record.timing else None for record in (subject, baseline)]
    if rooflines[0] is None or rooflines[1] is None:
        return ""
    ours, theirs = (roofline.matmul_flop_per_s for roofline in rooflines if roofline)
    if max(ours, theirs) / min(ours, theirs) - 1 <= SPEED_APART:
        return ""
    rates = f"{quantity('flops', ours)}/s and {quantity('flops', theirs)}/s"
    return (
        f"{subject.model} and {baseline.model} were timed in runs whose machine speeds differ by more than "
        f"{SPEED_APART:.0%} (matrix product {rates}): time them in shared rounds."
    ).replace("%", " %")


def more_per_second(subject: Record, baseline: Record) -> Finding:
    """How many times the images per second of the baseline the subject generates: a ratio, from the raw rounds."""
    one, other = (record.timing.throughput if record.timing else None for record in (subject, baseline))
    if one is None or other is None:
        lacking = subject if one is None else baseline
        return Finding("inconclusive", f"{lacking.model} has no throughput_per_s.")
    if one.batch_size != other.batch_size:
        sizes = f"{one.batch_size} and {other.batch_size}"
        return Finding(
            "not comparable", f"{subject.model} and {baseline.model} were timed in batches of {sizes} images."
        )
    if why := conditions_differ(subject, baseline, one, other):
        return Finding("not comparable", why)
    ours, theirs = ([seconds / found.batch_size for seconds in found.rounds_s] for found in (one, other))
    estimate = as_interval(ratio_of_medians(theirs, ours, paired=False))
    word = direction(estimate.low, estimate.high, neutral=1.0)
    bounds = (estimate.value, estimate.low, estimate.high)
    rates = f"{number(1 / float(np.median(ours)))} against {number(1 / float(np.median(theirs)))} images per second"
    relation = {"holds in small": "More", "does not hold in small": "Fewer"}.get(word, "Not told apart")
    against = f"from {baseline.model}" if word == "inconclusive" else f"than {baseline.model}"
    return Finding(
        word, f"{relation} {against} ({rates}; {number(*bounds)} times, {interval_words(*bounds)}).", estimate
    )


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
    inverse = Interval(1 / estimate.value, 1 / estimate.high, 1 / estimate.low)  # NaN bounds stay unknown
    if side.kind == "ratio":
        if estimate.value < 1:
            return within_tolerance(claim, side, estimate, f"{subject} is", f"times slower than {baseline}", inverse)
        return within_tolerance(claim, side, estimate, f"{subject} is", f"times as fast as {baseline}")
    word = direction(estimate.low, estimate.high, neutral=1.0)
    numbers = (
        f"median {quantity('latency_s', float(np.median(ours)))} against "
        f"{quantity('latency_s', float(np.median(theirs)))}"
    )
    if word == "does not hold in small":
        times, comparative = inverse, "Slower"
    else:
        times, comparative = estimate, "Faster"
    bounds = (times.value, times.low, times.high)
    shown = f"{number(*bounds)} times, {interval_words(*bounds)}"
    if word == "inconclusive":
        return Finding(word, f"Not told apart from {baseline} in latency ({numbers}; {shown}).", estimate)
    return Finding(word, f"{comparative} than {baseline} ({numbers}; {shown}).", estimate)


# -- estimated latencies -----------------------------------------------------------------------------------------------

BY_COUNTING = "by counting, on a CPU"
COUNTS = {"flops": "FLOPs", "weight_bytes": "bytes of weights", "num_kernels": "kernels"}  # of the calls of each stage
BEYOND = 2.0  # an estimate contradicts print only where print lies this many times beyond all explanations


def weigh_estimate(
    claim: Claim, side: Comparison, finding: Finding, subject: Record | None, baseline: Record | None
) -> Finding:
    """A finding from estimated latencies, which are a CPU's, and what it says of the printed number, which is a GPU's.

    There a network may cost by its arithmetic, by the weights that it reads (few rows at a time) or by the kernels that
    it launches (at batch 1 each takes about as long however little it does). So the number may lie anywhere between the
    estimated one and those that each of the three alone would give. An estimate reproduces nothing; it contradicts the
    printed number where that lies BEYOND times outside all of this. `subject` and `baseline`: the runs that counted
    their calls, None where there is none.
    """
    if finding.estimate is None or not finding.estimate.is_known:
        return finding
    here = finding.estimate
    alone = {words: counted_alone(side, subject, baseline, key) for key, words in COUNTS.items()}
    ends = {words: value / side.units_per_printed for words, value in alone.items() if value is not None}
    low, high = min(here.low, here.value, *ends.values()), max(here.high, here.value, *ends.values())
    bottom, top = claim.value * (1 - claim.tolerance), claim.value * (1 + claim.tolerance)
    beyond = max(bottom / high, low / top) if low > 0 else 0.0
    word: Word = "not reproduced" if beyond >= BEYOND and len(ends) == len(COUNTS) else "inconclusive"
    counted = ", ".join(f"{number(end)} ({words})" for words, end in ends.items())
    against = f"Counts alone give {counted}." if ends else "Its calls were not counted."
    if word == "not reproduced":
        against += f" The printed {claim.value:g} lies {number(beyond)} times beyond the estimate and every count."
    else:
        against += " That does not settle what a GPU would measure."
    return Finding(word, f"{finding.text} {against}", here)


def counted_alone(side: Comparison, subject: Record | None, baseline: Record | None, key: str) -> float | None:
    """The number if nothing but one count of the stages cost time; None where a record lacks it."""

    def total(record: Record | None, stage: str | None = None) -> float:
        stages = record.timing.stages if record and record.timing else None
        counts = [getattr(part, key) for part in stages.parts.values() if stage in (None, part.stage)] if stages else []
        return sum(math.nan if count is None else count for count in counts)

    above, below = total(subject, "decoder") if side.metric == "decoder_time_share" else total(baseline), total(subject)
    return above / below if above > 0 and below > 0 else None


def said_of_estimate(verdict: Verdict, subject: str, records: Sequence[Record]) -> Verdict:
    """A verdict that rests on estimated latencies, with the conditions before its reason."""
    record = next(record for record in records if record.file == verdict.records[0])
    environment, threads = record.environment, record.environment.num_threads
    conditions = (
        f"{environment.processor}, {threads} thread{'s' if threads != 1 else ''}, {record.protocol.dtype}, batch "
        f"{record.protocol.latency_batch_size}, random weights"
    )
    counted = [r for r in records if r.model == subject and is_estimated(r) and r.timing and r.timing.stages]
    calls = ""
    if counted and counted[-1].timing and counted[-1].timing.stages:
        parts = counted[-1].timing.stages.parts.values()
        timed, total = sum(part.num_timed for part in parts), sum(part.num_calls for part in parts)
        calls = f"; {timed:,} of {total:,} calls of {subject} were timed, the rest counted"
    marker = BY_COUNTING if environment.device == "cpu" else "by counting"
    return replace(verdict, reason=f"Estimated latency ({conditions}{calls}). {verdict.reason}", marker=marker)
