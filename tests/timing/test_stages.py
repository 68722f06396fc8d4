"""Call costs, stage breakdowns and estimated latencies, on a clock that runs by rule: times are then known exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import reference_models
from bench.metrics.stages import (
    amdahl_bound,
    composed_s,
    decoder_time_share,
    least_s,
    sampled_calls,
    summarise_stages,
)
from bench.records.parts import REST, Part, Roofline, Stages
from bench.timing import clock, stages
from bench.timing.call_costs import Work, collect_call_costs, intercepted
from bench.timing.generation import rounds_of
from bench.timing.model_cost import count_flops
from bench.timing.settings import TimingSettings
from bench.timing.stages import SAMPLED, StageClock, check_estimated, collect_estimated, collect_stages
from reference_models import layers
from reference_models.autoencoders import PatchLatents
from reference_models.image_model import ImageModel
from reference_models.layers import TransformerBlock
from reference_models.spec import Network, Spec
from tests import ticking
from tests.ticking import Ticking

GENERATORS = [name for name, spec in reference_models.specs().items() if name.endswith("-digits") and spec.sampling]
FEW = {"num_steps": 2}
BRIEF = TimingSettings(min_warmup=2, window=1)
WIDTH = 64


class Loop(ImageModel):
    """An autoregressive loop whose encoder reads one more token each time, as MAR's does, then a head of two layers."""

    stages: ClassVar = {"encoder": ("encode",), "head": ("head.up", "paint")}
    num_classes = 10

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.head = Head()

    def encode(self, x: Tensor) -> Tensor:
        spend(x, 1e-6 * x.shape[1])
        return self.mix(x)

    def paint(self, x: Tensor) -> Tensor:
        spend(x, 5e-3)
        return x @ x.new_ones(WIDTH, WIDTH)

    def sample(self, labels, noise, *, num_steps):  # type: ignore[override]
        x = noise.normal(1, WIDTH)
        for _ in range(num_steps):
            spend(x, 1e-3)  # the sampler's own
            new = self.paint(self.head.up(self.encode(x)[:, -1:]))
            x = torch.cat([x, new], dim=1)
        return torch.zeros(len(labels), 4, 4, 4)

    def network_evaluations(self, *, num_steps):
        return {"encoder": num_steps, "head": num_steps}


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH, bias=False)

    def up(self, x: Tensor) -> Tensor:
        spend(x, 2e-3)
        return self.linear(x)


def spend(x: Tensor, seconds: float) -> None:
    """Work that takes so long; on the meta device there is none."""
    if x.device.type != "meta":
        ticking.spend(seconds)


@pytest.fixture
def loop(monkeypatch):
    """The loop of 40 steps, and the clock. A round: 40 ms of the sampler, 40 x 2 and 40 x 5 ms of the head, and
    1 us x (1 + 2 + ... + 40) = 0.82 ms of the encoder."""
    monkeypatch.setattr(clock, "time", Ticking)
    monkeypatch.setattr(stages, "time", Ticking)
    torch.manual_seed(0)
    model = Loop().eval().requires_grad_(False)
    spec = Spec(
        "loop",
        "loop",
        Network("tests.timing.test_stages:Loop"),
        {},
        {"num_steps": 40},
        "patch-2x2",
        "digits",
        8,
        "this test",
    )
    model.attach(spec, PatchLatents)
    return model


WHOLE_S = {"encoder": 820e-6, "head": 280e-3, "autoencoder": 0.0, REST: 40e-3}


# -- call costs --------------------------------------------------------------------------------------------------------


def test_call_costs_count_calls_arithmetic_and_weights(loop):
    """Two operations per multiply-add; each weight of the layer read once a call, in float32."""
    costs = collect_call_costs(loop, lambda: rounds_of(loop, 1, {})(0))
    calls = {part: [costs.calls[i] for i in indices] for part, indices in costs.by_part().items()}
    assert {part: len(found) for part, found in calls.items()} == {
        "encode": 40,
        "head.up": 40,
        "paint": 40,
        "autoencoder.decode": 1,
    }
    assert [call.cost.flops for call in calls["encode"]] == [2 * n * WIDTH**2 for n in range(1, 41)]
    assert {call.cost.weight_bytes for call in calls["encode"]} == {4 * (WIDTH**2 + WIDTH)}
    assert {call.cost.weight_bytes for call in calls["head.up"]} == {4 * WIDTH**2}
    assert {call.stage for call in calls["head.up"]} == {"head"}
    assert costs.flops == sum(call.cost.flops for call in costs.calls)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_kernels_are_what_computes_or_copies(device, monkeypatch):
    """Norm, QKV, attention, projection, sum; norm, two layers with GELU between, sum."""
    monkeypatch.setattr(layers, "ENOUGH_ROWS", 1)  # the rows that a CPU adds are not the network's
    block = TransformerBlock(8, 2, 4.0).to(device).requires_grad_(False)
    with Work() as work:
        block(torch.empty(1, 3, 8, device=device))
    assert work.cost.num_kernels == 5 + 5


