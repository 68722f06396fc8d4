"""The front of quality against cost, by hand."""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.front import cost_of, costed, front_of, fronts_of, lines_of
from bench.records.parts import Measurement
from tests.fake_records import measured, record


def run(model="dit-digits", flops=None, **settings):
    measurements = {} if flops is None else {"flops": Measurement(flops, "FLOP")}
    return record(model, "digits-study", settings=settings, measurements=measurements)


def test_no_run_of_the_front_is_beaten_in_both():
    """b costs more than a and is better; c costs more than b and is as good; d is beaten; e is the best."""
    costs = {"e": (9.0, 0.5), "d": (4.0, 3.5), "c": (3.0, 2.0), "b": (2.0, 2.0), "a": (1.0, 3.0)}
    assert front_of(costs) == ["a", "b", "e"]
    assert front_of({"x": (1.0, 2.0), "y": (1.0, 1.0)}) == ["y"]  # as cheap: the better
    assert front_of({}) == []


def test_a_run_costs_what_it_counted_or_what_a_run_of_its_settings_did():
    own, bare = run(flops=5.0, num_steps=9), run(num_steps=9)
    alike, later = run(flops=6.0, num_steps=9), run(flops=7.0, num_steps=9, cfg_scale=2.0)
    other_steps, other_model = run(flops=8.0, num_steps=10), run("sit-digits", flops=9.0, num_steps=9)
    counted = [alike, later, other_steps, other_model, bare]
    assert costed(own, "FLOPs", counted) is own
    assert costed(bare, "FLOPs", counted) is later  # the last; a setting that one of them lacks does not part them
    assert cost_of(bare, "FLOPs", [alike, other_steps, other_model]).value == 6
    assert cost_of(bare, "FLOPs", [other_steps, other_model]) is None
    evaluated = replace(bare, measurements={"nfe": Measurement(3.0, "evaluations")})
    assert cost_of(bare, "evaluations", [alike, evaluated]).value == 3


def test_a_front_knows_its_runs_and_the_cheapest_that_is_as_good_as_its_last():
    """Of FID 3, 2.1 and 2 at costs 1, 4 and 8 the second is not told apart from the third and costs half; a run that
    was not scored or not counted is on no front."""

    def scored(flops, fid):
        return replace(run(flops=flops), measurements=run(flops=flops).measurements | {"fid": measured(fid, 0.2)})

    runs = [replace(scored(flops, fid), file=str(flops)) for flops, fid in ((8.0, 2.0), (1.0, 3.0), (4.0, 2.1))]
    bare, worse = run(flops=1.0), replace(scored(9.0, 2.5), file="9.0")
    found = fronts_of([*runs, bare, worse], [])
    assert list(found) == ["FLOPs"]
    assert found["FLOPs"].runs == [*runs, worse]
    assert found["FLOPs"].best == [runs[1], runs[2], runs[0]]
    assert found["FLOPs"].places["4.0"] == (4.0, 2.1)
    assert found["FLOPs"].cheapest_alike == (runs[2], 2.0)
    assert fronts_of(runs[:2], [])["FLOPs"].cheapest_alike is None
    assert fronts_of([bare], []) == {}


def test_a_line_is_runs_of_the_same_settings_from_few_steps_to_many():
    a, b, c = (
        run(num_steps=90, cfg_scale=1.5, temperature=1.0),
        run(temperature=1.0, cfg_scale=1.5, num_steps=9),
        run(num_steps=5),
    )
    none = run(temperature=1.0, cfg_scale=1.5)
    found = lines_of([a, c, b, none])
    assert found == [[none, b, a], [c]]
    assert lines_of([run(num_steps=1), run()]) == [[run(), run(num_steps=1)]]
