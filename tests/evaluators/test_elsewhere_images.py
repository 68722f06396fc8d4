"""Images made elsewhere, from the files to a record and a verdict; what breaks a protocol's rules is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.datasets import digits
from bench.evaluators.elsewhere import SETTINGS
from bench.protocols import PROTOCOLS
from bench.records.json_files import read_json, write_json
from bench.records.store import content_sha256, load_records
from bench.report import render
from bench.verdict.judge import MADE_ELSEWHERE
from tests.command_line import bench, complains, write
from tests.pages import text_of
from tests.stand_ins import give_adm, give_inception, only_record, use_assets

QUALITY, NUM_IMAGES = "imagenet-256-quality", 20


def pixels(num=NUM_IMAGES, size=256):
    return np.random.default_rng(1).integers(0, 256, (num, size, size, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return use_assets(monkeypatch, tmp_path)


@pytest.fixture
def imagenet(folder, monkeypatch):
    """ADM's statistics and an extractor; the protocol of 20 images in place of 50,000."""
    give_inception(monkeypatch, folder)
    give_adm(folder)
    monkeypatch.setitem(PROTOCOLS, QUALITY, replace(PROTOCOLS[QUALITY], num_images=NUM_IMAGES))
    return folder


@pytest.fixture
def samples(tmp_path):
    """A folder of PNGs as the authors' code leaves it."""
    place = tmp_path / "samples"
    place.mkdir()
    for i, image in enumerate(pixels()):
        Image.fromarray(image).save(place / f"{i:05d}.png")
    return place


def record_images(capsys, generated, tmp_path, *more, model="mar-l", protocol=QUALITY):
    call = ("score", "images", generated, "--record", "--model", model, "--protocol", protocol)
    return bench(capsys, *call, "--results", tmp_path / "results", *more)


def refused_images(capsys, generated, tmp_path, *more, model="mar-l", protocol=QUALITY):
    call = ("score", "images", generated, "--record", "--model", model, "--protocol", protocol)
    line = complains(capsys, *call, "--results", tmp_path / "results", *more)
    assert not (tmp_path / "results").exists()
    return line


def test_images_of_somebody_elses_code_end_in_a_verdict_that_says_so(capsys, imagenet, samples, tmp_path):
    """mar-l at imagenet-256: folder, record, verdicts in the terminal, on the page, in `list` and `verify`."""
    status, out, err = record_images(capsys, samples, tmp_path, "--made-by", "LTH14/mar @fe470ac")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert "mar-l-fid-table-4: not reproduced" in said or "mar-l-fid-table-4: inconclusive" in said
    record = only_record(tmp_path / "results")
    assert record.elsewhere.words == (
        f"20 images of 'samples' (made by LTH14/mar @fe470ac; SHA-256 {record.elsewhere.sha256[:12]})"
    )
    assert record.elsewhere.sha256 == record.images.audit.content_sha256
    assert set(record.elsewhere.files) == {"adm-imagenet-256", "inception", "features"}
    assert record.measurements["fid"].n == NUM_IMAGES
    assert (record.inputs.weights_sha256, record.images.samples) == (None, None)
    assert dict(record.settings)["cfg_scale"] == 3.0
    page = render([tmp_path / "results"], tmp_path / "page.html").read_text()
    assert "imagenet-256-quality of mar-l was made elsewhere and scored here: 20 images" in text_of(page)
    assert MADE_ELSEWHERE in page
    status, out, _ = bench(capsys, "verify", "--results", tmp_path / "results", "--report", tmp_path / "page.html")
    assert status == 0, out
    assert f"made elsewhere, scored here: {record.file}: 20 images" in out
    _, out, _ = bench(capsys, "list", "records", "--results", tmp_path / "results")
    assert "20 images of 'samples'" in " ".join(out.split())
    _, out, _ = bench(capsys, "list", "claims", "--model", "mar-l", "--results", tmp_path / "results")
    assert "mar-l-fid-readme" in out
    assert MADE_ELSEWHERE in " ".join(out.split())


def test_the_same_images_in_an_npz_have_the_same_hash_and_scores(capsys, imagenet, samples, tmp_path):
    np.savez(tmp_path / "samples.npz", arr_0=pixels(), arr_1=np.arange(NUM_IMAGES))
    assert record_images(capsys, samples, tmp_path)[0] == 0
    assert record_images(capsys, tmp_path / "samples.npz", tmp_path)[0] == 0
    found = {record.elsewhere.name: record for record in load_records([tmp_path / "results"]).records}
    folder, npz = found["samples"], found["samples.npz"]
    assert folder.elsewhere.sha256 == npz.elsewhere.sha256
    assert folder.measurements["fid"].value == npz.measurements["fid"].value
    assert any("the classes" in clause for clause in folder.elsewhere.assumed)
    assert not any("the classes" in clause for clause in npz.elsewhere.assumed)  # arr_1 tells them


