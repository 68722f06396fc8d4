"""Caption scores by pycocoevalcap's scorers, one by one (its COCOEvalCap would build SPICE, which downloads).

BLEU-1..4 (Papineni et al. 2002), METEOR 1.5 (Denkowski & Lavie 2014), ROUGE-L (Lin 2004), CIDEr-D (arXiv:1411.5726),
SPICE (arXiv:1607.08822), scaled as pycocoevalcap does: all 0 to 1, CIDEr 0 to 10. Captions come tokenised.

BLEU and METEOR are of the corpus, not means over images: a resample sums the statistics of its images. CIDEr, ROUGE-L
and SPICE are means over images; CIDEr's document frequencies stay those of all images, in a resample and in a subset.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import CheckFailed
from bench.metrics.item_scores import ItemScore, mean_score
from bench.records.schema import Metric

BLEU_ORDERS = 4
TINY, SMALL = 1e-15, 1e-9  # pycocoevalcap's guards against division by zero, which show where a precision is 0
CIDER_HIGHEST = 10.0
AGREEMENT = 1e-6  # METEOR of its jar against ours of the jar's statistics
# Tokens that pycocoevalcap drops.
PUNCTUATION = {"''", "'", "``", "`", "-lrb-", "-rrb-", "-lcb-", "-rcb-", ".", "?", "!", ",", ":", "-", "--", "...", ";"}


@dataclass(frozen=True)
class Meteor:
    """What METEOR's jar gives for a corpus."""

    value: float
    statistics: np.ndarray  # (N, 23) of each image, see meteor_of_statistics


@dataclass(frozen=True)
class CaptionScores:
    """Scores by metric name, and their values per image (N,), in the order of the captions."""

    scores: dict[str, ItemScore]
    per_image: dict[str, np.ndarray]


def compute_caption_scores(
    references: Sequence[Sequence[str]],
    candidates: Sequence[str],
    *,
    meteor: Meteor | None = None,
    spice: np.ndarray | None = None,
) -> CaptionScores:
    """Every score of one tokenised caption per image against the image's tokenised references (at least one each).

    meteor, spice: what their Java programs gave, spice per image (N,); None: left out.
    """
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    if any(isinstance(captions, str) for captions in references) or len(references) != len(candidates):
        raise ValueError("references are lists of captions per image, candidates one caption per image")
    images = np.arange(len(candidates))
    gts = {i: list(captions) for i, captions in enumerate(references)}
    res = {i: [caption] for i, caption in enumerate(candidates)}
    found = CaptionScores({}, {})

    scorer = BleuScorer(n=BLEU_ORDERS)
    for i in gts:
        scorer += (res[i][0], gts[i])
    _, per_image = scorer.compute_score(option="closest", verbose=0)
    statistics = np.array([_bleu_statistics(counts) for counts in scorer.ctest], np.float64)  # (N, 10)
    for order in range(BLEU_ORDERS):
        name = f"bleu{order + 1}"
        found.scores[name] = ItemScore(
            lambda indices, order=order: float(bleu_of_statistics(statistics[indices].sum(0))[order]),  # type: ignore[misc]
            images,
            highest=1.0,
        )
        found.per_image[name] = np.array(per_image[order])
    if meteor is not None:
        rows = meteor.statistics
        found.scores["meteor"] = ItemScore(lambda indices: meteor_of_statistics(rows[indices]), images, highest=1.0)
        found.per_image["meteor"] = np.array([meteor_of_statistics(row[None]) for row in rows])
        ours = found.scores["meteor"].of(images)
        if not abs(ours - meteor.value) <= AGREEMENT:
            raise CheckFailed(f"METEOR's jar gives {meteor.value:.6f}, its own statistics {ours:.6f}")
    _, found.per_image["rouge_l"] = Rouge().compute_score(gts, res)
    _, found.per_image["cider"] = Cider().compute_score(gts, res)
    if spice is not None:
        found.per_image["spice"] = spice
    for name in ("rouge_l", "cider", "spice"):
        if name in found.per_image:
            found.scores[name] = mean_score(found.per_image[name], highest=CIDER_HIGHEST if name == "cider" else 1.0)
    return found


