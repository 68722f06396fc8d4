"""The small network whose features score the digits scale, and its training.

python -m bench.features.digits_network --out bench/features/features-digits.safetensors    # 1-2 minutes on one core
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from bench.datasets import digits
from bench.features.kinds import DIGITS_WEIGHTS
from bench.files import write_whole
from reference_models.checkpoints import load_into, read_state

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


class Digits(nn.Module):
    """DigitsExtractor with the forward of a Kind: (features, logits, no spatial features)."""

    def __init__(self, path: Path):
        super().__init__()
        self.network = DigitsExtractor("digits", ["features", "logits"], feature_extractor_weights_path=str(path))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        return (*self.network(images), None)


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
        prog="python -m bench.features.digits_network", description="Train the `digits` feature extractor."
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
            "command": f"python -m bench.features.digits_network --seed {arguments.seed} --steps {arguments.steps}",
            "seed": str(arguments.seed),
            "steps": str(arguments.steps),
            "images_seen": str(arguments.steps * BATCH_SIZE),
            "held_out_accuracy": f"{accuracy:.4f}",
            "torch": torch.__version__,
        }
        write_whole(arguments.out, save(network.state_dict(), metadata))
        print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
