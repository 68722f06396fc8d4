"""Batches of 1, 2, 4, ... images until memory or time ends the sweep."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from bench.records.environment import available_memory_bytes
from bench.records.parts import Series, Sweep
from bench.timing.clock import once
from bench.timing.model_cost import peak_memory
from bench.timing.series import time_series
from bench.timing.settings import DEFAULT, TimingSettings


def sweep_batches(
    rounds_of_batch: Callable[[int], Callable[[int], Any]],
    *,
    device: str,
    min_rounds: int = 3,
    min_duration_s: float = 0.5,
    is_warm: bool = False,
    known: Mapping[int, Series] | None = None,
    timing: TimingSettings = DEFAULT,
) -> Sweep:
    """Time batches of 1, 2, 4, ... images until one does not fit into memory or takes longer than
    `timing.longest_swept_s`.

    rounds_of_batch(batch_size) gives the call to time; is_warm: of `warm_up_from_cold`. Where a batch does not fit, the
    size half way back is tried once.
    known: by batch size series that were timed before, with their peak memory if it is known: those are not timed
    again, and are taken over even where rounds are longer.
    """
    batches: list[Series] = []
    known = known or {}
    batch_size, ended_by = 1, ""
    while not ended_by:
        call = rounds_of_batch(batch_size)
        found = known.get(batch_size)
        if found is None:
            found = _try_batch(call, batch_size, device, min_rounds, min_duration_s, is_warm, timing)
        elif found.peak_memory_bytes is None:
            found = replace(found, peak_memory_bytes=peak_memory(call, device))
        if found is None:
            ended_by = "memory"
        else:
            batches.append(found)
            if statistics.median(found.rounds_s) > timing.longest_swept_s:
                later = [size for size in known if size > batch_size]
                batch_size, ended_by = (min(later), "") if later else (batch_size, "time")
            elif device == "cpu" and not _twice_fits(found.peak_memory_bytes, timing.memory_share):
                ended_by = "memory"
            else:
                batch_size *= 2
    if ended_by == "memory" and batches and batch_size >= 4 and batches[-1].batch_size < batch_size:
        between = batch_size * 3 // 4
        found = _try_batch(rounds_of_batch(between), between, device, min_rounds, min_duration_s, is_warm, timing)
        batches += [] if found is None else [found]
    return Sweep(batches=tuple(batches), ended_by=ended_by)


def _try_batch(
    call: Callable[[int], Any],
    batch_size: int,
    device: str,
    min_rounds: int,
    min_duration_s: float,
    is_warm: bool,
    timing: TimingSettings,
) -> Series | None:
    """A series, with the peak memory; None where memory ran out."""
    import torch

    found = None
    try:
        found = time_series(
            partial(once, call, device),
            device=device,
            min_rounds=min_rounds,
            min_duration_s=min_duration_s,
            max_duration_s=min_rounds * timing.longest_swept_s,
            is_warm=is_warm,
            batch_size=batch_size,
            timing=timing,
        )
        found = replace(found, peak_memory_bytes=peak_memory(call, device))
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


def _twice_fits(peak_memory_bytes: int | None, memory_share: float) -> bool:
    available = available_memory_bytes()
    return available is None or peak_memory_bytes is None or 2 * peak_memory_bytes <= memory_share * available
