"""VQA accuracy (arXiv:1505.00468, VQAv2: arXiv:1612.00837) as the official evaluator computes it, in percent.

An answer scores min(1, matches / 3) against nine of the ten annotators, averaged over leaving each of the ten out.
Established from github.com/GT-Vision-Lab/VQA, vqaEval.py, whose quirks are part of the number:

- Answers are normalised only where the annotators disagree; ten equal answers are compared as they are.
- A punctuation mark goes without a trace where it touches a space anywhere in the text, or where the text has a comma
  between digits; otherwise it becomes a space. Both are decided on the text as it came.
- A full stop goes unless a digit follows; the guard for a digit before it is mistyped and never holds. re.UNICODE was
  passed as the count: the first 32 go.
- "none" is 0; number words to "ten" become digits; a, an, the go; contractions lose or regain their apostrophe by a
  table, which holds "somebody'd" the wrong way round.

Python 2 met ASCII digits only and lowered letter by letter; so does this.
Departs from official: two annotators whose entries are equal in every field count as two (there: as none); released
files number the annotators, so that none are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.metrics.item_scores import ItemScore, mean_score
from bench.records.schema import Metric

PERCENT = 100.0
MATCHES_FOR_ALL = 3  # annotators who must agree with an answer that scores in full
ANNOTATORS = 10  # that the official rule presumes
AGREEMENT_TITLE = "Agreement (not official)"

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
COMMA_IN_NUMBER = re.compile(r"\d,\d", re.ASCII)
FULL_STOP = re.compile(r"\.(?!\d)", re.ASCII)
FULL_STOPS_STRIPPED = 32
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {word: str(number) for number, word in enumerate(NUMBER_WORDS)} | {"none": "0"}
ARTICLES = ("a", "an", "the")
# What D-DiT's copy of the evaluator knows besides; it spells "twelfth" so, and knows the right spelling not.
_ORDINALS = "first:1st second:2nd third:3rd fourth:4th fifth:5th sixth:6th seventh:7th eighth:8th ninth:9th tenth:10th"
ORDINALS = dict(pair.split(":") for pair in f"{_ORDINALS} eleventh:11th twelth:12th".split())
D_DIT_TITLE = "VQA accuracy, as D-DiT's script scores (not official)"

# The table of the official evaluator. Mostly a word that lost its apostrophes gets them back ...
_RESTORED = """
ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's I'm I've
isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've shouldn't
somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're there's they'd
they'll they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's where've who'd
who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
"""
# ... a word with two apostrophes gets back the one it lost, or both ...
_HALF_RESTORED = """
couldn'tve couldnt've hadnt've hadn'tve hed've he'dve Id've I'dve itd've it'dve mightnt've mightn'tve shed've she'dve
shouldnt've shouldn'tve somebodyd've somebody'dve someoned've someone'dve somethingd've something'dve thered've
there'dve theyd've they'dve wed've we'dve whod've who'dve wouldnt've wouldn'tve yall'll y'allll yall'd've y'alld've
y'all'dve youd've you'dve
"""
_WHOLE = """
couldn't've hadn't've he'd've I'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've something'd've
there'd've they'd've we'd've who'd've wouldn't've y'all'll y'all'd've you'd've
"""
# ... and these stand as they are there.
_ODD = {
    "let's": "let's",
    "she's": "she's",
    "somebody'd": "somebodyd",
    "ow's'at": "'ow's'at",
    "'ows'at": "'ow's'at",
    "'ow'sat": "'ow's'at",
}


def _bare(word: str) -> str:
    return word.replace("'", "")


CONTRACTIONS: dict[str, str] = {
    **{_bare(word): word for word in _RESTORED.split()},
    **{half: next(word for word in _WHOLE.split() if _bare(word) == _bare(half)) for half in _HALF_RESTORED.split()},
    **_ODD,
}


def clean(text: str) -> str:
    """What is done to every answer: line breaks and tabs to spaces, outer space away."""
    return text.replace("\n", " ").replace("\t", " ").strip()


@functools.lru_cache(maxsize=1 << 18)  # answers repeat: 2.1 million of VQAv2's validation set
def normalize(text: str, ordinals: bool = False) -> str:
    """An answer, cleaned, as the official evaluator compares it where annotators disagree.

    ordinals: "first" to "eleventh" become "1st" to "11th" too, as in D-DiT's copy of it.
    """
    number_with_comma = COMMA_IN_NUMBER.search(text) is not None
    stripped = text
    for mark in PUNCTUATION:
        gone = number_with_comma or f"{mark} " in text or f" {mark}" in text
        stripped = stripped.replace(mark, "" if gone else " ")
    stripped = FULL_STOP.sub("", stripped, count=FULL_STOPS_STRIPPED)
    numbers = NUMBERS | ORDINALS if ordinals else NUMBERS
    words = (numbers.get(word, word) for word in _lower(stripped).split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(letter.lower()[:1] for letter in text)


def vqa_accuracy(answer: str, answers: Sequence[str]) -> float:
    """Accuracy of one answer, 0 to 1, against the annotators' answers (ten in VQAv2)."""
    answer, answers = clean(answer), [clean(one) for one in answers]
    if len(set(answers)) > 1:
        answer, answers = normalize(answer), [normalize(one) for one in answers]
    return _leave_one_out(answer, answers)


