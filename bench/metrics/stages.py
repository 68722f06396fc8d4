"""Where the time of one image goes, and what follows from it: pure functions of raw stage times.

Estimated latencies. A part is called N times, of which a sample ran; what a call that did not run would have taken is
read off, linearly, between the calls that ran with the next fewer and the next more operations. Calls differ along a
loop only by their shapes (MAR's known tokens, LlamaGen's position in the cache), so operations order them; where all
calls are alike, every one takes the mean. (The mean, not the median: what is estimated is a sum, and the slow calls are
part of it. A stall that hit one of few is left to the median over rounds.)

Roofline. A call cannot end before its operations are done and its weights are read: max(operations / fastest matrix
product, bytes / fastest copy), both measured on the same machine. Activations, caches and the time between kernels are
not in it: the share that is reached is how far a part is from those two alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from bench.metrics.latency import estimated_latency, percentile
from bench.records.parts import REST, Measurement, Roofline, Stages
from bench.records.schema import Metric

METRIC = Metric(
    name="decoder_time_share",
    unit="",
    higher_is_better=None,
    title="Decoder's share of the time",
    what="share of the time of one call that the diffusion decoder takes, autoencoder and all else counted, 0 to 1",
)


def sampled_calls(flops: Sequence[float], num: int) -> list[int]:
    """Indices of `num` calls that stand for all, given the operations of each: evenly spaced among them when ordered
    by operations (calls alike: by time), the cheapest and the dearest included. All, where they are no more."""
    order = np.argsort(np.asarray(flops), kind="stable")
    if len(order) <= num:
        return sorted(order.tolist())
    return sorted({int(order[round(rank)]) for rank in np.linspace(0, len(order) - 1, num)})


def composed_s(flops: Sequence[float], seconds: Mapping[int, float]) -> tuple[float, float]:
    """(seconds of all calls of a part, the standard error of that), from those that ran: index -> seconds.

    The error is half the difference of two estimates, one from every other call that ran and one from those between
    them, both with the cheapest and the dearest; 0 where every call ran. ValueError where fewer than two did.
    """
    work = np.asarray(flops, np.float64)
    ran = sorted(seconds, key=lambda index: (work[index], index))
    if len(ran) == len(work):
        return float(sum(seconds.values())), 0.0

    if len(ran) < 2:
        raise ValueError(f"{len(ran)} of {len(work)} calls were timed: at least 2 are needed")

    def total(indices: Sequence[int]) -> float:
        groups: dict[float, list[float]] = {}
        for index in indices:
            groups.setdefault(work[index], []).append(seconds[index])
        levels = sorted(groups)
        return float(np.interp(work, levels, [np.mean(groups[level]) for level in levels]).sum())

    ends = {ran[0], ran[-1]}
    return total(ran), abs(total([*ends.union(ran[::2])]) - total([*ends.union(ran[1::2])])) / 2


def decoder_time_share(stages: Stages) -> Measurement | None:
    """The decoder's share of a round, the median round; None where a model has no such stage.

    Of estimated rounds the interval holds the standard error of the estimate, too.
    """
    if "decoder" not in stages.rounds_s:
        return None
    wholes_s = [sum(round_) for round_ in zip(*stages.rounds_s.values(), strict=True)]
    shares = [part / whole for part, whole in zip(stages.rounds_s["decoder"], wholes_s, strict=True)]
    if stages.estimated:
        found = estimated_latency(shares, (stages.error_s or 0.0) / float(np.median(wholes_s)))
    else:
        found = percentile(shares, 50)
    return replace(found, unit=METRIC.unit)


def amdahl_bound(share: float) -> float:
    """The greatest speed-up from making free a stage that takes `share` of the time: 1 / (1 - share)."""
    return float("inf") if share >= 1 else 1 / (1 - share)


def least_s(flops: float, weight_bytes: float, roofline: Roofline) -> float:
    """Seconds below which a call cannot end on this machine."""
    return max(flops / roofline.matmul_flop_per_s, weight_bytes / roofline.copy_bytes_per_s)


@dataclass(frozen=True)
class StageSummary:
    """What a waterfall and its table show of one stage."""

    seconds: float  # of the median round
    share: float  # of the sum of all stages
    amdahl_bound: float | None  # the gain if it were free; None: there is nothing else
    num_calls: int = 0  # 0: of REST, whose calls are not counted
    flops: float = 0.0  # of all calls
    weight_bytes: float = 0.0  # read by all calls
    roofline_share: float | None = None  # the least time over the measured one; None: no roofline, or REST


def summarise_stages(stages: Stages, roofline: Roofline | None = None) -> dict[str, StageSummary]:
    """Stage -> its summary, in the order in which the stages first run, REST last."""
    medians = {stage: median(rounds) for stage, rounds in stages.rounds_s.items()}
    whole = sum(medians.values())
    found: dict[str, StageSummary] = {}
    for stage, seconds in medians.items():
        share = seconds / whole if whole else 0.0
        bound = amdahl_bound(share) if share < 1 else None
        if stage == REST:
            found[stage] = StageSummary(seconds, share, bound)
            continue
        parts = [part for part in stages.parts.values() if part.stage == stage]
        reached = None
        if roofline is not None and seconds > 0:
            least = sum(
                part.num_calls
                * least_s(part.flops / part.num_calls, (part.weight_bytes or 0) / part.num_calls, roofline)
                for part in parts
            )
            reached = least / seconds
        found[stage] = StageSummary(
            seconds,
            share,
            bound,
            num_calls=sum(part.num_calls for part in parts),
            flops=sum(part.flops for part in parts),
            weight_bytes=sum(part.weight_bytes or 0 for part in parts),
            roofline_share=reached,
        )
    return found
