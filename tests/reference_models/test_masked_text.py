"""Masked diffusion of text: its noise, its loss, and its two samplers against the law written out."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from torch import Tensor

from reference_models import masked_text
from reference_models.masked_text import LAST_T, NOISE_EPS
from reference_models.noise import GivenNoise

LENGTH, VOCAB, MASK = 2, 4, 1  # a mask in the middle of the vocabulary, so that nothing can take it for the last token


def logits_of(tokens: Tensor) -> Tensor:
    """A toy network whose predictions depend on the position and on what is already revealed.  (n, L) -> (n, L, V)."""
    generator = torch.Generator().manual_seed(3)
    by_position = torch.randn(LENGTH, VOCAB, generator=generator)
    by_token = torch.randn(VOCAB, LENGTH, VOCAB, generator=generator)
    return by_position + by_token[tokens].sum(1)


def predict(rows: Tensor, tokens: Tensor, where: Tensor) -> Tensor:
    return logits_of(tokens).flatten(0, 1)[where]


def exact_law(num_steps: int) -> dict[tuple[int, ...], float]:
    """The probability of every text: in a step a mask stays with s / t or becomes a token; last, the arg-max."""
    times = torch.linspace(1, LAST_T, num_steps + 1, dtype=torch.float64)
    law = {(MASK,) * LENGTH: 1.0}
    for t, s in itertools.pairwise(times.tolist()):
        after: dict[tuple[int, ...], float] = Counter()
        for text, probability in law.items():
            p = masked_text.log_probs(logits_of(torch.tensor([text])), MASK)[0].exp().double() * (1 - s / t)
            p[:, MASK] = s / t
            choices = [range(VOCAB) if token == MASK else [token] for token in text]
            for new in itertools.product(*choices):
                drawn = [p[i, new[i]].item() for i in range(LENGTH) if text[i] == MASK]
                after[new] += probability * torch.tensor(drawn).double().prod().item()
        law = after
    final: dict[tuple[int, ...], float] = Counter()
    for text, probability in law.items():
        best = masked_text.log_probs(logits_of(torch.tensor([text])), MASK)[0].argmax(-1).tolist()
        final[tuple(best[i] if text[i] == MASK else text[i] for i in range(LENGTH))] += probability
    return final


@pytest.mark.parametrize("plan", ["reveal", "ancestral"])
def test_both_plans_follow_the_law(plan: str) -> None:
    """30,000 texts occur as often as the enumerated law says, within five standard deviations."""
    num, num_steps = 30_000, 3
    generator = torch.Generator().manual_seed(0)
    tokens = torch.full((num, LENGTH), MASK)
    if plan == "reveal":
        noise = GivenNoise([torch.rand(num, 2, LENGTH, generator=generator)])
        rounds = masked_text.reveal_rounds(tokens, MASK, num_steps, noise)
    else:
        noise = GivenNoise(torch.rand(num_steps, num, LENGTH, VOCAB, generator=generator))
        rounds = masked_text.ancestral_rounds(tokens, MASK, num_steps, VOCAB, noise)
    masked_text.sample(predict, tokens, MASK, rounds)
    counts = Counter(map(tuple, tokens.tolist()))
    law = exact_law(num_steps)
    assert sum(law.values()) == pytest.approx(1)
    for text, probability in law.items():
        deviation = 5 * (probability * (1 - probability) / num) ** 0.5
        assert counts[text] / num == pytest.approx(probability, abs=deviation + 1e-4), text


def test_reveal_steps_of_a_mask() -> None:
    """A mask falls in the step from t to s with probability t - s, and comes to the last arg-max with 1e-5."""
    uniform = torch.tensor([[0.0, 0.9e-5, 1.1e-5, 0.2499, 0.2501, 0.74, 0.76, 1 - 2**-24]])
    assert masked_text.reveal_steps(uniform, 4).tolist() == [[4, 4, 3, 3, 2, 1, 0, 0]]


def test_a_sample_costs_one_evaluation_per_step_that_reveals_something() -> None:
    """Of three samples with 1, 2 and 0 distinct reveal times, the finished one is never asked, the others as needed."""
    when = torch.tensor([[0.9, 0.8], [0.9, 0.1], [0.5, 0.5]])
    noise = GivenNoise([torch.stack([when, torch.rand(3, LENGTH)], dim=1)])
    tokens = torch.tensor([[MASK, MASK], [MASK, MASK], [0, 2]])
    asked: list[list[int]] = []

    def counting(rows: Tensor, tokens: Tensor, where: Tensor) -> Tensor:
        asked.append(rows.tolist())
        return predict(rows, tokens, where)

    evaluations = masked_text.sample(counting, tokens, MASK, masked_text.reveal_rounds(tokens, MASK, 4, noise))
    assert asked == [[0, 1], [1]]
    assert evaluations.tolist() == [1, 2, 0]
    assert tokens[2].tolist() == [0, 2]
    assert (tokens != MASK).all()


def test_the_plain_sampler_asks_in_every_step_and_says_the_same() -> None:
    """Twenty samples, a finished one among them, in four steps and the last arg-max: the same texts as cached."""
    uniform = torch.rand(20, 2, LENGTH, generator=torch.Generator().manual_seed(5))
    found = []
    for cached in (True, False):
        tokens = torch.full((20, LENGTH), MASK)
        tokens[0] = 2
        rounds = masked_text.reveal_rounds(tokens, MASK, 4, GivenNoise([uniform]), cached=cached)
        evaluations = masked_text.sample(predict, tokens, MASK, rounds)
        found.append(tokens)
    assert torch.equal(*found)
    assert evaluations.tolist() == [5] * 20


def test_the_last_arg_max_is_no_draw() -> None:
    """A position that outlives the schedule (u < 1e-5) gets its most probable token, whatever the other uniform is."""
    best = masked_text.log_probs(logits_of(torch.full((1, LENGTH), MASK)), MASK).argmax(-1)
    for which in (0.0, 0.999):
        noise = GivenNoise([torch.stack([torch.zeros(1, LENGTH), torch.full((1, LENGTH), which)], dim=1)])
        tokens = torch.full((1, LENGTH), MASK)
        rounds = masked_text.reveal_rounds(tokens, MASK, 8, noise)
        masked_text.sample(predict, tokens, MASK, rounds)
        assert torch.equal(tokens, best)


def test_the_mask_is_never_predicted() -> None:
    """However large its logit, the mask has probability 0 and the tokens' probabilities sum to 1; float32 rounding."""
    logits = torch.randn(5, VOCAB)
    logits[:, MASK] = 100.0
    p = masked_text.log_probs(logits, MASK).exp()
    assert (p[:, MASK] == 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(5))


