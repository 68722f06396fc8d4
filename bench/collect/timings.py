"""Collect timings: raw rounds of `generate`, the device idle at both ends of each; memory in a pass of its own.

Protocol of a series: a cold first call, kept apart; warm-up until the rolling median is stable; then rounds until there
are enough of them and they lasted long enough. Every round has inputs of its own. What else the machine did meanwhile
is kept with the rounds.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.collect.clock import once, synchronise
from bench.collect.footing import footing
from bench.collect.outline import outline_of
from bench.environment import available_memory_bytes, watching_others

if TYPE_CHECKING:
    from reference_models.spec import ImageModel

MAX_ROUNDS = 1000
MIN_WARMUP, MAX_WARMUP = 10, 50
WINDOW, STABLE = 5, 0.05  # warm-up ends when the medians of its last two windows of rounds differ by less than this
WARMUP_SHARE = 5.0  # a warm-up lasts at most so many times as long as the rounds must last
SHORTEST_WARMUP_S = 1.0  # and may last so long in any case
PROMPT = ""  # what a text-to-image model paints: prompts are padded to one length, so that any text costs the same


def load(build: Callable[[], ImageModel]) -> tuple[ImageModel, float]:
    """(the model that `build` makes, seconds to make it and its autoencoder and bring both to the device)."""
    start = time.perf_counter()
    model = build()
    _ = model.autoencoder  # made at first use, which belongs to no first call
    synchronise(str(model.device))
    return model, time.perf_counter() - start


def painter(model: ImageModel, batch_size: int, settings: Mapping[str, Any], seed: int = 0) -> Callable[[int], Any]:
    """`paint(round_idx)`: a batch of images uint8 (B, 3, H, W) that no other round paints.

    Image i has the label and the seed that it has where images are scored (collect/images.py). A text-to-image model
    paints PROMPT; without a text encoder, random states take the place of its states.
    """
    from reference_models.noise import image_seeds

    states = None
    if model.conditioned_on == "prompts" and model.text_encoder is None:
        import torch

        states = torch.randn(
            batch_size + 1,
            model.text_length,  # type: ignore[arg-type]
            model.text_embed.in_features,  # type: ignore[union-attr, arg-type]
            generator=torch.Generator().manual_seed(seed),
        ).to(model.device)

    def paint(round_idx: int) -> Any:
        indices = range(round_idx * batch_size, (round_idx + 1) * batch_size)
        if model.conditioned_on == "prompts":
            given: Any = [PROMPT] * batch_size if states is None else states
        else:
            given = [i % model.num_classes for i in indices]
        return model.generate(given, image_seeds(seed, indices), **settings)

    return paint


def warm_up(timed: Callable[[int], float], first_idx: int, limit_s: float) -> tuple[list[float], str]:
    """(seconds of the rounds thrown away, what ended them): first_idx is that of the first.

    "stable": at least MIN_WARMUP rounds, and the rolling median stands still; "rounds": MAX_WARMUP, and it does not;
    "time": they lasted `limit_s`, as one round of a large model does.
    """
    seconds: list[float] = []
    while True:
        seconds.append(timed(first_idx + len(seconds)))
        if len(seconds) >= MIN_WARMUP:
            before = statistics.median(seconds[-2 * WINDOW : -WINDOW])
            if abs(statistics.median(seconds[-WINDOW:]) - before) <= STABLE * before:
                return seconds, "stable"
        if len(seconds) >= MAX_WARMUP:
            return seconds, "rounds"
        if sum(seconds) >= limit_s:
            return seconds, "time"


def warm_up_from_cold(timed: Callable[[int], float], min_duration_s: float, *, is_warm: bool = False) -> dict[str, Any]:
    """first_call_s (what a cold call costs, round 0), warmup_s (rounds thrown away, from 1) and warmup_ended_by.

    A first call as long as the whole warm-up may last has warmed everything up, and so has one of what was timed just
    before (`is_warm`): there is no other ("first call").
    """
    limit_s = max(WARMUP_SHARE * min_duration_s, SHORTEST_WARMUP_S)
    first_call_s = timed(0)
    warmup_s, ended_by = ([], "first call") if is_warm or first_call_s >= limit_s else warm_up(timed, 1, limit_s)
    return {"first_call_s": first_call_s, "warmup_s": warmup_s, "warmup_ended_by": ended_by}


def rounds_ended(seconds: Sequence[float], min_rounds: int, min_duration_s: float, max_duration_s: float | None) -> str:
    """Why no further round is needed: "enough" of them, MAX_ROUNDS ("rounds"), `max_duration_s` ("time"); "": go on."""
    if len(seconds) >= max(1, min_rounds) and sum(seconds) >= min_duration_s:
        return "enough"
    if len(seconds) >= MAX_ROUNDS:
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
) -> dict[str, Any]:
    """The rounds of one side, `timed(round_idx)` giving the seconds of each.

    Returns first_call_s, warmup_s and warmup_ended_by (of `warm_up_from_cold`), rounds_s (at least `min_rounds` rounds
    and `min_duration_s` seconds of them, unless they last `max_duration_s`) and rounds_ended_by, and what others did
    during the rounds (environment.watching_others).
    """
    warmup = warm_up_from_cold(timed, min_duration_s, is_warm=is_warm)
    rounds_s: list[float] = []
    gc.collect()
    with watching_others(device) as others:
        while not (ended_by := rounds_ended(rounds_s, min_rounds, min_duration_s, max_duration_s)):
            rounds_s.append(timed(1 + len(warmup["warmup_s"]) + len(rounds_s)))
    return {**warmup, "rounds_s": rounds_s, "rounds_ended_by": ended_by, **others}


def time_rounds(call: Callable[[int], Any], *, device: str, **limits: Any) -> dict[str, Any]:
    """`time_series` of `call(round_idx)`, every round with fresh inputs."""
    return time_series(lambda round_idx: once(call, device, round_idx), device=device, **limits)


# -- batch sizes -------------------------------------------------------------------------------------------------------

LONGEST_SWEPT_S = 2.0  # a sweep ends at the first batch whose round takes longer
MEMORY_SHARE = 0.8  # of the memory that is free, before a batch counts as too large for a CPU (there nothing raises)


def sweep_batches(
    paint_batch: Callable[[int], Callable[[int], Any]],
    *,
    device: str,
    max_round_s: float | None = None,
    min_rounds: int = 3,
    min_duration_s: float = 0.5,
    is_warm: bool = False,
    known: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Time batches of 1, 2, 4, ... images until one does not fit into memory or takes longer than `max_round_s`
    (None: LONGEST_SWEPT_S).

    paint_batch(batch_size) gives the call to time; is_warm: of `warm_up_from_cold`. Where a batch does not fit, the
    size half way back is tried once.
    known: by batch size what `time_rounds` gave, and peak_memory_bytes if it is known, too: those are not timed again,
    and are taken over even where rounds are longer.
    Returns batches (of `time_rounds`, with batch_size and peak_memory_bytes, weights left out) and ended_by: "memory"
    or "time".
    """
    max_round_s = LONGEST_SWEPT_S if max_round_s is None else max_round_s
    batches: list[dict[str, Any]] = []
    known = known or {}
    batch_size, ended_by = 1, ""
    while not ended_by:
        call = paint_batch(batch_size)
        found = known.get(batch_size)
        if found is None:
            found = _try_batch(call, device, min_rounds, min_duration_s, max_round_s, is_warm)
        elif found.get("peak_memory_bytes") is None:
            found = {**found, "peak_memory_bytes": peak_memory(call, device)}
        if found is None:
            ended_by = "memory"
        else:
            batches.append({"batch_size": batch_size, **found})
            if statistics.median(found["rounds_s"]) > max_round_s:
                later = [size for size in known if size > batch_size]
                batch_size, ended_by = (min(later), "") if later else (batch_size, "time")
            elif device == "cpu" and not _twice_fits(found["peak_memory_bytes"]):
                ended_by = "memory"
            else:
                batch_size *= 2
    if ended_by == "memory" and batches and batch_size >= 4 and batches[-1]["batch_size"] < batch_size:
        between = batch_size * 3 // 4
        found = _try_batch(paint_batch(between), device, min_rounds, min_duration_s, max_round_s, is_warm)
        batches += [] if found is None else [{"batch_size": between, **found}]
    return {"batches": batches, "ended_by": ended_by}


