"""Records on disk: written whole, read back equal, superseded by later ones; a bad file harms no other."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import CheckFailed
from bench.records import store
from bench.records.parts import Counts, Measurement, SceneScores, Series, Timing
from bench.records.store import load_record, load_records, save_record
from tests.fake_records import composed, latency, quality, ratios, record, rewrite, timed, with_audit
from tests.fake_scenes import answers, captions, paintings

SCENES = tuple(SceneScores(scene=i, num=2, totals={"cider": i / 8}) for i in range(3))
KINDS = {
    "images": quality("dit-digits", 2.2),
    "timing": timed("dit-digits", {"network": 0.3, "autoencoder": 0.02, "rest": 0.08}),
    "estimated": composed("dit-xl-2", {"network": 396.0, "autoencoder": 4.0}, 3e13),
    "speedups": ratios("transdiff-digits", {"dit-digits": 2.8, "sit-digits": 3.1}),
    "counts": record("dit-s-8", "paper-size", settings={}, counts=Counts(num_params=33_142_016, flops=7.2e8)),
    "captions": replace(captions(empty=5), samples=replace(captions().samples, scenes=SCENES)),
    "answers": answers(),
    "paintings": paintings(),
    "failed": record("dit-digits", "digits-quality", status="failed", reason="out of memory", settings={}),
}


# -- written and read back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_read_back_as_it_was_written(tmp_path, kind):
    written = KINDS[kind]
    path = save_record(written, tmp_path)
    loaded = load_records([tmp_path])
    assert loaded.records == [replace(written, file=f"acme-cpu-2c/{path.name}")]
    assert loaded.faults == []


def test_a_file_is_named_after_its_run_and_names_itself_nowhere(tmp_path):
    path = save_record(KINDS["images"], tmp_path)
    assert path == tmp_path / "acme-cpu-2c" / "dit-digits--digits-quality--20260131T142530Z.json"
    assert "file" not in json.loads(path.read_text())


def test_nothing_but_the_record_the_machine_and_the_samples_is_left_behind(tmp_path):
    path = save_record(KINDS["captions"], tmp_path)
    found = {str(each.relative_to(path.parent)) for each in path.parent.rglob("*") if each.is_file()}
    assert found == {path.name, "machine.json", f"samples/{path.stem}.jsonl.gz"}


def test_the_checksum_is_of_the_content_not_of_the_layout(tmp_path):
    path = save_record(KINDS["timing"], tmp_path)
    before = load_record(path)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    assert load_record(path) == before


def test_the_time_in_the_name_is_utc(tmp_path):
    path = save_record(record("dit-digits", "digits-latency", created_utc="2026-02-01T01:00:00+02:00"), tmp_path)
    assert path.name == "dit-digits--digits-latency--20260131T230000Z.json"


def test_two_runs_of_one_second_are_both_kept(tmp_path):
    paths = [save_record(quality("dit-digits", fid), tmp_path) for fid in (2.0, 3.0)]
    assert len(set(paths)) == 2
    assert sorted(made.measurements["fid"].value for made in load_records([tmp_path]).records) == [2.0, 3.0]


def test_of_two_processes_that_end_in_one_second_neither_loses_its_record(tmp_path, monkeypatch):
    """Each has looked for a free name before the other wrote: the second takes the next, its samples too."""
    stem = save_record(KINDS["captions"], tmp_path).stem
    monkeypatch.setattr(store, "free_paths", lambda folder, stem: [folder / f"{stem}{n}.json" for n in ("", "_2")])
    other = replace(KINDS["captions"], samples=replace(KINDS["captions"].samples, scenes=SCENES[:1]))
    assert save_record(other, tmp_path).stem == f"{stem}_2"
    loaded = load_records([tmp_path])
    assert loaded.faults == []
    assert [one.samples for one in loaded.records] == [KINDS["captions"].samples, other.samples]


def test_numpy_numbers_are_written_as_numbers(tmp_path):
    timing = Timing(latency=Series(batch_size=np.int64(3), rounds_s=tuple(np.array([0.5, 0.25]))))
    made = record("dit-digits", "digits-latency", timing=timing, settings={"scales": np.array([1.5, 2.0])})
    found, faults = load_record(save_record(made, tmp_path))
    assert faults == []
    assert found.timing == Timing(latency=Series(batch_size=3, rounds_s=(0.5, 0.25)))
    assert found.settings == {"scales": [1.5, 2.0]}


@pytest.mark.parametrize("bad", [math.nan, math.inf, np.float64("nan")])
def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path, bad):
    timing = Timing(latency=Series(batch_size=1, rounds_s=(0.5, bad)))
    with pytest.raises(CheckFailed, match=r"record\.timing\.latency\.rounds_s\[1\] is (nan|inf)"):
        save_record(record("dit-digits", "digits-latency", timing=timing), tmp_path)
    with pytest.raises(CheckFailed, match=r"record\.measurements\.fid\.value is (nan|inf)"):
        save_record(record("dit-digits", "digits-quality", measurements={"fid": Measurement(bad, "")}), tmp_path)
    assert not list(tmp_path.rglob("*--*"))


def test_a_reason_that_names_a_file_in_no_utf8_is_kept_readable(tmp_path):
    """As Python gives such names: a lone surrogate, which no reader of JSON takes."""
    failed = replace(KINDS["failed"], reason="no such file: caf\udce9")
    made, faults = load_record(save_record(failed, tmp_path))
    assert (made.reason, faults) == ("no such file: caf\\udce9", [])


def test_an_audit_that_found_something_is_kept(tmp_path):
    """What has its default is not written; what has not is."""
    made = with_audit(quality("dit-digits", 2.0), duplicates=3, duplicates_share=0.006, failures=("3 are equal",))
    path = save_record(made, tmp_path)
    assert load_record(path)[0].images == made.images
    assert json.loads(path.read_text())["images"]["audit"]["failures"] == ["3 are equal"]
    assert (
        "failures" not in json.loads(save_record(quality("dit-digits", 2.0), tmp_path).read_text())["images"]["audit"]
    )


# -- files that are no records, or were edited -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ('{"model": "dit-di', "not JSON"),
        ("[1]", "a JSON list, expected an object"),
        ("7", "a JSON int, expected an object"),
        ('{"model": NaN}', "not JSON"),
        ('{"wall_s": 1e999}', "not JSON: Number out of range"),
        ('{"wall_s": ' + 5000 * "1" + "}", "not JSON: Integer value out of range"),
        ('{"wall_s": ' + 4000 * "1" + "}", "holds an integer of more than 64 bits"),
        ('{"model": "\\ud800"}', "not JSON"),
        ('{"model": "\\udc00 "}', "not JSON"),
        ('{"settings": ' + 100_000 * "[" + 100_000 * "]" + "}", "not JSON: maximum recursion depth exceeded"),
        ('{"settings": ' + 900 * "[" + 900 * "]" + "}", "nested deeper than 64 levels"),
        ('{"schema": 1}', "schema 1, expected 2"),
        ('{"schema": 2, "model": "x"}', "lacks protocol, settings"),
    ],
)
def test_a_corrupt_file_is_named_in_one_line_and_harms_no_other(tmp_path, text, complaint):
    save_record(quality("dit-digits", 2.2), tmp_path)
    (tmp_path / "acme-cpu-2c" / "broken.json").write_text(text)
    loaded = load_records([tmp_path])
    assert [made.model for made in loaded.records] == ["dit-digits"]
    (fault,) = loaded.faults
    assert fault.startswith(f"acme-cpu-2c/broken.json: {complaint}")
    assert "\n" not in fault


@pytest.mark.parametrize("extra", range(-40, 40))
def test_json_as_deep_as_the_interpreter_allows_is_a_fault_too(tmp_path, extra):
    """Around the depth where the reader still succeeds and what checks its content would not."""
    depth = 960 + extra
    path = tmp_path / "deep.json"
    path.write_text('{"schema": 2, "settings": ' + depth * "[" + depth * "]" + "}")
    with pytest.raises(ValueError, match=r"nested deeper|maximum recursion"):
        load_record(path)


def test_what_cannot_be_opened_is_named_without_the_path_of_this_machine(tmp_path):
    (tmp_path / "acme" / "folder.json").mkdir(parents=True)
    assert load_records([tmp_path]).faults == ["acme/folder.json: cannot be read: Is a directory"]


def test_a_record_in_which_one_digit_was_changed_is_named_and_not_used(tmp_path):
    path = save_record(quality("dit-digits", 2.2), tmp_path)
    text = path.read_text()
    assert text.count('"value": 2.2}') == 1
    path.write_text(text.replace('"value": 2.2}', '"value": 1.2}'))
    loaded = load_records([tmp_path])
    assert loaded.records == []
    assert loaded.faults == [
        f"acme-cpu-2c/{path.name}: was edited: its content does not have the checksum it was written with"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_no_digit_can_be_changed_unnoticed(tmp_path, kind):
    """In any place, the checksum's own among them; but for a last digit that leaves the number the same."""
    path = save_record(KINDS[kind], tmp_path)
    text, before = path.read_text(), load_record(path)
    generator = np.random.default_rng(0)
    digits = [match.start() for match in re.finditer(r"\d", text)]
    noticed = 0
    for place in generator.choice(digits, 50):
        other = (int(text[place]) + 1 + int(generator.integers(9))) % 10
        path.write_text(f"{text[:place]}{other}{text[place + 1 :]}")
        try:
            assert load_record(path) == before
        except ValueError:
            noticed += 1
    assert noticed >= 45


