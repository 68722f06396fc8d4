"""Finding: the subject against one baseline, in a word and a clause; and what makes two records comparable."""

from __future__ import annotations

from dataclasses import dataclass

from bench.formatting import interval, interval_words, number
from bench.records.schema import Claim, Comparison, Word
from bench.stats import Interval

METRIC_WORDS = {
    "fid": "FID",
    "inception_score": "Inception Score",
    "latency_s": "latency",
    "throughput_per_s": "images per second",
    "decoder_time_share": "% in the decoder",
    "vqa_accuracy": "VQA accuracy",
    "cider": "CIDEr",
}


@dataclass(frozen=True)
class Finding:
    """The subject against one baseline."""

    word: Word
    text: str  # a clause for the reason, as "FID lower than mar-digits (3.42 against 7.90; ...)"
    estimate: Interval | None = None  # None: nothing was computed; its bounds are NaN where no interval is known


def weigh(gap: Interval, better: str, baseline: str, margin: float, theirs: float) -> tuple[Word, str]:
    """A difference from a baseline that scores `theirs` as a word and a clause, as "lower than mar-digits".

    With a margin the subject holds where it surely does not fall short by that share of `theirs`; `theirs` is taken as
    exact there.
    """
    low, high = sorted((gap.low, gap.high) if better == "higher" else (-gap.low, -gap.high))  # above 0: better
    allowed = margin * abs(theirs)
    word, worse = direction(low, high, neutral=-allowed), "lower" if better == "higher" else "higher"
    plain = {"holds in small": better, "does not hold in small": worse}.get(direction(low, high, neutral=0.0))
    relation = f"{plain} than {baseline}" if plain else f"not told apart from {baseline}"
    if not margin or plain == better:
        return word, relation
    by_more = f"by more than the {100 * margin:g} % allowed"
    if word == "inconclusive":
        return word, f"{relation}, not sure whether {worse} {by_more}"
    if word == "holds in small":
        return word, f"{relation}, {'but not' if plain else f'surely not {worse}'} {by_more}"
    return word, f"{relation}, {by_more}"


def direction(low: float, high: float, *, neutral: float) -> Word:
    """Whether the interval lies above, below or across the point where neither side wins."""
    if low > neutral:
        return "holds in small"
    if high < neutral:
        return "does not hold in small"
    return "inconclusive"


def within_tolerance(
    claim: Claim, side: Comparison, estimate: Interval, before: str, after: str, told: Interval | None = None
) -> Finding:
    """Reproduced where the whole interval lies within the tolerance, on either side of the printed number.

    `before` and `after` are the words around the number, which is the estimate unless another is `told` in its place.
    """
    low, high = claim.value * (1 - claim.tolerance), claim.value * (1 + claim.tolerance)
    allowed = f"{claim.value:g} ± {100 * claim.tolerance:g} % ({interval(claim.value, low, high)})"
    if not estimate.is_known:
        found = f"{before} {number((told or estimate).value)} {after}"
        return Finding("inconclusive", f"{found}, interval unknown; printed {allowed}.", estimate)
    told = told or estimate
    bounds = (told.value, told.low, told.high)
    measured = f"{before} {number(*bounds)} {after}, {interval_words(*bounds)}"
    if low <= estimate.low and estimate.high <= high:
        return Finding("reproduced", f"{measured}: within {allowed}.", estimate)
    if low <= estimate.high and estimate.low <= high:
        return Finding("inconclusive", f"{measured}: straddles the border of {allowed}.", estimate)
    too_good = (estimate.value > claim.value) == (side.kind == "ratio" or side.better == "higher")
    has_better = side.metric != "decoder_time_share" and not (side.kind == "ratio" and claim.value < 1)
    remark = " Better than printed, which is as suspicious as worse." if too_good and has_better else ""
    return Finding("not reproduced", f"{measured}: outside {allowed}.{remark}", estimate)
