"""Dropout from seeds: what a sample drops depends on nothing but its seed and the place."""

from __future__ import annotations

import pytest
import torch

from reference_models.dropout import Dropout, attend, drop
from tests.training.tiny_paper import tiny_model

RATE = 0.1


def test_a_tenth_is_dropped_and_the_mean_stays():
    """Of a million ones; five standard deviations of the mean."""
    x = Dropout([3], RATE)(torch.ones(1, 1_000_000))
    assert x.unique().tolist() == pytest.approx([0, 1 / 0.9])
    assert x.mean().item() == pytest.approx(1, abs=5 * (RATE / 0.9 / 1e6) ** 0.5)


def test_places_and_samples_drop_by_themselves():
    dropout = Dropout([3, 4], RATE)
    first, second = dropout(torch.ones(2, 1000)), dropout(torch.ones(2, 1000))
    masks = [*first, *second, *dropout.repeated(2)(torch.ones(4, 1000))]
    assert len({tuple(mask.tolist()) for mask in masks}) == len(masks)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_that_drops_nothing_is_attention(masked):
    """Values, and gradients, which its second look at the weights gives."""
    q, k, v = torch.randn(3, 2, 4, 5, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.ones(5, 5).tril().bool() if masked else None
    found, expected = attend(q, k, v, mask, Dropout([1, 2], 0.0)), attend(q, k, v, mask)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), (q, k, v)),
        torch.autograd.grad(expected.square().sum(), (q, k, v)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_attention_drops_weights_and_its_gradient_is_that_of_what_was_dropped():
    """Checked against the same sums with the mask written out."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 1, 6, 4, dtype=torch.float64).requires_grad_()
    seeds = Dropout([7], 0.5).next_place()
    weights = drop((q @ k.transpose(-1, -2) / 2).softmax(-1), seeds, 0.5)
    assert (weights == 0).any()
    found = attend(q, k, v, dropout=Dropout([7], 0.5))
    torch.testing.assert_close(found, weights @ v)
    ones = torch.ones_like(found)
    for one, other in zip(
        torch.autograd.grad(found, (q, k, v), ones), torch.autograd.grad(weights @ v, (q, k, v), ones), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("name", "num_blocks"), [("transdiff-b", (2, 1)), ("transdiff-mrar-b", (2, 1)), ("mar-b", (2, 0))]
)
def test_each_block_drops_at_each_of_its_places(name, num_blocks, monkeypatch):
    """A block of an encoder (or of MAR's decoder): attention weights, projection, both layers of the MLP. One of
    TransDiff's decoder has a second attention. MRAR decodes four images; a decoder's rows begin by one more place."""
    model, asked = tiny_model(name), []
    next_place = Dropout.next_place
    monkeypatch.setattr(Dropout, "next_place", lambda self: asked.append(len(self.seeds)) or next_place(self))
    num, rows = model.images_per_sample, (2, 4) if model.images_per_sample > 1 else (2,)
    latents, labels = torch.randn(*rows, 4, 4, 4), torch.tensor([0, 1])
    if name == "mar-b":
        order = torch.arange(model.num_tokens).expand(2, -1)
        draws = (order, torch.zeros(1, 2, 8, dtype=torch.long), torch.randn(1, 2, 8, model.token_size))
    else:
        shape = (num,) if num > 1 else ()
        draws = (torch.rand(*shape, 2), torch.randn(*shape, 2, *model.token_shape))
    model.loss(latents, labels, *draws, dropout=Dropout([1, 2], RATE))
    encoder, decoder = num_blocks
    assert len(asked) == 4 * encoder + num * (decoder * 6 + bool(decoder))


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_that_drops_all_or_less_than_nothing_is_refused(rate):
    with pytest.raises(ValueError, match="lies in"):
        Dropout([1], rate)
