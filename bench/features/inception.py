"""Inception-v3 of the original FID code, from either file in which it goes round, with the same features:

    torch-fidelity's  a state dict, weights-inception-2015-12-05-6726825d.pth
    clean-fid's       TorchScript, inception-2015-12-05.pt; runs the code that the file holds

Both are fed alike: uint8 images of any size are resized as the original TensorFlow graph does, float images of 299 x
299 (clean-fid's own resizing, see datasets/resizing.py) go in as they are. Class posteriors are taken without the bias
of the last layer, as the original Inception Score does.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from bench.errors import CheckFailed
from reference_models.checkpoints import check_finite, read_state
from reference_models.errors import CheckpointError

INPUT_SIZE = 299
NUM_FEATURES, NUM_LOGITS = 2048, 1008
SPATIAL_CHANNELS = 7  # of the 192 of mixed_6/conv, the first so many at 17 x 17 places: 2,023 numbers (ADM's evaluator)


def build_inception(path: Path) -> nn.Module:
    """The network in a file of either kind, in float32 and eval mode. CheckFailed, in one line, for anything else.

    Its forward takes uint8 (B, 3, H, W) or float (B, 3, 299, 299) in [0, 255] and gives features (B, 2048), logits
    (B, 1008) or None, and spatial features (B, 2023) or None.
    """
    if is_torchscript(path):
        return ScriptedInception(path)
    try:
        state = read_state(path)  # before torch-fidelity, which would unpickle anything
        check_finite(state, str(path))
        return FidelityInception(path)
    except CheckpointError as error:
        raise CheckFailed(str(error)) from error
    except RuntimeError as error:  # load_state_dict, several lines long
        found = f"{len(state)} keys found, as {', '.join(list(state)[:3])}"
        expected = f"{Path(URL_INCEPTION_V3).name} or clean-fid's inception-2015-12-05.pt"
        raise CheckFailed(f"weights {path}: of another model: expected {expected}, {found}") from error


def is_torchscript(path: Path) -> bool:
    """Whether the file is an archive that holds code, as torch.jit.save writes."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def prepare(images: Tensor) -> Tensor:
    """Images as the network's first layer takes them, float32 (B, 3, 299, 299) in [-1, 1]."""
    x = images.to(torch.float32)
    if images.dtype == torch.uint8:
        x = interpolate_bilinear_2d_like_tensorflow1x(x, size=(INPUT_SIZE, INPUT_SIZE), align_corners=False)
    if x.shape[2:] != (INPUT_SIZE, INPUT_SIZE):
        raise ValueError(f"float images are {tuple(x.shape)}; expected 299 x 299")
    return (x - 128) / 128


class FidelityInception(nn.Module):
    """torch-fidelity's network, its layers called in their order."""

    def __init__(self, path: Path):
        super().__init__()
        self.network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        x, spatial = prepare(images), None
        for name, layer in self.network.named_children():
            if name == "fc":
                break
            if name == "Mixed_6d":  # TensorFlow's mixed_6; its first branch is mixed_6/conv
                planes = layer.branch1x1(x)[:, :SPATIAL_CHANNELS]  # (B, 7, 17, 17)
                spatial = planes.permute(0, 2, 3, 1).flatten(1)  # channels last, as TensorFlow lays them out
            x = layer(x)
        features = x.flatten(1)
        return features, features @ self.network.fc.weight.T, spatial


class ScriptedInception(nn.Module):
    """clean-fid's network: its `layers` on images that we have prepared, then its last layer's weights."""

    def __init__(self, path: Path):
        super().__init__()
        try:
            self.network: Any = torch.jit.load(str(path), map_location="cpu").eval()
            self.layers: Any = self.network.layers
            tensors = self.network.state_dict().values()
        except (RuntimeError, AttributeError, ValueError) as error:
            raise CheckFailed(
                f"weights {path}: TorchScript of another model, or damaged: expected clean-fid's "
                f"inception-2015-12-05.pt ({str(error).splitlines()[0][:100]})"
            ) from error
        last = next((t for t in tensors if set(t.shape) == {NUM_LOGITS, NUM_FEATURES}), None)
        if last is not None and last.shape[0] != NUM_LOGITS:
            last = last.T
        self.register_buffer("last", None if last is None else last.detach().float(), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        features = self.layers(prepare(images)).reshape(len(images), -1)
        if features.shape[1] != NUM_FEATURES:
            raise CheckFailed(f"the TorchScript gives {features.shape[1]} features; expected {NUM_FEATURES}")
        return features, None if self.last is None else features @ self.last.T, None
