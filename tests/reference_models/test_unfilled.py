"""Networks that are to be filled: whatever their initialisation calls, no random number is drawn before."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reference_models.unfilled import Unfilled

MAKERS = {
    "Linear": lambda: nn.Linear(4, 4),
    "Conv2d": lambda: nn.Conv2d(3, 4, 3),
    "Embedding": lambda: nn.Embedding(4, 4),
    "attention": lambda: nn.MultiheadAttention(4, 2),
    "xavier": lambda: nn.init.xavier_uniform_(torch.empty(4, 4)),
    "truncated": lambda: nn.init.trunc_normal_(torch.empty(4, 4), std=0.02),
    "kaiming": lambda: nn.init.kaiming_normal_(torch.empty(4, 4)),
}


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_is_drawn(name):
    """A parameter that was drawn takes up memory twice over: before the file's numbers come, and while they do."""
    with torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        with Unfilled():
            MAKERS[name]()
        assert torch.equal(torch.get_rng_state(), before)
        MAKERS[name]()
        assert not torch.equal(torch.get_rng_state(), before)
