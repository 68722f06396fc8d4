"""Feature extractors: accuracy, independence of the batch, agreement with torch-fidelity, missing weights."""

from __future__ import annotations

import dataclasses
import functools
import os

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bench.datasets import digits
from bench.errors import CheckFailed, UsageError
from bench.features import digits_network, extractors, kinds
from bench.features.dinov2 import DinoV2
from bench.features.inception import build_inception
from bench.features.reference_cache import reference_features


@functools.cache
def extractor():
    return extractors.Extractor("digits")


def test_digits_extractor_reads_held_out_scans():
    """At least 98 % of the 500 held-out scans are recognised, as the shipped file's own metadata says."""
    images, labels = digits.load("heldout")
    accuracy = (extractor()(images).posteriors.argmax(1) == labels).mean()
    assert accuracy >= 0.98
    with safe_open(kinds.DIGITS_WEIGHTS, "pt") as file:
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
    with pytest.raises(UsageError, match=r"unknown feature extractor 'vgg'; known: digits, inception, dinov2"):
        extractors.Extractor("vgg")


def test_wrong_image_size_is_refused():
    with pytest.raises(UsageError, match=r"take images of 8x8, got 16x12"):
        extractor()(np.zeros((2, 3, 12, 16), np.uint8))


def test_missing_inception_weights_are_named_not_downloaded(tmp_path, monkeypatch):
    """Without its weights on disk `inception` says in one line what to get and where to put it."""
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("tried to download"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        CheckFailed,
        match=r"needs weights .*weights-inception-2015.*bench fetch inception; .*--weights",
    ) as caught:
        extractors.Extractor("inception")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "other model", "text"])
def test_bad_weights_are_one_line(damage, tmp_path):
    """A weights file that is cut short, of another model, or no weights at all: one line that names the file."""
    path = tmp_path / "weights.safetensors"
    if damage == "truncated":
        path.write_bytes(kinds.DIGITS_WEIGHTS.read_bytes()[:1000])
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
    state = load_file(kinds.DIGITS_WEIGHTS)
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
    kind = kinds.EXTRACTORS["inception"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(kinds.EXTRACTORS, "inception", dataclasses.replace(kind, chunk=3))  # a full chunk takes seconds
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


class Scripted(torch.nn.Module):
    """Inception as clean-fid's file lays it out: `layers` up to the pooled features, `output` after them."""

    class Layers(torch.nn.Module):
        def __init__(self, parts):
            super().__init__()
            self.parts = parts

        def forward(self, x):
            return self.parts(x).flatten(1)

    def __init__(self, network):
        super().__init__()
        parts = [layer for name, layer in network.named_children() if name != "fc"]
        example = torch.zeros(1, 3, 299, 299)
        self.layers = torch.jit.trace(self.Layers(torch.nn.Sequential(*parts)).eval(), example, check_trace=False)
        self.output = network.fc

    def forward(self, x):
        return self.output(self.layers(x))


@pytest.fixture(scope="module")
def scripted_weights(inception_weights, tmp_path_factory):
    """The same random weights in TorchScript."""
    network = build_inception(inception_weights).network
    path = tmp_path_factory.mktemp("scripted") / "inception-2015-12-05.pt"
    torch.jit.script(Scripted(network).eval()).save(str(path))
    return path


def test_both_inception_files_give_the_same_features(inception_weights, scripted_weights):
    """torch-fidelity's state dict and clean-fid's TorchScript on equal weights: features and posteriors to 1e-5.

    For uint8 images of any size and for float images of 299 x 299 alike; only the first has spatial features.
    """
    pixels = np.repeat(np.repeat(digits.load("heldout")[0][:2], 4, axis=2), 4, axis=3)
    one, other = build_inception(inception_weights), build_inception(scripted_weights)
    floats = 255 * torch.rand((2, 3, 299, 299), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for images in (torch.from_numpy(pixels), floats):
            ours, theirs = one(images), other(images)
            scale = ours[0].abs().max()
            assert scale > 0
            assert (ours[0] - theirs[0]).abs().max() <= 1e-5 * scale
            assert (ours[1].softmax(1) - theirs[1].softmax(1)).abs().max() <= 1e-5
            assert ours[2].shape == (2, 2023)
            assert theirs[2] is None


def test_spatial_features_are_the_first_channels_of_mixed_6(inception_weights):
    """Seven channels of the first branch, at 17 x 17 places, channels last as ADM's statistics have them."""
    network = build_inception(inception_weights)
    planes = []
    network.network.Mixed_6d.branch1x1.register_forward_hook(lambda _, __, out: planes.append(out.clone()))
    with torch.inference_mode():
        spatial = network(torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8))[2]
    assert planes[0].shape == (1, 192, 17, 17)
    assert spatial[0, 7 * (17 * 3 + 5) + 2] == planes[0][0, 2, 3, 5]


def test_torchscript_of_another_model_is_one_line(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "a.pt"))
    with pytest.raises(CheckFailed, match=r"weights .*a\.pt: TorchScript of another model"):
        extractors.Extractor("inception", tmp_path / "a.pt")


