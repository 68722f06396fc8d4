"""The road to a printed FID: files in the authors' formats below $ARBITER_ASSETS, one plan, records, verdicts.

The networks are small and their weights random, so the verdicts are "not reproduced" or "inconclusive"; that they are
given at all is what is tested, with every step between: assets, loading, published conditions, store, features, scores.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import bench.run
import reference_models
from bench import assets
from bench.claims import CLAIMS
from bench.evaluators.image_scores import score_images
from bench.evaluators.images import collect
from bench.features import kinds
from bench.models import build_for
from bench.plan import make_plan
from bench.protocols import PROTOCOLS
from bench.published import PUBLISHED, Precision
from bench.records.schema import RunSpec
from bench.records.store import WORK, load_records
from bench.run import run_plan
from bench.verdict.judge import judge
from reference_models.sizes.autoencoders import AUTOENCODERS
from tests.official import small
from tests.stand_ins import FEATURES, SPATIAL

MODELS = {"transdiff-h": "transdiff", "transdiff-mrar-h": "transdiff-mrar"}
QUALITY = "imagenet-256-quality"
NUM_IMAGES = 20  # two of each class
AUTOENCODER = {"latent_channels": 16, "channels": 32, "channel_mult": (1, 1, 1, 1, 1), "scale": 0.2325}


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """A folder with every released file of two models, small, and the suite made to know them at that size."""
    root = tmp_path_factory.mktemp("assets")
    paper = reference_models.specs()
    tiny = {}
    for name, case in MODELS.items():
        spec, state = small(case)
        sampling = {**paper[name].sampling, "num_steps": 4}
        tiny[name] = replace(paper[name], config=spec.config, sampling=sampling)
        put(root, name, {"model_ema": state, "model": {key: value * 0 for key, value in state.items()}})
    kl = replace(AUTOENCODERS["kl-16"], config=AUTOENCODER)
    with torch.random.fork_rng(devices=[]):
        put(root, "kl-16", {"model": kl.network(**kl.config).state_dict()})
    generator = np.random.default_rng(0)
    weight = torch.from_numpy(generator.normal(size=(3 * 64, FEATURES + 10 + SPATIAL))).float()
    put(root, "inception", {"weight": weight})
    features = generator.normal(size=(64, FEATURES))
    spatial = generator.normal(size=(64, SPATIAL))
    path = root / assets.find("adm-imagenet-256").path
    path.parent.mkdir(parents=True)
    np.savez(
        path,
        arr_0=generator.integers(0, 256, (16, 256, 256, 3), np.uint8),
        mu=features.mean(0),
        sigma=np.cov(features, rowvar=False),
        mu_s=spatial.mean(0),
        sigma_s=np.cov(spatial, rowvar=False),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARBITER_ASSETS", str(root))
        patch.setattr(reference_models, "specs", lambda: tiny)
        patch.setattr(bench.run, "num_workers", lambda device: 1)  # a child would not know the small models
        patch.setitem(AUTOENCODERS, "kl-16", kl)
        precise = replace(PUBLISHED["transdiff-h", ""], precision=Precision())  # float16 on a CPU takes minutes
        for name in MODELS:
            patch.setitem(PUBLISHED, (name, ""), replace(precise, model=name, sampling=tiny[name].sampling))
        patch.setitem(
            kinds.EXTRACTORS,
            "inception",
            replace(kinds.EXTRACTORS["inception"], network="tests.stand_ins:SmallExtractor", num_features=FEATURES),
        )
        patch.setitem(PROTOCOLS, QUALITY, replace(PROTOCOLS[QUALITY], num_images=NUM_IMAGES, batch_size=5))
        yield root


def put(root, name, content):
    path = root / assets.find(name).path
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)


def runs_of(results):
    plan = make_plan(scale="imagenet-256", only=list(MODELS), quick=False, device="cpu", results=results)
    return replace(plan, runs=tuple(r for r in plan.runs if r.spec.protocol.name == QUALITY and r.spec.model in MODELS))


@pytest.fixture(scope="module")
def measured(laboratory, tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    plan = runs_of(results)
    assert [(run.spec.model, run.lacks) for run in plan.runs] == [(name, ()) for name in MODELS]
    assert run_plan(plan) == []
    return results


def test_the_printed_numbers_get_their_verdicts(measured):
    records = load_records([measured]).records
    claims = {claim.id: claim for claim in CLAIMS}
    for name in ("transdiff-fid", "transdiff-inception-score", "mrar-fid"):
        verdict = judge(claims[name], records)[0]
        assert verdict.word in ("not reproduced", "inconclusive", "reproduced"), verdict
        assert verdict.value is not None


def test_a_record_says_what_it_was_made_of(measured, laboratory):
    for record in load_records([measured]).records:
        assert {"fid", "fid_clean", "sfid", "kid", "inception_score", "precision", "recall"} <= set(record.measurements)
        assert record.inputs.weights_origin == "released"
        assert record.inputs.weights_sha256 == assets.checksum(assets.find(record.model))
        assert record.inputs.files["autoencoder"] == assets.checksum(assets.find("kl-16"))
        assert record.inputs.files["adm-imagenet-256"] == assets.checksum(assets.find("adm-imagenet-256"))
        assert record.images.samples.precision == "float32"
        assert record.images.samples.weights_entry == "model_ema"
        assert record.images.samples.labels == "balanced"
        assert record.images.audit.num_images == NUM_IMAGES


@pytest.mark.parametrize("entries", [["model_ema", "model"], ["ema_state_dict"], ["model"]])
def test_which_entry_of_the_released_file_was_taken_is_said(laboratory, tmp_path, capsys, entries):
    """Where they are known to be, under another name, and where there is no average at all."""
    path = assets.require("transdiff-h")
    before = path.read_bytes()
    state = torch.load(path, weights_only=True)["model_ema"]
    torch.save(dict.fromkeys(entries, state), path)
    assets.accept(assets.find("transdiff-h"))
    try:
        assert build_for("transdiff-h", PROTOCOLS[QUALITY], "cpu", tmp_path).weights_entry == entries[0]
        assert f"transdiff-h: weights: entry {entries[0]!r} of {path}" in capsys.readouterr().out
    finally:
        path.write_bytes(before)
        assets.accept(assets.find("transdiff-h"))


def test_scores_of_what_was_kept_are_those_of_the_pixels(measured, laboratory):
    """The streamed road against the one that `bench score images` takes, to the last digit."""
    run = RunSpec("transdiff-h", PROTOCOLS[QUALITY])
    record = next(r for r in load_records([measured]).records if r.model == run.model)
    model = build_for(run.model, run.protocol, "cpu", measured / WORK)
    pixels = collect(model, run, measured / WORK).images()
    assert len(pixels) == NUM_IMAGES
    names = ["fid", "sfid", "inception_score", "kid", "precision", "recall"]
    scores = score_images(
        pixels, assets.require("adm-imagenet-256"), features="inception", floor=False, names=names, num_classes=10
    )
    for name in names:
        assert record.measurements[name].value == scores["metrics"][name]["value"], name


@pytest.mark.parametrize("name", ["transdiff-h", "kl-16", "adm-imagenet-256", "inception"])
def test_what_is_not_there_is_named_before_anything_runs(laboratory, tmp_path, name):
    path = assets.require(name)
    hidden = path.with_name(path.name + ".elsewhere")
    path.rename(hidden)
    try:
        run = next(run for run in runs_of(tmp_path).runs if run.spec.model == "transdiff-h")
        assert any(f"{name} is missing: {path}" in lack for lack in run.lacks), run.lacks
    finally:
        hidden.rename(path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"mu": np.zeros(FEATURES + 1), "sigma": np.eye(FEATURES + 1)}, f"of {FEATURES + 1} dimensions"),
        ({"arr_0": np.zeros((16, 128, 128, 3), np.uint8)}, "of images of 128x128; expected 256x256"),
        (
            {"mu_s": np.zeros(2023), "sigma_s": np.eye(2023)},
            f"of 2023 dimensions; this extractor's spatial have {SPATIAL}",
        ),
        ({"mu": None, "sigma": None}, "holds no mu and sigma; expected the statistics of the whole training set"),
    ],
)
def test_a_reference_that_does_not_fit_ends_the_run_before_an_image_is_made(
    laboratory, tmp_path, monkeypatch, changed, words
):
    """Statistics of another extractor, images of another resolution: hours of generating would be lost."""
    path = laboratory / assets.find("adm-imagenet-256").path
    before = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{name: array for name, array in (arrays | changed).items() if array is not None})
    assets.accept(assets.find("adm-imagenet-256"))
    monkeypatch.setattr("bench.sampling.images.generate_batch", lambda *a, **k: pytest.fail("generated"))
    try:
        plan = runs_of(tmp_path)
        (failed,) = run_plan(replace(plan, runs=plan.runs[:1]))
        assert words in failed.reason
    finally:
        path.write_bytes(before)
        assets.accept(assets.find("adm-imagenet-256"))


def test_a_reference_with_a_flipped_bit_ends_the_run_before_an_image_is_made(laboratory, tmp_path, monkeypatch):
    """In an image of it, which no score looks at before all is generated; its first use here, so that no checksum is
    known but the archive's own."""
    path = laboratory / assets.find("adm-imagenet-256").path
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    assets.accept(assets.find("adm-imagenet-256"))
    monkeypatch.setattr("bench.sampling.images.generate_batch", lambda *a, **k: pytest.fail("generated"))
    try:
        plan = runs_of(tmp_path)
        (failed,) = run_plan(replace(plan, runs=plan.runs[:1]))
        assert "arr_0.npy does not have its checksum" in failed.reason
    finally:
        path.write_bytes(before)
        assets.accept(assets.find("adm-imagenet-256"))
