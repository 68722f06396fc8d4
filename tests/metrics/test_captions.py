"""Caption scores: pycocoevalcap's numbers, resampled rightly, and never with the two sides swapped."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.errors import CheckFailed
from bench.metrics.captions import BLEU_ORDERS, Meteor, compute_caption_scores, fallback_tokenize, meteor_of_statistics
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


def meteor_by_hand(rows):
    """METEOR 1.5 as its paper has it (Denkowski & Lavie 2014, section 2), with the weights of table 1 for ranking."""
    alpha, beta, gamma, delta, weights = 0.85, 0.2, 0.6, 0.75, (1.0, 0.6, 0.8, 0.6)
    sides = []
    for side in (0, 1):  # caption, reference
        matched = all_words = 0.0
        for row in rows:
            function_words = row[2 + side]
            all_words += delta * (row[side] - function_words) + (1 - delta) * function_words
            for place, weight in enumerate(weights):
                content, function = row[4 + 4 * place + side], row[4 + 4 * place + 2 + side]
                matched += weight * (delta * content + (1 - delta) * function)
        if matched == 0:
            return 0.0
        sides.append(matched / all_words)
    chunks = sum(row[20] for row in rows if not (row[20] == 1 and row[21] == row[0] and row[22] == row[1]))
    matches = sum(row[21] + row[22] for row in rows) / 2
    mean = sides[0] * sides[1] / (alpha * sides[0] + (1 - alpha) * sides[1])
    return mean * (1 - gamma * (chunks / matches) ** beta)


def meteor_row(matched, *, spare=(0, 0, 0, 0), chunks=1):
    """matched: by matcher (content, function) words, the same of both sides; spare: unmatched words of either."""
    content, function = (sum(pair[kind] for pair in matched) for kind in (0, 1))
    functions = function + spare[2], function + spare[3]
    num = content + spare[0] + functions[0], content + spare[1] + functions[1]
    pairs = [count for pair in matched for count in (pair[0], pair[0], pair[1], pair[1])]
    return [*num, *functions, *pairs, chunks, content + function, content + function]


METEOR_MADE = [
    meteor_row([(3, 1), (1, 0), (2, 1), (1, 2)], spare=(1, 2, 3, 1), chunks=4),
    meteor_row([(0, 0), (0, 0), (1, 0), (0, 1)], spare=(2, 0, 0, 1), chunks=2),
    meteor_row([(0, 1), (0, 0), (0, 0), (0, 0)]),  # one function word, wholly right
    meteor_row([(1, 0), (0, 0), (0, 0), (0, 0)], spare=(0, 3, 0, 0)),  # a chunk that is all of the caption alone
    meteor_row([(1, 3), (0, 0), (0, 0), (0, 0)], spare=(3, 0, 0, 0)),  # ... and all of the reference alone
    meteor_row([(2, 2), (0, 0), (0, 0), (0, 0)], chunks=2),  # all words, in two chunks
    [3, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 3, 2],  # two words for one: wholly right
    [4, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 3, 2],  # ... with one too many
    [2, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3],  # ... or with one too few
    meteor_row([(2, 2), (0, 0), (0, 0), (0, 0)]),
]


def test_meteor_is_its_papers_formula_with_every_matcher():
    """Of each made-up caption, of all together, and of those without the first."""
    made = np.array(METEOR_MADE, np.float64)
    for rows in (*(row[None] for row in made), made, made[1:]):
        assert meteor_of_statistics(rows) == pytest.approx(meteor_by_hand(rows), rel=1e-12)
    assert meteor_of_statistics(made[-1:]) == 1  # wholly right in one chunk: nothing is fragmented


def test_a_caption_that_matches_nothing_scores_zero():
    nothing = meteor_row([(0, 0)] * 4, spare=(3, 4, 1, 2), chunks=0)
    assert meteor_of_statistics(np.array([nothing], np.float64)) == 0
    assert meteor_of_statistics(np.array([[0.0] * 23])) == 0


def test_bleu_of_one_empty_or_wrong_caption_is_pycocoevalcaps():
    """Its guards against division by zero show here: 1e-15 matches of 1e-9 n-grams."""
    from pycocoevalcap.bleu.bleu import Bleu

    references = [["a dog runs on grass"], ["a cat"], ["a dog sits", "two red balls on the grass"]]
    candidates = ["", "the dog runs far away now", "a red ball on the grass today"]
    scores = compute_caption_scores(references, candidates).scores
    for i, (captions, candidate) in enumerate(zip(references, candidates, strict=True)):
        alone, _ = Bleu(4).compute_score({0: captions}, {0: [candidate]}, verbose=0)
        for n in range(4):
            found = scores[f"bleu{n + 1}"].of(np.array([i]))
            assert found == pytest.approx(alone[n], rel=1e-9, abs=1e-300)


def test_spice_comes_as_it_is_and_every_score_knows_its_most():
    references, candidates = random_captions(8)
    spice = np.linspace(0, 0.7, 8)
    meteor = Meteor(METEOR_CORPUS, np.vstack([METEOR_ROWS, np.zeros((2, 23))]))
    found = compute_caption_scores(references, candidates, meteor=meteor, spice=spice)
    names = {*(f"bleu{n}" for n in range(1, BLEU_ORDERS + 1)), "meteor", "rouge_l", "cider", "spice"}
    assert found.scores.keys() == found.per_image.keys() == names
    assert {name: score.highest for name, score in found.scores.items()} == {
        name: 10 if name == "cider" else 1 for name in names
    }
    assert {name for name, score in found.scores.items() if score.is_mean} == {"rouge_l", "cider", "spice"}
    assert measure(found.scores["spice"]).value == pytest.approx(0.35)
    assert found.per_image["meteor"] == pytest.approx([*METEOR_EACH, 0, 0])
    assert "spice" not in compute_caption_scores(references, candidates).scores


def test_captions_of_another_shape_are_refused_and_nothing_is_printed(capsys):
    compute_caption_scores([["a dog"], ["a cat"]], ["a dog", "a cat"])
    assert capsys.readouterr().out == ""
    for references, candidates in (([["a dog"]], ["a dog", "a cat"]), ([["a dog"], "a cat"], ["a dog", "a cat"])):
        with pytest.raises(ValueError, match="references are lists"):
            compute_caption_scores(references, candidates)