def test_extraction_is_float32_with_cudnn_on_and_deterministic():
    """Whatever precision was set before: no TF32, no autocast; afterwards all is as it was."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        enabled, deterministic = torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic
        with torch.autocast("cpu", torch.bfloat16), extractors.exact_kernels():
            assert torch.backends.cudnn.enabled
            assert torch.backends.cudnn.deterministic
            assert not torch.backends.cudnn.allow_tf32
            assert torch.get_float32_matmul_precision() == "highest"
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert torch.get_float32_matmul_precision() == "medium"
        assert (torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic) == (enabled, deterministic)
    finally:
        torch.set_float32_matmul_precision(before)


class Counting(torch.nn.Module):
    """A tiny network of any image size that counts the images it sees."""

    seen = 0

    def __init__(self, path):
        super().__init__()
        self.path = path

    def forward(self, images):
        Counting.seen += len(images)
        features = images.float().mean((2, 3))
        return features, features, None


def test_reference_features_are_made_once(tmp_path, monkeypatch):
    """Another model against the same reference reads them; other images, other weights and a damaged file do not."""
    monkeypatch.setenv("ARBITER_CACHE", str(tmp_path / "cache"))
    kind = dataclasses.replace(kinds.EXTRACTORS["inception"], network=f"{__name__}:Counting", num_features=3)
    monkeypatch.setitem(kinds.EXTRACTORS, "counting", kind)
    (tmp_path / "weights").write_text("a")
    images = np.random.default_rng(0).integers(0, 256, (300, 3, 4, 4), dtype=np.uint8)

    def read(pixels, content):
        Counting.seen = 0
        found = reference_features(extractors.Extractor("counting", tmp_path / "weights"), pixels, content)
        np.testing.assert_allclose(found.features, pixels.mean((2, 3)), rtol=1e-5)
        return Counting.seen > 0

    assert read(images, "one")
    assert not read(images, "one")
    assert read(images[::-1], "two")
    for kept in (tmp_path / "cache").iterdir():
        content = bytearray(kept.read_bytes())
        content[200] ^= 1
        kept.write_bytes(content)
    assert read(images, "one")
    assert not read(images, "one")
    (tmp_path / "weights").write_text("b")
    assert read(images, "one")
    assert not read(images, "one")
    found = os.stat

    def refused(path, **how):
        """As in a folder of another user."""
        if "features-" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return found(path, **how)

    monkeypatch.setattr(os, "stat", refused)
    assert read(images, "one")


def test_dinov2_reads_its_file_and_depends_on_each_image_alone(tmp_path, monkeypatch):
    """A small file in the released layout, positions of 37 x 37; keys of another model are one line."""
    torch.manual_seed(0)
    network = DinoV2(width=64, depth=2, num_positions=1 + 37 * 37)
    torch.nn.init.normal_(network.pos_embed)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    assert network.positions().shape == (1, 257, 64)
    kind = dataclasses.replace(kinds.EXTRACTORS["dinov2"], chunk=4, num_features=64)
    monkeypatch.setitem(kinds.EXTRACTORS, "dinov2", kind)
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 20, 30), dtype=np.uint8)
    found = extractors.Extractor("dinov2", tmp_path / "a.pth")(images)
    assert found.features.shape == (5, 64)
    assert found.posteriors.shape == (5, 0)
    alone = extractors.Extractor("dinov2", tmp_path / "a.pth")(images[4:])
    np.testing.assert_allclose(alone.features, found.features[4:], atol=1e-5)
    torch.save({"stem.weight": torch.zeros(2)}, tmp_path / "b.pth")
    with pytest.raises(CheckFailed, match=r"b\.pth: of another model: expected dinov2_vitl14"):
        extractors.Extractor("dinov2", tmp_path / "b.pth")