def _bleu_statistics(counts: dict) -> list[float]:
    """Of one image: n-gram matches (4), n-grams (4), length of the caption and of the reference nearest in length."""
    length = counts["testlen"]
    nearest = min((abs(reference - length), reference) for reference in counts["reflen"])[1]
    return [*counts["correct"], *counts["guess"], length, nearest]


def bleu_of_statistics(totals: np.ndarray) -> np.ndarray:
    """BLEU-1..4 (4,) of summed statistics (10,): brevity penalty times the geometric mean of the precisions."""
    matches, ngrams, (length, reference) = totals[:4], totals[4:8], totals[8:]
    precisions = (matches + TINY) / (ngrams + SMALL)
    bleu = np.cumprod(precisions) ** (1 / np.arange(1, BLEU_ORDERS + 1))
    ratio = (length + TINY) / (reference + SMALL)
    return bleu * (np.exp(1 - 1 / ratio) if ratio < 1 else 1.0)


ALPHA, BETA, GAMMA, DELTA = 0.85, 0.20, 0.60, 0.75  # METEOR 1.5, English, tuned for ranking: the jar's defaults
MATCHERS = np.array([1.0, 0.6, 0.8, 0.6])  # weights of exact, stem, synonym and paraphrase matches


def meteor_of_statistics(rows: np.ndarray) -> float:
    """METEOR of the images whose statistics these are, (n, 23) as the jar prints them for a line:

    words and function words of caption and reference (c, r, cf, rf); for each of four matchers the matched content and
    function words (c, r, cf, rf); chunks; matched words of caption and reference. The score is
    (1 - gamma (chunks / matches)^beta) P R / (alpha P + (1 - alpha) R), function words weighted 1 - delta in P and R.
    """
    length, reference, chunks, *matched = rows[:, 0], rows[:, 1], rows[:, 20], rows[:, 21], rows[:, 22]
    perfect = (chunks == 1) & (matched[0] == length) & (matched[1] == reference)  # its one chunk is no fragment
    totals = rows.sum(0)
    content = DELTA * MATCHERS @ totals[4:20].reshape(4, 4)[:, :2]  # (2,): caption, reference
    function = (1 - DELTA) * MATCHERS @ totals[4:20].reshape(4, 4)[:, 2:]
    words = DELTA * (totals[:2] - totals[2:4]) + (1 - DELTA) * totals[2:4]
    if not (words > 0).all() or not (content + function > 0).all():
        return 0.0
    precision, recall = (content + function) / words
    fragmentation = chunks[~perfect].sum() / (totals[21:].sum() / 2)
    mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
    return float(mean * (1 - GAMMA * fragmentation**BETA))


def fallback_tokenize(caption: str) -> str:
    """Roughly what the PTB tokenizer gives, where there is no Java. Scores of it are not comparable with others."""
    text = re.sub(r"n't\b", " n't", caption.lower())
    text = re.sub(r"'(s|re|ve|ll|d|m)\b", r" '\1", text)
    words = re.findall(r"n't|'(?:s|re|ve|ll|d|m)\b|\w+(?:[-.:/]\w+)*|[^\w\s]+", text)
    return " ".join(word for word in words if word not in PUNCTUATION)


def _metric(name: str, title: str, what: str) -> Metric:
    return Metric(name=name, unit="", higher_is_better=True, title=title, what=f"{what}, by pycocoevalcap")


METRICS = (
    *(
        _metric(f"bleu{n}", f"BLEU-{n}", f"captions: precision of 1- to {n}-grams of the corpus, 0 to 1")
        for n in range(1, BLEU_ORDERS + 1)
    ),
    _metric("meteor", "METEOR", "captions: aligned words, stems, synonyms and paraphrases of the corpus, 0 to 1"),
    _metric("rouge_l", "ROUGE-L", "captions: longest common subsequence, mean over images, 0 to 1"),
    _metric("cider", "CIDEr", "captions: n-grams weighted by rarity (CIDEr-D), mean over images, 0 to 10"),
    _metric("spice", "SPICE", "captions: agreement of scene graphs, mean over images, 0 to 1"),
)
