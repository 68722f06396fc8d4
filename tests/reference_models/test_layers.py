"""Layers that several families share."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reference_models import layers
from reference_models.layers import Linear, sincos_2d, time_waves


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 512), (2, 1, 512), (4, 512), (2, 2, 512), (5, 512), (3, 7, 512)])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_few_rows_give_what_many_give(bias, shape, num_threads, monkeypatch):
    """Against torch's own product in float64, either way it is computed; results lie in memory as torch's do."""
    monkeypatch.setattr(layers, "num_threads", lambda: num_threads)
    torch.manual_seed(0)
    for out_features in (512, 1024):
        linear, x = Linear(512, out_features, bias=bias), torch.randn(shape)
        y = linear(x)
        weight, offset = linear.weight.double(), linear.bias.double() if bias else None
        torch.testing.assert_close(
            y.double(), torch.nn.functional.linear(x.double(), weight, offset), rtol=0, atol=1e-5
        )
        assert y.shape == (*shape[:-1], out_features)
        assert y.is_contiguous()


def test_few_rows_are_taken_the_other_way_only_on_a_cpu_in_float32_and_with_a_large_matrix(monkeypatch):
    """torch's way is asked for half precision, for five rows, and for small matrices, these with 16 rows at least."""
    asked, product = [], torch.nn.functional.linear
    monkeypatch.setattr(layers.F, "linear", lambda x, *rest: asked.append(tuple(x.shape)) or product(x, *rest))
    monkeypatch.setattr(layers, "num_threads", lambda: 2)
    Linear(512, 512)(torch.randn(4, 512))
    assert not asked
    Linear(512, 512)(torch.randn(5, 512))
    Linear(96, 288)(torch.randn(2, 96))
    Linear(96, 288)(torch.randn(17, 96))
    Linear(512, 512, dtype=torch.bfloat16)(torch.randn(2, 512, dtype=torch.bfloat16))
    assert asked == [(5, 512), (16, 96), (17, 96), (2, 512)]
    monkeypatch.setattr(layers, "num_threads", lambda: 1)
    Linear(512, 512)(torch.randn(1, 512))  # one thread gains nothing where the matrix is not wide
    assert asked[4:] == [(1, 512)]


def test_the_faster_ways_of_a_model_are_told(monkeypatch):
    """A large matrix (on one thread a wide one) and the GELU of DiT; on a CPU in float32 alone."""
    monkeypatch.setattr(layers, "num_threads", lambda: 2)
    assert layers.own_kernels(layers.Mlp(512, 512, approximate="tanh")) == ("few rows", "gelu")
    assert layers.own_kernels(layers.Mlp(512, 512)) == ("few rows",)
    assert layers.own_kernels(layers.Mlp(64, 64, approximate="tanh")) == ("gelu",)
    assert layers.own_kernels(layers.Mlp(512, 512, approximate="tanh").to(torch.bfloat16)) == ()
    assert layers.own_kernels(layers.Mlp(512, 512, approximate="tanh").to("meta")) == ()
    assert layers.own_kernels(torch.nn.Linear(512, 512)) == ()
    monkeypatch.setattr(layers, "num_threads", lambda: 1)
    assert layers.own_kernels(Linear(512, 512)) == ()
    assert layers.own_kernels(Linear(512, 1024)) == ("few rows",)


def test_without_own_kernels_torchs_are_taken_and_told(monkeypatch):
    """The large matrix goes to torch's product, GELU to torch's kernel; afterwards all is as before."""
    monkeypatch.setattr(layers, "num_threads", lambda: 2)
    mlp, x = layers.Mlp(512, 512, approximate="tanh").eval(), torch.randn(2, 512)
    asked, product = [], torch.nn.functional.linear
    monkeypatch.setattr(layers.F, "linear", lambda x, *rest: asked.append(tuple(x.shape)) or product(x, *rest))
    with torch.inference_mode(), layers.torchs_kernels():
        without = mlp(x)
        assert asked == [(2, 512)] * 2
        assert layers.own_kernels(mlp) == ()
        assert torch.equal(layers.gelu_tanh(x), torch.nn.functional.gelu(x, approximate="tanh"))
    with torch.inference_mode():
        torch.testing.assert_close(mlp(x), without, rtol=0, atol=1e-5)
    assert len(asked) == 2
    assert layers.own_kernels(mlp) == ("few rows", "gelu")


@pytest.mark.parametrize("width", [72, 80, 96])
def test_a_row_does_not_depend_on_how_many_there_are(width):
    """Bit for bit, of small matrices and of silu: what makes an image independent of its batch."""
    torch.manual_seed(0)
    x, matrix = torch.randn(64, width), Linear(width, 3 * width)
    products, values = matrix(x), layers.silu(x)
    for num_rows in (1, 2, 3, 5, 15, 16, 20, 32):
        assert torch.equal(matrix(x[:num_rows].clone()), products[:num_rows])
        assert torch.equal(layers.silu(x[:num_rows].clone()), values[:num_rows])


def test_gradients_are_those_of_a_linear_layer():
    torch.manual_seed(0)
    ours = Linear(512, 1024)
    theirs = torch.nn.Linear(512, 1024)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 512)
    for linear in (ours, theirs):
        linear(x).square().sum().backward()
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, rtol=1e-4, atol=1e-4)


def test_time_waves_are_cosines_then_sines_of_a_geometric_series():
    """Each pair is a point of the unit circle; the k-th turns by t / 10000^(k / n).  A phase up to 1000 in float32 is
    off by 1000 ulp of 1, that is 6e-5.
    """
    t = torch.tensor([0.0, 0.5, 37.0, 999.0])
    waves = time_waves(t, 8)
    for row, time in zip(waves.tolist(), t.tolist(), strict=True):
        for k in range(4):
            phase = time / 10000 ** (k / 4)
            assert row[k] == pytest.approx(math.cos(phase), abs=1e-4)
            assert row[4 + k] == pytest.approx(math.sin(phase), abs=1e-4)
    torch.testing.assert_close(waves[:, :4].square() + waves[:, 4:].square(), torch.ones(4, 4))


def test_positions_tell_the_column_first():
    """Row r, column c of a grid: sines and cosines of c, then of r, at n = dim / 4 frequencies."""
    table = sincos_2d(8, np.arange(2), np.arange(3)).view(2, 3, 8)
    for r in range(2):
        for c in range(3):
            expected = [f(x * w) for x in (c, r) for f in (math.sin, math.cos) for w in (1, 0.01)]
            assert table[r, c].tolist() == pytest.approx(expected, abs=1e-7)
