"""`score images` against references: files of images, files of statistics, and what is refused as one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.commands import score_images
from bench.datasets import digits
from bench.errors import CheckFailed, UsageError
from bench.evaluators import image_scores
from bench.evaluators.saved_statistics import named_statistics
from bench.features import sqrtm_cache
from bench.metrics import kid
from bench.metrics.fid import compute_statistics, frechet_distance
from tests.digit_scans import features_of, held_out_200, write_folder


def test_adm_files(tmp_path):
    """ADM's layout: images score as the data set does; statistics give the FID and nothing else that needs images."""
    train = digits.load("train")[0]
    np.savez(tmp_path / "images.npz", arr_0=train.transpose(0, 2, 3, 1))
    mu, sigma = compute_statistics(features_of("train").features)
    np.savez(tmp_path / "statistics.npz", mu=mu, sigma=sigma)
    np.savez(tmp_path / "both.npz", arr_0=train[:400].transpose(0, 2, 3, 1), mu=mu, sigma=sigma)
    held_out = digits.load("heldout")[0][:200]
    images, statistics, both = (
        image_scores.score_images(held_out, tmp_path / f"{name}.npz", features="digits")
        for name in ("images", "statistics", "both")
    )
    expected = held_out_200()["metrics"]
    floored = (features_of("heldout").features[:200], features_of("train").features, np.arange(200) % 10)
    assert expected["kid"]["value"] != images["metrics"]["kid"]["value"]  # the file does not tell the scans' classes
    expected = expected | {"kid": {"value": kid.compute_kid(*floored[:2], strata=floored[2])}}
    assert {name: m["value"] for name, m in images["metrics"].items()} == pytest.approx(
        {name: m["value"] for name, m in expected.items()}, rel=1e-10
    )
    assert set(statistics["metrics"]) == {"fid", "fid_clean", "inception_score"}
    assert statistics["metrics"]["fid"]["value"] == pytest.approx(expected["fid"]["value"], rel=1e-10)
    assert statistics["not_run"] == dict.fromkeys(("kid", "precision", "recall"), "needs images, statistics given")
    # the statistics in the file win over those of its fewer images, as in ADM's evaluator
    assert both["metrics"]["fid"]["value"] == pytest.approx(expected["fid"]["value"], rel=1e-10)
    assert both["metrics"]["recall"]["value"] != expected["recall"]["value"]


def test_released_statistics_are_a_reference_by_their_name(tmp_path, monkeypatch):
    """As `doctor` prints it; missing: the path that was looked at and the command that gets it."""
    monkeypatch.setenv("ARBITER_ASSETS", str(tmp_path))
    np.savez(tmp_path / "a.npz", mu=np.zeros(5), sigma=np.eye(5))
    with pytest.raises(UsageError, match=r"adm-imagenet-256 is missing: .*python -m bench fetch adm-imagenet-256"):
        image_scores.score_images(tmp_path / "a.npz", "adm-imagenet-256")
    mu, sigma = np.ones(2048), np.eye(2048)
    np.savez(tmp_path / "VIRTUAL_imagenet256_labeled.npz", mu=mu, sigma=sigma)
    by_name, by_path = (
        named_statistics(name) for name in ("adm-imagenet-256", tmp_path / "VIRTUAL_imagenet256_labeled.npz")
    )
    assert by_name == by_path


def test_statistics_on_both_sides_need_no_extractor(tmp_path):
    """FID of two files of statistics: the closed form for diagonal covariances."""
    np.savez(tmp_path / "a.npz", mu=np.zeros(5), sigma=np.eye(5))
    np.savez(tmp_path / "b.npz", mu=np.ones(5), sigma=4 * np.eye(5))
    result = image_scores.score_images(tmp_path / "a.npz", tmp_path / "b.npz")
    assert result["metrics"]["fid"]["value"] == pytest.approx(5 + 5)  # |m|^2 + sum (2 - 1)^2
    assert result["metrics"]["fid"]["ci_low"] is None
    assert set(result["not_run"]) == {"kid", "inception_score", "precision", "recall"}


def test_the_root_of_reference_statistics_is_kept_between_runs(tmp_path, monkeypatch):
    """Scoring against an .npz of statistics keeps its root; scoring again reads it, with the same FID and interval."""
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sqrtm_cache, "SMALLEST_KEPT", 1)
    mu, sigma = compute_statistics(features_of("train").features)
    np.savez(tmp_path / "reference.npz", mu=mu, sigma=sigma)

    def scored():
        return image_scores.score_images(digits.load("heldout")[0][:200], tmp_path / "reference.npz", features="digits")

    first = scored()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    monkeypatch.setattr(sqrtm_cache, "square_root", None)  # nothing is made again
    assert scored()["metrics"] == first["metrics"]


