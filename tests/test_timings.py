"""Raw timings: every round with inputs of its own, memory and arithmetic counted exactly."""

import torch

from bench.collect.timings import count_flops, peak_memory, time_rounds


def test_every_round_gets_another_index_and_there_are_enough():
    seen = []
    raw = time_rounds(seen.append, device="cpu", min_rounds=10, min_duration_s=0.0)
    assert len(set(seen)) == len(seen) == 1 + len(raw["warmup_s"]) + len(raw["rounds_s"])
    assert len(raw["rounds_s"]) == 10


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
