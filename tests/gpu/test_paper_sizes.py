"""One network of each family at a paper's size on a GPU, in few steps: eager and compiled, in float32 and bfloat16."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.records.environment import machine
from bench.timing.generation import collect_timings
from bench.timing.model_cost import weight_bytes
from bench.timing.roofline import measure_roofline
from bench.timing.speedup import Side, collect_ratios
from reference_models import build, find

FAMILIES = ("transdiff-b", "transdiff-mrar-b", "mar-b", "llamagen-b", "var-d16", "dit-b-2", "sit-b-2")


def few(name: str) -> dict[str, Any]:
    """Settings of few steps, where a family has such."""
    return {key: steps for key, steps in (("num_steps", 4), ("num_iter", 8)) if key in find(name).sampling}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", FAMILIES)
def test_compiled_steps_generate_what_eager_ones_do(name: str, dtype: torch.dtype, gpu: str) -> None:
    """Random weights: images are noise, but the same noise. In bfloat16 tokens and sums may part ways: a mean apart."""
    torch._dynamo.reset()
    model = build(name, device=gpu, dtype=dtype)
    eager = model.generate([1, 2], [3, 4], **few(name)).cpu()
    model.compile_steps()
    first, again = (model.generate([1, 2], [3, 4], **few(name)).cpu() for _ in range(2))
    assert eager.shape == (2, 3, 256, 256)
    assert eager.dtype == torch.uint8
    difference = (first.int() - eager.int()).abs().float()
    if dtype == torch.float32:
        assert difference.mean() < 1, difference.max()
    assert torch.equal(first, again)


def test_timings_hold_what_a_gpu_tells(gpu: str) -> None:
    model = build("dit-b-2", device=gpu)
    found = collect_timings(
        model, latency_batch_size=1, throughput_batch_size=4, min_rounds=3, min_duration_s=0.0, settings=few("dit-b-2")
    )
    conditions = found.latency.conditions
    assert conditions is not None
    assert (conditions.machine, conditions.device) == (machine(gpu), "cuda")
    assert weight_bytes(model) < found.peak_memory_bytes < torch.cuda.get_device_properties(gpu).total_memory
    assert found.latency.disturbed in (False, True)  # nvidia-smi told


def test_ratios_share_their_rounds(gpu: str) -> None:
    sides = [Side(build(name, device=gpu)) for name in ("transdiff-b", "dit-b-2")]
    (ratio,) = collect_ratios(sides[0], sides[1:], settings={"num_steps": 4}, min_rounds=6, min_duration_s=0.0)
    assert ratio.not_comparable == ""
    assert 0.1 < ratio.ratio.value < 10


def test_the_roofline_is_that_of_a_gpu(gpu: str) -> None:
    full, half = (measure_roofline(gpu, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert half.matmul_flop_per_s > 2 * full.matmul_flop_per_s > 1e12
    assert full.copy_bytes_per_s > 1e11