def vizwiz_accuracy(answer: str, answers: Sequence[str]) -> float:
    """VizWiz's accuracy, 0 to 1: the answer is always normalised, the annotators' (released so) never are.

    Departs from official: its copy of the table has typographic apostrophes, so that "dont" never matches there.
    """
    return _leave_one_out(normalize(clean(answer)), answers)


def d_dit_accuracy(answer: str, answers: Sequence[str], *, is_vizwiz: bool = False) -> float:
    """Accuracy of one answer, 0 to 1, as D-DiT's own script takes it, the same for VQAv2, OK-VQA and VizWiz.

    Established from github.com/zijieli-Jlee/Dual-Diffusion @bbf06bf, scripts: a copy of the official evaluator that has
    ordinals; it normalises always, the annotators' answers once, the model's twice. Of VizWiz, what holds "unanswer"
    in small letters is "unanswerable".
    """
    if is_vizwiz and "unanswer" in answer:
        answer = "unanswerable"
    said = normalize(clean(normalize(clean(answer), ordinals=True)), ordinals=True)
    return _leave_one_out(said, [normalize(clean(one), ordinals=True) for one in answers])


def _leave_one_out(answer: str, answers: Sequence[str]) -> float:
    matches = [one == answer for one in answers]
    total = sum(matches)
    return sum(min(1.0, (total - match) / MATCHES_FOR_ALL) for match in matches) / len(matches)


def agreement(answer: str, answers: Sequence[str], accuracy: Callable[[str, Sequence[str]], float]) -> float:
    """Share of the annotators' answers that equal the answer as `accuracy` compares them, 0 to 1; not official.

    What is left to say where there are fewer than ten: 1 where all there are agree with it.
    """
    if accuracy is vizwiz_accuracy:
        said, truths = normalize(clean(answer)), list(answers)
    else:
        said, truths = clean(answer), [clean(one) for one in answers]
        if len(set(truths)) > 1:
            said, truths = normalize(said), [normalize(one) for one in truths]
    return sum(one == said for one in truths) / len(truths)


def compute_vqa_scores(accuracies: np.ndarray, answer_types: Sequence[str | None]) -> dict[str, ItemScore]:
    """vqa_accuracy, and of each answer type of VQAv2 and VizWiz that occurs.  accuracies: (N,) 0 to 1."""
    scores = {"vqa_accuracy": mean_score(PERCENT * accuracies, unit="%", highest=PERCENT)}
    types = np.array([str(one) for one in answer_types])
    for name, answer_type in ANSWER_TYPES.items():
        items = np.flatnonzero(types == answer_type)
        if len(items):
            scores[name] = mean_score(PERCENT * accuracies, items, unit="%", highest=PERCENT)
    return scores


