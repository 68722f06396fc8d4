"""The adaptive ODE solver: its own order, and agreement with SciPy's."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import RK45, solve_ivp

from reference_models.samplers import ERROR, NODES, STAGES, _first_step, dopri5


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_dormand_prince_is_of_fifth_order():
    """Each stage's weights sum to its node, the last ones integrate t^4 exactly, and the 4th order errs there first."""
    for node, weights in zip(NODES, STAGES, strict=True):
        assert sum(weights) == pytest.approx(node, abs=1e-14)
    nodes = (0, *NODES)
    for power in range(5):
        assert sum(w * c**power for w, c in zip(STAGES[-1], nodes, strict=False)) == pytest.approx(1 / (power + 1))
        estimate = sum(w * c**power for w, c in zip(ERROR, nodes, strict=True))
        assert (abs(estimate) < 1e-14) == (power < 4)


@pytest.mark.parametrize(("rtol", "accuracy"), [(1e-3, 3e-3), (1e-6, 1e-5)])
def test_dopri5_agrees_with_scipy(rtol: float, accuracy: float):
    """A forced, damped system at four amplitudes: the errors of some ten steps, each below rtol, add to a few rtol."""
    x = normal(4, 3) * torch.tensor([0.01, 1, 10, 100])[:, None]

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return -3 * x * t[:, None] + torch.sin(10 * t)[:, None]

    ours, _ = dopri5(velocity, x, rtol=rtol, atol=1e-6)
    for start, end in zip(x, ours, strict=True):
        exact = solve_ivp(lambda t, y: -3 * y * t + math.sin(10 * t), (0, 1), start.double(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(end.double(), torch.from_numpy(exact.y[:, -1]), rtol=accuracy, atol=0)


def test_dopri5_treats_each_image_for_itself():
    """A fast neighbour makes a batch take more steps, and changes no number of a slow image."""
    speeds, x, calls = torch.tensor([1.0, 80.0]), normal(2, 5), []

    def solve(rows: slice) -> torch.Tensor:
        def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            calls.append(len(x))
            return -speeds[rows, None] * x

        return dopri5(velocity, x[rows])[0]

    together = solve(slice(0, 2))
    batch_calls = len(calls)
    assert torch.equal(together[:1], solve(slice(0, 1)))
    assert len(calls) - batch_calls < batch_calls / 3


def test_dopri5_counts_each_image_for_itself():
    """As often as alone, where every call is its own."""
    speeds, x, calls = torch.tensor([1.0, 80.0]), normal(2, 5), []

    def count(rows: slice) -> list[int]:
        def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            calls.append(len(x))
            return -speeds[rows, None] * x

        calls.clear()
        return dopri5(velocity, x[rows])[1].tolist()

    slow, fast = count(slice(0, 2))
    assert count(slice(0, 1)) == [slow] == [len(calls)]
    assert count(slice(1, 2)) == [fast] == [len(calls)]
    assert slow < fast


def test_dopri5_gives_up_on_nan():
    with pytest.raises(RuntimeError, match="has not reached t = 1 in 20 steps"):
        dopri5(lambda x, t: x * torch.nan, torch.ones(1, 2), max_attempts=20)


# -- step sizes --------------------------------------------------------------------------------------------------------


def decay(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return -0.5 * x


def growth(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return 3 * x + torch.sin(5 * t)[:, None]


def still(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x)


def steady(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(x)


def starting(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return (1e3 * t)[:, None].expand_as(x)


CASES = [
    (growth, [1.0, -2.0, 0.5], 1e-3, 1e-6),
    (growth, [1.0, -2.0, 0.5], 0.0, 1.0),
    (decay, [1.0, 1.5], 0.0, 1.0),  # sizes near 1
    (decay, [1e-5, 2e-5], 0.0, 1.0),  # a slope of less than 1e-5
    (decay, [1.0, 1.0], 0.0, 1.0),
    (still, [1.0, 2.0], 1e-3, 1e-6),  # no slope
    (steady, [0.0, 0.0], 1e-3, 1e-6),  # no size
    (steady, [0.01, -0.01], 1e-3, 1e-3),  # as far as a hundred of the trial steps reach
    (starting, [1.0, 2.0], 1e-3, 1e-6),  # no slope at first
]


@pytest.mark.parametrize(("velocity", "start", "rtol", "atol"), CASES)
def test_the_first_step_is_that_of_hairer(velocity, start: list[float], rtol: float, atol: float):
    """As scipy computes it (Hairer, Norsett and Wanner, section II.4), of an interval that does not bound it."""

    def flat(t: float, y):
        return velocity(torch.tensor(y)[None], torch.tensor([t], dtype=torch.float64))[0].numpy()

    x = torch.tensor([start])
    expected = RK45(flat, 0.0, x[0].double().numpy(), t_bound=1e9, rtol=max(rtol, 1e-12), atol=atol).h_abs
    found = _first_step(velocity, x, velocity(x, torch.zeros(1)), rtol, atol)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def attempts(velocity, x: torch.Tensor, **tolerances: float) -> tuple[list[tuple[float, float]], torch.Tensor]:
    """((where each attempted step begins, its length), the end)."""
    times: list[float] = []

    def seen(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        times.append(t.item())
        return velocity(x, t)

    end, _ = dopri5(seen, x, **tolerances)
    stages = [times[i : i + 6] for i in range(2, len(times), 6)]  # the first two calls look for the first step
    lengths = [(last - first) / (NODES[-1] - NODES[0]) for first, *_, last in stages]
    return [(stage[0] - NODES[0] * h, h) for stage, h in zip(stages, lengths, strict=True)], end


def test_steps_that_are_all_accepted_are_as_long_as_scipys():
    """Safety, exponent and norm alike: so are all times, in float32 beside float64."""
    x = torch.tensor([[1.0, -2.0, 0.5]])
    found, _ = attempts(growth, x, rtol=1e-4, atol=1e-6)

    def flat(t: float, y):
        return 3 * y + math.sin(5 * t)

    exact = solve_ivp(flat, (0, 1), x[0].double(), rtol=1e-4, atol=1e-6)
    assert exact.nfev == 2 + 6 * (len(exact.t) - 1), "scipy rejected a step, after which it goes on more slowly"
    assert len(found) > 5
    assert [start for start, _ in found] == pytest.approx(exact.t[:-1].tolist(), rel=2e-2, abs=1e-6)


def test_a_step_grows_tenfold_at_most():
    """A steady velocity has no error: from 1e-4 on, a hundred trial steps of 1e-6."""
    found, end = attempts(steady, torch.zeros(1, 2))
    assert [h for _, h in found] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1 - 0.1111], rel=1e-3)
    torch.testing.assert_close(end, torch.ones(1, 2))


def quartic(error: float):
    """dx/dt = K t^4 + 0.009, K such that a step of length 1 errs by `error`: one of length h by error h^5, for the pair
    errs in no lower power. Below t = 0.02 the power is left out, so that the first step is 1."""
    nodes = (0, *NODES)
    strength = error / abs(sum(w * c**4 for w, c in zip(ERROR, nodes, strict=True)))

    def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (torch.where(t < 0.02, 0.0, strength * t**4) + 0.009)[:, None].expand_as(x)

    return velocity, strength / 5 + 0.009


@pytest.mark.parametrize(
    ("error", "lengths"),
    [
        (0.9, [1.0]),
        (1.5, [1.0, 0.9 * 1.5**-0.2]),  # an error of more than 1 is rejected
        (1e4, [1.0, 0.2, 0.9 * 1e4**-0.2]),  # a fifth at least is tried next, and its error is 3.2
    ],
)
def test_a_step_that_errs_too_much_is_made_again_shorter(error: float, lengths: list[float]):
    """An error of e shrinks the step to 0.9 e^(-1/5) of it, not below a fifth; then all steps are 0.9 of the longest
    that would do, which is 1 / error^(1/5)."""
    velocity, expected = quartic(error)
    found, end = attempts(velocity, torch.full((1, 2), 0.0095), rtol=0.0, atol=1.0)
    assert [h for _, h in found[: len(lengths)]] == pytest.approx(lengths, rel=1e-3)
    assert [start for start, _ in found[: len(lengths)]] == pytest.approx([0.0] * len(lengths), abs=1e-6)
    assert [h for _, h in found[len(lengths) : -1]] == pytest.approx(
        [lengths[-1]] * (len(found) - 1 - len(lengths)), rel=1e-2
    )
    assert sum(found[-1]) == pytest.approx(1)
    torch.testing.assert_close(end, torch.full((1, 2), expected + 0.0095), rtol=1e-5, atol=0)


def test_the_usual_tolerances_are_a_thousandth_and_a_millionth():
    x = normal(2, 3)
    assert torch.equal(dopri5(growth, x)[0], dopri5(growth, x, rtol=1e-3, atol=1e-6)[0])
    assert not torch.equal(dopri5(growth, x)[0], dopri5(growth, x, rtol=2e-3, atol=1e-6)[0])
    assert not torch.equal(dopri5(growth, 1e-6 * x)[0], dopri5(growth, 1e-6 * x, rtol=1e-3, atol=2e-6)[0])
