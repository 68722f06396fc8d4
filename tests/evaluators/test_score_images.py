"""`score images`: our route equals torch-fidelity's own, every bad input is one clear line, JSON as documented."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest
from PIL import Image

from bench.commands import score_images
from bench.datasets import digits, open_images
from bench.errors import CheckFailed, UsageError
from bench.evaluators import image_scores
from bench.evaluators.classes import find_classes
from bench.features.extractors import register
from bench.files import temporary_name
from bench.metrics import kid
from tests.digit_scans import features_of, held_out_200, write_folder


def test_scores_equal_torch_fidelitys_own_on_folders_of_png(tmp_path):
    """Our route gives what torch-fidelity's `calculate_metrics` gives on the same files with our extractor."""
    from torch_fidelity import calculate_metrics

    generated = write_folder(tmp_path / "generated", digits.load("heldout")[0][:200])
    reference = write_folder(tmp_path / "reference", digits.load("train")[0][:300])
    ours = image_scores.score_images(generated, reference)
    assert ours["protocol"]["features"] == "digits"  # 8x8 images
    register()
    theirs = calculate_metrics(
        input1=str(generated),
        input2=str(reference),
        feature_extractor="digits",
        fid=True,
        kid=True,
        isc=True,
        prc=True,
        kid_subset_size=200,
        cuda=False,
        cache=False,
        verbose=False,
        save_cpu_ram=True,
    )
    key_by_name = {
        "fid": "frechet_inception_distance",
        "fid_clean": "frechet_inception_distance",
        "kid": "kernel_inception_distance_mean",
        "inception_score": "inception_score_mean",
        "precision": "precision",
        "recall": "recall",
    }
    assert ours["protocol"]["classes"] == "10 classes in turn, by the numbers of the files"
    labels = np.arange(200) % 10  # for which our KID, and no other number, is corrected
    sides = (features_of("heldout").features[:200], features_of("train").features[:300])
    assert ours["metrics"]["kid"]["value"] == pytest.approx(kid.compute_kid(*sides, strata=labels), rel=1e-8)
    ours["metrics"]["kid"]["value"] = kid.compute_kid(*sides)
    for name, key in key_by_name.items():
        # float64 throughout; the two routes form other batches, which moves features by 1e-13
        assert ours["metrics"][name]["value"] == pytest.approx(theirs[key], rel=1e-8, abs=1e-10), name


def test_real_scans_are_their_own_floor():
    """Held-out scans score exactly the floor; every value lies in its interval; no audit failure, no copies."""
    result = held_out_200()
    assert result["metrics"] == result["floor"]
    assert list(result["metrics"]) == list(image_scores.NAMES)
    for name, found in result["metrics"].items():
        assert found["ci_low"] < found["value"] < found["ci_high"], name
        assert found["n"] == 200
    assert result["refused"] == result["not_run"] == {}
    assert result["audit"]["recognised_share"] >= 0.98
    assert result["audit"]["copies_share"] == 0


def test_floor_stands_at_the_count_of_the_generated_images():
    """100 images are held against the floor of 100 scans, whose FID is higher than that of 200."""
    few = image_scores.compute_floor(features_of("heldout"), features_of("train"), 100).measurements["fid"]
    assert few.n == 100
    assert few.value > held_out_200()["floor"]["fid"]["value"]


def test_worse_images_score_worse():
    """Noise on the scans and a collapse to ten raise FID and KID; noise lowers precision, collapse lowers recall."""
    images = digits.load("heldout")[0][:200]
    noise = np.random.default_rng(0).normal(0, 40, images.shape)
    noisy = np.clip(images + noise, 0, 255).astype(np.uint8)
    barely = np.clip(np.tile(images[:10], (20, 1, 1, 1)) + np.sign(noise) * (noise.astype(int) % 3), 0, 255)
    real = held_out_200()["metrics"]
    for worse, lowered in ((noisy, "precision"), (barely.astype(np.uint8), "recall")):
        found = image_scores.score_images(worse, "digits-train", floor=False)["metrics"]
        assert found["fid"]["ci_low"] > real["fid"]["ci_high"]
        assert found["kid"]["ci_low"] > real["kid"]["ci_high"]
        highest = found[lowered]["ci_high"]  # unknown where every half of the images covers nothing
        assert (found[lowered]["value"] if highest is None else highest) < real[lowered]["ci_low"]


def test_copies_of_training_scans_are_reported_not_refused():
    """Handing in training scans gives their share of copies: all."""
    train, labels = digits.load("train")
    order = np.stack([np.flatnonzero(labels == label)[:10] for label in range(10)], 1).ravel()
    result = image_scores.score_images(train[order], "digits-train", floor=False)
    assert result["audit"]["copies_share"] == 1
    assert result["audit"]["recognised_share"] == 1


