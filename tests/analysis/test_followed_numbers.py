"""Numbers over seeds and of stages: each is what its formula gives from the record files."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from bench.analysis import over_seeds
from bench.analysis.evidence import in_record
from bench.analysis.formulas import evaluate
from bench.analysis.seeds import seeds_of
from bench.analysis.speed import highest_rooflines, stages_of
from bench.analysis.stage_numbers import flop_rate, roofline_share, stage_numbers
from bench.records.parts import REST, Measurement
from bench.records.store import save_record
from tests.fake_records import ROOFLINE, latency, measured, record, timed, with_timing

FIDS = {(0, 0): 1.0, (0, 1): 3.0, (1, 0): 5.0, (1, 1): 7.0}


def scored(seeds, fid, spread=0.5, model="dit-digits"):
    made = record(model, "digits-study", measurements={"fid": measured(fid, spread)})
    protocol = replace(made.protocol, training_seed=seeds[0], seed=seeds[1])
    return replace(made, protocol=protocol, file=f"{model}-{seeds[0]}-{seeds[1]}.json")


def by_seeds(shift=0.0, model="dit-digits"):
    return {seeds_of(made): made for made in (scored(seeds, fid + shift, model=model) for seeds, fid in FIDS.items())}


def followed(trace, records):
    """What the formula gives from what the files would hold."""
    data = {r.file: {"measurements": {n: vars(m) for n, m in r.measurements.items()}} for r in records}
    return evaluate(trace.key, trace.files, data)


def test_a_mean_over_seeds_is_that_of_the_training_runs_with_its_interval():
    found = over_seeds.mean(by_seeds(), "fid")
    assert found.found.value == found.trace.value == followed(found.trace, by_seeds().values()) == 4.0
    assert found.found.low < 4.0 < found.found.high
    uneven = {seeds: made for seeds, made in by_seeds().items() if seeds != (0, 1)}
    mean = over_seeds.mean(uneven, "fid")
    assert mean.found.value == followed(mean.trace, uneven.values()) == 3.5  # of 1 and of 6, not of three samplings


def test_a_paired_difference_names_the_files_of_the_first_side_and_then_of_the_second():
    ours, theirs = by_seeds(0.25, "sit-digits"), by_seeds()
    found = over_seeds.paired({seeds: (ours[seeds], theirs[seeds]) for seeds in ours}, "fid")
    assert found.found.value == pytest.approx(0.25)
    assert followed(found.trace, [*ours.values(), *theirs.values()]) == pytest.approx(0.25)
    assert found.trace.files[0] == "sit-digits-0-0.json"
    assert found.trace.files[4] == "dit-digits-0-0.json"


def test_spreads_are_between_training_runs_and_within_them():
    between, within = over_seeds.spreads(by_seeds(), "fid")
    assert within.found.value == pytest.approx(math.sqrt(2))  # of 1 and 3, and of 5 and 7
    assert between.found.value == pytest.approx(math.sqrt(8 - 1))  # of means 2 and 6, what sampling explains taken off
    for each in (between, within):
        assert followed(each.trace, by_seeds().values()) == pytest.approx(each.found.value)
        assert not each.found.is_known
    once = {(0, 0): by_seeds()[0, 0]}
    assert over_seeds.spreads(once, "fid") == (None, None)


def test_a_half_width_is_the_mean_of_the_runs_that_have_an_interval():
    records = [scored((0, 0), 1.0, 0.5), scored((0, 1), 3.0, 0.7), scored((1, 0), 5.0, 0.0)]
    bare = replace(records[2], measurements={"fid": Measurement(5.0, "")})
    found = over_seeds.half_width([*records[:2], bare])
    assert found.found.value == pytest.approx(0.6)
    assert found.trace.files == ("dit-digits-0-0.json", "dit-digits-0-1.json")
    assert followed(found.trace, records) == pytest.approx(0.6)
    assert over_seeds.half_width([bare]) is None


# -- stages ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path):
    """(a timed record, the faster rooflines of a later one, what the files hold)"""
    made = timed("dit-digits", {"network": 0.3, "autoencoder": 0.02, "rest": 0.08})
    faster = with_timing(made, roofline=replace(ROOFLINE, matmul_flop_per_s=2 * ROOFLINE.matmul_flop_per_s))
    faster = replace(faster, file=made.file.replace("dit-digits", "sit-digits"), model="sit-digits")
    for each in (made, faster):
        save_record(each, tmp_path)
    data = {each.file: json.loads((tmp_path / each.file).read_text()) for each in (made, faster)}
    return made, highest_rooflines([made, faster]), data


def test_each_number_of_a_stage_is_what_its_formula_gives(stored):
    made, rooflines, data = stored
    for stage, row in stages_of(made).items():
        found = stage_numbers(made, stage, rooflines)
        assert found["seconds"].value == row.seconds
        assert found["share"].value == row.share
        for name, trace in found.items():
            if name != "roofline_share":  # of the highest roofline: below
                assert evaluate(trace.key, trace.files, data) == pytest.approx(trace.value), (stage, name)
    assert set(stage_numbers(made, "network", rooflines)) >= {"calls", "seconds_per_call", "flops"}
    assert set(stage_numbers(made, REST, rooflines)) <= {"seconds", "share", "amdahl_bound"}


def test_a_share_of_the_roofline_reads_the_run_that_found_the_highest(stored):
    made, rooflines, data = stored
    (conditions,) = rooflines
    at_best = {name: value for name, (value, _) in rooflines[conditions].items()}
    shown = with_timing(made, roofline=replace(made.timing.roofline, **at_best))
    row = stages_of(shown)["network"]
    found = roofline_share(shown, "network", row, rooflines)
    assert found.value == row.roofline_share
    assert found.files[1].startswith("acme-cpu-2c/sit-digits")
    assert evaluate(found.key, found.files, data) == pytest.approx(found.value)
    assert roofline_share(shown, "network", replace(row, roofline_share=0.0), rooflines) is None
    assert roofline_share(latency("dit-digits", 0.1), "network", row, rooflines) is None


def test_a_rate_of_flops_may_take_its_seconds_from_another_record(stored):
    made, _, data = stored
    other = next(file for file in data if file != made.file)
    seconds = replace(in_record(made, "median(timing.latency.rounds_s)", 0.5), files=(other,))
    found = flop_rate(made, seconds)
    assert found.value == made.measurements["flops"].value / 0.5
    assert found.files == (made.file, other)
    assert found.key == "measurements.flops@1 / (median(timing.latency.rounds_s@2))"
    assert flop_rate(replace(made, measurements={}), seconds) is None
