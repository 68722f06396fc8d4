"""What was measured item by item lies in a file of its own beside its record, under a checksum in the record."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace

import pytest

from bench.records.parts import SceneScores
from bench.records.store import load_records, save_record
from tests.fake_records import rewrite
from tests.fake_scenes import captions

SCENES = tuple(SceneScores(scene=i, num=2, totals={"cider": i / 8}) for i in range(3))
CAPTIONS = replace(captions(), samples=replace(captions().samples, scenes=SCENES))


@pytest.fixture
def sampled(tmp_path):
    """(the file of a record, the file of its samples)."""
    path = save_record(CAPTIONS, tmp_path)
    return path, path.parent / "samples" / f"{path.stem}.jsonl.gz"


def refused_samples(sampled):
    """Why the samples were not read; the rest of the record was."""
    (found,), (fault,) = (loaded := load_records([sampled[0].parent])).records, loaded.faults
    assert (found.samples.scenes, found.samples.examples) == ((), ())
    assert found.texts == CAPTIONS.texts
    name = f"acme-cpu-2c/{sampled[0].name}: samples/{sampled[1].name}: "
    assert fault.startswith(name)
    return fault.removeprefix(name)


def test_samples_are_lines_of_json_beside_the_record_whose_checksum_it_holds(sampled):
    path, samples = sampled
    lines = [json.loads(line) for line in gzip.decompress(samples.read_bytes()).splitlines()]
    assert [set(line) for line in lines[:4]] == [{"scene_scores"}] * 3 + [{"example"}]
    assert json.loads(path.read_text())["samples_sha256"] == hashlib.sha256(samples.read_bytes()).hexdigest()


def test_samples_that_were_edited_are_named_and_not_used(sampled):
    content = gzip.decompress(sampled[1].read_bytes())
    sampled[1].write_bytes(gzip.compress(content.replace(b'"cider": 0.25', b'"cider": 9.25'), mtime=0))
    assert refused_samples(sampled) == "was edited: it does not have the checksum in its record"


def test_samples_that_are_not_there_are_named(sampled):
    sampled[1].unlink()
    assert refused_samples(sampled) == "no such file"


def scene_line(**given):
    """A line of a samples file in which some keys hold other JSON."""
    keys = {"num": 1, "scene": 1, "totals": "{}"} | given
    return b'{"scene_scores": {%s}}' % ", ".join(f'"{key}": {value}' for key, value in keys.items()).encode()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no gzip", "cannot be read: Not a gzipped file"),
        (gzip.compress(b"{}" * 99)[:-9], "cannot be read: "),
        (gzip.compress(b"[1]\n"), "Expected `object`, got `array`"),
        (gzip.compress(b"no JSON"), "JSON is malformed"),
        (gzip.compress(scene_line(totals='{"cider": 1e999}')), "Number out of range"),
        (gzip.compress(scene_line(scene=2**63)), "Expected `int` <= 9223372036854775807"),
        (gzip.compress(b'{"scene_scores": {"scene": 1}}\n'), "Object missing required field `num`"),
        (gzip.compress(b'{"more": ' * 100_000), "maximum recursion depth exceeded"),
    ],
    ids=["no gzip", "cut off", "a list", "no JSON", "infinity", "large", "a part missing", "too deep"],
)
def test_samples_that_cannot_be_read_are_named_whatever_their_checksum(sampled, content, complaint):
    path, samples = sampled
    samples.write_bytes(content)
    data = json.loads(path.read_text())
    rewrite(path, {**data, "samples_sha256": hashlib.sha256(content).hexdigest()})
    assert refused_samples(sampled).startswith(complaint)