def _try_batch(
    call: Callable[[int], Any],
    device: str,
    min_rounds: int,
    min_duration_s: float,
    max_round_s: float,
    is_warm: bool,
) -> dict[str, Any] | None:
    """A series, with the peak memory; None where memory ran out."""
    import torch

    found = None
    try:
        found = time_rounds(
            call,
            device=device,
            min_rounds=min_rounds,
            min_duration_s=min_duration_s,
            max_duration_s=min_rounds * max_round_s,
            is_warm=is_warm,
        )
        found["peak_memory_bytes"] = peak_memory(call, device)
    except (torch.OutOfMemoryError, MemoryError):
        found = None
    except RuntimeError as error:  # how a CPU's allocator says it
        if "can't allocate memory" not in str(error):
            raise
        found = None
    if found is None:
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
    return found


def _twice_fits(peak_memory_bytes: int) -> bool:
    available = available_memory_bytes()
    return available is None or 2 * peak_memory_bytes <= MEMORY_SHARE * available


def best_batch(sweep: Mapping[str, Any]) -> int:
    """The batch size of a sweep that paints most images per second, at the median round."""
    rates = {
        found["batch_size"]: found["batch_size"] / statistics.median(found["rounds_s"]) for found in sweep["batches"]
    }
    return max(rates, key=rates.__getitem__)


