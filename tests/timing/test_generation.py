"""Raw timings: every round with inputs of its own, warm-up until it is warm, memory and arithmetic counted exactly."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import reference_models
from bench.metrics.latency import best_batch
from bench.records.parts import Series, Sweep
from bench.sampling.images import generate_batch
from bench.timing import sweep
from bench.timing.clock import once
from bench.timing.generation import collect_timings, rounds_of
from bench.timing.model_cost import count_flops, peak_memory
from bench.timing.series import time_series, warm_up
from bench.timing.settings import TimingSettings
from bench.timing.sweep import sweep_batches


def test_every_round_gets_another_index_and_there_are_enough():
    seen = []
    raw = time_series(partial(once, seen.append, "cpu"), device="cpu", min_rounds=10, min_duration_s=0.0)
    assert len(set(seen)) == len(seen) == 1 + len(raw.warmup_s) + len(raw.rounds_s)
    assert (len(raw.rounds_s), raw.rounds_ended_by) == (10, "enough")


# -- warm-up and the end of a series, on clocks that are told what to say ----------------------------------------------


def told(seconds):
    """A side whose rounds take what `seconds` says, the last of them from then on."""
    return lambda round_idx: seconds[min(round_idx, len(seconds) - 1)]


def test_warm_up_lasts_ten_rounds_at_least():
    seconds, ended_by = warm_up(told([0.1]), 0, limit_s=1e9)
    assert (len(seconds), ended_by) == (10, "stable")


def test_warm_up_goes_on_until_the_rolling_median_stands_still():
    """A machine that gets faster until round 20: two windows of five rounds agree once both lie behind it."""
    falling = [2.0 - i / 20 for i in range(20)] + [1.0]
    seconds, ended_by = warm_up(told(falling), 0, limit_s=1e9)
    assert ended_by == "stable"
    assert len(seconds) > 20


def test_one_slow_round_does_not_prolong_the_warm_up():
    assert len(warm_up(told([1.0, 1.0, 9.0, 1.0]), 0, limit_s=1e9)[0]) == 10


def test_warm_up_that_never_settles_ends():
    growing = [1.2**i for i in range(100)]
    seconds, ended_by = warm_up(told(growing), 0, limit_s=1e99)
    assert (len(seconds), ended_by) == (50, "rounds")


def test_long_rounds_end_the_warm_up_by_time():
    """Rounds of 1 s where the measurement must last 2 s: 4 s of warm-up are four rounds."""
    found = time_series(told([1.0]), device="cpu", min_rounds=10, min_duration_s=2.0)
    assert (len(found.warmup_s), found.warmup_ended_by) == (4, "time")


def test_a_first_call_of_minutes_is_warm_up_enough():
    found = time_series(told([400.0, 390.0]), device="cpu", min_rounds=3, min_duration_s=2.0)
    assert (found.first_call_s, found.warmup_s, found.warmup_ended_by) == (400.0, (), "first call")


@pytest.mark.parametrize(
    ("round_s", "limits", "count", "ended_by"),
    [
        (0.25, {"min_rounds": 10, "min_duration_s": 5.0}, 20, "enough"),
        (1.0, {"min_rounds": 10, "min_duration_s": 5.0}, 10, "enough"),
        (1.0, {"min_rounds": 10, "min_duration_s": 5.0, "max_duration_s": 4.0}, 4, "time"),
        (1e-9, {"min_rounds": 10, "min_duration_s": 5.0}, 1000, "rounds"),
    ],
)
def test_a_series_ends_on_least_count_and_least_duration(round_s, limits, count, ended_by):
    found = time_series(told([round_s]), device="cpu", **limits)
    assert (len(found.rounds_s), found.rounds_ended_by) == (count, ended_by)


# -- batch sizes -------------------------------------------------------------------------------------------------------


BRIEF = TimingSettings(min_warmup=2, window=1, shortest_warmup_s=0.05, longest_swept_s=0.03)


@pytest.fixture
def small(monkeypatch):
    """Every batch needs a thousand bytes: no look at the memory."""
    monkeypatch.setattr(sweep, "peak_memory", lambda call, device: 1000)


def swept(rounds_of_batch, *, longest_swept_s=1.0, **changes):
    """A sweep on the CPU, one round of each batch unless said otherwise."""
    asked = {"min_rounds": 1, "min_duration_s": 0.0, **changes}
    return sweep_batches(rounds_of_batch, device="cpu", timing=replace(BRIEF, longest_swept_s=longest_swept_s), **asked)


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_a_sweep_doubles_until_memory_runs_out_and_then_goes_half_way_back(small, error):
    def rounds_of_batch(batch_size):
        def generate_round(round_idx):
            if batch_size > 13:
                raise error

        return generate_round

    found = swept(rounds_of_batch)
    assert [batch.batch_size for batch in found.batches] == [1, 2, 4, 8, 12]
    assert found.ended_by == "memory"


def test_another_error_is_no_lack_of_memory(small):
    def generate_round(round_idx):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        swept(lambda batch_size: generate_round)


@pytest.fixture
def paced(monkeypatch):
    """Rounds of 20 ms an image on a clock of their own: (rounds_of_batch, sizes of the rounds so far)."""
    timed = []

    def rounds_of_batch(batch_size):
        def generate_round(round_idx):
            timed.append(batch_size)
            return 0.02 * batch_size

        return generate_round

    monkeypatch.setattr(sweep, "once", lambda call, device, round_idx: call(round_idx))
    return rounds_of_batch, timed


def test_a_sweep_ends_at_rounds_that_are_too_long(small, paced):
    """Rounds of 20 ms an image: that of 4 images is the first beyond 50 ms."""
    found = swept(paced[0], longest_swept_s=0.05)
    assert (found.batches[-1].batch_size, found.ended_by) == (4, "time")


@pytest.mark.parametrize(("longest_s", "sizes", "timed_now"), [(0.01, [1, 8], set()), (0.1, [1, 2, 4, 8], {2, 4})])
def test_a_sweep_takes_over_what_was_timed(paced, longest_s, sizes, timed_now, monkeypatch):
    """Rounds of 20 ms an image; 1 and 8 images were timed before. Beyond the limit nothing more is timed."""
    rounds_of_batch, timed = paced
    looked_at = []
    monkeypatch.setattr(sweep, "peak_memory", lambda call, device: looked_at.append(call) or 1000)
    known = {
        1: Series(batch_size=1, rounds_s=(0.021, 0.022, 0.023)),
        8: Series(batch_size=8, rounds_s=(0.17,) * 3, peak_memory_bytes=77),
    }
    found = swept(rounds_of_batch, longest_swept_s=longest_s, min_rounds=2, is_warm=True, known=known)
    by_size = {batch.batch_size: batch for batch in found.batches}
    assert list(by_size) == sizes
    assert (by_size[1].rounds_s, by_size[8].rounds_s) == (known[1].rounds_s, known[8].rounds_s)
    assert (by_size[1].peak_memory_bytes, by_size[8].peak_memory_bytes) == (1000, 77)
    assert len(looked_at) == len(sizes) - 1  # at all but the one that was known
    assert set(timed) == timed_now
    assert found.ended_by == "time"


def test_on_a_cpu_a_sweep_stops_before_the_memory_is_full(small, monkeypatch):
    """There the system kills instead of raising: a batch that needs 1,000 bytes is not doubled where 2,400 are free."""
    monkeypatch.setattr(sweep, "available_memory_bytes", lambda: 2400)
    found = swept(lambda batch_size: lambda round_idx: None)
    assert ([batch.batch_size for batch in found.batches], found.ended_by) == ([1], "memory")


def test_the_best_batch_generates_most_images_per_second():
    rounds = {1: 0.1, 2: 0.15, 4: 0.28, 8: 0.6}
    batches = tuple(Series(batch_size=size, rounds_s=(seconds,) * 3) for size, seconds in rounds.items())
    assert best_batch(Sweep(batches=batches)) == 4  # 10, 13.3, 14.3, 13.3 images/s


# -- what is generated -------------------------------------------------------------------------------------------------


def test_timed_images_are_those_that_are_scored():
    """Round 2 of batches of 3 generates the images 6, 7 and 8 of the run, to the rounding of a grey level."""
    model = reference_models.build("dit-digits")
    settings = {"num_steps": 2}
    timed = rounds_of(model, 3, settings, seed=5)(2)
    scored = generate_batch(model, range(6, 9), 5, settings)
    assert np.abs(timed.numpy().astype(int) - scored.astype(int)).max() <= 1


def test_a_text_to_image_model_is_timed_with_and_without_its_text_encoder():
    """With one, a prompt; without, random states of the shape of its states."""
    model = reference_models.build("d-dit-digits", weights=None)
    with_encoder = rounds_of(model, 2, {"num_steps": 2})(0)
    model.text_encoder = None
    without = rounds_of(model, 2, {"num_steps": 2})(0)
    assert with_encoder.shape == without.shape == (2, 3, 16, 16)


def test_latency_and_throughput_are_two_measurements(small):
    model = reference_models.build("dit-digits")
    asked = {"min_rounds": 3, "min_duration_s": 0.0, "settings": {"num_steps": 2}, "timing": BRIEF}
    stages = []
    raw = collect_timings(model, latency_batch_size=1, throughput_batch_size=4, advance=stages.append, **asked)
    assert stages == ["latency", "throughput", "memory and arithmetic"]
    assert (raw.latency.batch_size, raw.throughput.batch_size) == (1, 4)
    assert raw.throughput.conditions.batch_size == 4
    assert raw.nfe == {"network": 4}
    assert raw.flops == count_flops(lambda _: rounds_of(model, 1, {"num_steps": 2})(0))
    best = collect_timings(model, latency_batch_size=1, throughput_batch_size=None, **asked)
    assert best.throughput.batch_size == best_batch(best.sweep)


# -- memory and arithmetic ---------------------------------------------------------------------------------------------


def test_peak_memory_is_the_bytes_alive_at_once():
    """Three tensors of a megabyte together, then two more one after the other in the place of the first three."""

    def call(_):
        together = [torch.ones(250_000) for _ in range(3)]
        del together
        for _ in range(2):
            torch.ones(250_000)

    assert peak_memory(call, "cpu") == 3_000_000


def test_flops_of_a_matrix_product_are_two_per_multiply_add():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert count_flops(lambda _: a @ b) == 2 * 3 * 5 * 7
