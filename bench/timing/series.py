"""Timed series: a cold first call, warm-up until the rolling median is stable, then rounds that are kept raw."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.records.parts import Conditions, Series
from bench.timing.other_load import watching_others
from bench.timing.settings import DEFAULT, TimingSettings


def warm_up(
    timed: Callable[[int], float], first_idx: int, limit_s: float, timing: TimingSettings = DEFAULT
) -> tuple[list[float], str]:
    """(seconds of the rounds thrown away, what ended them): first_idx is that of the first.

    "stable": at least `min_warmup` rounds, and the rolling median stands still; "rounds": `max_warmup`, and it does
    not; "time": they lasted `limit_s`, as one round of a large model does.
    """
    seconds: list[float] = []
    while True:
        seconds.append(timed(first_idx + len(seconds)))
        if len(seconds) >= timing.min_warmup:
            before = statistics.median(seconds[-2 * timing.window : -timing.window])
            if abs(statistics.median(seconds[-timing.window :]) - before) <= timing.stability * before:
                return seconds, "stable"
        if len(seconds) >= timing.max_warmup:
            return seconds, "rounds"
        if sum(seconds) >= limit_s:
            return seconds, "time"


def warm_up_from_cold(
    timed: Callable[[int], float],
    min_duration_s: float,
    *,
    is_warm: bool = False,
    compiled: bool = False,
    timing: TimingSettings = DEFAULT,
) -> dict[str, Any]:
    """first_call_s (what a cold call costs, round 0), warmup_s (rounds thrown away, from 1) and warmup_ended_by.

    A first call as long as the whole warm-up may last has warmed everything up, and so has one of what was timed just
    before (`is_warm`): there is no other ("first call"). One that has steps to compile (`compiled`) spends its time on
    that, while the device idles: it warms nothing.
    """
    limit_s = timing.warmup_limit_s(min_duration_s)
    first_call_s = timed(0)
    if is_warm or (first_call_s >= limit_s and not compiled):
        return {"first_call_s": first_call_s, "warmup_s": (), "warmup_ended_by": "first call"}
    warmup_s, ended_by = warm_up(timed, 1, limit_s, timing)
    return {"first_call_s": first_call_s, "warmup_s": tuple(warmup_s), "warmup_ended_by": ended_by}


def rounds_ended(
    seconds: Sequence[float],
    min_rounds: int,
    min_duration_s: float,
    max_duration_s: float | None,
    timing: TimingSettings = DEFAULT,
) -> str:
    """Why no further round is needed: "enough" of them, `max_rounds` ("rounds") or `max_duration_s` ("time").

    "": go on.
    """
    if len(seconds) >= max(1, min_rounds) and sum(seconds) >= min_duration_s:
        return "enough"
    if len(seconds) >= timing.max_rounds:
        return "rounds"
    return "time" if max_duration_s is not None and sum(seconds) >= max_duration_s else ""


def time_series(
    timed: Callable[[int], float],
    *,
    device: str,
    min_rounds: int,
    min_duration_s: float,
    max_duration_s: float | None = None,
    is_warm: bool = False,
    batch_size: int = 1,
    conditions: Conditions | None = None,
    timing: TimingSettings = DEFAULT,
) -> Series:
    """The rounds of one side, `timed(round_idx)` giving the seconds of each: at least `min_rounds` of them and
    `min_duration_s` seconds, unless they last `max_duration_s`. batch_size, conditions: of what is timed.
    """
    compiled = conditions is not None and conditions.compiled
    warmup = warm_up_from_cold(timed, min_duration_s, is_warm=is_warm, compiled=compiled, timing=timing)
    rounds_s: list[float] = []
    gc.collect()
    with watching_others(device) as others:
        while not (ended_by := rounds_ended(rounds_s, min_rounds, min_duration_s, max_duration_s, timing)):
            rounds_s.append(timed(1 + len(warmup["warmup_s"]) + len(rounds_s)))
    return Series(
        batch_size=batch_size,
        conditions=conditions,
        rounds_s=tuple(rounds_s),
        rounds_ended_by=ended_by,
        **warmup,
        **others,
    )
