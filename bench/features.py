"""Feature extractors by name, as torch-fidelity knows them: `inception` (for photographs) and `digits` (for 8x8 scans).

`digits` is a small CNN trained on the 1,297 training scans; its weights ship beside this file. Train it again:

    python -m bench.features --out bench/features-digits.safetensors      # 1-2 minutes on one core; prints the accuracy

An image's features depend on that image alone: extraction works in chunks of one fixed size, the last one filled up, so
that no caller's batch size reaches them (torch-fidelity issue 43: batch size changes Inception's features).
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

from bench.datasets import Images, chunks, digits, scenes
from bench.records import CheckFailed, UsageError
from reference_models.checkpoints import CheckpointError, load_into, read_state

DIGITS_WEIGHTS = Path(__file__).parent / "features-digits.safetensors"
NUM_STEPS = 1000
BATCH_SIZE = 128
PEAK_LR = 3e-3


# -- the network for 8x8 scans -----------------------------------------------------------------------------------------


def _conv(in_channels: int, out_channels: int) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.GELU())


class DigitsNetwork(nn.Module):
    """Four convolutions, 64 features, ten classes; 131,370 parameters.

    The features come before any non-linearity and are normalised without gain, so each has a variance of about 1 on the
    training scans and their covariance has full rank: a Frechet distance of 64 would be a whole cloud's width.
    """

    def __init__(self) -> None:
        super().__init__()
        pool = nn.MaxPool2d(2)
        self.body = nn.Sequential(_conv(1, 32), _conv(32, 32), pool, _conv(32, 64), _conv(64, 64), nn.Flatten())
        self.dropout = nn.Dropout(0.2)
        self.features = nn.Linear(64 * 4 * 4, 64, bias=False)
        self.norm = nn.BatchNorm1d(64, affine=False)
        self.classify = nn.Linear(64, digits.NUM_CLASSES)

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """(features (B, 64), logits (B, 10)) of grey (B, 1, 8, 8) in [-1, 1]."""
        features = self.norm(self.features(self.dropout(self.body(grey))))
        return features, self.classify(self.dropout(features))


def _grey(images: Tensor) -> Tensor:
    """uint8 (B, 3, 8, 8) -> (B, 1, 8, 8) in [-1, 1], in the default dtype; colour is averaged away."""
    return images.to(torch.get_default_dtype()).mean(1, keepdim=True) / 127.5 - 1


class DigitsExtractor(FeatureExtractorBase):
    """DigitsNetwork as a torch-fidelity feature extractor: layers "features" and "logits".

    Runs in float64: the network is tiny, and rounding then stays below 1e-12 whatever batch torch-fidelity forms.
    """

    def __init__(
        self, name: str, features_list: list[str], feature_extractor_weights_path: str | None = None, **kwargs: object
    ):
        super().__init__(name, features_list)
        path = feature_extractor_weights_path or str(DIGITS_WEIGHTS)
        self.network = DigitsNetwork()
        load_into(self.network, read_state(path), path)
        self.network.double().eval().requires_grad_(False)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "features", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return {"isc": "logits", "fid": "features", "kid": "features", "prc": "features"}[metric]

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        features, logits = self.network(input.double().mean(1, keepdim=True) / 127.5 - 1)
        return tuple({"features": features, "logits": logits}[layer] for layer in self.features_list)


# -- extraction --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Features:
    """What the metrics take, float64, one row per image."""

    features: np.ndarray  # (N, D)
    posteriors: np.ndarray  # (N, K), class probabilities


@dataclass(frozen=True)
class Kind:
    """A row of EXTRACTORS."""

    what: str  # one sentence for the reader of a report
    registered: str  # its name in torch-fidelity's registry
    chunk: int  # images per forward pass, always
    num_features: int
    image_size: int | None  # the one size it takes; None: any, resized as the original Inception graph does
    num_classes: int | None  # where class k of its posteriors is label k of the generator; None: other classes
    weights: Callable[[], Path]  # where its weights lie if no file is named
    get_weights: str  # how to get them


EXTRACTORS: dict[str, Kind] = {
    "digits": Kind(
        what="CNN trained on the 1,297 training scans, 64 features, float64",
        registered="digits",
        chunk=250,
        num_features=64,
        image_size=digits.IMAGE_SIZE,
        num_classes=digits.NUM_CLASSES,
        weights=lambda: DIGITS_WEIGHTS,
        get_weights="train it with: python -m bench.features --out FILE",
    ),
    "inception": Kind(
        what="Inception-v3 of the original FID code (torch-fidelity 'inception-v3-compat'), 2,048 features",
        registered="inception-v3-compat",
        chunk=32,
        num_features=2048,
        image_size=None,
        num_classes=None,
        weights=lambda: Path(torch.hub.get_dir()) / "checkpoints" / Path(URL_INCEPTION_V3).name,
        get_weights=f"download {URL_INCEPTION_V3} (91 MB) to that place, or name the file with --weights",
    ),
}


def register() -> None:
    """Make `digits` known to torch-fidelity (`calculate_metrics(feature_extractor="digits")`); again does nothing."""
    if "digits" not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor("digits", DigitsExtractor)


class Extractor:
    """A feature extractor, ready: `extractor(images) -> Features`.

    Raises UsageError for an unknown name, CheckFailed for weights that are missing or do not fit. Never downloads.
    """

    def __init__(self, name: str, weights: Path | str | None = None, device: str = "cpu"):
        if name not in EXTRACTORS:
            raise UsageError(f"unknown feature extractor {name!r}; known: {', '.join(EXTRACTORS)}")
        register()
        self.name, self.kind, self.device = name, EXTRACTORS[name], device
        path = self.kind.weights() if weights is None else Path(weights)
        if not path.is_file():
            raise CheckFailed(f"features {name!r}: needs weights {path}: no such file; {self.kind.get_weights}")
        self.weights_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        network = FEATURE_EXTRACTORS_REGISTRY[self.kind.registered]
        layers = [network.get_default_feature_layer_for_metric(metric) for metric in ("fid", "isc")]
        try:
            state = read_state(path)  # before torch-fidelity, which would unpickle anything
            self.network = network(self.kind.registered, layers, feature_extractor_weights_path=str(path)).to(device)
        except CheckpointError as error:
            raise CheckFailed(f"features {name!r}: {error}") from error
        except RuntimeError as error:  # load_state_dict, several lines long
            found = f"{len(state)} keys found, as {', '.join(list(state)[:3])}"
            raise CheckFailed(
                f"features {name!r}: weights {path}: of another model: expected {Path(URL_INCEPTION_V3).name}, {found}"
            ) from error

    def __call__(self, images: Images, advance: Callable[[int], None] = lambda done: None) -> Features:
        """Features and class posteriors of uint8 images (N, 3, H, W). `advance(done)` is told how many are done."""
        height, width = images.shape[2:]
        size = self.kind.image_size
        if size is not None and (height, width) != (size, size):
            raise UsageError(f"features {self.name!r} take images of {size}x{size}, got {width}x{height}")
        features, posteriors, done = [], [], 0
        for chunk in chunks(images, self.kind.chunk):
            count = len(chunk)
            filled = np.concatenate([chunk, np.repeat(chunk[-1:], self.kind.chunk - count, axis=0)])
            with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
                outputs = self.network(torch.from_numpy(filled).to(self.device))
            layers = [output[:count].double().cpu() for output in outputs]
            features.append(layers[0].numpy())
            posteriors.append(layers[1].softmax(1).numpy())
            done += count
            advance(done)
        return Features(np.concatenate(features), np.concatenate(posteriors))


# -- reading scenes ----------------------------------------------------------------------------------------------------

EMPTY_BELOW = 64  # grey level: a cell without a brighter pixel is empty; every scan has one above 200


def recognise(images: np.ndarray) -> list[list[scenes.Thing]]:
    """The (digit, colour, row, column) of every filled cell of scenes uint8 (N, 3, 16, 16), in reading order.

    The digit is read off the brightness (the largest channel: the scan itself for the pure colours of scenes), the
    colour is the nearest in direction to the cell's mean.
    """
    cells = images.reshape(-1, 3, 2, scenes.CELL, 2, scenes.CELL).transpose(0, 2, 4, 1, 3, 5)  # (N, 2, 2, 3, 8, 8)
    cells = cells.reshape(-1, 3, scenes.CELL, scenes.CELL)
    brightness = np.repeat(cells.max(1, keepdims=True), 3, axis=1)
    numbers = Extractor("digits")(brightness).posteriors.argmax(1)
    palette = np.array(list(scenes.COLOURS.values()), dtype=np.float64)
    palette /= np.linalg.norm(palette, axis=1, keepdims=True)
    nearest = (cells.mean((2, 3)) @ palette.T).argmax(1)
    filled, names = cells.max((1, 2, 3)) >= EMPTY_BELOW, tuple(scenes.COLOURS)
    places = [(row, column) for row in scenes.ROWS for column in scenes.COLUMNS]
    return [
        [
            (int(numbers[i]), names[nearest[i]], *places[i - start])
            for i in range(start, start + len(places))
            if filled[i]
        ]
        for start in range(0, len(cells), len(places))
    ]


# -- training the digits network ---------------------------------------------------------------------------------------


def _augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by up to 12 degrees, scaled by 12 %, sheared by 15 % and shifted by up to 0.6 pixels."""

    def draw(limit: float) -> Tensor:
        return (2 * torch.rand(len(images), generator=generator) - 1) * limit

    angle = draw(math.radians(12))
    top = torch.stack([torch.cos(angle) * (1 + draw(0.12)), -torch.sin(angle) + draw(0.15), draw(0.15)], 1)
    bottom = torch.stack([torch.sin(angle), torch.cos(angle) * (1 + draw(0.12)), draw(0.15)], 1)
    grid = F.affine_grid(torch.stack([top, bottom], 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def train_digits(
    seed: int = 0, num_steps: int = NUM_STEPS, report: Callable[[int, float], None] | None = None
) -> DigitsNetwork:
    """The network trained on the 1,297 training scans (AdamW, 100 steps of warm-up, cosine decay), in eval mode.

    The same seed, thread count and machine give the same weights; the caller's random state is left alone.
    """
    images, labels = (torch.from_numpy(array) for array in digits.load("train"))
    grey = _grey(images)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # initial weights and dropout
        network = DigitsNetwork()
        optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LR, weight_decay=0.05)
        decay = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / num_steps))
        )
        for step in range(num_steps):
            batch = torch.randint(len(grey), (BATCH_SIZE,), generator=generator)
            _, logits = network(_augment(grey[batch], generator))
            loss = F.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
            if report is not None:
                report(step + 1, loss.item())
    return network.eval()


