"""Ratios of speed: one model against others, all timed in the same interleaved rounds, each under equal conditions or
not at all."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.records.comparable import not_comparable
from bench.stats import ratio_of_medians, widened
from bench.timing.clock import once
from bench.timing.conditions import conditions
from bench.timing.generation import rounds_of
from bench.timing.interleaved import time_pairs
from bench.timing.settings import DEFAULT, TimingSettings
from bench.timing.stages import StageClock

if TYPE_CHECKING:
    from reference_models.spec import ImageModel


SUBJECT = "model"  # the name of the subject's side in a round; the others have their models' names
BY_SIDE = ("rounds_s", "first_call_s", "warmup_s", "warmup_ended_by")  # keys of `time_pairs` that hold all sides


@dataclass(frozen=True)
class Side:
    """What one call generates."""

    model: ImageModel
    batch_size: int = 1


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
) -> list[dict[str, Any]]:
    """How many times the images per second `subject` generates, over each of `baselines` (of different names).

    Every round times every side once, in random order; a pair is two sides of one round. Baselines that
    are not comparable are not timed. Keys: results/README.md.

    mode: of records/comparable.py    settings: in force for every side, over its own
    sampled: calls of each part that run where latency is estimated; None: whole calls
    """
    sides = {SUBJECT: subject, **{side.model.spec.name: side for side in baselines}}
    conditions_by_side = {
        name: conditions(side.model, {**side.model.spec.sampling, **settings}, batch_size=side.batch_size)
        for name, side in sides.items()
    }
    entries: list[dict[str, Any]] = [
        {
            "model": subject.model.spec.name,
            "baseline": name,
            "mode": mode,
            "footing": {"model": conditions_by_side[SUBJECT], "baseline": conditions_by_side[name]},
            "not_comparable": not_comparable(conditions_by_side[SUBJECT], conditions_by_side[name], mode),
        }
        for name in sides
        if name != SUBJECT
    ]
    timed = [SUBJECT, *(entry["baseline"] for entry in entries if not entry["not_comparable"])]
    if timed == [SUBJECT]:
        return entries
    device = str(subject.model.device)
    rounds_by_side = {name: rounds_of(sides[name].model, sides[name].batch_size, settings, seed) for name in timed}
    clocks = (
        {}
        if sampled is None
        else {name: StageClock(sides[name].model, rounds_by_side[name], sampled) for name in timed}
    )

    def clock_of(name: str) -> Callable[[int], float]:
        if clocks:
            return clocks[name].timed
        return lambda round_idx: once(rounds_by_side[name], device, round_idx)

    rounds = time_pairs(
        {name: clock_of(name) for name in timed},
        device=device,
        min_rounds=min_rounds,
        min_duration_s=min_duration_s,
        max_duration_s=max_duration_s,
        seed=seed,
        timing=timing,
    )
    for entry in entries:
        if not entry["not_comparable"]:
            names = {"model": SUBJECT, "baseline": entry["baseline"]}
            errors = [estimate_error(clocks[name]) for name in names.values()] if clocks else []
            entry |= {"composed": bool(clocks), **pair_of(rounds, names, sides, errors)}
    return entries


def pair_of(
    rounds: Mapping[str, Any], names: Mapping[str, str], sides: Mapping[str, Side], errors: Sequence[float]
) -> dict[str, Any]:
    """The ratio of two sides of `rounds`, and the part of the series that is theirs. names: "model", "baseline" ->
    their names in `rounds`; errors: relative standard errors of estimated latencies."""
    per_image_s = {
        role: [seconds / sides[name].batch_size for seconds in rounds["rounds_s"][name]] for role, name in names.items()
    }
    ratio = ratio_of_medians(per_image_s["baseline"], per_image_s["model"])
    roles = {name: role for role, name in names.items()}
    return {
        "ratio": asdict(widened(ratio, sum(error**2 for error in errors) ** 0.5) if errors else ratio),
        **rounds,
        **{key: {role: rounds[key][name] for role, name in names.items()} for key in BY_SIDE},
        "orders": [[roles[name] for name in order if name in roles] for order in rounds["orders"]],
    }


def estimate_error(clock: StageClock) -> float:
    """The standard error of an estimated latency, relative to it, at the median round."""
    return statistics.median(found.error_s / found.whole_s for found in clock.rounds)
