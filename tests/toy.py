"""A toy image model for tests of the harness: real scans of the asked class plus noise. Its numbers mean nothing."""

from __future__ import annotations

import torch

from bench.datasets import digits
from reference_models.autoencoders import PatchLatents
from reference_models.image_model import ImageModel
from reference_models.spec import Network, Spec


class Toy(ImageModel):
    """Generates scan number (seed's draw) of the class, plus a little noise."""

    num_classes = 10

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))

    def sample(self, labels, noise, *, spread):
        images, scan_labels = (torch.from_numpy(array.copy()) for array in digits.load("train"))
        which = noise.uniform()
        jitter = noise.normal(4, 4, 4)
        latents = []
        for label, u in zip(labels, which, strict=True):
            of_class = (scan_labels == label).nonzero()[:, 0]
            latents.append(images[of_class[int(u * len(of_class))]].float() / 127.5 - 1)
        return PatchLatents().encode(torch.stack(latents)) * self.gain + spread * jitter

    def network_evaluations(self, *, spread):
        return {"toy": 1}

    @classmethod
    def from_official_state(cls, state):
        return dict(state)


SPEC = Spec(
    name="toy-digits",
    family="toy",
    network=Network("tests.toy:Toy"),
    config={},
    sampling={"spread": 0.1},
    autoencoder="patch-2x2",
    scale="digits",
    image_size=8,
    source="tests",
)