def test_other_pixels_or_another_order_is_another_hash(capsys, imagenet, samples, tmp_path):
    np.savez(tmp_path / "turned.npz", arr_0=pixels()[::-1])
    record_images(capsys, samples, tmp_path)
    record_images(capsys, tmp_path / "turned.npz", tmp_path)
    one, other = load_records([tmp_path / "results"]).records
    assert one.elsewhere.sha256 != other.elsewhere.sha256


def test_settings_unlike_the_published_answer_no_claim_of_the_published(capsys, imagenet, samples, tmp_path):
    status, out, _ = record_images(
        capsys, samples, tmp_path, "--settings", "cfg_scale=2.5", "--settings", "num_iter=64"
    )
    assert status == 0
    assert "mar-l-fid-table-4: not run" in " ".join(out.split())
    record = only_record(tmp_path / "results")
    assert (record.settings["cfg_scale"], record.settings["num_iter"]) == (2.5, 64)
    assert dict(record.inputs.settings) == {"cfg_scale": 2.5, "num_iter": 64}


def test_another_number_of_images_is_refused(capsys, imagenet, samples, tmp_path):
    (samples / "00007.png").unlink()
    assert "19 images; imagenet-256-quality is of 20" in refused_images(capsys, samples, tmp_path)


def test_images_of_another_size_are_refused(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "small.npz", arr_0=pixels(size=64))
    assert "images of 64x64; mar-l generates 256x256" in refused_images(capsys, tmp_path / "small.npz", tmp_path)


def test_classes_that_are_not_balanced_are_refused_where_the_files_tell_them(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "one-class.npz", arr_0=pixels(), arr_1=np.zeros(NUM_IMAGES, int))
    line = refused_images(capsys, tmp_path / "one-class.npz", tmp_path)
    assert "0 to 20 images a class; the numbers of mar-l are printed for as many of each class" in line
    np.savez(tmp_path / "many.npz", arr_0=pixels(), arr_1=np.arange(NUM_IMAGES) * 60)
    assert "1,141 classes" in refused_images(capsys, tmp_path / "many.npz", tmp_path)


def test_a_published_rule_of_drawn_classes_takes_what_is_not_balanced(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "drawn.npz", arr_0=pixels(), arr_1=np.zeros(NUM_IMAGES, int))
    assert record_images(capsys, tmp_path / "drawn.npz", tmp_path, model="dit-xl-2")[0] == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--reference", "digits-train"), "--reference does not go with --record"),
        (("--features", "digits"), "--features does not go with --record"),
        (("--resize", "adm"), "--resize does not go with --record"),
        (("--settings", "steps=3"), "expected KEY=VALUE with a setting of mar-l: num_iter"),
        (("--settings", "cfg_scale=high"), "expected a value like 3.0"),
        (("--settings", "cfg_scale=nan"), "expected a value like 3.0"),
        (("--settings", "cfg_scale=1e999"), "expected a value like 3.0"),
        (("--settings", "num_iter=-3"), "expected a value like 256"),
        (("--settings", "num_iter=0.5"), "expected a value like 256"),
        (("--classes", "10"), "--classes 10: imagenet-256-quality is of 1,000 classes"),
    ],
)
def test_options_that_the_protocol_leaves_no_room_for(capsys, imagenet, samples, tmp_path, more, words):
    assert words in refused_images(capsys, samples, tmp_path, *more)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"model": "mar-x"}, "unknown model 'mar-x'"),
        ({"protocol": "imagenet"}, "--protocol imagenet: unknown; there are: digits-quality, imagenet-256-quality"),
        ({"protocol": "imagenet-256-latency"}, "is no protocol of images made elsewhere"),
        ({"protocol": "imagenet-512-quality"}, "is of scale imagenet-512; mar-l is of imagenet-256"),
        (
            {"model": "var-d16", "protocol": "imagenet-256-no-guidance-quality"},
            "nothing is printed of var-d16 under it",
        ),
    ],
)
def test_names_that_do_not_fit_are_one_line(capsys, imagenet, samples, tmp_path, names, words):
    assert words in refused_images(capsys, samples, tmp_path, **names)


def test_the_options_of_a_record_go_together(capsys, tmp_path):
    assert "--record needs --model and --protocol" in complains(capsys, "score", "images", tmp_path, "--record")
    assert "--model goes with --record" in complains(capsys, "score", "images", tmp_path, "--model", "mar-l")


