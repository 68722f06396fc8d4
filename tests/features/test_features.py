"""Feature extractors: accuracy, independence of the batch, agreement with torch-fidelity, missing weights."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bench.datasets import digits
from bench.errors import CheckFailed, UsageError
from bench.features import digits_network, extractors


@functools.cache
def extractor():
    return extractors.Extractor("digits")


def test_digits_extractor_reads_held_out_scans():
    """At least 98 % of the 500 held-out scans are recognised, as the shipped file's own metadata says."""
    images, labels = digits.load("heldout")
    accuracy = (extractor()(images).posteriors.argmax(1) == labels).mean()
    assert accuracy >= 0.98
    with safe_open(digits_network.DIGITS_WEIGHTS, "pt") as file:
        metadata = file.metadata()
    assert metadata["held_out_accuracy"] == f"{accuracy:.4f}"
    assert metadata["command"].startswith("python -m bench.features --seed ")


def test_shapes_and_types():
    """Features (N, 64) and posteriors (N, 10) that sum to one, float64."""
    found = extractor()(digits.load("heldout")[0][:7])
    assert found.features.shape == (7, 64)
    assert found.posteriors.shape == (7, 10)
    assert found.features.dtype == found.posteriors.dtype == np.float64
    np.testing.assert_allclose(found.posteriors.sum(1), 1, rtol=1e-12)  # a float64 softmax


def test_features_do_not_depend_on_the_batch():
    """An image's features are the same alone, among others, and in another place."""
    images = digits.load("heldout")[0]
    whole = extractor()(images)
    # float64 rounding; float32 would give 1e-6
    np.testing.assert_allclose(extractor()(images[:1]).features, whole.features[:1], atol=1e-12)
    np.testing.assert_allclose(extractor()(images[::-1]).features[::-1], whole.features, atol=1e-12)
    np.testing.assert_allclose(extractor()(images[:333]).features, whole.features[:333], atol=1e-12)


def test_feature_covariance_has_full_rank():
    """No feature is dead: Frechet distances of the 64 features need no regularising."""
    found = extractor()(digits.load("train")[0]).features
    eigenvalues = np.linalg.eigvalsh(np.cov(found, rowvar=False))
    assert eigenvalues[0] > 1e-5 * eigenvalues[-1]  # far above float64's 1e-16


def test_training_is_deterministic_and_learns():
    """The same seed gives the same weights, another seed others; the loss falls; the caller's random state stays."""
    losses: list[float] = []
    state = torch.get_rng_state()
    first = digits_network.train_digits(0, 12, lambda step, loss: losses.append(loss))
    assert torch.equal(torch.get_rng_state(), state)
    again, other = digits_network.train_digits(0, 12), digits_network.train_digits(1, 12)
    for key, value in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=0, atol=0)
    assert not torch.equal(other.classify.weight, first.classify.weight)
    assert losses[-1] < 0.8 * losses[0]


def test_unknown_extractor_names_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown feature extractor 'vgg'; known: digits, inception"):
        extractors.Extractor("vgg")


def test_wrong_image_size_is_refused():
    with pytest.raises(UsageError, match=r"take images of 8x8, got 16x12"):
        extractor()(np.zeros((2, 3, 12, 16), np.uint8))


def test_missing_inception_weights_are_named_not_downloaded(tmp_path, monkeypatch):
    """Without its weights on disk `inception` says in one line what to get and where to put it."""
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("tried to download"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        CheckFailed, match=r"needs weights .*weights-inception-2015.*download https://.*--weights"
    ) as caught:
        extractors.Extractor("inception")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "other model", "text"])
def test_bad_weights_are_one_line(damage, tmp_path):
    """A weights file that is cut short, of another model, or no weights at all: one line that names the file."""
    path = tmp_path / "weights.safetensors"
    if damage == "truncated":
        path.write_bytes(digits_network.DIGITS_WEIGHTS.read_bytes()[:1000])
    elif damage == "other model":
        save_file({"stem.weight": torch.zeros(2)}, path)
    else:
        path.write_text("hello")
    for name in ("digits", "inception"):
        with pytest.raises(CheckFailed, match=r"weights\.safetensors") as caught:
            extractors.Extractor(name, path)
        assert "\n" not in str(caught.value)


def test_given_weights_are_used(tmp_path):
    """--weights takes another training of the same network, and the record can tell them apart."""
    state = load_file(digits_network.DIGITS_WEIGHTS)
    state["classify.bias"] += 1.0
    state["classify.weight"][0] = 0
    save_file(state, tmp_path / "other.safetensors")
    other = extractors.Extractor("digits", tmp_path / "other.safetensors")
    assert other.weights_sha256 != extractor().weights_sha256
    images = digits.load("heldout")[0][:20]
    assert not np.allclose(other(images).posteriors, extractor()(images).posteriors)


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory):
    """Inception's file with random weights, made through torch-fidelity's own class."""
    from torch_fidelity import feature_extractor_inceptionv3 as module

    built = {}
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patch.setattr(module, "load_state_dict_from_url", lambda *a, **k: built)
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


def test_inception_is_torch_fidelitys(inception_weights):
    """Our route through a weights file gives what torch-fidelity's own extractor gives on the same images."""
    from torch_fidelity.utils import create_feature_extractor

    images = np.repeat(np.repeat(digits.load("heldout")[0][:2], 4, axis=2), 4, axis=3)
    kind = extractors.EXTRACTORS["inception"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            extractors.EXTRACTORS, "inception", dataclasses.replace(kind, chunk=3)
        )  # a full chunk takes seconds
        ours = extractors.Extractor("inception", inception_weights)(images)
    theirs = create_feature_extractor(
        "inception-v3-compat",
        ["2048", "logits_unbiased"],
        cuda=False,
        feature_extractor_weights_path=str(inception_weights),
        verbose=False,
    )(torch.from_numpy(images))
    # float32 convolutions in another batch size: 1e-7 of the largest value per layer, some hundred layers deep
    scale = theirs[0].abs().max().item()
    assert scale > 0
    np.testing.assert_allclose(ours.features, theirs[0].numpy(), atol=1e-4 * scale)
    np.testing.assert_allclose(ours.posteriors, theirs[1].double().softmax(1).numpy(), atol=1e-5)
