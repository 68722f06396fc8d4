"""One subject against the printed number or against one baseline: the records of a run each."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.records import floor_of
from bench.analysis.seeds import paired_over_scenes
from bench.formatting import fixed, interval_words, listed, named, num_decimals, number
from bench.records.comparable import differences
from bench.records.schema import Claim, Comparison, Record, Word
from bench.stats import Interval, as_interval, difference
from bench.verdict.finding import METRIC_WORDS, Finding, weigh, within_tolerance
from bench.verdict.speed import faster, more_per_second

NEARLY = 1e-3  # relative difference of a count from print that is no disagreement, though beyond its rounding
COUNTED = ("num_params", "flops", "decoder_share")  # metrics without spread


def against_print(claim: Claim, side: Comparison, subject: Record) -> Finding:
    """The measured value against the printed one, two-sided."""
    measured = subject.measurements.get(side.metric)
    if measured is None:
        return Finding("inconclusive", f"{subject.model} has no {side.metric}.")
    gpu = subject.environment.gpu
    if side.hardware not in (gpu or ""):
        where = gpu or subject.environment.processor
        return Finding("not comparable", f"{subject.model} ran on {where}; the printed number is of {side.hardware}.")
    if side.metric in COUNTED:
        return counted(claim, measured.value / side.units_per_printed)
    raw, size = as_interval(measured), side.units_per_printed
    estimate = Interval(raw.value / size, raw.low / size, raw.high / size)
    name = named(subject.model, side.settings)
    return within_tolerance(claim, side, estimate, f"{name} reaches", METRIC_WORDS.get(side.metric, side.metric))


def counted(claim: Claim, value: float) -> Finding:
    """An exact count, in the unit of print, against the printed one."""
    off = abs(value / claim.value - 1)
    word: Word = "reproduced" if off <= claim.tolerance else "agrees to 0.1 %" if off <= NEARLY else "not reproduced"
    words = "within the rounding of" if word == "reproduced" else f"{100 * off:.2g} % from"
    return Finding(word, f"Counted {value:,.10g} {claim.unit}: {words} {claim.quote}.", Interval(value, value, value))


def against_baseline(claim: Claim, side: Comparison, subject: Record, baseline: Record, name: str) -> Finding:
    """The subject against one baseline, which is called `name`: the direction in small, at the paper's scale the
    printed ratio."""
    differing = differences(subject, baseline, side.metric)
    if differing:
        return Finding("not comparable", f"{subject.model} and {baseline.model} differ in {listed(differing)}.")
    if side.metric == "latency_s":
        return faster(claim, side, subject, baseline)
    if side.metric == "throughput_per_s":
        return more_per_second(subject, baseline)
    ours, theirs = subject.measurements.get(side.metric), baseline.measurements.get(side.metric)
    if ours is None or theirs is None:
        lacking = subject.model if ours is None else baseline.model
        return Finding("inconclusive", f"{lacking} has no {side.metric}.")
    metric = METRIC_WORDS.get(side.metric, side.metric)
    known = as_interval(ours), as_interval(theirs)
    if not all(each.is_known for each in known):
        lacking = baseline.model if known[0].is_known else subject.model
        return Finding("inconclusive", f"{metric} of {lacking} has no interval.")
    paired = paired_over_scenes(side.metric, subject, baseline)
    estimate = paired or difference(*known)
    word, relation = weigh(estimate, side.better, name, side.margin, theirs.value)
    decimals = num_decimals(estimate.value, estimate.low, estimate.high)
    numbers = (
        f"{number(ours.value, ours.ci_low, ours.ci_high)} against "
        f"{number(theirs.value, theirs.ci_low, theirs.ci_high)}; difference {fixed(estimate.value, decimals)}, "
        f"{interval_words(estimate.value, estimate.low, estimate.high, 'scene by scene' if paired else '')}"
    )
    of_subject = f" of {named(subject.model, side.settings)}" if side.settings else ""
    return Finding(word, f"{metric}{of_subject} {relation} ({numbers}).", estimate)


def below_floor(side: Comparison, subject: Record, records: Sequence[Record]) -> str:
    """A warning where the subject's FID lies wholly below that of real held-out images; else ""."""
    floor = floor_of(records, subject.protocol).get(side.metric)
    ours = subject.measurements.get(side.metric)
    if side.metric != "fid" or not floor or not ours or ours.ci_high is None:
        return ""
    if ours.ci_high >= (floor.value if floor.ci_low is None else floor.ci_low):
        return ""
    return (
        f" Suspiciously good: {subject.model} lies below the real-data floor of {number(floor.value)}, nearer to "
        "the training images than real held-out images are, as copies of them would be."
    )
