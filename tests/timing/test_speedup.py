"""One model timed against several, in rounds that all of them share."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench.timing import speedup
from bench.timing.settings import TimingSettings
from bench.timing.speedup import Side, collect_ratios
from reference_models import layers
from reference_models.autoencoders import PatchLatents
from tests.toy import SPEC, Toy

BRIEF = TimingSettings(min_warmup=2, window=1)
SECONDS = {"subject": 0.1, "slow": 0.4, "fast": 0.05}  # of a call, by model


def side(name: str, batch_size: int = 1, dtype: torch.dtype = torch.float32) -> Side:
    model = Toy().eval().to(dtype)
    model.attach(replace(SPEC, name=name), PatchLatents)
    return Side(model, batch_size)


@pytest.fixture
def scripted(monkeypatch):
    """Calls take SECONDS, and nothing is generated."""
    monkeypatch.setattr(speedup, "rounds_of", lambda model, *rest: model.spec.name)
    monkeypatch.setattr(speedup, "once", lambda name, device, round_idx: SECONDS[name])


def collected(subject: Side, *baselines: Side, **changes):
    asked = {"settings": {}, "min_rounds": 8, "min_duration_s": 0.0, "timing": BRIEF, **changes}
    return collect_ratios(subject, baselines, **asked)


def test_all_baselines_share_the_rounds_of_the_subject(scripted):
    found = {entry.baseline: entry for entry in collected(side("subject"), side("slow"), side("fast"))}
    assert {name: entry.ratio.value for name, entry in found.items()} == pytest.approx({"slow": 4, "fast": 0.5})
    for name, entry in found.items():
        assert (entry.model, entry.estimated, entry.not_comparable) == ("subject", False, "")
        assert entry.rounds_s == {"model": (0.1,) * 8, "baseline": (SECONDS[name],) * 8}
        assert entry.first_call_s == {"model": 0.1, "baseline": SECONDS[name]}
        assert all(sorted(order) == ["baseline", "model"] for order in entry.orders)
    assert len(found["slow"].orders) == 8


def test_compiled_sides_are_warmed_up_after_the_call_that_compiles_them(monkeypatch):
    monkeypatch.setattr(speedup, "rounds_of", lambda model, *rest: model.spec.name)
    monkeypatch.setattr(speedup, "once", lambda name, device, round_idx: SECONDS[name] if round_idx else 60.0)
    monkeypatch.setattr(Toy, "compiled_methods", ("decode",))
    compiled = [side("subject"), side("slow")]
    for each in compiled:
        each.model.decode = lambda *args: None  # what compile_steps does to it
    for sides, ended_by in ((compiled, "stable"), ([side("subject"), side("slow")], "first call")):
        (entry,) = collected(*sides)
        assert set(entry.warmup_ended_by.values()) == {ended_by}


def test_a_ratio_is_of_images_not_of_calls(scripted):
    """Two images in 0.1 s against one in 0.4 s: eight times as fast."""
    (entry,) = collected(side("subject", batch_size=2), side("slow"), mode="each at its best")
    assert entry.ratio.value == pytest.approx(8)


def test_a_side_under_other_conditions_is_not_timed(scripted):
    """The other baselines are timed all the same."""
    unlike, alike = collected(side("subject"), side("slow", dtype=torch.float64), side("fast"))
    assert unlike.not_comparable == "dtype: float32 against float64"
    assert (unlike.ratio, unlike.rounds_s) == (None, {})
    assert alike.ratio.value == pytest.approx(0.5)
    (alone,) = collected(side("subject"), side("slow", batch_size=4))
    assert alone.not_comparable == "batch_size: 1 against 4"


class WithGelu(Toy):
    """A toy that has a kernel of its own."""

    def __init__(self):
        super().__init__()
        self.mlp = layers.Mlp(8, 8, approximate="tanh")


def test_with_and_without_own_kernels_in_the_same_rounds(monkeypatch):
    """Twice as slow without them: 4 times as fast becomes 8 times; a model that has none is its own twin."""
    model = WithGelu().eval()
    model.attach(replace(SPEC, name="slow"), PatchLatents)
    slowed = {"slow": 2.0}
    monkeypatch.setattr(speedup, "rounds_of", lambda model, *rest: model.spec.name)
    monkeypatch.setattr(
        speedup,
        "once",
        lambda name, *rest: SECONDS[name] * (1.0 if layers.OWN_KERNELS else slowed.get(name, 1.0)),
    )
    found = collected(side("subject"), Side(model), side("fast"), both_kernels=True)
    assert [(each.baseline, each.without_own_kernels) for each in found] == [
        *(("slow", False), ("fast", False), ("slow", True), ("fast", True)),
    ]
    assert [each.ratio.value for each in found] == pytest.approx([4, 0.5, 8, 0.5])
    assert [each.conditions["baseline"].own_kernels for each in found] == [("gelu",), (), (), ()]
    assert {tuple(each.rounds_s["model"]) for each in found} == {(0.1,) * 8}  # of three models four sides
    assert found[1].orders == found[3].orders
    assert layers.OWN_KERNELS is True


def test_estimated_rounds_are_marked():
    (entry,) = collected(side("subject"), side("slow"), sampled=3)
    assert entry.estimated is True
    assert len(entry.rounds_s["model"]) == len(entry.rounds_s["baseline"]) == 8
    assert entry.ratio.ci_low <= entry.ratio.value <= entry.ratio.ci_high
