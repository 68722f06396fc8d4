"""A measured number against a printed one."""

from __future__ import annotations

import math

from bench.formatting import interval, number
from bench.records import Claim, Comparison
from bench.verdict.finding import Finding
from bench.verdict.intervals import Interval


def within_tolerance(claim: Claim, side: Comparison, estimate: Interval, before: str, after: str) -> Finding:
    """Reproduced where the whole interval lies within the tolerance, on either side of the printed number.

    `before` and `after` are the words around the number.
    """
    low, high = claim.value * (1 - claim.tolerance), claim.value * (1 + claim.tolerance)
    allowed = f"{claim.value:g} ± {100 * claim.tolerance:g} % ({interval(claim.value, low, high)})"
    if math.isnan(estimate.low):
        return Finding(
            "inconclusive", f"{before} {number(estimate.value)} {after}, interval unknown; printed {allowed}."
        )
    bounds = (estimate.value, estimate.low, estimate.high)
    measured = f"{before} {number(*bounds)} {after}, 95 % interval {interval(*bounds)}"
    if low <= estimate.low and estimate.high <= high:
        return Finding("reproduced", f"{measured}: within {allowed}.", estimate)
    if low <= estimate.high and estimate.low <= high:
        return Finding("inconclusive", f"{measured}: straddles the border of {allowed}.", estimate)
    too_good = (estimate.value > claim.value) == (side.kind == "ratio" or side.better == "higher")
    has_better = side.metric != "decoder_time_share" and not (side.kind == "ratio" and claim.value < 1)
    remark = " Better than printed, which is as suspicious as worse." if too_good and has_better else ""
    return Finding("not reproduced", f"{measured}: outside {allowed}.{remark}", estimate)
