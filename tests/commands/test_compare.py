"""`bench compare`: verdicts side by side, and values whose intervals overlap or do not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.commands.compare import compare_runs, ratio_pairs, value_pairs, verdict_pairs
from bench.commands.compare_sides import same_machine
from bench.errors import UsageError
from bench.records.parts import Measurement
from bench.records.store import content_sha256, save_record
from tests.command_line import bench
from tests.fake_records import ENVIRONMENT, full_set, latency, quality, ratios
from tests.fake_studies import study_set
from tests.paths import ROOT


def folder(path, records):
    for made in records:
        save_record(made, path)
    return path


def states(pairs):
    return {(pair.model, pair.metric): pair.state for pair in pairs}


def test_a_run_agrees_with_itself(tmp_path, capsys):
    records = [*full_set(), ratios("transdiff-digits", {"dit-digits": 3.0})]  # the last holds ratios alone
    one = folder(tmp_path / "a", records)
    compare_runs(one, one, json_file=tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert {pair["state"] for pair in found["verdicts"]} == {"agree"}
    assert {pair["state"] for pair in found["values"]} == {"overlap", "equal", "no interval"}
    printed = capsys.readouterr().out
    assert "disagree" not in printed
    assert "apart" not in printed.replace("some lie apart", "")
    assert f"{len(records)} on both sides, 0 on A alone, 0 on B alone" in printed


def test_every_claim_is_judged_on_either_side():
    pairs = verdict_pairs(full_set(), full_set())
    assert {claim.id for claim in CLAIMS} <= {pair.a.claim_id for pair in pairs}
    assert "mrar-later-images" in {pair.a.claim_id for pair in pairs}
    assert all(pair.a.claim_id == pair.b.claim_id and pair.a.scale == pair.b.scale for pair in pairs)


def test_a_verdict_that_turns_is_told_with_both_words(tmp_path, capsys):
    """IS of TransDiff falls below DiT's."""
    worse = [
        quality("transdiff-digits", 2.1, inception_score=8.0)
        if made.model == "transdiff-digits" and made.images
        else made
        for made in full_set()
    ]
    a, b = folder(tmp_path / "a", full_set()), folder(tmp_path / "b", worse)
    compare_runs(a, b)
    line = next(line for line in capsys.readouterr().out.splitlines() if "transdiff-inception-score" in line)
    words = [cell.strip() for cell in line.strip("│").split("│")]
    assert words[2:] == ["holds in small", "does not hold in small", "disagree"]


def test_a_verdict_of_one_side_alone_is_no_disagreement():
    pairs = verdict_pairs(full_set(), [made for made in full_set() if made.model != "transdiff-digits"])
    lost = [pair for pair in pairs if pair.a.word != "not run" and pair.a.claim_id.startswith("transdiff")]
    assert {pair.state for pair in lost} == {"only A"}


@pytest.mark.parametrize(
    ("ours", "theirs", "state"),
    [((1.0, 0.2), (1.3, 0.2), "overlap"), ((1.0, 0.1), (1.3, 0.1), "apart"), ((1.0, 0.2), (1.4, 0.2), "overlap")],
)
def test_intervals_that_share_a_point_overlap(ours, theirs, state):
    a, b = (quality("dit-digits", fid, spread=spread) for fid, spread in (ours, theirs))
    assert states(value_pairs([a], [b]))["dit-digits", "fid"] == state


def test_counts_are_equal_or_differ_and_what_has_no_interval_is_not_judged():
    a, b = latency("dit-digits", 0.2), latency("dit-digits", 0.2)
    b = replace(b, measurements={**b.measurements, "nfe": Measurement(7, "evaluations")})
    found = states(value_pairs([a], [b]))
    assert found["dit-digits", "nfe"] == "differ"
    assert found["dit-digits", "num_params"] == "equal"
    assert found["dit-digits", "peak_memory_bytes"] == "no interval"


