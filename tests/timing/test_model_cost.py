"""What a model costs beside time: counts of its size, and whether a batch fits into memory."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest
import torch

from bench.errors import CheckFailed
from bench.timing import model_cost
from bench.timing.model_cost import check_memory, collect_size, count_flops, weight_bytes
from reference_models.autoencoders import PatchLatents
from tests.toy import SPEC, Toy


class Halves(Toy):
    """Two layers; a forward is a product of (4 values) by (4, 3)."""

    latent_shape = (1, 2, 2)

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Linear(4, 3, bias=False)
        self.decoder = torch.nn.Linear(3, 1)

    def forward(self, x, t, labels):
        assert (t.shape, labels.shape, labels.dtype) == ((1,), (1,), torch.int64)
        return self.encoder(x.flatten(1))


def attached(network, **changes):
    model = network()
    model.attach(replace(SPEC, **changes), PatchLatents)
    return model


def test_the_size_of_a_model_is_its_parameters():
    """1 of the toy, 12 and 3 + 1 of its layers."""
    assert collect_size(attached(Halves)) == {"num_params": 17}


def test_flops_are_those_of_one_forward_of_one_image_where_the_paper_prints_them():
    assert collect_size(attached(Halves, gflops=1.0)) == {"num_params": 17, "flops": 2 * 4 * 3}


@pytest.mark.parametrize("family", ["transdiff", "transdiff-mrar"])
def test_of_transdiff_the_decoders_share_of_the_parameters_counts_too(family):
    assert collect_size(attached(Halves, family=family))["decoder_share"] == 4 / 17


def test_weights_are_counted_in_the_bytes_that_they_take():
    assert weight_bytes(attached(Halves)) == 4 * 17
    assert weight_bytes(attached(Halves).to(torch.bfloat16)) == 2 * 17


def test_counting_trains_nothing():
    layer = torch.nn.Linear(4, 3)
    grads = []
    count_flops(lambda round_idx: grads.append((round_idx, layer(torch.ones(1, 4)).requires_grad)))
    assert grads == [(0, False)]


# -- memory ------------------------------------------------------------------------------------------------------------

PIXELS = 5 * 3 * 8**2  # bytes of the pixels of an image of 8x8: float32 and uint8


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes are free and how many a call of the model takes; the batches that were asked of the model."""
    asked = []

    def set_to(num_bytes: float, taken: float = 0) -> list[int]:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": num_bytes}))

        def peak_memory(call, device):
            call(0)
            return taken

        monkeypatch.setattr(model_cost, "peak_memory", peak_memory)
        return asked

    return set_to


def counting(asked: list[int], scale: str = "digits"):
    model = attached(Toy, scale=scale)
    model.generate = lambda labels, seeds: asked.append((list(labels), list(seeds)))
    return model


def test_a_batch_that_takes_little_of_what_is_free_is_not_asked_of_the_model(free):
    """A thousand times its pixels fit: 10 images of 960 bytes."""
    asked = free(1000 * 10 * PIXELS, taken=1e30)
    check_memory(counting(asked), 10, "cpu")
    assert asked == []


def test_a_batch_in_between_is_judged_by_four_images(free):
    """Four images take 4 x 50 kB: 19 such images fit into 950 kB, 20 do not."""
    asked = free(999_999, taken=4 * 50_000)
    check_memory(counting(asked), 19, "cpu")
    assert asked == [([0, 1, 2, 3], [0, 1, 2, 3])]
    free(1_000_000, taken=4 * 50_000)
    check_memory(counting(asked), 20, "cpu")  # all of it
    free(999_999, taken=4 * 50_000)
    with pytest.raises(CheckFailed, match="--batch-size 20: toy-digits takes at least 0 GB of memory for it, 0 GB are"):
        check_memory(counting(asked), 20, "cpu")


def test_a_batch_takes_its_pixels_at_least_whatever_the_model_says(free):
    asked = free(100 * PIXELS, taken=4 * PIXELS / 2)
    check_memory(counting(asked), 99, "cpu")
    with pytest.raises(CheckFailed):
        check_memory(counting(asked), 101, "cpu")
    assert len(asked) == 1  # of what does not fit by its pixels alone the model is not asked


def test_a_model_of_paper_size_is_judged_by_its_pixels_alone(free):
    asked = free(50 * PIXELS, taken=1e30)
    check_memory(counting(asked, "imagenet-256"), 49, "cpu")
    with pytest.raises(CheckFailed):
        check_memory(counting(asked, "imagenet-256"), 51, "cpu")
    assert asked == []


def test_what_is_missing_is_told_in_gigabytes(free):
    free(3e9)
    message = "takes at least 10 GB of memory for it, 3 GB are free"
    with pytest.raises(CheckFailed, match=message):
        check_memory(counting([], "imagenet-256"), round(10e9 / PIXELS), "cpu")