def key_paths(data, place=()):
    """The place of every key of every object."""
    for key, item in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from ([(*place, key)] if isinstance(data, dict) else [])
        yield from key_paths(item, (*place, key))


def without(data, place):
    """A copy without one key."""
    copied = json.loads(json.dumps(data))
    inner = copied
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    return copied


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_lost_in_any_place_is_named_and_raises_nothing(tmp_path, kind):
    """As the file stands it was edited; with a checksum that fits, as another program might write it, what is lost
    costs no more than the part that needs it, and a fault names the part."""
    path = save_record(KINDS[kind], tmp_path)
    data, (before,) = json.loads(path.read_text()), load_records([tmp_path]).records
    places = sorted(key_paths(data), key=str)
    for place in np.random.default_rng(0).permutation(np.array(places, dtype=object))[:60]:
        lost = without(data, place)
        path.write_text(json.dumps(lost))
        assert len(load_records([tmp_path]).faults) == 1, place
        assert load_records([tmp_path]).records == [], place
        rewrite(path, lost)
        loaded = load_records([tmp_path])
        assert all(fault.startswith(f"acme-cpu-2c/{path.name}: ") and "\n" not in fault for fault in loaded.faults)
        assert loaded.records or loaded.faults, place
        for found in loaded.records:
            kept = [f.name for f in dataclasses.fields(found) if f.compare]
            differing = [name for name in kept if getattr(found, name) != getattr(before, name)]
            assert len(differing) <= 1, place


