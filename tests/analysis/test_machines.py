"""Two machines: words that both could give, times of equal runs."""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.machines import compared, latencies, times_longer
from bench.records.parts import Measurement
from bench.records.schema import Verdict
from tests.fake_records import composed, latency, protocol, quality


def timed(model, seconds, **changes):
    made = latency(model, seconds, **changes)
    return replace(made, measurements={"latency_s": Measurement(seconds, "s")})


def said(claim, word, scale="digits"):
    return Verdict(claim, scale, word, "why")


def test_words_are_compared_where_both_machines_gave_one():
    here = [said("a", "reproduced"), said("b", "reproduced"), said("c", "not run"), said("d", "reproduced")]
    there = [said("a", "reproduced"), said("b", "inconclusive"), said("c", "reproduced"), said("d", "not run")]
    there += [said("a", "not reproduced", "imagenet-256"), said("e", "reproduced")]
    found = compared("x", "y", {"x": here, "y": there}, [timed("dit-digits", 1.0)], [timed("dit-digits", 3.0)])
    assert (found.machine, found.num_same) == ("y", 1)
    assert found.differing == ((here[1], there[1]),)
    assert found.times_longer == (3.0, 3.0, 3.0)


def test_times_are_the_other_s_over_ours_median_lowest_highest():
    models = ("dit-digits", "sit-digits", "mar-digits", "var-digits")
    ours = [timed(model, 2.0) for model in models]
    theirs = [timed(model, seconds) for model, seconds in zip(models[:3], (2.0, 3.0, 8.0), strict=True)]
    assert times_longer(ours, [*theirs, timed("llamagen-digits", 1.0)]) == (1.5, 1.0, 4.0)
    assert times_longer(ours, [timed("llamagen-digits", 1.0)]) is None


def test_only_whole_timings_of_full_runs_are_compared_and_settings_in_any_order():
    made = timed("dit-digits", 2.0)
    smoke = replace(made, protocol=protocol("digits-latency", quick=True))
    untimed = replace(made, timing=None)
    unmeasured = replace(made, measurements={})
    assert latencies([composed("dit-xl-2", {"network": 1.0}, 1e9), smoke, untimed, unmeasured, quality("x", 1.0)]) == {}
    turned = replace(made, settings=dict(reversed(made.settings.items())))
    assert list(made.settings) != list(turned.settings)
    assert len(latencies([made, turned])) == 1
    others = [
        replace(made, settings={**made.settings, "num_steps": 9}),
        replace(made, protocol=replace(made.protocol, dtype="bfloat16")),
        replace(made, protocol=replace(made.protocol, name="other")),
        replace(made, model="sit-digits"),
    ]
    assert len(latencies([made, *others])) == 5