def test_only_runs_of_equal_model_protocol_settings_and_seeds_are_paired():
    run = study_set(["training-seeds"])[0]
    other_seed = replace(run, protocol=replace(run.protocol, seed=9))
    other_training = replace(run, protocol=replace(run.protocol, training_seed=9))
    other_settings = replace(run, settings={**run.settings, "num_steps": 9})
    failed = replace(run, status="failed", measurements={})
    assert value_pairs([run], [other_seed, other_training, other_settings, failed]) == []
    assert value_pairs([run], [run])


def test_unlike_protocols_are_not_compared_and_the_field_is_named():
    few = quality("dit-digits", 2.0)
    few = replace(few, protocol=replace(few.protocol, num_images=100))
    assert "num_images (500 and 100)" in states(value_pairs([quality("dit-digits", 2.0)], [few]))["dit-digits", "fid"]


def test_two_record_files_are_compared(tmp_path, capsys):
    paths = [save_record(quality("dit-digits", fid), tmp_path / name) for name, fid in (("a", 2.0), ("b", 2.1))]
    compare_runs(*paths)
    assert "1 on both sides" in capsys.readouterr().out


def test_what_could_not_be_read_is_named_and_kept_in_the_file(tmp_path, capsys):
    """On either side: a file that is no record, one that was edited, and a record file that lacks a part; what can be
    read is compared nevertheless."""
    a, b = folder(tmp_path / "a", full_set()), folder(tmp_path / "b", full_set())
    (a / ENVIRONMENT.machine / "odd.json").write_text("{}")
    edited = next(b.glob("*/mar-digits--digits-quality--*.json"))
    edited.write_text(edited.read_text().replace("6.4", "1.4", 1))
    expected = [
        f"{ENVIRONMENT.machine}/odd.json: schema None, expected 2",
        f"{ENVIRONMENT.machine}/{edited.name}: was edited: its content does not have the checksum it was written with",
    ]
    compare_runs(a, b, json_file=tmp_path / "out.json")
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("not read: ")] == [
        f"not read: {fault}" for fault in expected
    ]
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["not_read"] == expected
    assert f"{len(full_set()) - 1} on both sides, 1 on A alone, 0 on B alone" in printed
    assert "mar-digits" not in {pair["model"] for pair in found["values"] if pair["protocol"] == "digits-quality"}
    compare_runs(a, a, json_file=tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["not_read"] == 2 * expected[:1]


def test_of_a_record_file_the_part_that_cannot_be_read_is_named(tmp_path, capsys):
    whole = save_record(latency("dit-digits", 0.2), tmp_path / "a")
    data = json.loads(whole.read_text())
    del data["timing"]["latency"]
    partial = tmp_path / "b" / whole.name
    partial.parent.mkdir()
    partial.write_text(json.dumps(data | {"sha256": content_sha256(data)}))
    compare_runs(whole, partial, json_file=tmp_path / "out.json")
    fault = f"{partial.name}: timing: lacks latency"
    assert f"not read: {fault}\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["not_read"] == [fault]


def test_where_all_was_read_nothing_is_said_of_it(tmp_path, capsys):
    one = folder(tmp_path / "a", full_set())
    compare_runs(one, one, json_file=tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["not_read"] == []
    assert "not read" not in capsys.readouterr().out


def test_one_machine_each_is_compared_and_several_are_asked_for(tmp_path):
    other = replace(ENVIRONMENT, machine="other-cpu")
    a = folder(tmp_path / "a", full_set())
    b = folder(tmp_path / "b", full_set(environment=other))
    assert {record.environment.machine for record in same_machine(a, b)[1]} == {"other-cpu"}
    both, again = (folder(tmp_path / name, [*full_set(), *full_set(environment=other)]) for name in "cd")
    assert {record.environment.machine for record in same_machine(both, a)[0]} == {"acme-cpu-2c"}
    later = quality("dit-digits", 2.0, created_utc="2026-03-01T00:00:00+00:00")
    for environment in (other, ENVIRONMENT):  # one of the two has something new: that one; then both have
        found = {record.environment.machine for record in same_machine(both, again)[1]}
        assert found == {"acme-cpu-2c" if environment is other else "other-cpu"}
        save_record(replace(later, environment=environment), again)
    with pytest.raises(UsageError, match="more than one machine"):
        same_machine(both, again)
    assert same_machine(both / "other-cpu", both / "acme-cpu-2c")


def test_machines_that_are_not_compared_are_named(tmp_path, capsys):
    other, third = (replace(ENVIRONMENT, machine=name) for name in ("other-cpu", "third-cpu"))
    both = [*full_set(), *full_set(environment=other)]
    later = quality("dit-digits", 2.0, environment=other, created_utc="2026-03-01T00:00:00+00:00")
    a, b = folder(tmp_path / "a", both), folder(tmp_path / "b", [*both, later, *full_set(environment=third)])
    same_machine(a, b)
    left_out = f"{ENVIRONMENT.machine} (the same records in both) and third-cpu (in B alone)"
    assert f"compared on other-cpu alone; left out: {left_out}\n" in capsys.readouterr().out
    same_machine(a / "other-cpu", b / "other-cpu")
    assert "left out" not in capsys.readouterr().out


def test_a_wrong_call_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{}")
    good = folder(tmp_path / "a", full_set())
    for wrong, why in (("nothing", "does not exist"), ("empty", "holds no records"), ("broken.json", "is no record")):
        with pytest.raises(UsageError, match=why):
            compare_runs(good, tmp_path / wrong)
    with pytest.raises(UsageError, match="its folder does not exist"):
        compare_runs(good, good, json_file=tmp_path / "no" / "out.json")


def regressions(a, b):
    return [pair.regression for pair in value_pairs(a, b) if pair.regression]


def test_a_score_that_got_worse_beyond_its_interval_is_a_regression_a_better_one_is_none():
    good, bad = quality("dit-digits", 1.0, spread=0.1), quality("dit-digits", 1.3, spread=0.1)
    found = regressions([good], [bad])
    assert found[0] == "FID of dit-digits (digits-quality): 1.00 (0.90 to 1.10), then 1.30 (1.20 to 1.40)"
    assert not any(text.startswith("FID of") for text in regressions([bad], [good]))
    assert regressions([good], [quality("dit-digits", 1.1, spread=0.1)]) == []
    assert any(
        text.startswith("IS of") for text in regressions([good], [quality("dit-digits", 1.0, inception_score=7)])
    )


def test_a_time_is_a_regression_beyond_what_two_hours_differ_by_and_only_where_nothing_disturbed_it():

    def taking(seconds):
        made = latency("dit-digits", seconds, spread=0.01)
        return replace(made, measurements={**made.measurements, "flops": Measurement(1e9, "FLOP")})

    before, slower = taking(0.2), taking(0.26)
    assert regressions([before], [taking(0.22)]) == []
    assert [text.split(" of ")[0] for text in regressions([before], [slower])][:2] == ["Latency (median)", "Throughput"]
    assert slower.timing is not None
    disturbed = replace(slower, timing=replace(slower.timing, latency=replace(slower.timing.latency, disturbed=True)))
    assert regressions([before], [disturbed]) == []


def test_weights_trained_anew_are_worse_only_beyond_what_training_seeds_differ_by():
    """Three training seeds of FID 1.0, 1.1 and 1.2 (standard deviation 0.1); t of two degrees is 4.30."""
    anew = {"inputs": replace(quality("dit-digits", 1.0).inputs, weights_sha256="cd" * 32)}
    before = quality("dit-digits", 1.0, spread=0.05)
    seeds = [
        replace(made, protocol=replace(made.protocol, study=True, training_seed=seed))
        for seed in (1, 2, 3)
        for made in [quality("dit-digits", 0.9 + 0.1 * seed, spread=0.05)]
    ]
    assert regressions([before], [quality("dit-digits", 9.0, spread=0.05, **anew)]) == []  # nobody knows the noise
    assert regressions([before, *seeds], [quality("dit-digits", 1.6, spread=0.05, **anew)]) == []
    assert regressions([before, *seeds], [quality("dit-digits", 1.7, spread=0.05, **anew)]) != []


def test_the_comparison_is_a_page_that_loads_nothing(tmp_path):
    a, b = folder(tmp_path / "a", full_set()), folder(tmp_path / "b", [quality("dit-digits", 9.0)])
    (b / ENVIRONMENT.machine / "<b>.json").write_text("{}")
    assert compare_runs(a, b, html_file=tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text()
    assert "B is worse than A beyond noise" in page
    assert "FID of dit-digits (digits-quality): 2.20 (2.00 to 2.40), then 9.00 (8.80 to 9.20)" in page
    assert "<b>.json" not in page
    assert not re.search(r'<link|src="http|@import', page)
    assert compare_runs(a, a, html_file=tmp_path / "c.html") == []
    assert "no regression" in (tmp_path / "c.html").read_text()
    with pytest.raises(UsageError, match="its folder does not exist"):
        compare_runs(a, a, html_file=tmp_path / "no" / "c.html")


def test_the_command_exits_1_for_a_regression_and_2_for_a_wrong_call_and_imports_no_torch(tmp_path):
    a = folder(tmp_path / "a", full_set())
    b = folder(tmp_path / "b", [quality("transdiff-digits", 50.0), quality("dit-digits", 1.0)])
    code = (
        "import sys; from bench.__main__ import main\ntry:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    )

    def call(*arguments):
        command = [sys.executable, "-c", code, "compare", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    done = call(a, b)
    assert done.returncode == 1, done.stderr
    assert "disagree" in done.stdout
    assert "is worse than" in done.stderr
    assert call(a, a).returncode == 0
    wrong = call(a, tmp_path / "nothing")
    assert wrong.returncode == 2
    assert len(wrong.stderr.strip().splitlines()) == 1


def test_a_run_that_measured_no_common_number_is_on_both_sides_all_the_same(tmp_path, capsys):
    """Ratios stand in speed-ups, beside the measurements: a folder has no run that it lacks itself."""
    results = folder(tmp_path, [*full_set(), ratios("transdiff-digits", {"dit-digits": 2.8, "sit-digits": 3.1})])
    compare_runs(results, results)
    printed = capsys.readouterr().out
    assert f"{len(full_set()) + 1} on both sides, 0 on A alone, 0 on B alone" in printed


def test_a_ratio_that_changed_is_shown_though_no_claim_speaks_of_it(capsys, tmp_path):
    """sit-digits against var-digits is nobody's claim. Which of the two changed nobody knows: it is no regression."""
    a, b, c = (tmp_path / name for name in "abc")
    for folder, times in ((a, 2.0), (b, 1.2), (c, 2.01)):
        save_record(ratios("sit-digits", {"var-digits": times}), folder)
    status, out, _ = bench(capsys, "compare", a, b)
    (line,) = [line for line in out.splitlines() if "times as fast as var-digits" in line]
    assert (status, "apart" in line) == (0, True)
    _, out, _ = bench(capsys, "compare", a, c)
    assert "overlap" in next(line for line in out.splitlines() if "times as fast as var-digits" in line)


def test_ratios_of_other_conditions_are_not_compared():
    """Another batch, or a side that was sampled with other steps."""
    one = ratios("sit-digits", {"var-digits": 2.0})
    (entry,) = one.speedups
    sides = {**entry.conditions, "baseline": replace(entry.conditions["baseline"], batch_size=7)}
    other = replace(one, speedups=(replace(entry, conditions=sides),))
    (pair,) = ratio_pairs([one], [other])
    assert pair.state == "not comparable: batch_size of the baseline"


def test_of_very_many_values_those_that_overlap_are_counted_and_the_others_shown(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.commands.compare.MOST_ROWS", 2)
    for name, times in (("a", 2.0), ("b", 1.2)):
        for made in (quality("dit-digits", 2.2), ratios("sit-digits", {"var-digits": times})):
            save_record(made, tmp_path / name)
    _, out, _ = bench(capsys, "compare", tmp_path / "a", tmp_path / "b")
    table = out.split("Measured values")[1]
    assert "6 values whose intervals overlap are not shown: --json FILE has them" in out
    assert "times as fast as var-digits" in table
    assert "dit-digits" not in table.replace("var-digits", "").replace("sit-digits", "")
