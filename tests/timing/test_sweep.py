"""Sweeps of batch sizes at their edges, on a clock and a memory that are told what to say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.metrics.latency import best_batch
from bench.records.parts import Series, Sweep
from bench.timing import sweep
from bench.timing.settings import TimingSettings
from bench.timing.sweep import sweep_batches

BRIEF = TimingSettings(min_warmup=2, window=1, longest_swept_s=0.5)
PER_IMAGE_S = 0.125


@pytest.fixture
def told(monkeypatch):
    """Rounds of PER_IMAGE_S an image; every batch takes 1,000 bytes, and as much as is wanted is free."""
    monkeypatch.setattr(sweep, "once", lambda call, device, round_idx: call(round_idx))
    monkeypatch.setattr(sweep, "peak_memory", lambda call, device: 1000)
    monkeypatch.setattr(sweep, "available_memory_bytes", lambda: None)


def paced(most: int = 10**9):
    """Calls of batches: beyond `most` images the memory runs out."""

    def rounds_of_batch(batch_size: int):
        def call(round_idx: int) -> float:
            if batch_size > most:
                raise MemoryError
            return PER_IMAGE_S * batch_size

        return call

    return rounds_of_batch


def sizes(found: Sweep) -> list[int]:
    return [batch.batch_size for batch in found.batches]


def test_a_round_as_long_as_the_longest_goes_on_and_the_first_longer_one_is_the_last(told):
    """4 images take 0.5 s, 8 take 1 s. Three rounds of each, of half a second at least: 4 of one image; those of 8 end
    after three times the longest, 1.5 s."""
    found = sweep_batches(paced(), device="cpu", timing=BRIEF)
    assert (sizes(found), found.ended_by) == ([1, 2, 4, 8], "time")
    assert [len(batch.rounds_s) for batch in found.batches] == [4, 3, 3, 2]
    assert [len(batch.warmup_s) for batch in found.batches] == [2, 2, 2, 0]  # a first call of 1 s warms up enough
    assert {batch.peak_memory_bytes for batch in found.batches} == {1000}
    warm = sweep_batches(paced(), device="cpu", timing=BRIEF, is_warm=True)
    assert {batch.warmup_s for batch in warm.batches} == {()}


@pytest.mark.parametrize(
    ("most", "swept"),
    [(0, []), (1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 4]), (5, [1, 2, 4]), (6, [1, 2, 4, 6])],
)
def test_where_a_batch_does_not_fit_the_size_half_way_back_is_tried_once(told, most, swept):
    """Half way from 2 to 1 there is none."""
    found = sweep_batches(paced(most), device="cpu", timing=BRIEF)
    assert (sizes(found), found.ended_by) == (swept, "memory")


@pytest.mark.parametrize(
    ("available", "device", "swept", "ended_by"),
    [
        (2500, "cpu", [1, 2, 4, 8], "time"),  # four fifths are twice 1,000 bytes: all of it
        (2499, "cpu", [1], "memory"),
        (2499, "meta", [1, 2, 4, 8], "time"),  # elsewhere a batch too large raises, and is tried
        (None, "cpu", [1, 2, 4, 8], "time"),
    ],
)
def test_on_a_cpu_a_batch_is_doubled_where_twice_its_memory_is_free(
    told, monkeypatch, available, device, swept, ended_by
):
    monkeypatch.setattr(sweep, "available_memory_bytes", lambda: available)
    found = sweep_batches(paced(), device=device, timing=BRIEF)
    assert (sizes(found), found.ended_by) == (swept, ended_by)


def test_a_batch_that_stops_a_sweep_by_its_memory_is_no_reason_to_go_back(told, monkeypatch):
    """Four images fit, eight would not: there is no size half way that did not fit."""
    memory = {1: 1000, 2: 1500, 4: 3000}
    monkeypatch.setattr(sweep, "peak_memory", lambda call, device: memory[round(call(0) / PER_IMAGE_S)])
    monkeypatch.setattr(sweep, "available_memory_bytes", lambda: 5000)
    found = sweep_batches(paced(), device="cpu", timing=BRIEF)
    assert (sizes(found), found.ended_by) == ([1, 2, 4], "memory")


def test_what_was_timed_before_is_taken_over_with_the_smallest_of_the_later_ones_next(told):
    """Beyond the longest round the sweep jumps to what is known, in its order."""
    known = {size: Series(batch_size=size, rounds_s=(PER_IMAGE_S * size,) * 3) for size in (32, 64, 16)}
    known = {size: replace(found, peak_memory_bytes=size) for size, found in known.items()}
    found = sweep_batches(paced(), device="cpu", timing=BRIEF, known=known)
    assert (sizes(found), found.ended_by) == ([1, 2, 4, 8, 16, 32, 64], "time")
    assert [batch.peak_memory_bytes for batch in found.batches][-3:] == [16, 32, 64]


def test_the_best_batch_is_that_of_the_best_median_rate_and_not_of_a_lucky_round():
    lucky = Series(batch_size=2, rounds_s=(0.001, 1.0, 1.0))
    steady = Series(batch_size=4, rounds_s=(1.0, 1.0, 1.1))
    slow = Series(batch_size=8, rounds_s=(4.0, 4.0, 4.0))
    assert best_batch(Sweep(batches=(lucky, steady, slow))) == 4