def compute_answerability(unanswerable: np.ndarray, said: np.ndarray) -> dict[str, ItemScore]:
    """VizWiz's second task, to tell what cannot be answered.  unanswerable: (N,) bool, the truth
    said: (N,) likelihood that it cannot, 0 to 1; above one half is a yes for F1. All 0 or 1: no average precision.
    """
    items = np.arange(len(said))

    def f1(indices: np.ndarray) -> float:
        true, positive = unanswerable[indices], said[indices] > 0.5
        both = 2 * (true & positive).sum()
        return float(PERCENT * both / max(1, true.sum() + positive.sum()))

    def average_precision(indices: np.ndarray) -> float:
        falling = indices[np.argsort(-said[indices], kind="stable")]
        last = np.flatnonzero(np.append(np.diff(said[falling]) != 0, True))  # of each run of equal likelihoods
        found = np.cumsum(unanswerable[falling])[last]
        recall = found / max(1, found[-1])
        return float(PERCENT * (np.diff(recall, prepend=0.0) * found / (last + 1)).sum())

    scores = {"vizwiz_unanswerable_f1": ItemScore(f1, items, "%", PERCENT)}
    if not np.isin(said, (0.0, 1.0)).all():
        scores["vizwiz_unanswerable_ap"] = ItemScore(average_precision, items, "%", PERCENT)
    return scores


def compute_gqa_scores(correct: np.ndarray, structural_types: Sequence[str | None]) -> dict[str, ItemScore]:
    """GQA's accuracies of exact matches (N,) bool: all, open questions (structural type "query"), and the rest."""
    values = PERCENT * correct
    scores = {"gqa_accuracy": mean_score(values, unit="%", highest=PERCENT)}
    is_open = np.array([one == "query" for one in structural_types])
    known = np.array([one is not None for one in structural_types])
    for name, chosen in (("gqa_accuracy_open", is_open), ("gqa_accuracy_binary", known & ~is_open)):
        if chosen.any():
            scores[name] = mean_score(values, np.flatnonzero(chosen), unit="%", highest=PERCENT)
    return scores


ANSWER_TYPES: Mapping[str, str] = {
    "vqa_accuracy_yes_no": "yes/no",
    "vqa_accuracy_number": "number",
    "vqa_accuracy_other": "other",
    "vqa_accuracy_unanswerable": "unanswerable",
}


def _metric(name: str, title: str, what: str) -> Metric:
    return Metric(name=name, unit="%", higher_is_better=True, title=title, what=what)


METRICS = (
    _metric("vqa_accuracy", "VQA accuracy", "answers: agreement with ten annotators, by VQAv2's official rule"),
    *(
        _metric(name, f"VQA accuracy, {kind}", f"the same, over questions of answer type {kind}")
        for name, kind in ANSWER_TYPES.items()
    ),
    _metric(
        "vqa_accuracy_d_dit", D_DIT_TITLE, "answers: agreement with ten annotators, by the script of D-DiT's authors"
    ),
    _metric("vqa_agreement", AGREEMENT_TITLE, "share of the reference answers, fewer than ten, that equal the answer"),
    _metric("vizwiz_unanswerable_f1", "Unanswerable, F1", "VizWiz: telling which questions cannot be answered"),
    _metric("vizwiz_unanswerable_ap", "Unanswerable, AP", "the same as average precision of the stated likelihood"),
    _metric("gqa_accuracy", "GQA accuracy", "answers equal to GQA's, letter by letter"),
    _metric("gqa_accuracy_open", "GQA accuracy, open", "the same, over open questions"),
    _metric("gqa_accuracy_binary", "GQA accuracy, binary", "the same, over yes/no and either/or questions"),
)