# -- parts that cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "place", "fault", "lost"),
    [
        ("images", ("images", "audit", "constant"), "images.audit: Object missing required field `constant`", "images"),
        ("images", ("images", "audit"), "images: lacks audit", "images"),
        ("timing", ("timing", "latency"), "timing: lacks latency", "timing"),
        ("counts", ("counts", "num_params"), "counts: lacks num_params", "counts"),
        (
            "captions",
            ("texts", "audit", "num_texts"),
            "texts.audit: Object missing required field `num_texts`",
            "texts",
        ),
    ],
)
def test_a_part_that_lacks_a_key_is_left_out_alone_and_named(tmp_path, kind, place, fault, lost):
    path = save_record(KINDS[kind], tmp_path)
    before, _ = load_record(path)
    rewrite(path, without(json.loads(path.read_text()), place))
    found, faults = load_record(path)
    assert faults == [fault]
    assert found == replace(before, **{lost: None})


def test_of_a_timing_only_what_cannot_be_read_is_left_out(tmp_path):
    path = save_record(KINDS["timing"], tmp_path)
    before, _ = load_record(path)
    rewrite(path, without(json.loads(path.read_text()), ("timing", "stages", "parts", "network", "num_calls")))
    found, (fault,) = load_record(path)
    assert fault.startswith("timing.stages: Object missing required field `num_calls`")
    assert found == replace(before, timing=replace(before.timing, stages=None))


