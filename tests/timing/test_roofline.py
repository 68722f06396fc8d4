"""The roofline of a machine."""

from __future__ import annotations

import pytest
import torch

from bench.timing import roofline
from bench.timing.roofline import fastest_s, measure_roofline
from bench.timing.settings import TimingSettings
from tests.ticking import Ticking, spend


def test_a_product_counts_two_per_multiply_add_and_a_copy_reads_and_writes(monkeypatch):
    """At half a second each: 4 n^3 operations per second, and four times the bytes."""
    monkeypatch.setattr(roofline, "fastest_s", lambda work, device, timing: 0.5)
    tiny = TimingSettings(matmul_size_by_kind={"cpu": 8}, copy_bytes_by_kind={"cpu": 4096})
    found = measure_roofline("cpu", torch.bfloat16, tiny)
    assert (found.matmul_flop_per_s, found.copy_bytes_per_s) == (4 * 8**3, 4 * 4096)
    assert (found.matmul_size, found.copy_bytes) == (8, 4096)
    assert (found.dtype, found.num_threads) == ("bfloat16", torch.get_num_threads())


def test_the_fastest_of_several_rounds_counts(monkeypatch):
    """The first call is cold, and is none of them."""
    seconds = iter([1.0, 3.0, 2.0, 4.0, 2.5, 3.5])
    monkeypatch.setattr(roofline, "once", lambda work, device, round_idx: next(seconds))
    assert fastest_s(lambda: None, "cpu", TimingSettings(roofline_min_duration_s=0.0)) == 2.0
    with pytest.raises(StopIteration):  # all were used
        next(seconds)


@pytest.mark.parametrize(
    ("min_rounds", "min_duration_s", "rounds"), [(2, 0.5, 2), (2, 0.75, 3), (5, 0.75, 5), (1, 0.0, 1)]
)
def test_rounds_go_on_until_there_are_enough_and_they_lasted_long_enough(
    monkeypatch, min_rounds, min_duration_s, rounds
):
    """Of a quarter of a second each, the first left out, which warms up: 0.5 s are two."""
    done = []
    monkeypatch.setattr(roofline, "time", Ticking)
    monkeypatch.setattr(roofline, "once", lambda work, device, round_idx: work(round_idx) or 0.25)
    settings = TimingSettings(roofline_min_rounds=min_rounds, roofline_min_duration_s=min_duration_s)
    assert fastest_s(lambda: done.append(spend(0.25)), "cpu", settings) == 0.25
    assert len(done) == 1 + rounds


def test_the_product_and_the_copy_are_of_the_size_and_the_number_type_asked_for(monkeypatch):
    """What runs is what is counted: 8 x 8 numbers of the type, and 4,096 bytes from one place to another."""
    worked = []

    def fastest(work, device, timing):
        worked.append(work())
        return 1.0

    monkeypatch.setattr(roofline, "fastest_s", fastest)
    tiny = {"matmul_size_by_kind": {"cpu": 8, "gpu": 9}, "copy_bytes_by_kind": {"cpu": 4096, "gpu": 4}}
    measure_roofline("cpu", torch.bfloat16, TimingSettings(**tiny))
    product, copy = worked
    assert (product.shape, product.dtype) == ((8, 8), torch.bfloat16)
    assert copy.numel() * copy.element_size() == 4096
    assert (copy == 1).all()
    found = measure_roofline("meta", torch.float32, TimingSettings(**tiny))
    assert (found.matmul_size, found.copy_bytes) == (9, 4)
