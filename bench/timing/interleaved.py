"""Time sides against each other, interleaved: every round times each side once, in random order.

What changes the machine's pace (heat, other work, another clock) meets all sides alike; stats.py takes the
ratio with its interval. The conditions of each side are compared by records/comparable.py.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from bench.timing.other_load import watching_others
from bench.timing.series import rounds_ended, warm_up_from_cold
from bench.timing.settings import DEFAULT, TimingSettings


def time_pairs(
    sides: Mapping[str, Callable[[int], float]],
    *,
    device: str,
    min_rounds: int,
    min_duration_s: float,
    max_duration_s: float | None = None,
    is_warm: bool = False,
    compiled: Collection[str] = (),
    seed: int = 0,
    timing: TimingSettings = DEFAULT,
) -> dict[str, Any]:
    """Time `sides`, by name: each gives the seconds of its round `round_idx`, as `clock.once` does.

    Returns rounds_s (by side; entry i of every side is of round i), orders (the order of each round), first_call_s,
    warmup_s and warmup_ended_by (by side), rounds_ended_by, and what others did during the rounds
    (timing/other_load.py). Least and most counts and durations are those of `time_series`, durations for all
    sides together; round_idx is the same for all sides of a round, so that they can generate the same images.
    is_warm: all that the sides call was timed just before, so that a first call is warm-up enough.
    compiled: the sides whose first call has steps to compile.
    """
    warmups = {
        name: warm_up_from_cold(timed, min_duration_s, is_warm=is_warm, compiled=name in compiled, timing=timing)
        for name, timed in sides.items()
    }
    first_idx = 1 + max(len(warmup["warmup_s"]) for warmup in warmups.values())
    names, generator = list(sides), np.random.default_rng(seed)
    rounds_s: dict[str, list[float]] = {name: [] for name in names}
    orders: list[tuple[str, ...]] = []
    whole_s: list[float] = []
    gc.collect()
    with watching_others(device) as others:
        while not (ended_by := rounds_ended(whole_s, min_rounds, min_duration_s, max_duration_s, timing)):
            orders.append(tuple(names[i] for i in generator.permutation(len(names))))
            for name in orders[-1]:
                rounds_s[name].append(sides[name](first_idx + len(orders) - 1))
            whole_s.append(sum(rounds_s[name][-1] for name in names))
    keys = ("first_call_s", "warmup_s", "warmup_ended_by")
    return {
        "rounds_s": {name: tuple(seconds) for name, seconds in rounds_s.items()},
        "orders": tuple(orders),
        **{key: {name: warmup[key] for name, warmup in warmups.items()} for key in keys},
        "rounds_ended_by": ended_by,
        **others,
    }
