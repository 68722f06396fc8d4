"""The roofline of a machine."""

from __future__ import annotations

import pytest
import torch

from bench.timing import roofline
from bench.timing.roofline import fastest_s, measure_roofline
from bench.timing.settings import TimingSettings


def test_a_product_counts_two_per_multiply_add_and_a_copy_reads_and_writes(monkeypatch):
    """At one second each: 2 n^3 operations per second, and twice the bytes."""
    monkeypatch.setattr(roofline, "fastest_s", lambda work, device, timing: 1.0)
    tiny = TimingSettings(matmul_size_by_kind={"cpu": 8}, copy_bytes_by_kind={"cpu": 4096})
    found = measure_roofline("cpu", torch.bfloat16, tiny)
    assert (found.matmul_flop_per_s, found.copy_bytes_per_s) == (2 * 8**3, 8192)
    assert (found.matmul_size, found.copy_bytes) == (8, 4096)
    assert (found.dtype, found.num_threads) == ("bfloat16", torch.get_num_threads())


def test_the_fastest_of_several_rounds_counts(monkeypatch):
    """The first call is cold, and is none of them."""
    seconds = iter([1.0, 3.0, 2.0, 4.0, 2.5, 3.5])
    monkeypatch.setattr(roofline, "once", lambda work, device, round_idx: next(seconds))
    assert fastest_s(lambda: None, "cpu", TimingSettings(roofline_min_duration_s=0.0)) == 2.0
    with pytest.raises(StopIteration):  # all were used
        next(seconds)
