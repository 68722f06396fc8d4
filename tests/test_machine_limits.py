"""The machine's limits."""

import pytest
import torch

from bench.collect import machine_limits
from bench.collect.machine_limits import measure_limits


def test_a_product_counts_two_per_multiply_add_and_a_copy_reads_and_writes(monkeypatch):
    """At one second each: 2 n^3 operations per second, and twice the bytes."""
    monkeypatch.setattr(machine_limits, "_fastest_s", lambda work, device: 1.0)
    monkeypatch.setattr(machine_limits, "MATMUL_SIZE", {"cpu": 8})
    monkeypatch.setattr(machine_limits, "COPY_BYTES", {"cpu": 4096})
    found = measure_limits("cpu", torch.bfloat16)
    assert (found["matmul_flop_per_s"], found["copy_bytes_per_s"]) == (2 * 8**3, 8192)
    assert (found["dtype"], found["num_threads"]) == ("bfloat16", torch.get_num_threads())


def test_the_fastest_of_several_rounds_counts(monkeypatch):
    """The first call is cold, and is none of them."""
    seconds = iter([9.0, 3.0, 2.0, 4.0, 2.5, 3.5])
    monkeypatch.setattr(machine_limits, "MIN_DURATION_S", 0.0)
    monkeypatch.setattr(machine_limits, "once", lambda work, device, round_idx: next(seconds))
    assert machine_limits._fastest_s(lambda: None, "cpu") == 2.0
    with pytest.raises(StopIteration):  # all were used
        next(seconds)