def test_fewer_images_than_features_refuses_fid_alone(tmp_path, capsys):
    """40 images for 64 features: FID refuses, the rest is given and written, and the call fails at the end."""
    folder = write_folder(tmp_path / "few", digits.load("heldout")[0][:40])
    (folder / temporary_name("000040.png").replace(f".{os.getpid()}.", f".{os.getppid()}.")).touch()  # as it is filled
    with pytest.raises(CheckFailed, match="FID needs at least 65 images for 64 features, the generated images are 40"):
        score_images.score_and_print(folder, reference="digits-train", json_file=tmp_path / "scores.json")
    result = json.loads((tmp_path / "scores.json").read_text())
    assert set(result["metrics"]) == {"kid", "inception_score", "precision", "recall"}
    assert set(result["refused"]) == {"fid", "fid_clean"}
    printed = capsys.readouterr().out
    assert "refused" in printed
    assert "KID" in printed
    assert f"warning: {folder}: a process is writing into this folder" in printed


def test_json_holds_what_is_documented(tmp_path):
    """Each metric has value, unit, ci_low, ci_high and n; no path of this machine gets in; no half file stays."""
    folder = write_folder(tmp_path / "samples", digits.load("heldout")[0][:100])
    score_images.score_and_print(
        folder, reference="digits-train", features="digits", json_file=tmp_path / "scores.json"
    )
    text = (tmp_path / "scores.json").read_text()
    result = json.loads(text)
    assert {"metrics", "protocol", "environment"} <= result.keys()
    assert all(set(found) == {"value", "unit", "ci_low", "ci_high", "n"} for found in result["metrics"].values())
    assert str(tmp_path) not in text
    assert {file.name for file in tmp_path.iterdir()} == {"samples", "scores.json"}


@pytest.fixture
def bad(tmp_path):
    """Things that a user may name by mistake."""
    images = digits.load("heldout")[0]
    (tmp_path / "empty").mkdir()
    write_folder(tmp_path / "good", images[:30])
    write_folder(tmp_path / "mixed", images[:30])
    Image.new("RGB", (9, 8)).save(tmp_path / "mixed" / "zzz.png")
    write_folder(tmp_path / "broken", images[:30])
    whole = (tmp_path / "broken" / "000003.png").read_bytes()
    (tmp_path / "broken" / "000003.png").write_bytes(whole[:60])
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut short")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    np.savez(tmp_path / "float.npz", arr_0=np.zeros((4, 8, 8, 3), np.float32))
    np.savez(tmp_path / "nan.npz", arr_0=np.full((4, 8, 8, 3), np.nan, np.float32))
    np.savez(tmp_path / "nan_statistics.npz", mu=np.full(64, np.nan), sigma=np.eye(64))
    np.savez(tmp_path / "small_statistics.npz", mu=np.zeros(5), sigma=np.eye(5))
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("missing", r"no such folder, \.npz file or data set; data sets by name: digits-train, digits-heldout"),
        ("empty", r"reference .*empty: no images in this folder"),
        ("mixed", r"images of 2 sizes \(30 of 8x8, 1 of 9x8\); expected one size"),
        ("text.txt", r"neither a folder of images nor an \.npz file"),
        ("other.npz", r"expected arr_0 \(images\) or mu and sigma \(statistics\), found weights"),
        ("float.npz", r"arr_0 is float32 \(4, 8, 8, 3\); expected uint8 \(N, H, W, 3\)"),
        ("small_statistics.npz", r"statistics of 5 dimensions; features 'digits' have 64"),
    ],
)
def test_wrong_reference_is_a_usage_error(bad, reference, message):
    """A reference that is missing, empty, mixed or something else: one line that names it and what was expected."""
    with pytest.raises(UsageError, match=message) as caught:
        image_scores.score_images(bad / "good", bad / reference, features="digits")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        ("nan.npz", r"generated .*nan\.npz: NaN or infinite values in 4 of 4 images"),
        ("nan_statistics.npz", r"NaN or infinite values in mu or sigma"),
        ("broken", r"generated .*000003\.png: a broken image"),
        ("cut.npz", r"cut\.npz: not a whole \.npz file"),
    ],
)
def test_broken_samples_fail(bad, generated, message):
    """NaN samples and broken files are no usage error: the run that made them failed."""
    with pytest.raises(CheckFailed, match=message) as caught:
        image_scores.score_images(bad / generated, "digits-train")
    assert "\n" not in str(caught.value)


def test_failed_audit_means_no_score():
    """NaN pixels and repeated images are refused before anything is scored; all reasons in one line."""
    images = digits.load("heldout")[0]
    images[100:150] = images[:50]
    images[7] = 0
    with pytest.raises(CheckFailed, match=r"there is no score: 1 of 500 images are constant.*; .*equal an earlier one"):
        image_scores.score_images(images, "digits-train")
    with pytest.raises(CheckFailed, match="hold NaN"):
        image_scores.score_images(np.full((20, 3, 8, 8), np.nan, np.float32), "digits-train")


