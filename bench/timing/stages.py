"""Stage breakdown and estimated latency: where the time of one call of `generate` goes.

The calls of a model's parts (its `stages`, and the autoencoder) are timed from outside, the device idle at both ends of
each. With `sampled`, only so many calls of each part run and the others are left out (call_costs.py); the whole is then
estimated from the calls that ran and the exact counts (metrics/stages.py), for paper sizes that take minutes an image.

On a GPU, waiting for each call hides how launches overlap with work: a breakdown there sums to more than the whole call
(both are kept), and nothing needs an estimate.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from bench.metrics.stages import composed_s, sampled_calls
from bench.records.parts import REST, Part, Stages, Timing
from bench.stats import ratio_of_medians
from bench.timing.call_costs import ALWAYS_RUN, Cost, Twin, collect_call_costs, intercepted, parts_of
from bench.timing.clock import once, synchronise
from bench.timing.conditions import conditions
from bench.timing.generation import rounds_of
from bench.timing.interleaved import time_pairs
from bench.timing.model_cost import peak_memory, weight_bytes
from bench.timing.series import time_series
from bench.timing.settings import DEFAULT, TimingSettings

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel


SAMPLED = 8  # calls of each part that run where a latency is estimated
SHORT_CALL_S = 1e-3  # leaving out a call that is shorter saves little, and cools the caches for the next


@dataclass(frozen=True)
class Breakdown:
    """One round by stages."""

    seconds: dict[str, float]  # by stage, REST last; estimated where calls were left out
    error_s: float  # standard error of the estimate; 0 where every call ran
    call_s: dict[str, list[float]]  # by part: the calls that ran, in order

    @property
    def whole_s(self) -> float:
        return sum(self.seconds.values())


class StageClock:
    """Times rounds of `generate_round(round_idx)`, a call of `model.generate`, by stages; `rounds` holds them all."""

    def __init__(self, model: ImageModel, generate_round: Callable[[int], Any], sampled: int | None = None):
        """sampled: calls of each part that are timed; None: all."""
        self.model, self.generate_round, self.device = model, generate_round, str(model.device)
        self.twin, self.stages = Twin(model), parts_of(model)
        self.costs = collect_call_costs(model, lambda: generate_round(0), self.twin)
        self.indices, self.timed_calls = self.costs.by_part(), set()
        for part, indices in self.indices.items():
            num = len(indices) if self.stages[part] in ALWAYS_RUN or sampled is None else sampled
            self.timed_calls |= {indices[i] for i in sampled_calls(self.flops(part), num)}
        self.rounds: list[Breakdown] = []

    def flops(self, part: str) -> list[int]:
        return [self.costs.calls[index].cost.flops for index in self.indices[part]]

    def timed(self, round_idx: int) -> float:
        """Seconds of a round: the sum of its stages. After the first, parts whose calls are short run in full."""
        self.rounds.append(self.time_round(round_idx))
        if len(self.rounds) == 1:
            for part, seconds in self.rounds[0].call_s.items():
                if statistics.median(seconds) < SHORT_CALL_S:
                    self.timed_calls |= set(self.indices[part])
        return self.rounds[-1].whole_s

    def time_round(self, round_idx: int) -> Breakdown:
        seconds: list[float | None] = []  # of every call, None where it was left out
        left_out_s = 0.0
        # The call before a timed one runs too: it leaves the caches as the sampler would.
        running = self.timed_calls | {index - 1 for index in self.timed_calls}

        def handle(part: str, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
            nonlocal left_out_s
            runs = len(seconds) in running
            synchronise(self.device)
            start = time.perf_counter()
            result = method(*args, **kwargs) if runs else self.twin.answer(part, args, kwargs)[-1]
            synchronise(self.device)
            passed_s = time.perf_counter() - start
            seconds.append(passed_s if runs else None)
            left_out_s += 0.0 if runs else passed_s
            return result

        with intercepted(self.model, handle):
            whole_s = once(self.generate_round, self.device, round_idx) - left_out_s
        return self.estimate(seconds, whole_s - sum(filter(None, seconds)))

    def estimate(self, seconds: list[float | None], rest_s: float) -> Breakdown:
        """A round from the seconds of its calls and of what lies between them."""
        by_stage = dict.fromkeys((self.stages[part] for part in self.indices), 0.0)
        variance, call_s = 0.0, {}
        for part, indices in self.indices.items():
            ran = {i: seconds[index] for i, index in enumerate(indices) if index in self.timed_calls}
            part_s, error_s = composed_s(self.flops(part), ran)  # type: ignore[arg-type]
            by_stage[self.stages[part]] += part_s
            variance += error_s**2
            call_s[part] = list(ran.values())
        return Breakdown({**by_stage, REST: rest_s}, variance**0.5, call_s)  # type: ignore[arg-type]

    def summary(self, num_rounds: int, **about: Any) -> Stages:
        """The latest rounds. about: further fields of Stages."""
        rounds, parts = self.rounds[-num_rounds:], {}
        for part, indices in self.indices.items():
            costs = [self.costs.calls[index].cost for index in indices]
            parts[part] = Part(
                stage=self.stages[part],
                num_calls=len(costs),
                num_timed=len(rounds[-1].call_s[part]),
                **{count.name: sum(getattr(cost, count.name) for cost in costs) for count in fields(Cost)},
                call_s=statistics.median(second for found in rounds for second in found.call_s[part]),
            )
        rounds_s = {stage: tuple(found.seconds[stage] for found in rounds) for stage in rounds[0].seconds}
        return Stages(rounds_s=rounds_s, parts=parts, **about)


def collect_stages(
    model: ImageModel,
    *,
    settings: Mapping[str, Any],
    min_rounds: int,
    min_duration_s: float,
    max_duration_s: float | None = None,
    batch_size: int = 1,
    is_warm: bool = False,
    seed: int = 0,
    timing: TimingSettings = DEFAULT,
) -> Stages:
    """Rounds by stages, interleaved with rounds of the whole call that nothing interrupts. is_warm: of `time_pairs`."""
    generate_round, device = rounds_of(model, batch_size, settings, seed), str(model.device)
    clock = StageClock(model, generate_round)
    found = time_pairs(
        {"whole": lambda round_idx: once(generate_round, device, round_idx), "stages": clock.timed},
        device=device,
        min_rounds=min_rounds,
        min_duration_s=min_duration_s,
        max_duration_s=max_duration_s,
        is_warm=is_warm,
        seed=seed,
        timing=timing,
    )
    whole_s = found["rounds_s"]["whole"]
    others = {name: found[name] for name in ("foreign_load", "disturbed")}
    return clock.summary(len(whole_s), batch_size=batch_size, whole_s=whole_s, **others)


def collect_estimated(
    model: ImageModel,
    *,
    settings: Mapping[str, Any],
    min_rounds: int = 3,
    sampled: int = SAMPLED,
    batch_size: int = 1,
    seed: int = 0,
    timing: TimingSettings = DEFAULT,
) -> Timing:
    """What `collect_timings` gives for one batch, its latency estimated, and its stages."""
    full, device = {**model.spec.sampling, **settings}, str(model.device)
    clock = StageClock(model, rounds_of(model, batch_size, settings, seed), sampled)
    series = time_series(
        clock.timed,
        device=device,
        min_rounds=min_rounds,
        min_duration_s=0.0,
        batch_size=batch_size,
        conditions=conditions(model, full, batch_size=batch_size),
        timing=timing,
    )
    rounds = len(series.rounds_s)
    error_s = statistics.median(found.error_s for found in clock.rounds[-rounds:])
    return Timing(
        latency=replace(series, estimated=True, error_s=error_s),
        stages=clock.summary(rounds, batch_size=batch_size, estimated=True, error_s=error_s),
        peak_memory_bytes=weight_bytes(model) + peak_memory(clock.time_round, device),
        flops=clock.costs.flops // batch_size,
        nfe=model.network_evaluations(**full),
        num_params=sum(p.numel() for p in model.parameters()),
    )


def check_estimated(
    model: ImageModel,
    *,
    settings: Mapping[str, Any],
    min_rounds: int,
    min_duration_s: float = 0.0,
    sampled: int = SAMPLED,
    batch_size: int = 1,
    seed: int = 0,
    timing: TimingSettings = DEFAULT,
) -> dict[str, Any]:
    """Estimated against measured, interleaved: ratio (estimated / measured), error_s, rounds_s
    ("estimated", "whole") and the rest of `time_pairs`."""
    generate_round, device = rounds_of(model, batch_size, settings, seed), str(model.device)
    clock = StageClock(model, generate_round, sampled)
    found = time_pairs(
        {"whole": lambda round_idx: once(generate_round, device, round_idx), "estimated": clock.timed},
        device=device,
        min_rounds=min_rounds,
        min_duration_s=min_duration_s,
        seed=seed,
        timing=timing,
    )
    num_rounds = len(found["orders"])
    error_s = statistics.median(breakdown.error_s for breakdown in clock.rounds[-num_rounds:])
    ratio = ratio_of_medians(found["rounds_s"]["estimated"], found["rounds_s"]["whole"])
    return {"ratio": ratio, "error_s": error_s, "batch_size": batch_size, **found}