def test_an_asset_that_is_not_there_is_named_with_its_path(capsys, folder, samples, tmp_path, monkeypatch):
    monkeypatch.setitem(PROTOCOLS, QUALITY, replace(PROTOCOLS[QUALITY], num_images=NUM_IMAGES))
    assert f"adm-imagenet-256 is missing: {folder}" in refused_images(capsys, samples, tmp_path)


@pytest.fixture
def class_folders(tmp_path):
    """500 scans, 50 in each of ten class folders."""
    images, labels = digits.load("heldout")
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / "digits" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / "digits" / str(label) / f"{i}.png")
    return tmp_path / "digits"


def test_class_folders_tell_the_classes_and_intervals_use_them(capsys, folder, class_folders, tmp_path):
    assert record_images(capsys, class_folders, tmp_path, model="dit-digits", protocol="digits")[0] == 0
    record = only_record(tmp_path / "results")
    assert record.images.scoring["classes"] == "by the class folders"
    assert record.elsewhere.assumed == (SETTINGS,)
    assert set(record.elsewhere.files) == {"features"}


def test_digits_numbered_in_turn_are_recognised(capsys, folder, tmp_path):
    """The extractor of digits tells classes: numbered files in turn need no word of who made them."""
    (tmp_path / "flat").mkdir()
    for i, image in enumerate(digits.load("heldout")[0]):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / "flat" / f"{i:05d}.png")
    assert record_images(capsys, tmp_path / "flat", tmp_path, model="dit-digits", protocol="digits")[0] == 0
    record = only_record(tmp_path / "results")
    assert record.images.scoring["classes"] == "10 classes in turn, by the numbers of the files"
    assert record.elsewhere.assumed == (SETTINGS,)


def test_class_folders_of_unlike_sizes_are_refused(capsys, folder, class_folders, tmp_path):
    first = next((class_folders / "3").iterdir())
    first.rename(class_folders / "4" / "moved.png")
    line = refused_images(capsys, class_folders, tmp_path, model="dit-digits", protocol="digits")
    assert "49 to 51 images a class" in line


def test_statistics_and_real_scans_are_no_images_of_a_model(capsys, imagenet, tmp_path):
    np.savez(tmp_path / "mu.npz", mu=np.zeros(8), sigma=np.eye(8))
    assert "holds statistics; a record needs the images" in refused_images(capsys, tmp_path / "mu.npz", tmp_path)
    line = refused_images(capsys, "digits-heldout", tmp_path, model="dit-digits", protocol="digits")
    assert "real scans; expected images of dit-digits" in line


def test_a_scale_names_its_usual_protocol(capsys, imagenet, samples, tmp_path):
    assert record_images(capsys, samples, tmp_path, protocol="imagenet-256")[0] == 0
    assert only_record(tmp_path / "results").protocol.name == QUALITY


def test_a_record_without_the_mark_was_edited(capsys, imagenet, samples, tmp_path):
    """Without `elsewhere`, or with one that cannot be read, it is no record: it never passes for a measured one."""
    record_images(capsys, samples, tmp_path)
    (path,) = (tmp_path / "results").glob("*/mar-l--*.json")
    data = read_json(path)
    write_json({key: value for key, value in data.items() if key != "elsewhere"}, path)
    assert "was edited" in load_records([tmp_path / "results"]).faults[0]
    damaged = data | {"elsewhere": {"what": "images"}}
    write_json(damaged | {"sha256": content_sha256(damaged)}, path)
    loaded = load_records([tmp_path / "results"])
    assert not loaded.records
    assert "elsewhere" in loaded.faults[0]


def test_json_says_what_was_scored(capsys, imagenet, samples, tmp_path):
    assert record_images(capsys, samples, tmp_path, "--json", tmp_path / "out.json")[0] == 0
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["elsewhere"]["num_items"] == NUM_IMAGES
    assert told["metrics"]["fid"]["value"] == only_record(tmp_path / "results").measurements["fid"].value
    assert only_record(tmp_path / "results").file.endswith(told["record"])


def test_claims_of_ones_own_are_judged_too(capsys, imagenet, samples, tmp_path, monkeypatch):
    own = """
        [[sources]]
        key = "mine"
        paper = "My paper"
        where = "table 1"
        url = "example.org/mine"
        standing = "authors"

        [[claims]]
        id = "mar-l-fid-mine"
        model = "mar-l"
        metric = "fid"
        printed = "1.90"
        protocol = "imagenet-256-quality"
        source = "mine"
        """
    monkeypatch.setenv("ARBITER_CLAIMS", str(write(tmp_path / "mine.toml", own)))
    assert "mar-l-fid-mine: not reproduced" in " ".join(record_images(capsys, samples, tmp_path)[1].split())
