"""Caption scores: pycocoevalcap's numbers, resampled rightly, and never with the two sides swapped."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.errors import CheckFailed
from bench.metrics.captions import Meteor, compute_caption_scores, fallback_tokenize, meteor_of_statistics
from bench.metrics.item_scores import measure

WORDS = ("a", "dog", "cat", "runs", "on", "the", "grass", "with", "two", "red", "balls")

# What METEOR 1.5's jar prints for six captions (SCORE) and what it makes of them (EVAL: each, then the corpus).
METEOR_ROWS = np.array(
    [
        [10, 8, 5, 4, 3, 3, 4, 4, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8, 8],
        [6, 6, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 6],
        [7, 1, 6, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1],
        [0, 9, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [7, 7, 4, 3, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 4],
        [7, 3, 2, 0, 2, 2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3],
    ],
    np.float64,
)
METEOR_EACH = (0.48615773763215864, 1.0, 0.3076923076923077, 0.0, 0.2359442139989436, 0.3963891657806)
METEOR_CORPUS = 0.31681577553490914


def random_captions(num, seed=0):
    """(references, candidates): one to four references and one caption of 1 to 9 words per image, some alike."""
    generator = np.random.default_rng(seed)

    def caption():
        return " ".join(generator.choice(WORDS, generator.integers(1, 10)))

    references = [[caption() for _ in range(generator.integers(1, 5))] for _ in range(num)]
    candidates = [captions[0] if generator.random() < 0.5 else caption() for captions in references]
    return references, candidates


def test_scores_equal_pycocoevalcaps_scorers():
    """BLEU, ROUGE-L and CIDEr are what Bleu(4), Rouge() and Cider() return, for the corpus and for each image."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    references, candidates = random_captions(60)
    gts, res = dict(enumerate(references)), {i: [text] for i, text in enumerate(candidates)}
    bleu, bleu_each = Bleu(4).compute_score(gts, res, verbose=0)
    rouge, rouge_each = Rouge().compute_score(gts, res)
    cider, cider_each = Cider().compute_score(gts, res)
    found = compute_caption_scores(references, candidates)
    expected = {f"bleu{n + 1}": (bleu[n], bleu_each[n]) for n in range(4)}
    expected |= {"rouge_l": (rouge, rouge_each), "cider": (cider, cider_each)}
    assert list(found.scores) == list(expected)
    for name, (value, each) in expected.items():
        # The same counts in float64 in another order of summation.
        assert measure(found.scores[name]).value == pytest.approx(value, rel=1e-12), name
        np.testing.assert_allclose(found.per_image[name], each, rtol=1e-12, err_msg=name)


def test_swapped_sides_are_caught():
    """Closed form of the brevity penalty: three right words of four score exp(1 - 4/3); swapped sides, 3/4."""
    measured = measure(compute_caption_scores([["a b c d"], ["a b c d"]], ["a b c", "a b c"]).scores["bleu1"]).value
    assert measured == pytest.approx(math.exp(1 - 4 / 3), rel=1e-6)  # 1e-9 in each denominator, as pycocoevalcap
    swapped = measure(compute_caption_scores([["a b c"], ["a b c"]], ["a b c d", "a b c d"]).scores["bleu1"]).value
    assert swapped == pytest.approx(3 / 4, rel=1e-6)
    with pytest.raises(ValueError, match="references are lists"):
        compute_caption_scores(["a b c", "a b c"], ["a b c d", "a b c d"])


def test_bleu_of_some_images_is_bleu_of_their_corpus():
    """Resampled statistics are summed before the ratio: any selection scores as pycocoevalcap scores it alone."""
    from pycocoevalcap.bleu.bleu import Bleu

    references, candidates = random_captions(40, seed=1)
    scores = compute_caption_scores(references, candidates).scores
    chosen = np.array([3, 3, 7, 11, 20, 21, 39])
    alone, _ = Bleu(4).compute_score(
        {i: references[k] for i, k in enumerate(chosen)}, {i: [candidates[k]] for i, k in enumerate(chosen)}, verbose=0
    )
    for n in range(4):
        assert scores[f"bleu{n + 1}"].of(chosen) == pytest.approx(alone[n], rel=1e-9)
        assert scores[f"bleu{n + 1}"].of(chosen) != pytest.approx(scores[f"bleu{n + 1}"].of(np.arange(40)), rel=1e-3)


def test_cider_keeps_its_document_frequencies():
    """CIDEr of a selection is the mean of those images' scores among all images, not a CIDEr of a smaller corpus."""
    references, candidates = random_captions(40, seed=2)
    found = compute_caption_scores(references, candidates)
    chosen = np.arange(10)
    assert found.scores["cider"].of(chosen) == pytest.approx(found.per_image["cider"][:10].mean())


def test_cider_of_one_image_is_zero():
    """Every n-gram is in every document, so its weight log(1/1) is 0, however good the caption."""
    scores = compute_caption_scores([["a dog runs on the grass"]], ["a dog runs on the grass"]).scores
    assert measure(scores["cider"]).value == 0
    assert measure(scores["bleu4"]).value == pytest.approx(1, rel=1e-6)


def test_meteor_of_statistics_is_the_jars():
    """Our formula on the jar's statistics gives the jar's scores: of each caption and of the corpus, to rounding."""
    for row, expected in zip(METEOR_ROWS, METEOR_EACH, strict=True):
        assert meteor_of_statistics(row[None]) == pytest.approx(expected, abs=1e-12)
    assert meteor_of_statistics(METEOR_ROWS) == pytest.approx(METEOR_CORPUS, abs=1e-12)


def test_a_meteor_that_disagrees_with_its_statistics_is_refused():
    references, candidates = random_captions(6)
    found = compute_caption_scores(references, candidates, meteor=Meteor(METEOR_CORPUS, METEOR_ROWS))
    assert measure(found.scores["meteor"]).value == pytest.approx(METEOR_CORPUS)
    with pytest.raises(CheckFailed, match="METEOR's jar gives"):
        compute_caption_scores(references, candidates, meteor=Meteor(METEOR_CORPUS + 1e-4, METEOR_ROWS))


def test_intervals_hold_their_value_and_narrow_with_more_images():
    """Four times as many images of one kind: about half the width (the square root's law, within a half)."""
    widths = []
    for num in (50, 200):
        scores = compute_caption_scores(*random_captions(num, seed=3)).scores
        found = {name: measure(score) for name, score in scores.items()}
        for name, measured in found.items():
            assert 0 <= measured.ci_low < measured.value < measured.ci_high, name
            assert measured.n == num
        widths.append(found["bleu1"].ci_high - found["bleu1"].ci_low)
    assert 0.25 < widths[1] / widths[0] < 0.75


def test_degenerate_captions_can_be_left_out():
    """A selection drops images; where none is left there is no number."""
    references, candidates = random_captions(20, seed=4)
    score = compute_caption_scores(references, candidates).scores["rouge_l"]
    keep = np.arange(20) % 2 == 0
    assert measure(score, keep).n == 10
    assert measure(score, np.zeros(20, bool)) is None


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("A dog, running!", "a dog running"),
        ("It's the dog's ball.", "it 's the dog 's ball"),
        ("they don't play - ever", "they do n't play ever"),
        ("a 3.5 meter half-eaten sandwich; $5", "a 3.5 meter half-eaten sandwich $ 5"),
        ("...", ""),
    ],
)
def test_fallback_tokenizer_drops_what_ptb_drops(caption, tokens):
    """Plain captions come out as PTB's tokenizer with pycocoevalcap's punctuation list gives them."""
    assert fallback_tokenize(caption) == tokens
