"""Where the time of one image goes, and what follows from it: pure functions of raw stage times.

Composed times. A part is called N times, of which a sample ran; what a call that did not run would have taken is read
off, linearly, between the calls that ran with the next fewer and the next more operations. Calls differ along a loop
only by their shapes (MAR's known tokens, LlamaGen's position in the cache), so operations order them; where all calls
are alike, every one takes the mean. (The mean, not the median: what is composed is a sum, and the slow calls are part
of it. A stall that hit one of few is left to the median over rounds.)

Limits. A call cannot end before its operations are done and its weights are read: max(operations / fastest matrix
product, bytes / fastest copy), both measured on the same machine. Activations, caches and the time between kernels are
not in it: the share that is reached is how far a part is from those two limits alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.metrics.latency import composed_time, percentile
from bench.records.schema import Measurement, Metric

REST = "rest"  # what lies between the calls: the sampler's own arithmetic, random draws

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


def decoder_time_share(raw: Mapping[str, Any]) -> Measurement | None:
    """The decoder's share of a round, the median round; None where a model has no such stage.

    raw: of bench.timing.stages. Of composed rounds the interval holds the standard error of the composition, too.
    """
    if "decoder" not in raw["rounds_s"]:
        return None
    wholes_s = [sum(stages) for stages in zip(*raw["rounds_s"].values(), strict=True)]
    shares = [part / whole for part, whole in zip(raw["rounds_s"]["decoder"], wholes_s, strict=True)]
    if raw["composed"]:
        found = composed_time(shares, raw["error_s"] / float(np.median(wholes_s)))
    else:
        found = percentile(shares, 50)
    return replace(found, unit=METRIC.unit)


def amdahl_bound(share: float) -> float:
    """The greatest speed-up from making free a stage that takes `share` of the time: 1 / (1 - share)."""
    return float("inf") if share >= 1 else 1 / (1 - share)


def amdahl_speedup(share: float, times: float) -> float:
    """The speed-up of the whole where a stage that takes `share` of the time becomes `times` as fast."""
    return 1 / (1 - share + share / times)


def least_s(flops: float, weight_bytes: float, limits: Mapping[str, float]) -> float:
    """Seconds below which a call cannot end on this machine, by `matmul_flop_per_s` and `copy_bytes_per_s`."""
    return max(flops / limits["matmul_flop_per_s"], weight_bytes / limits["copy_bytes_per_s"])


def summarise_stages(raw: Mapping[str, Any], limits: Mapping[str, float] | None = None) -> dict[str, dict[str, Any]]:
    """Stage -> what a waterfall and its table show, in the order in which the stages first run, REST last.

    raw: of bench.timing.stages.  seconds (Measurement of the median round), share (of the sum of all), amdahl_bound
    (None: there is nothing else), num_calls, flops, weight_bytes and, with limits, least_s and reached_share (of the
    limits); of REST only the first three.
    """
    medians = {stage: percentile(rounds, 50) for stage, rounds in raw["rounds_s"].items()}
    whole = sum(measured.value for measured in medians.values())
    found: dict[str, dict[str, Any]] = {}
    for stage, measured in medians.items():
        share = measured.value / whole if whole else 0.0
        found[stage] = {
            "seconds": measured,
            "share": share,
            "amdahl_bound": amdahl_bound(share) if share < 1 else None,
        }
        if stage == REST:
            continue
        parts = [part for part in raw["parts"].values() if part["stage"] == stage]
        found[stage] |= {key: sum(part[key] for part in parts) for key in ("num_calls", "flops", "weight_bytes")}
        if limits is not None:
            least = sum(
                least_s(part["flops"] / part["num_calls"], part["weight_bytes"] / part["num_calls"], limits)
                * part["num_calls"]
                for part in parts
            )
            found[stage] |= {"least_s": least, "reached_share": least / measured.value if measured.value else None}
    return found
