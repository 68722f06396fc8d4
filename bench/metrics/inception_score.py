"""Inception Score (Salimans et al. 2016, arXiv:1606.03498):  IS = exp( E_x KL( p(y|x) || p(y) ) ),  p(y) = E_x p(y|x).

As torch-fidelity has it: the mean over ten splits of the shuffled images. Between 1 and the number of classes; sees no
real image, so it rewards clear and varied classes, not likeness.
"""

from __future__ import annotations

import numpy as np

from bench.errors import CheckFailed
from bench.records.schema import Metric
from bench.stats import IMAGE_RESAMPLES, Bounds, can_resample, replicated_interval, resample

SPLITS = 10
TINY = 1e-300  # keeps log 0 finite; such a class adds nothing to the score
SHUFFLE_SEED = 2020  # torch-fidelity's
ROWS_AT_ONCE = 4096  # images whose logarithms are taken at a time: bounds memory
RESAMPLES_AT_ONCE = 100  # divides IMAGE_RESAMPLES


def compute_inception_score(posteriors: np.ndarray) -> float:
    """IS of class posteriors (N, K): torch-fidelity's number, one split at a time, so that memory is bounded."""
    num = len(posteriors)
    if num < SPLITS:
        raise CheckFailed(f"Inception Score needs at least {SPLITS} images (one per split), got {num}")
    order = np.random.RandomState(SHUFFLE_SEED).permutation(num)
    scores = []
    for split in range(SPLITS):
        rows = posteriors[order[split * num // SPLITS : (split + 1) * num // SPLITS]]
        rows = rows / rows.sum(1, keepdims=True)
        marginal = rows.mean(0)
        scores.append(np.exp((_negative_entropy(rows)).mean() - marginal @ np.log(marginal.clip(min=TINY))))
    return float(np.mean(scores))


def _negative_entropy(posteriors: np.ndarray) -> np.ndarray:
    """sum p log p of each row, (N,), ROWS_AT_ONCE rows at a time."""
    parts = np.array_split(posteriors, 1 + len(posteriors) // ROWS_AT_ONCE)
    return np.concatenate([np.einsum("nk,nk->n", part, np.log(part.clip(min=TINY))) for part in parts])


def inception_score_interval(
    value: float, posteriors: np.ndarray, *, seed: int = 0, strata: np.ndarray | None = None
) -> Bounds | None:
    """95 % interval over the generated images, at the same split size.

    A split of a resample is a vector of weights, so that its marginals are one matrix product over all resamples.
    """
    num, num_classes = posteriors.shape
    if not can_resample(num, strata):
        return None
    split_idx = np.arange(num) * SPLITS // num
    shuffle = np.random.default_rng([seed, 1])
    negative_entropy = _negative_entropy(posteriors)  # (N,)
    draws = resample(num, seed=seed, strata=strata)
    scores = np.zeros((IMAGE_RESAMPLES, SPLITS))
    for start in range(0, IMAGE_RESAMPLES, RESAMPLES_AT_ONCE):
        indices = np.stack([shuffle.permutation(next(draws)) for _ in range(RESAMPLES_AT_ONCE)])
        for split in range(SPLITS):
            chosen = indices[:, split_idx == split]
            weights = np.stack([np.bincount(rows, minlength=num) for rows in chosen]) / chosen.shape[1]
            marginal = weights @ posteriors  # (RESAMPLES_AT_ONCE, K)
            entropy = np.einsum("rk,rk->r", marginal, np.log(marginal.clip(min=TINY)))
            scores[start : start + RESAMPLES_AT_ONCE, split] = np.exp(weights @ negative_entropy - entropy)
    return replicated_interval(value, scores.mean(1), num, strata=strata, lowest=1.0, highest=num_classes)


METRIC = Metric(
    name="inception_score",
    unit="",
    higher_is_better=True,
    title="IS",
    what="Inception Score: clear and varied classes, 1 to the number of classes, by torch-fidelity in ten splits",
)
