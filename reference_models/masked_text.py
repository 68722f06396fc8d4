"""Absorbing-state masked diffusion of text in continuous time (MDLM, arXiv:2406.07524), as in D-DiT (arXiv:2501.00289).

Time runs from text (t = 0) to nothing but masks (t = 1). Under the log-linear noise sigma(t) = -log(1 - (1 - eps) t) a
token is masked with probability 1 - exp(-sigma) = (1 - eps) t, and the loss weight sigma' / (exp(sigma) - 1) is 1 / t.
A network predicts the tokens under the masks. Substitution parameterisation: the mask itself is never predicted, and a
revealed token stays what it is, so that predictions are only ever asked for at masked positions.

Two plans for sampling, of one law:
- `ancestral_rounds`, as printed: in the step t -> s every masked position draws among the tokens and the mask.
- `reveal_rounds` draws first *when* each position is revealed, which no prediction has a say in, and asks the network
  only then. The authors reuse predictions while nothing changes ("ddpm_cache"), at batch size 1. Here no prediction is
  made that is not used: a sample costs one evaluation per step that reveals something in it, at any batch size.
  `cached=False` asks for every sample in every step, as theirs in a larger batch: the same texts, to be measured.
Departs from official: no evaluation after the last reveal (the authors' last arg-max changes no revealed token).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_models.noise import Noise

NOISE_EPS = 1e-3  # the log-linear noise leaves this share unmasked at t = 1; also the least t of the loss
LAST_T = 1e-5  # sampling ends here; what is still masked then gets its most probable token
NEVER = -1e6  # added to the logit of the mask

# (rows (n,), tokens (n, L), where (M,)) -> logits (M, V): predictions for the samples `rows` of a batch, with these
# tokens, at the flat positions `where` of those n * L
Predict = Callable[[Tensor, Tensor, Tensor], Tensor]
# samples to evaluate (n,), rising; rows (M,) among them and columns (M,) of the positions to ask for; and how their
# log-probabilities (M, V) become tokens (M,)
Round = tuple[Tensor, Tensor, Tensor, Callable[[Tensor], Tensor]]


def log_probs(logits: Tensor, mask_id: int) -> Tensor:
    """Log-probabilities (..., V) at masked positions: the mask is never predicted."""
    logits = logits.float()
    return logits.select_scatter(logits[..., mask_id] + NEVER, -1, mask_id).log_softmax(-1)


# -- training ----------------------------------------------------------------------------------------------------------


def antithetic_times(u: Tensor, least: float = NOISE_EPS) -> Tensor:
    """Times of a batch spread evenly over [least, 1), one per stratum of width 1/B.  u: (B,) uniform -> (B,)."""
    batch_size = len(u)
    strata = (u / batch_size + torch.arange(batch_size, device=u.device) / batch_size) % 1
    return least + (1 - least) * strata


def corrupt(tokens: Tensor, t: Tensor, uniform: Tensor, label_mask: Tensor, mask_id: int) -> Tensor:
    """x_t: each token of `label_mask` (the others are given) masked with probability (1 - eps) t.

    tokens, uniform, label_mask: (B, L)  t: (B,) -> (B, L).
    """
    masked = (uniform < (1 - NOISE_EPS) * t[:, None]) & label_mask.bool()
    return tokens.masked_fill(masked, mask_id)


def loss(logits: Tensor, tokens: Tensor, x_t: Tensor, t: Tensor, label_mask: Tensor, mask_id: int) -> Tensor:
    """Cross-entropy at the masked positions, over t (the bound of 2406.07524), a scalar.  logits: (B, L, V).

    The mean is over all B * L positions, given ones included, as the authors take it.
    """
    nll = F.nll_loss(log_probs(logits, mask_id).flatten(0, 1), tokens.flatten(), reduction="none").view_as(tokens)
    asked = (x_t == mask_id) & label_mask.bool()
    return (nll * asked / t[:, None]).mean()


# -- sampling ----------------------------------------------------------------------------------------------------------


def sample(predict: Predict, tokens: Tensor, mask_id: int, rounds: Iterator[Round]) -> Tensor:
    """Fill the masks of `tokens` (B, L) in place, round after round; returns how often each sample was evaluated (B,).

    Only the samples that a round names are evaluated: what a finished or an unchanged one costs is nothing.
    """
    length = tokens.shape[1]
    evaluations = torch.zeros(len(tokens), dtype=torch.int64)
    for asked, rows, columns, choose in rounds:
        if len(asked):
            evaluations[asked.cpu()] += 1
            indices = (asked, torch.searchsorted(asked, rows) * length + columns, rows, columns)
            asked, where, rows, columns = (index.to(tokens.device) for index in indices)
            logits = predict(asked, tokens[asked], where)
            tokens[rows, columns] = choose(log_probs(logits, mask_id))
    return evaluations


def reveal_steps(uniform: Tensor, num_steps: int) -> Tensor:
    """The step in which each position is revealed, 0..num_steps, where num_steps is the last arg-max.  uniform: (B, L).

    A mask survives the steps down to s with probability s (the factors s / t telescope): it falls in the step with
    s <= u < t.
    """
    times = torch.linspace(LAST_T, 1, num_steps + 1, device=uniform.device)
    return num_steps - torch.searchsorted(times, uniform.contiguous(), right=True)


def reveal_rounds(
    tokens: Tensor, mask_id: int, num_steps: int, noise: Noise, *, cached: bool = True
) -> Iterator[Round]:
    """Two uniforms per position: when it is revealed, and as which token.

    Round k is the k-th step *of each sample* in which it reveals something: time is not an input of the text branch, so
    samples need not be at the same step. The whole plan is known, on the CPU, before the first evaluation.
    Not `cached`: round k is step k of all, the last arg-max too, whether or not they reveal something.
    """
    when, which = noise.uniform(2, tokens.shape[1]).unbind(1)
    step = reveal_steps(when, num_steps).cpu()
    masked = (tokens == mask_id).cpu()
    reveals = torch.full((len(tokens), num_steps + 1), not cached)  # (B, steps): is a sample evaluated in that step?
    reveals[masked.nonzero()[:, 0], step[masked]] = True
    round_idx = (reveals.cumsum(1) - 1).gather(1, step)
    num_rounds = reveals.sum(1)
    for k in range(int(num_rounds.max())):
        rows, columns = (masked & (round_idx == k)).nonzero(as_tuple=True)
        is_last = step[rows, columns] == num_steps
        here = rows.to(which.device), columns.to(which.device)
        draw = partial(_draw, which=which[here], most_probable=is_last.to(which.device))
        yield (num_rounds > k).nonzero()[:, 0], rows, columns, draw


def _draw(log_p: Tensor, which: Tensor, most_probable: Tensor) -> Tensor:
    """The inverse distribution function at `which` (M,), in float64 for a large vocabulary's tail, or the arg-max."""
    cdf = log_p.double().exp().cumsum(-1)
    drawn = torch.searchsorted(cdf, which.double()[:, None] * cdf[:, -1:], right=True)[:, 0]
    return torch.where(most_probable, log_p.argmax(-1), drawn)


def ancestral_rounds(tokens: Tensor, mask_id: int, num_steps: int, vocab_size: int, noise: Noise) -> Iterator[Round]:
    """V uniforms per position and step, as the authors draw. Reads `tokens` as `sample` fills them."""
    times = torch.linspace(1, LAST_T, num_steps + 1, device=tokens.device)
    for t, s in itertools.pairwise(times):
        uniform = noise.uniform(tokens.shape[1], vocab_size)
        rows, columns = (tokens == mask_id).nonzero(as_tuple=True)
        yield rows.unique(), rows, columns, partial(_race, uniform=uniform[rows, columns], t=t, s=s, mask_id=mask_id)
    rows, columns = (tokens == mask_id).nonzero(as_tuple=True)
    yield rows.unique(), rows, columns, partial(torch.argmax, dim=-1)


def _race(log_p: Tensor, uniform: Tensor, t: Tensor, s: Tensor, mask_id: int) -> Tensor:
    """A draw from {token v: p_v (t - s) / t, mask: s / t}: the largest of probability / exponential."""
    weights = log_p.exp() * (t - s)
    weights[:, mask_id] = s
    return (weights / (1e-10 - (uniform + 1e-10).log())).argmax(-1)