@pytest.mark.parametrize("name", GENERATORS)
def test_call_costs_have_the_arithmetic_of_the_real_run(name, monkeypatch):
    """To the operation, for every family, of two images; the parts called as often as the model says it evaluates."""
    monkeypatch.setattr(layers, "ENOUGH_ROWS", 1)  # the rows that a CPU adds are not the network's
    model = reference_models.build(name, weights=None)
    settings = FEW if "num_steps" in model.spec.sampling else {}
    generate_round = rounds_of(model, 2, settings)
    costs = collect_call_costs(model, lambda: generate_round(0))
    assert costs.flops == count_flops(generate_round)
    assert {call.stage for call in costs.calls} >= {*model.stages, "autoencoder"}
    assert set(model.stages) <= set(model.network_evaluations(**{**model.spec.sampling, **settings}))
    assert not any(name in vars(model) for name in model.compiled_methods)  # nothing is left wrapped


def test_a_compiled_method_is_put_back(loop):
    def compiled(x):
        return x

    loop.paint = compiled
    with intercepted(loop, lambda part, method, args, kwargs: "handled"):
        assert loop.paint(torch.ones(1)) == loop.encode(torch.ones(1)) == "handled"
    assert vars(loop)["paint"] is compiled
    assert "encode" not in vars(loop)


# -- breakdowns and estimated latencies --------------------------------------------------------------------------------


def test_a_breakdown_adds_up_to_the_whole_call(loop):
    found = collect_stages(loop, settings={}, min_rounds=3, min_duration_s=0.0, timing=BRIEF)
    assert {stage: rounds[0] for stage, rounds in found.rounds_s.items()} == pytest.approx(WHOLE_S)
    assert found.whole_s == pytest.approx((sum(WHOLE_S.values()),) * 3)
    assert found.parts["paint"].call_s == pytest.approx(5e-3)
    assert (found.parts["paint"].num_calls, found.parts["paint"].num_timed) == (40, 40)


def test_an_estimated_latency_is_the_measured_one(loop):
    """8 of 40 calls of each part run, with those before them; calls cost the same or by their operations: exact."""
    stage_clock = StageClock(loop, rounds_of(loop, 1, {}), SAMPLED)
    before = Ticking.now
    found = stage_clock.time_round(0)
    assert found.seconds == pytest.approx(WHOLE_S)
    assert found.error_s == pytest.approx(0, abs=1e-12)
    assert Ticking.now - before < 0.5 * sum(WHOLE_S.values())
    assert {part: len(calls) for part, calls in found.call_s.items()} == {
        "encode": 8,
        "head.up": 8,
        "paint": 8,
        "autoencoder.decode": 1,
    }


def test_calls_too_short_to_be_worth_leaving_out_all_run(loop):
    """From the second round on: the encoder's, of 1 to 40 us."""
    stage_clock = StageClock(loop, rounds_of(loop, 1, {}), SAMPLED)
    assert [stage_clock.timed(i) for i in range(2)] == pytest.approx([sum(WHOLE_S.values())] * 2)
    num_timed = [{part: len(calls) for part, calls in found.call_s.items()} for found in stage_clock.rounds]
    assert [num["encode"] for num in num_timed] == [8, 40]
    assert [num["paint"] for num in num_timed] == [8, 8]


def test_the_check_of_estimated_latencies_compares_them_with_measured_ones(loop):
    found = check_estimated(loop, settings={}, min_rounds=6, timing=BRIEF)
    assert found["ratio"].value == pytest.approx(1)
    assert found["rounds_s"]["whole"] == pytest.approx((sum(WHOLE_S.values()),) * 6)


def test_an_estimated_timing_is_marked_and_has_its_error(loop):
    found = collect_estimated(loop, settings={}, timing=BRIEF)
    assert found.latency.estimated is True
    assert found.latency.rounds_s == pytest.approx((sum(WHOLE_S.values()),) * 3)
    assert found.stages.rounds_s["encoder"] == pytest.approx((WHOLE_S["encoder"],) * 3)
    assert found.nfe == {"encoder": 40, "head": 40}
    assert found.num_params == 2 * WIDTH**2 + WIDTH
    assert found.flops == count_flops(rounds_of(loop, 1, {}))


# -- pure functions ----------------------------------------------------------------------------------------------------


def test_sampled_calls_hold_the_cheapest_and_the_dearest():
    flops = [5, 1, 9, 3, 7, 2, 8, 4, 6, 0]
    chosen = sampled_calls(flops, 4)
    assert sorted(flops[i] for i in chosen) == [0, 3, 6, 9]
    assert sampled_calls([1] * 100, 3)[0] == 0
    assert sampled_calls([1] * 100, 3)[-1] == 99
    assert sampled_calls([4, 4], 8) == [0, 1]


def test_estimated_seconds_are_exact_where_time_is_piecewise_linear_in_operations():
    """2 s + operations / 10: ten calls of 0..9 operations take 24.5 s, from the two ends alone or from four of them."""
    flops = list(range(10))
    for timed in ((0, 9), (0, 3, 6, 9)):
        assert composed_s(flops, {i: 2 + i / 10 for i in timed}) == (pytest.approx(24.5), pytest.approx(0))


