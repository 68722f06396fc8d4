"""Ratios of speed: one model against others, all timed in the same interleaved rounds, each under equal conditions or
not at all."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.records.comparable import not_comparable
from bench.records.parts import BASELINE, SUBJECT, Conditions, Speedup
from bench.stats import ratio_of_medians, widened
from bench.timing.clock import once
from bench.timing.conditions import conditions
from bench.timing.generation import rounds_of
from bench.timing.interleaved import time_pairs
from bench.timing.settings import DEFAULT, TimingSettings
from bench.timing.stages import StageClock

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel


WITHOUT = " without own kernels"  # ends the name of a side in shared rounds
BY_SIDE = ("rounds_s", "first_call_s", "warmup_s", "warmup_ended_by")  # keys of `time_pairs` that hold all sides


@dataclass(frozen=True)
class Side:
    """What one call generates."""

    model: ImageModel
    batch_size: int = 1
    own_kernels: bool = True  # False: by torch's kernels alone

    def kernels(self) -> AbstractContextManager[None]:
        """Within the block the side's kernels are in use."""
        from reference_models.layers import torchs_kernels

        return nullcontext() if self.own_kernels else torchs_kernels()


def collect_ratios(
    subject: Side,
    baselines: Sequence[Side],
    *,
    mode: str = "forced equal",
    settings: Mapping[str, Any],
    sampled: int | None = None,
    min_rounds: int,
    min_duration_s: float,
    max_duration_s: float | None = None,
    seed: int = 0,
    timing: TimingSettings = DEFAULT,
    both_kernels: bool = False,
) -> list[Speedup]:
    """How many times the images per second `subject` generates, over each of `baselines` (of different names).

    Every round times every side once, in random order; a pair is two sides of one round. Baselines that
    are not comparable are not timed.

    mode: of records/comparable.py    settings: in force for every side, over its own
    sampled: calls of each part that run where latency is estimated; None: whole calls
    both_kernels: a second entry of each baseline, both sides without own kernels; all in the same rounds. A side that
        has none here is its own twin.
    """
    sides = {SUBJECT: subject, **{side.model.spec.name: side for side in baselines}}
    names = list(sides)
    conditions_by_side = {name: conditions_of(side, settings) for name, side in sides.items()}
    twins = {}  # by name, the side without own kernels
    for name in names if both_kernels else ():
        twin = replace(sides[name], own_kernels=False)
        found = conditions_of(twin, settings)
        twins[name] = name if found == conditions_by_side[name] else f"{name}{WITHOUT}"
        if twins[name] not in sides:
            sides[twins[name]], conditions_by_side[twins[name]] = twin, found
    pairs = [(SUBJECT, name) for name in names[1:]]
    pairs += [(twins[SUBJECT], twins[name]) for name in names[1:] if both_kernels]
    reasons = [not_comparable(conditions_by_side[ours], conditions_by_side[theirs], mode) for ours, theirs in pairs]
    comparable = [pair for pair, reason in zip(pairs, reasons, strict=True) if not reason]
    timed = list(dict.fromkeys(name for pair in comparable for name in pair))
    device = str(subject.model.device)
    rounds_by_side = {name: rounds_of(sides[name].model, sides[name].batch_size, settings, seed) for name in timed}
    clocks = (
        {}
        if sampled is None
        else {name: StageClock(sides[name].model, rounds_by_side[name], sampled) for name in timed}
    )

    def clock_of(name: str) -> Callable[[int], float]:
        def timed_round(round_idx: int) -> float:
            with sides[name].kernels():
                return clocks[name].timed(round_idx) if clocks else once(rounds_by_side[name], device, round_idx)

        return timed_round

    rounds = (
        {}
        if not timed
        else time_pairs(
            {name: clock_of(name) for name in timed},
            device=device,
            min_rounds=min_rounds,
            min_duration_s=min_duration_s,
            max_duration_s=max_duration_s,
            compiled=[name for name in timed if conditions_by_side[name].compiled],
            seed=seed,
            timing=timing,
        )
    )

    def timed_pair(ours: str, theirs: str) -> dict[str, Any]:
        errors = [estimate_error(clocks[each]) for each in (ours, theirs) if clocks]
        return {"estimated": bool(clocks), **pair_of(rounds, {SUBJECT: ours, BASELINE: theirs}, sides, errors)}

    return [
        Speedup(
            model=subject.model.spec.name,
            baseline=sides[theirs].model.spec.name,
            mode=mode,
            conditions={"model": conditions_by_side[ours], "baseline": conditions_by_side[theirs]},
            not_comparable=reason,
            without_own_kernels=place >= len(baselines) or not (sides[ours].own_kernels or sides[theirs].own_kernels),
            **({} if reason else timed_pair(ours, theirs)),
        )
        for place, ((ours, theirs), reason) in enumerate(zip(pairs, reasons, strict=True))
    ]


def conditions_of(side: Side, settings: Mapping[str, Any]) -> Conditions:
    """Those under which a side is timed. settings: in force, over its model's own"""
    with side.kernels():
        return conditions(side.model, {**side.model.spec.sampling, **settings}, batch_size=side.batch_size)


def pair_of(
    rounds: Mapping[str, Any], names: Mapping[str, str], sides: Mapping[str, Side], errors: Sequence[float]
) -> dict[str, Any]:
    """The ratio of two sides of `rounds`, and the part of the series that is theirs. names: SUBJECT, BASELINE ->
    their names in `rounds`; errors: relative standard errors of estimated latencies."""
    per_image_s = {
        role: [seconds / sides[name].batch_size for seconds in rounds["rounds_s"][name]] for role, name in names.items()
    }
    ratio = ratio_of_medians(per_image_s[BASELINE], per_image_s[SUBJECT])
    roles = {name: role for role, name in names.items()}
    return {
        **rounds,
        "ratio": widened(ratio, sum(error**2 for error in errors) ** 0.5) if errors else ratio,
        **{key: {role: rounds[key][name] for role, name in names.items()} for key in BY_SIDE},
        "orders": tuple(tuple(roles[name] for name in order if name in roles) for order in rounds["orders"]),
    }


def estimate_error(clock: StageClock) -> float:
    """The standard error of an estimated latency, relative to it, at the median round."""
    return statistics.median(found.error_s / found.whole_s for found in clock.rounds)
