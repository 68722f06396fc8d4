"""A worker in a process of its own: `python -m tests.store_worker STORE MODEL NUM BATCH_SIZE SECONDS SIZE`.

Fills the store with images of a model ("noise", which needs no data and no weights, or a shipped one), as the rank that
the environment says, each batch taking SECONDS longer. Prints "ready" first and the checksum of all shards last.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import torch

import bench.sampling.images
import reference_models
from bench.sampling.images import Extract, collect_images
from bench.sampling.ranks import this_rank
from bench.sampling.workers import stopping
from reference_models.image_model import ImageModel
from reference_models.spec import Network, Spec

END_S = 2.0  # in which a stopped worker ends, on processors that nothing else waits for
CHECKSUMS = {"weights": "those of the test"}


class Noise(ImageModel):
    """Images of the label's brightness and the seed's noise."""

    num_classes = 10

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))

    def sample(self, labels, noise, *, spread):
        return (labels / 5 - 1).view(-1, 1, 1, 1) * self.gain + spread * noise.normal(4, 4, 4)


NOISE = Spec(
    "noise", "noise", Network("tests.store_worker:Noise"), {}, {"spread": 0.3}, "patch-2x2", "digits", 8, "tests"
)


def allowed_s():
    """END_S, and more in proportion where more processes wait than there are processors."""
    return END_S * max(1.0, psutil.getloadavg()[0] / psutil.cpu_count())


def means(images):
    """Stands for an extractor: the mean of every channel."""
    return {"features": images.astype("float32").mean((2, 3))}


def build(name):
    if name == NOISE.name:
        reference_models.specs = lambda: {NOISE.name: NOISE}
    return reference_models.build(name)


def collect(store, model, num, batch_size, **options):
    fixed = {"seed": 3, "settings": {}, "checksums": CHECKSUMS, "extract": Extract("means", {"version": 1}, means)}
    return collect_images(model, num_images=num, batch_size=batch_size, store=store, **{**fixed, **options})


def main():
    store, name, num, batch_size, seconds, size = sys.argv[1:]
    torch.set_num_threads(1)
    generate = bench.sampling.images.generate_batch

    def slowly(*args, **kwargs):
        time.sleep(float(seconds))
        return generate(*args, **kwargs)

    bench.sampling.images.generate_batch = slowly
    with stopping():
        model = build(name)
        print("ready", flush=True)
        samples = collect(Path(store), model, int(num), int(batch_size), rank=this_rank(), size=int(size))
    print(samples.sha256())


if __name__ == "__main__":
    main()