def test_estimated_seconds_of_calls_alike_are_their_mean_times_the_count():
    """Slow calls are part of a sum: one of five at 2 s, the others at 1 s."""
    assert composed_s([7] * 100, {0: 1.0, 20: 1.0, 40: 2.0, 60: 1.0, 99: 1.0})[0] == pytest.approx(120)


def test_estimated_seconds_are_unbiased_where_slow_calls_are_rare():
    """Exponential times of mean 1 s: 2,000 samples of 8 of 100 calls give 100 s on average, to 3 standard errors."""
    generator = np.random.default_rng(0)
    totals = [
        composed_s([7] * 100, dict(zip(range(0, 100, 13), generator.exponential(size=8), strict=True)))[0]
        for _ in range(2000)
    ]
    assert np.mean(totals) == pytest.approx(100, abs=3 * 100 / (8 * 2000) ** 0.5)


def test_the_error_of_a_composition_grows_with_the_spread_of_its_calls():
    """Alternate calls at 0.9 s and 1.1 s: the standard error is no larger than their deviation, 10 %."""
    alike = dict.fromkeys(range(0, 100, 10), 1.0) | {99: 1.0}
    spread = {index: 0.9 if k % 2 else 1.1 for k, index in enumerate(alike)}
    assert composed_s([7] * 100, alike)[1] == 0
    assert 1 < composed_s([7] * 100, spread)[1] <= 10


def test_one_timed_call_of_many_is_refused():
    with pytest.raises(ValueError, match="1 of 5"):
        composed_s([1] * 5, {0: 1.0})


def test_where_every_call_ran_nothing_is_composed():
    assert composed_s([1, 1, 1], {0: 1.0, 1: 2.0, 2: 30.0}) == (33.0, 0.0)


def test_amdahl():
    """A stage of 90 % of the time made free gives 10, one of half the time 2."""
    assert amdahl_bound(0.9) == pytest.approx(10)
    assert amdahl_bound(0.5) == 2
    assert amdahl_bound(1.0) == float("inf")


ROOFLINE = Roofline(matmul_flop_per_s=100e9, copy_bytes_per_s=20e9, dtype="float32", num_threads=1)


def part(stage: str, num_calls: int, flops: float, weight_bytes: float) -> Part:
    costs = {"flops": int(flops), "weight_bytes": int(weight_bytes)}
    return Part(stage=stage, num_calls=num_calls, num_timed=num_calls, call_s=1.0, **costs)


def test_a_call_is_bound_by_arithmetic_or_by_its_weights():
    assert least_s(200e9, 4e9, ROOFLINE) == 2.0  # a batch of many tokens
    assert least_s(2e9, 4e9, ROOFLINE) == 0.2  # one token: the weights must still be read


def test_the_summary_of_a_breakdown():
    """Medians, shares of their sum, each stage's bound, and how near the limit its calls come."""
    measured = Stages(
        rounds_s={"encoder": (1.0, 3.0, 1.0), "decoder": (6.0, 6.0, 9.0), REST: (1.0, 1.0, 1.0)},
        parts={"encode": part("encoder", 1, 50e9, 1e9), "velocity": part("decoder", 3, 3e9, 60e9)},
    )
    found = summarise_stages(measured, ROOFLINE)
    assert list(found) == ["encoder", "decoder", REST]
    assert [row.share for row in found.values()] == [0.125, 0.75, 0.125]
    assert found["decoder"].amdahl_bound == 4
    assert found["encoder"].roofline_share == 0.5  # 0.5 s of arithmetic in 1 s
    assert found["decoder"].roofline_share == 0.5  # 3 s of reading weights in 6 s
    assert (found["decoder"].num_calls, found["decoder"].flops, found["decoder"].weight_bytes) == (3, 3e9, 60e9)
    assert (found[REST].num_calls, found[REST].roofline_share) == (0, None)
    assert summarise_stages(measured)["decoder"].roofline_share is None


def test_the_decoders_share_is_that_of_the_median_round():
    """Rounds of 80, 90 and 96 % with the rest; estimated: the interval holds 1.96 standard errors, 1 % of the time."""
    rounds_s = {"decoder": (8.0, 9.0, 9.6), REST: (2.0, 1.0, 0.4)}
    measured = Stages(rounds_s=rounds_s, parts={"velocity": part("decoder", 1, 1, 1)})
    assert decoder_time_share(measured).value == pytest.approx(0.9)
    found = decoder_time_share(replace(measured, estimated=True, error_s=0.1))
    assert (found.value, found.unit) == (pytest.approx(0.9), "")
    assert (found.ci_low, found.ci_high) == pytest.approx((0.8 - 0.0196, 0.96 + 0.0196))
    assert (
        decoder_time_share(Stages(rounds_s={"network": (1.0,)}, parts={"velocity": part("network", 1, 1, 1)})) is None
    )