def test_saved_statistics_score_as_the_images_do(tmp_path, capsys):
    """mu and sigma of the training scans, written by the command line, give the FID that the scans give."""
    folder = write_folder(tmp_path / "train", digits.load("train")[0])
    score_images.score_and_print(folder, reference=None, save_statistics=tmp_path / "s.npz")
    assert "1297 images" in capsys.readouterr().out
    found = image_scores.score_images(digits.load("heldout")[0][:200], tmp_path / "s.npz", floor=False)
    assert found["metrics"]["fid"]["value"] == pytest.approx(held_out_200()["metrics"]["fid"]["value"], rel=1e-9)
    with np.load(tmp_path / "s.npz") as file:
        assert (int(file["n"]), str(file["extractor"]), str(file["resize"])) == (1297, "digits", "none")


@pytest.mark.parametrize(
    ("key", "value"),
    [("extractor", "inception"), ("extractor_sha256", "abc"), ("resize", "adm to 8x8"), ("image_size", (16, 16))],
)
def test_statistics_made_another_way_are_refused(tmp_path, key, value):
    mu, sigma = compute_statistics(features_of("train").features)
    np.savez(tmp_path / "s.npz", mu=mu, sigma=sigma, **{key: np.array(value)})
    with pytest.raises(UsageError, match=f"its statistics were made with {key} .*expected the same"):
        image_scores.score_images(digits.load("heldout")[0][:200], tmp_path / "s.npz", floor=False)


def test_generated_statistics_beside_images_tell_no_interval(tmp_path):
    """FID of the statistics, n of the file or unknown, no interval; what rests on the images has its own."""
    mu, sigma = compute_statistics(features_of("heldout").features)
    images = digits.load("heldout")[0][:200].transpose(0, 2, 3, 1)
    np.savez(tmp_path / "both.npz", arr_0=images, mu=mu, sigma=sigma)
    np.savez(tmp_path / "told.npz", arr_0=images, mu=mu, sigma=sigma, n=500)
    for name, num in (("both", None), ("told", 500)):
        found = image_scores.score_images(tmp_path / f"{name}.npz", "digits-train", floor=False)["metrics"]
        assert (found["fid"]["ci_low"], found["fid"]["ci_high"], found["fid"]["n"]) == (None, None, num)
        assert found["precision"]["n"] == 200
        assert found["precision"]["ci_low"] is not None


@pytest.mark.parametrize("fault", ["black", "repeated"])
def test_a_reference_that_is_no_collection_is_refused(fault):
    """Black or repeated images as the reference: no score, whose fault it is and why."""
    images = digits.load("train")[0][:200].copy()
    images[50:] = 0 if fault == "black" else np.tile(images[:50], (3, 1, 1, 1))
    reference = image_scores.Source("r", images, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_scores, "open_images", lambda source, *_: reference)
        with pytest.raises(CheckFailed, match="the audit of the reference failed, so there is no score: 150 of 200"):
            image_scores.score_images(digits.load("heldout")[0][:100], "r", floor=False)


def test_spatial_statistics_give_sfid():
    """Where the reference has them and the features too: the Frechet distance of the spatial features; else not run."""
    rng = np.random.default_rng(0)
    spatial = rng.standard_normal((300, 6)).astype(np.float32)
    ours = dataclasses.replace(features_of("heldout"), spatial=np.concatenate([spatial, spatial[:200] + 1]))
    reference = image_scores.Side(features_of("train"), spatial=(np.zeros(6), np.eye(6)))
    found = image_scores.compute_scores(image_scores.Side(ours), reference, names=("sfid",))
    expected = frechet_distance(np.zeros(6), np.eye(6), *compute_statistics(ours.spatial))
    assert list(found.measurements) == ["sfid"]
    assert found.measurements["sfid"].value == pytest.approx(expected, rel=1e-9)
    assert found.measurements["sfid"].ci_low < expected < found.measurements["sfid"].ci_high
    plain = image_scores.compute_scores(image_scores.Side(features_of("heldout")), reference, names=("sfid",))
    assert "mu_s and sigma_s" in plain.not_run["sfid"]