def test_log_linear_noise_in_closed_form() -> None:
    """The share masked is 1 - exp(-sigma), and sigma' / (exp(sigma) - 1) is 1 / t: the forms that the code uses."""
    t = torch.linspace(NOISE_EPS, 1, 50, dtype=torch.float64)
    sigma = -torch.log1p(-(1 - NOISE_EPS) * t)
    rate = (1 - NOISE_EPS) / (1 - (1 - NOISE_EPS) * t)
    torch.testing.assert_close(1 - torch.exp(-sigma), (1 - NOISE_EPS) * t)
    torch.testing.assert_close(rate / torch.expm1(sigma), 1 / t)


def test_antithetic_times_hit_every_stratum_once() -> None:
    """Of B times, one lies in each B-th part of [1e-3, 1), wherever the uniforms fall."""
    strata = (masked_text.antithetic_times(torch.rand(16)) - NOISE_EPS) / (1 - NOISE_EPS) * 16
    assert strata.floor().sort().values.tolist() == list(range(16))


def test_corruption_masks_its_share_and_no_given_token() -> None:
    """At t a share (1 - 1e-3) t is masked (100,000 tokens, five standard deviations); a prompt never is."""
    tokens = torch.zeros(4, 100_000, dtype=torch.int64)
    label_mask = torch.ones_like(tokens)
    label_mask[3] = 0
    t = torch.tensor([0.1, 0.5, 1.0, 1.0])
    x_t = masked_text.corrupt(tokens, t, torch.rand(tokens.shape), label_mask, MASK)
    share = (x_t == MASK).double().mean(1)
    torch.testing.assert_close(share[:3], (1 - NOISE_EPS) * t[:3].double(), atol=0.008, rtol=0)
    assert share[3] == 0


def test_loss_of_a_network_that_knows_nothing() -> None:
    """Even predictions cost log(V - 1) per masked token, over t; revealed and given tokens cost nothing."""
    tokens = torch.tensor([[0, 2, 3, 0]])
    x_t = torch.tensor([[MASK, 2, MASK, MASK]])
    label_mask = torch.tensor([[1, 1, 1, 0]])
    loss = masked_text.loss(torch.zeros(1, 4, VOCAB), tokens, x_t, torch.tensor([0.25]), label_mask, MASK)
    torch.testing.assert_close(loss, 2 * torch.tensor(VOCAB - 1.0).log() / 0.25 / 4)