# -- memory and arithmetic ---------------------------------------------------------------------------------------------


def peak_memory(call: Callable[[int], Any], device: str) -> int:
    """Most bytes of tensors alive at once while `call` runs once, those that were there before (weights) left out.

    On a GPU by torch's allocator; on a CPU by torch's profiler, which sees every allocation and release of a tensor.
    """
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call(0)
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # or the profiler prints its own starts and stops
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        call(0)
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = peak = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak


def weight_bytes(model: ImageModel) -> int:
    """Bytes of the generator's parameters; its autoencoder is left out."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def count_flops(call: Callable[[int], Any]) -> int:
    """Floating-point operations of one call by torch's own counter: a multiply-add counts two."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        call(0)
    return counter.get_total_flops()


# -- one model ---------------------------------------------------------------------------------------------------------


def collect_timings(
    model: ImageModel,
    *,
    latency_batch_size: int,
    throughput_batch_size: int | None,
    min_rounds: int,
    min_duration_s: float,
    min_throughput_rounds: int | None = None,
    settings: Mapping[str, Any],
    max_duration_s: float | None = None,
    seed: int = 0,
    advance: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Raw timings of `generate`, keys latency, throughput (of `time_rounds`), peak_memory_bytes, flops, nfe, ...

    throughput_batch_size: 0 is not measured; None is found by a sweep, kept under "sweep", and then measured anew, or
    the luckiest of many series would stand for the model. min_throughput_rounds: None means `min_rounds`.
    """
    device, full = str(model.device), {**model.spec.sampling, **settings}

    def series(batch_size: int, min_rounds: int, *, is_warm: bool = False) -> dict[str, Any]:
        rounds = time_rounds(
            painter(model, batch_size, settings, seed),
            device=device,
            min_rounds=min_rounds,
            min_duration_s=min_duration_s,
            max_duration_s=max_duration_s,
            is_warm=is_warm,
        )
        return {"batch_size": batch_size, "footing": footing(model, full, batch_size=batch_size), **rounds}

    found: dict[str, Any] = {}
    if latency_batch_size:
        advance("latency")
        found["latency"] = series(latency_batch_size, min_rounds)
    if throughput_batch_size is None or throughput_batch_size:
        advance("throughput")
        if throughput_batch_size is None:
            found["sweep"] = sweep_batches(lambda size: painter(model, size, settings, seed), device=device)
            throughput_batch_size = best_batch(found["sweep"])
        at_least = min_rounds if min_throughput_rounds is None else min_throughput_rounds
        found["throughput"] = series(throughput_batch_size, at_least, is_warm=bool(found))  # warm by the series before
    advance("memory and arithmetic")
    paint = painter(model, throughput_batch_size or latency_batch_size, settings, seed)
    found["peak_memory_bytes"] = weight_bytes(model) + peak_memory(paint, device)
    found["flops"] = outline_of(model, lambda: painter(model, 1, settings, seed)(0)).flops
    found["nfe"] = model.network_evaluations(**full)
    found["num_params"] = sum(p.numel() for p in model.parameters())
    return found