def test_a_measurement_and_a_speedup_are_left_out_by_themselves(tmp_path):
    path = save_record(KINDS["images"], tmp_path)
    data = json.loads(path.read_text())
    data["measurements"]["fid"]["value"] = "low"
    rewrite(path, data)
    found, (fault,) = load_record(path)
    assert fault.startswith("measurements.fid: Expected `float`, got `str`")
    assert set(found.measurements) == set(KINDS["images"].measurements) - {"fid"}
    path = save_record(KINDS["speedups"], tmp_path)
    data = json.loads(path.read_text())
    del data["speedups"][0]["rounds_s"]
    rewrite(path, data)
    found, (fault,) = load_record(path)
    assert fault.startswith("speedups.0: a comparable speed-up needs a ratio and as many rounds of either side")
    assert found.speedups == KINDS["speedups"].speedups[1:]


@pytest.mark.parametrize("key", ["value", "ci_low"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_time_or_a_rate_that_there_cannot_be_is_left_out(tmp_path, key, number):
    """A verdict divides by it. A score may be 0, or below."""
    path = save_record(latency("dit-digits", 0.3), tmp_path)
    data = json.loads(path.read_text())
    for name in ("latency_s", "throughput_per_s", "flops"):
        data["measurements"][name][key] = number
    rewrite(path, data)
    found, faults = load_record(path)
    assert sorted(faults) == [
        f"measurements.{name}: a time or a rate, or a bound of it, is not above 0"
        for name in ("latency_s", "throughput_per_s")
    ]
    assert "flops" in found.measurements


@pytest.mark.parametrize("key", ["value", "ci_low"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_speedup_that_no_times_can_have_is_left_out(tmp_path, key, number):
    """Its inverse is printed, too."""
    path = save_record(KINDS["speedups"], tmp_path)
    data = json.loads(path.read_text())
    data["speedups"][0]["ratio"][key] = number
    rewrite(path, data)
    found, (fault,) = load_record(path)
    assert fault.startswith("speedups.0: a ratio of times, or a bound of it, is not above 0")
    assert found.speedups == KINDS["speedups"].speedups[1:]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"created_utc": "yesterday"}, "Invalid isoformat string: 'yesterday'"),
        ({"created_utc": "9999-12-31T23:59:59+00:00"}, "'9999-12-31T23:59:59+00:00' is no date of a measurement"),
        ({"protocol": {}}, "protocol: Object missing required field `name`"),
        ({"measurements": []}, "measurements is a list, expected an object"),
        ({"speedups": 3}, "speedups is a int, expected a list"),
        ({"settings": "none"}, "settings: Expected `object`, got `str`"),
        ({"status": "fine"}, "status: Invalid enum value 'fine'"),
        ({"environment": {}}, "environment: lacks machine"),
    ],
)
def test_without_what_every_record_needs_it_is_none(tmp_path, changes, complaint):
    path = save_record(quality("dit-digits", 2.2), tmp_path)
    rewrite(path, {**json.loads(path.read_text()), **changes})
    with pytest.raises(ValueError, match=re.escape(complaint)) as caught:
        load_record(path)
    assert "\n" not in str(caught.value)
