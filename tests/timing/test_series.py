"""Ends of warm-ups and series to the round, on clocks that are told what to say."""

from __future__ import annotations

from functools import partial

import pytest

from bench.timing.clock import once
from bench.timing.series import rounds_ended, time_series, warm_up, warm_up_from_cold
from bench.timing.settings import DEFAULT, TimingSettings

BRIEF = TimingSettings(min_warmup=4, max_warmup=9, window=2, stability=0.25, shortest_warmup_s=100.0, max_rounds=6)


def told(*seconds: float):
    """A side whose rounds take what `seconds` says, the last of them from then on; each index it was asked for."""
    asked: list[int] = []

    def timed(round_idx: int) -> float:
        asked.append(round_idx)
        return seconds[min(len(asked), len(seconds)) - 1]

    return timed, asked


@pytest.mark.parametrize(
    ("seconds", "count"),
    [
        ((8.0, 8.0, 6.0, 6.0), 4),  # 8 and then 6: a quarter less, and no more
        ((8.0, 8.0, 10.0, 10.0), 4),  # or more
        ((8.0, 8.0, 5.9, 5.9, 5.9), 5),  # the medians of two are 6.95 and 5.9 then
        ((8.0, 8.0, 4.0, 4.0, 4.0, 4.0), 6),  # the last two windows alone count
    ],
)
def test_warm_up_ends_once_two_windows_agree_to_the_share_that_is_allowed(seconds, count):
    found, ended_by = warm_up(told(*seconds)[0], 0, 1e9, BRIEF)
    assert (len(found), ended_by) == (count, "stable")


def test_warm_up_that_does_not_settle_ends_by_its_rounds_or_its_seconds():
    growing = [2.0**i for i in range(20)]
    assert [len(warm_up(told(*growing)[0], 0, 1e9, BRIEF)[0]), warm_up(told(*growing)[0], 0, 1e9, BRIEF)[1]] == [
        9,
        "rounds",
    ]
    seconds, ended_by = warm_up(told(*growing)[0], 0, 7.0, BRIEF)  # 1 + 2 + 4
    assert (len(seconds), ended_by) == (3, "time")


@pytest.mark.parametrize(("first_s", "ended_by"), [(3.999, "time"), (4.0, "first call"), (5.0, "first call")])
def test_a_first_call_as_long_as_the_warm_up_may_last_is_enough(first_s, ended_by):
    """Rounds that must last 2 s may be warmed up for 4 s."""
    found = warm_up_from_cold(told(first_s)[0], 2.0)
    assert (found["first_call_s"], found["warmup_ended_by"]) == (first_s, ended_by)
    assert (found["warmup_s"] == ()) == (ended_by == "first call")


def test_a_first_call_that_compiles_warms_nothing_up_however_long_it_takes():
    seconds = iter([60.0, *[0.1] * 20])
    found = warm_up_from_cold(lambda _: next(seconds), 2.0, compiled=True)
    assert (found["first_call_s"], found["warmup_s"], found["warmup_ended_by"]) == (60.0, (0.1,) * 10, "stable")


def test_of_what_is_warm_one_call_is_warm_up_enough_and_otherwise_it_is_not():
    assert len(warm_up_from_cold(told(0.1)[0], 2.0)["warmup_s"]) == 10
    warm = warm_up_from_cold(told(0.1)[0], 2.0, is_warm=True)
    assert (warm["warmup_s"], warm["warmup_ended_by"]) == ((), "first call")


def test_the_rounds_of_a_series_are_numbered_one_after_the_other():
    """0 is the cold call, then come those of the warm-up, then those that are kept."""
    timed, asked = told(0.1)
    found = time_series(timed, device="cpu", min_rounds=3, min_duration_s=0.0)
    assert (len(found.warmup_s), len(found.rounds_s)) == (10, 3)
    assert asked == list(range(14))
    assert (found.batch_size, found.conditions) == (1, None)


def test_calls_are_timed_from_cold_and_one_image_at_a_time_unless_told_otherwise():
    call = partial(once, lambda round_idx: None, "cpu")
    found = time_series(call, device="cpu", min_rounds=2, min_duration_s=0.0)
    assert (len(found.warmup_s) >= 10, len(found.rounds_s), found.batch_size) == (True, 2, 1)
    found = time_series(call, device="cpu", min_rounds=2, min_duration_s=0.0, is_warm=True, batch_size=3)
    assert (found.warmup_s, len(found.rounds_s), found.batch_size) == ((), 2, 3)


@pytest.mark.parametrize(
    ("seconds", "min_rounds", "min_duration_s", "max_duration_s", "ended_by"),
    [
        ([], 0, 0.0, None, ""),  # one round at least
        ([1.0], 0, 0.0, None, "enough"),
        ([1.0], 1, 1.0, None, "enough"),
        ([1.0], 2, 1.0, None, ""),
        ([1.0], 1, 1.5, None, ""),
        ([1.0] * 5, 7, 0.0, None, ""),
        ([1.0] * 6, 7, 0.0, None, "rounds"),
        ([1.0] * 6, 6, 6.0, 1.0, "enough"),
        ([1.0] * 2, 7, 0.0, 2.5, ""),
        ([1.0] * 2, 7, 0.0, 2.0, "time"),
    ],
)
def test_a_series_ends_at_the_round_that_is_enough_or_too_much(
    seconds, min_rounds, min_duration_s, max_duration_s, ended_by
):
    assert rounds_ended(seconds, min_rounds, min_duration_s, max_duration_s, BRIEF) == ended_by


def test_a_warm_up_may_last_twice_as_long_as_the_rounds_must_and_a_second_in_any_case():
    assert [DEFAULT.warmup_limit_s(seconds) for seconds in (0.0, 0.5, 0.75, 3.0)] == [1.0, 1.0, 1.5, 6.0]


def test_the_settings_of_all_records_are_these():
    """A record made with others does not compare with those that ship."""
    assert vars(DEFAULT) == {
        "max_rounds": 1000,
        "min_warmup": 10,
        "max_warmup": 50,
        "window": 5,
        "stability": 0.05,
        "warmup_share": 2.0,
        "shortest_warmup_s": 1.0,
        "longest_swept_s": 2.0,
        "memory_share": 0.8,
        "matmul_size_by_kind": {"cpu": 1024, "gpu": 8192},
        "copy_bytes_by_kind": {"cpu": 268_435_456, "gpu": 2_147_483_648},
        "roofline_min_rounds": 5,
        "roofline_min_duration_s": 0.5,
    }