def test_nan_features_are_refused():
    """Features that are not finite give no score, whatever made them."""
    side = image_scores.Side(features_of("heldout"))
    broken = dataclasses.replace(side.features, features=np.where(np.arange(64) == 3, np.nan, side.features.features))
    with pytest.raises(CheckFailed, match="the generated images have NaN or infinite features"):
        image_scores.compute_scores(image_scores.Side(broken), side)


def test_json_into_a_missing_folder_is_refused_at_once(tmp_path):
    with pytest.raises(UsageError, match="its folder does not exist"):
        score_images.score_and_print(
            "digits-heldout", reference="digits-train", json_file=tmp_path / "no" / "scores.json"
        )


def test_wrong_size_and_type_of_arrays_are_refused():
    with pytest.raises(CheckFailed, match="images are 16x16, the reference is 8x8"):
        image_scores.score_images(
            np.arange(768, dtype=np.uint8).reshape(1, 3, 16, 16), "digits-train", features="digits"
        )
    with pytest.raises(UsageError, match="generated images are float64; expected uint8"):
        image_scores.score_images(digits.load("heldout")[0] / 255, "digits-train")


# -- classes, places and counts of images ------------------------------------------------------------------------------


def test_of_numbered_files_it_is_asked_how_many_classes_they_take_in_turn(tmp_path):
    """An extractor of photographs knows no number of classes; files with a gap between their numbers tell none."""
    folder = write_folder(tmp_path / "numbered", digits.load("heldout")[0][:20])
    told = find_classes(open_images(folder, "generated images"), None)
    assert (told.strata, told.how.partition(":")[0]) == (None, "unknown")
    assert "--classes says how many" in told.how
    assert find_classes(open_images(folder, "generated images"), 10).strata.tolist() == [*range(10)] * 2
    next(folder.glob("*3.png")).unlink()
    assert "without a gap" in find_classes(open_images(folder, "generated images"), None).how


def test_files_numbered_without_leading_zeros_keep_their_classes(tmp_path):
    """0.png, 1.png, 10.png: the interval is that of 000000.png, ...; shuffled classes are said not to fit."""
    images = digits.load("heldout")[0][:200]
    padded = write_folder(tmp_path / "padded", images)
    plain = tmp_path / "plain"
    plain.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(plain / f"{i}.png")
    found, expected = (image_scores.score_images(folder, "digits-train", floor=False) for folder in (plain, padded))
    assert found["metrics"] == expected["metrics"]
    shuffled = write_folder(tmp_path / "shuffled", images[np.random.default_rng(0).permutation(200)])
    lost = image_scores.score_images(shuffled, "digits-train", floor=False)
    assert lost["protocol"]["classes"].startswith("do not fit: a classifier recognises")
    assert "recognised_share" not in lost["audit"]
    widths = [
        one["metrics"]["inception_score"]["ci_high"] - one["metrics"]["inception_score"]["ci_low"]
        for one in (lost, expected)
    ]
    assert widths[0] > 0
    assert lost["metrics"]["fid"]["value"] == pytest.approx(expected["metrics"]["fid"]["value"], rel=1e-9)


def test_images_of_every_kind_and_place_score_alike(tmp_path):
    """Of 200 scans 80 as .webp, half of them in a folder: the FID of all 200, and the protocol says what was found."""
    images = digits.load("heldout")[0][:200]
    folder = tmp_path / "mixed"
    (folder / "more").mkdir(parents=True)
    for i, image in enumerate(images):
        suffix, options = (".webp", {"lossless": True}) if i % 5 < 2 else (".png", {})
        name = folder / ("more" if i >= 100 else ".") / f"{i}{suffix}"
        Image.fromarray(image.transpose(1, 2, 0)).save(name, **options)
    found = image_scores.score_images(folder, "digits-train", floor=False)
    assert found["metrics"]["fid"]["n"] == 200
    assert found["metrics"]["fid"]["value"] == pytest.approx(held_out_200()["metrics"]["fid"]["value"], rel=1e-9)
    assert found["protocol"]["generated"]["found"] == {"files": {".png": 120, ".webp": 80}, "folders": 2}


def test_five_images_of_five_classes_tell_no_interval():
    """Each class resamples to itself: unknown."""
    images = digits.load("heldout")[0][:5]
    found = image_scores.score_images(images, "digits-train", floor=False)["metrics"]
    assert found["kid"]["value"] < 0
    assert {(m["ci_low"], m["ci_high"]) for m in found.values()} == {(None, None)}


def test_the_subset_size_of_kid_is_the_one_taken():
    assert held_out_200()["protocol"]["kid_subset_size"] == 200


def test_more_scores_on_request(capsys):
    """--also fid_infinity prints one more row; an unknown score names the known ones."""
    score_images.score_and_print("digits-heldout", reference="digits-train", also=["fid_infinity", "sfid"])
    out = capsys.readouterr().out
    assert "FID, infinite N" in out
    assert "sFID: not run: needs a reference with mu_s and sigma_s" in out
    with pytest.raises(UsageError, match="unknown score; known: sfid, fid_infinity"):
        score_images.score_and_print("digits-heldout", reference="digits-train", also=["clip"])
