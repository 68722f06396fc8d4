"""Inception Score (Salimans et al. 2016, arXiv:1606.03498):  IS = exp( E_x KL( p(y|x) || p(y) ) ),  p(y) = E_x p(y|x).

By torch-fidelity: the mean over ten splits of the shuffled images. Between 1 and the number of classes; sees no real
image, so it rewards clear and varied classes, not likeness.
"""

from __future__ import annotations

import numpy as np

from bench.errors import CheckFailed
from bench.records.schema import Metric
from bench.stats import Bounds, resampled_interval

SPLITS = 10
TINY = 1e-300  # keeps log 0 finite; such a class adds nothing to the score


def compute_inception_score(posteriors: np.ndarray) -> float:
    """IS of class posteriors (N, K), by torch-fidelity."""
    import torch
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    if len(posteriors) < SPLITS:
        raise CheckFailed(f"Inception Score needs at least {SPLITS} images (one per split), got {len(posteriors)}")
    logits = torch.from_numpy(np.log(posteriors.clip(min=TINY)))  # softmax(log p) = p
    return isc_features_to_metric(logits, splits=SPLITS)[KEY_METRIC_ISC_MEAN]


def inception_score_interval(
    value: float, posteriors: np.ndarray, *, seed: int = 0, strata: np.ndarray | None = None
) -> Bounds:
    """95 % interval over the generated images, at the same split size."""
    num = len(posteriors)
    split_idx = np.arange(num) * SPLITS // num
    shuffle = np.random.default_rng([seed, 1])
    negative_entropy = (posteriors * np.log(posteriors.clip(min=TINY))).sum(1)  # (N,)

    def statistic(indices: np.ndarray) -> float:
        indices = shuffle.permutation(indices)
        scores = []
        for split in range(SPLITS):
            rows = indices[split_idx == split]
            marginal = posteriors[rows].mean(0)
            scores.append(np.exp(negative_entropy[rows].mean() - marginal @ np.log(marginal.clip(min=TINY))))
        return float(np.mean(scores))

    return resampled_interval(value, statistic, num, seed=seed, strata=strata, lowest=1.0, highest=posteriors.shape[1])


METRIC = Metric(
    name="inception_score",
    unit="",
    higher_is_better=True,
    title="IS",
    what="Inception Score: clear and varied classes, 1 to the number of classes, by torch-fidelity in ten splits",
)