@torch.inference_mode()
def held_out_accuracy(network: DigitsNetwork) -> float:
    """Share of the 500 held-out scans that `network` gets right."""
    images, labels = (torch.from_numpy(array) for array in digits.load("heldout"))
    return (network(_grey(images))[1].argmax(1) == labels).double().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.features", description="Train the `digits` feature extractor."
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    parser.add_argument("--out", type=Path, help="write the weights here (default: only print the accuracy)")
    arguments = parser.parse_args()

    def report(step: int, loss: float) -> None:
        if step % 100 == 0:
            print(f"step {step}/{arguments.steps}, loss {loss:.4f}", flush=True)

    torch.set_num_threads(1)  # so that another machine with more cores adds up in the same order
    network = train_digits(arguments.seed, arguments.steps, report)
    accuracy = held_out_accuracy(network)
    print(f"held-out accuracy {accuracy:.1%} (500 scans)")
    if arguments.out is not None:
        metadata = {
            "command": f"python -m bench.features --seed {arguments.seed} --steps {arguments.steps}",
            "seed": str(arguments.seed),
            "steps": str(arguments.steps),
            "images_seen": str(arguments.steps * BATCH_SIZE),
            "held_out_accuracy": f"{accuracy:.4f}",
            "torch": torch.__version__,
        }
        save_file(network.state_dict(), arguments.out, metadata)
        print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
