"""What holds of a score whatever is scored: its bounds, and what may be changed without changing it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.metrics.fid import compute_fid, compute_fid_clean, compute_statistics, frechet_distance
from bench.metrics.inception_score import SPLITS, compute_inception_score
from bench.metrics.kid import compute_kid
from bench.metrics.latency import PERCENTILES, compute_throughput, percentile
from bench.metrics.precision_recall import compute_precision_recall
from bench.metrics.vqa import d_dit_accuracy, vizwiz_accuracy, vqa_accuracy
from tests.properties import drawn

DIMENSIONS = 3
NUMBERS = st.integers(-64, 64).map(lambda number: number / 8)  # exact sums: equal and tied numbers among them
SECONDS = st.floats(1e-4, 1e3)


def clouds(least: int = 6, most: int = 12) -> st.SearchStrategy[np.ndarray]:
    """Features (N, D), float32 as extractors give them."""
    return st.integers(least, most).flatmap(lambda num: arrays(np.float32, (num, DIMENSIONS), elements=NUMBERS))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return frechet_distance(*compute_statistics(one), *compute_statistics(other))


# -- features ----------------------------------------------------------------------------------------------------------


@drawn
@given(clouds(), clouds(), st.integers(0, 2**32 - 1))
def test_fid_is_a_distance_that_no_shift_and_no_turn_changes(one: np.ndarray, other: np.ndarray, seed: int) -> None:
    found = distance(one, other)
    size = 1 + np.trace(compute_statistics(one)[1]) + np.trace(compute_statistics(other)[1])
    assert found >= -1e-7 * size
    assert distance(one, one) == pytest.approx(0, abs=1e-6 * size)
    assert distance(other, one) == pytest.approx(found, abs=1e-6 * size, rel=1e-6)
    generator = np.random.default_rng(seed)
    turn = np.linalg.qr(generator.standard_normal((DIMENSIONS, DIMENSIONS)))[0]
    shift = generator.standard_normal(DIMENSIONS)
    moved = [side.astype(np.float64) @ turn + shift for side in (one, other)]
    assert distance(*moved) == pytest.approx(found, abs=1e-6 * size, rel=1e-6)
    twice = [side.astype(np.float64) * 2 for side in (one, other)]
    assert distance(*twice) == pytest.approx(4 * found, abs=1e-5 * size, rel=1e-6)


@drawn
@given(clouds(), clouds())
def test_three_engines_agree_on_fid(one: np.ndarray, other: np.ndarray) -> None:
    statistics = compute_statistics(one), compute_statistics(other)
    ours = frechet_distance(*statistics[0], *statistics[1])
    for engine in (compute_fid, compute_fid_clean):
        assert engine(*statistics) == pytest.approx(ours, abs=1e-3, rel=1e-3)


@drawn
@given(clouds(), clouds(), st.randoms(use_true_random=False))
def test_kid_is_symmetric_and_knows_no_order(one: np.ndarray, other: np.ndarray, random: object) -> None:
    """Of sides of equal size a subset is all there is."""
    num = min(len(one), len(other))
    one, other = one[:num].astype(np.float64), other[:num].astype(np.float64)
    found = compute_kid(one, other)
    size = 1 + np.abs(one).max() ** 6 + np.abs(other).max() ** 6
    assert compute_kid(other, one) == pytest.approx(found, abs=1e-9 * size)
    order = list(range(num))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert compute_kid(one[order], other) == pytest.approx(found, abs=1e-9 * size)


@drawn
@given(clouds(), clouds(), st.integers(1, 64))
def test_precision_of_one_side_is_recall_of_the_other(one: np.ndarray, other: np.ndarray, factor: int) -> None:
    """Both are shares; stretching all features by a power of two changes neither."""
    precision, recall = compute_precision_recall(one, other)
    assert 0 <= precision <= 1
    assert 0 <= recall <= 1
    assert compute_precision_recall(other, one) == (recall, precision)
    power = np.float32(2.0 ** (factor % 5))
    assert compute_precision_recall(one * power, other * power) == (precision, recall)


@drawn
@given(st.integers(SPLITS, 40).flatmap(lambda num: arrays(np.float64, (num, 5), elements=st.floats(1e-6, 1))))
def test_the_inception_score_lies_between_one_and_the_number_of_classes(posteriors: np.ndarray) -> None:
    """And is blind to the names of the classes."""
    posteriors /= posteriors.sum(1, keepdims=True)
    found = compute_inception_score(posteriors)
    assert 1 - 1e-9 <= found <= 5 + 1e-9
    assert compute_inception_score(posteriors[:, ::-1]) == pytest.approx(found, rel=1e-9)


# -- times -------------------------------------------------------------------------------------------------------------


@drawn
@given(st.lists(SECONDS, min_size=1, max_size=40), st.integers(1, 64))
def test_percentiles_rise_and_lie_among_the_rounds(rounds_s: list[float], batch_size: int) -> None:
    found = [percentile(rounds_s, percent) for percent in PERCENTILES]
    values = [measured.value for measured in found]
    assert min(rounds_s) <= values[0]
    assert values == sorted(values)
    assert values[-1] <= max(rounds_s)
    for measured in found:
        assert measured.ci_low is None or measured.ci_low <= measured.value
        assert measured.ci_high is None or measured.ci_high >= measured.value
    rate = compute_throughput(rounds_s, batch_size)
    assert rate.value * values[0] == pytest.approx(batch_size)


# -- answers -----------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["yes", "no", "two", "2", "a dog", "the dog", "dont", "don't", "1,000", "red.", "Red", "", "é"])
ANSWERS = st.lists(WORDS | st.text(max_size=12), min_size=10, max_size=10)


@drawn
@given(WORDS | st.text(max_size=12), ANSWERS, st.randoms(use_true_random=False))
@pytest.mark.parametrize("accuracy", [vqa_accuracy, vizwiz_accuracy, d_dit_accuracy])
def test_an_accuracy_is_a_share_that_knows_no_order_of_annotators(accuracy, answer, answers, random) -> None:
    found = accuracy(answer, answers)
    assert 0 <= found <= 1
    shuffled = [*answers]
    random.shuffle(shuffled)
    assert accuracy(answer, shuffled) == pytest.approx(found)
    assert accuracy(answer, [answer] * 10) == 1 or accuracy is vizwiz_accuracy  # which leaves annotators' as they are
