"""Answers: the official rule with its quirks, letter by letter, and the rules of GQA, POPE, VizWiz and MME."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import vqa, yes_no
from bench.metrics.item_scores import measure
from bench.metrics.vqa import normalize, vizwiz_accuracy, vqa_accuracy

# Left: an answer. Right: what processPunctuation and processDigitArticle of the official vqaEval.py make of it under
# Python 2.7 (github.com/GT-Vision-Lab/VQA).
NORMALIZED = [
    ("", ""),
    ("Yes.", "yes"),
    ("The cat", "cat"),
    ("a an the", ""),
    ("A.", ""),
    ("the theatre", "theatre"),
    ("none", "0"),
    ("None of them", "0 of them"),
    ("zero", "0"),
    ("Ten dogs", "10 dogs"),
    ("eleven", "eleven"),
    ("twenty one", "twenty 1"),
    ("two 2", "2 2"),
    ("3.5", "3.5"),
    (".5", ".5"),
    ("3.", "3"),
    ("u.s.a", "usa"),
    ("a.m.", "am"),
    ("x" + "." * 33, "x."),
    ("1,000", "1000"),
    ("1,000 people, maybe", "1000 people maybe"),
    ("1,2-3", "123"),
    ("red,blue", "red blue"),
    ("red, blue", "red blue"),
    ("half-eaten, half-full", "half eaten half full"),
    ("t-shirt", "t shirt"),
    ("t -shirt-x", "t shirtx"),
    ("yes/no", "yes no"),
    ("what? ok?", "what ok"),
    ("a_b", "b"),
    ("<b>x</b>", "b x b"),
    ('"q"', "q"),
    ("left (", "left"),
    ("50%", "50%"),
    ("$5", "$5"),
    ("Dont know", "don't know"),
    ("don't", "don't"),
    ("wont", "won't"),
    ("lets", "lets"),
    ("let's", "let's"),
    ("shes", "shes"),
    ("Im", "im"),
    ("Id've", "id've"),
    ("couldn'tve", "couldn't've"),
    ("yall'd've", "y'all'd've"),
    ("somebody'd", "somebodyd"),
    ("'ow'sat", "'ow's'at"),
    ("oclock", "o'clock"),
    ("caf\xe9 \xc9COLE", "caf\xe9 \xe9cole"),
    ("a\xa0b", "b"),
    ("\u0663,\u0664", "\u0663 \u0664"),
    ("\u0663.\u0664", "\u0663\u0664"),
    ("\u0130", "i"),
    ("\u03a3\u03a3", "\u03c3\u03c3"),
]


@pytest.mark.parametrize(("answer", "expected"), NORMALIZED)
def test_normalize_is_the_official_one(answer, expected):
    assert normalize(answer) == expected


@pytest.mark.parametrize(("agreeing", "accuracy"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)])
def test_accuracy_leaves_each_annotator_out(agreeing, accuracy):
    """k of ten agree: the mean over leaving one out of min(1, matches / 3) is 0, .3, .6, .9, 1, 1, ..."""
    answers = ["red"] * agreeing + [f"colour {i}" for i in range(10 - agreeing)]
    assert vqa_accuracy("red", answers) == pytest.approx(accuracy)


def test_answers_are_normalised_only_where_annotators_disagree():
    """Ten times "Two": "two" is wrong; one of ten says otherwise: "2" and "two." are right."""
    assert vqa_accuracy("two", ["Two"] * 10) == 0
    assert vqa_accuracy("Two", ["Two"] * 10) == 1
    assert vqa_accuracy(" Two\n", ["Two"] * 10) == 1
    assert vqa_accuracy("2", ["Two"] * 9 + ["three"]) == 1
    assert vqa_accuracy("two.", ["Two"] * 9 + ["three"]) == 1


def test_none_and_zero_are_one_answer():
    assert vqa_accuracy("none", ["0"] * 5 + ["zero"] * 4 + ["1"]) == 1


def test_vizwiz_normalises_the_answer_alone():
    """The released answers are compared as they are: "Basil" there is never met; the model's is always normalised."""
    assert vizwiz_accuracy("The basil.", ["basil"] * 10) == 1
    assert vizwiz_accuracy("Basil", ["Basil"] * 10) == 0
    assert vizwiz_accuracy("basil", ["basil"] * 2 + ["unanswerable"] * 8) == pytest.approx(0.6)


ORDINALS = [  # an answer, as D-DiT's script has it, and as the official one
    ("First", "1st", "first"),
    ("the third", "3rd", "third"),
    ("twelth", "12th", "twelth"),
    ("twelfth", "twelfth", "twelfth"),
    ("two firsts", "2 firsts", "2 firsts"),
]


@pytest.mark.parametrize(("answer", "of_d_dit", "official"), ORDINALS)
def test_d_dits_script_knows_ordinals_and_the_official_one_does_not(answer, of_d_dit, official):
    assert normalize(answer, ordinals=True) == of_d_dit
    assert normalize(answer) == official


def test_d_dits_script_normalises_always_and_the_answer_twice():
    """Also where all annotators agree; "x..." of 33 full stops and one more keeps none when done twice."""
    assert vqa.d_dit_accuracy("two", ["Two"] * 10) == 1
    assert vqa.d_dit_accuracy("second", ["2nd"] * 2 + ["third"] * 8) == pytest.approx(0.6)
    dots = "x" + "." * 33
    assert (normalize(dots), normalize(normalize(dots))) == ("x.", "x")
    assert vqa.d_dit_accuracy(dots, ["x"] * 10) == 1
    assert vqa.d_dit_accuracy("x", [dots] * 10) == 0
    assert vqa.d_dit_accuracy("." * 33 + "first", ["1st"] * 10) == 1  # an ordinal only once it is clean


def test_what_holds_unanswer_is_unanswerable_to_d_dits_script_of_vizwiz_alone():
    truths = ["unanswerable"] * 10
    assert vqa.d_dit_accuracy("the question is unanswered", truths, is_vizwiz=True) == 1
    assert vqa.d_dit_accuracy("the question is unanswered", truths) == 0
    assert vqa.d_dit_accuracy("Unanswered", truths, is_vizwiz=True) == 0


def test_agreement_is_the_share_of_annotators_as_each_rule_compares_them():
    """VQAv2: as they are where all agree, else normalised; VizWiz: the answer always, the annotators never."""
    assert vqa.agreement("two", ["Two", "Two"], vqa_accuracy) == 0
    assert vqa.agreement(" Two\n", ["Two", "Two"], vqa_accuracy) == 1
    assert vqa.agreement("the 2", ["Two", "two.", "three", "four"], vqa_accuracy) == 0.5
    assert vqa.agreement("2", ["Two", "two."], vqa_accuracy) == 1
    assert vqa.agreement("The Basil.", ["basil", "Basil", "mint", "basil"], vizwiz_accuracy) == 0.5
    assert vqa.agreement("red", ["red"], vqa_accuracy) == 1


def test_accuracies_by_answer_type_are_means_in_percent():
    """The overall number is the mean over questions, each type's over its own; a type that does not occur is absent."""
    scores = vqa.compute_vqa_scores(np.array([1.0, 0.6, 0.0, 0.3]), ["yes/no", "yes/no", "other", None])
    values = {name: measure(score).value for name, score in scores.items()}
    assert values == pytest.approx({"vqa_accuracy": 47.5, "vqa_accuracy_yes_no": 80.0, "vqa_accuracy_other": 0.0})
    assert measure(scores["vqa_accuracy_yes_no"]).n == 2
    assert all((score.unit, score.highest, score.is_mean) == ("%", 100, True) for score in scores.values())


def test_answerability_is_scikit_learns():
    """F1 at one half and average precision of "cannot be answered", as VizWiz computes them with scikit-learn."""
    from sklearn.metrics import average_precision_score, f1_score

    generator = np.random.default_rng(0)
    truth = generator.random(200) < 0.3
    said = np.round(0.35 * truth + 0.65 * generator.random(200), 1)  # rounded, so that likelihoods are shared
    scores = vqa.compute_answerability(truth, said)
    f1 = 100 * f1_score(truth, said > 0.5)
    assert measure(scores["vizwiz_unanswerable_f1"]).value == pytest.approx(f1)
    average_precision = 100 * average_precision_score(truth, said)
    assert measure(scores["vizwiz_unanswerable_ap"]).value == pytest.approx(average_precision)
    assert set(vqa.compute_answerability(truth, truth.astype(float))) == {"vizwiz_unanswerable_f1"}
    none = vqa.compute_answerability(np.zeros(8, bool), np.full(8, 0.5))  # a half is no yes; nothing to find
    assert [measure(score).value for score in none.values()] == [0, 0]
    assert {(score.unit, score.highest) for score in scores.values()} == {("%", 100)}
    last = vqa.compute_answerability(np.array([False, False, True]), np.array([0.9, 0.4, 0.1]))
    assert last["vizwiz_unanswerable_ap"].of(np.arange(3)) == pytest.approx(100 / 3)  # the one is found third


def test_gqa_counts_open_and_binary_questions():
    """Structural type "query" is open, every other binary."""
    scores = vqa.compute_gqa_scores(np.array([True, False, True, True]), ["query", "query", "verify", "choose"])
    values = {name: measure(score).value for name, score in scores.items()}
    assert values == {"gqa_accuracy": 75, "gqa_accuracy_open": 50, "gqa_accuracy_binary": 100}
    unknown = vqa.compute_gqa_scores(np.array([True, False, True]), ["verify", None, None])
    assert {name: measure(score).n for name, score in unknown.items()} == {"gqa_accuracy": 3, "gqa_accuracy_binary": 1}
    assert all((score.unit, score.highest) == ("%", 100) for score in (*scores.values(), *unknown.values()))


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("yes", "yes"),
        ("No", "no"),
        ("no", "no"),
        ("No, there is a dog.", "no"),
        ("There is not a dog", "no"),
        ("Yes. There is no cat, though.", "yes"),
        ("There are no dogs. Yes.", "no"),
        ("NO", "yes"),
        ("no!", "yes"),
        ("nothing", "yes"),
        ("isn't there", "yes"),
        ("", "yes"),
        (".no", "yes"),
        ("well,no", "yes"),
        ("yes, no, maybe", "no"),
    ],
)
def test_pope_reads_as_its_script(answer, read):
    """First sentence, commas away, the words No, no and not."""
    assert yes_no.parse_pope(answer) == read


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("Yes", "yes"),
        ("NO.", "no"),
        ("yes, it is", "yes"),
        ('"Yes"', "yes"),
        (" no", "no"),
        ("Not sure", "no"),
        ("know", "no"),
        ("The answer is yes", "other"),
        ("Well no", "other"),
        ("is no", "other"),
        ("", "other"),
    ],
)
def test_mme_reads_the_first_four_letters(answer, read):
    assert yes_no.parse_mme(answer) == read


def test_pope_scores_are_scikit_learns():
    """Precision, recall and F1 with yes as the positive class; the yes ratio is the share of yes answers."""
    from sklearn.metrics import f1_score, precision_score, recall_score

    generator = np.random.default_rng(1)
    true, said = generator.random(300) < 0.5, generator.random(300) < 0.7
    values = {name: measure(s).value for name, s in yes_no.compute_pope_scores(said, true).items()}
    assert values == pytest.approx(
        {
            "pope_accuracy": 100 * (said == true).mean(),
            "pope_precision": 100 * precision_score(true, said),
            "pope_recall": 100 * recall_score(true, said),
            "pope_f1": 100 * f1_score(true, said),
            "pope_yes_ratio": 100 * said.mean(),
        }
    )


def test_pope_that_never_says_yes_has_no_precision():
    """All no on half yes: accuracy 50, the rest 0, and no division by zero."""
    scores = yes_no.compute_pope_scores(np.zeros(10, bool), np.arange(10) < 5)
    values = [measure(scores[name]).value for name in ("pope_accuracy", "pope_precision", "pope_recall", "pope_f1")]
    assert values == [50, 0, 0, 0]


def test_mme_sums_accuracy_and_accuracy_plus_per_subtask():
    """Two subtasks of two images: (3/4 + 1/2) and (2/4 + 0) of one hundred make 175; always yes scores 50 and 0."""
    correct = np.array([[True, True], [True, False], [True, False], [False, True]])
    subtasks = ["count", "count", "color", "color"]
    scores = yes_no.compute_mme_scores(correct, subtasks, {"two": ("count", "color"), "three": ("count", "OCR")})
    values = {name: measure(score).value for name, score in scores.items()}
    assert values == pytest.approx({"mme_accuracy": 62.5, "mme_accuracy_plus": 25, "mme_score": 175, "two": 175})
    interval = measure(scores["mme_score"])
    assert interval.ci_low is interval.ci_high is None  # four images tell no spread
    many = yes_no.compute_mme_scores(np.tile(correct, (4, 1)), subtasks * 4, {})
    interval = measure(many["mme_score"])
    assert 0 <= interval.ci_low < 175 < interval.ci_high <= 400


@pytest.mark.parametrize(
    ("answer", "is_answer"),
    [("Yes!", True), ("NO", True), ("it is not", True), ("nothing", False), ("eyes", False), ("", False)],
)
def test_a_reader_takes_the_words_yes_no_and_not_for_an_answer(answer, is_answer):
    assert yes_no.is_yes_or_no(answer) is is_answer


def test_pope_of_several_files_is_the_mean_over_them():
    """File b, of 2 questions, weighs as much as a, of 6; each is resampled by itself."""
    files = ["a"] * 6 + ["b"] * 2
    said, true = np.array([1, 1, 1, 0, 0, 0, 1, 0], bool), np.array([1, 0, 0, 1, 0, 0, 1, 1], bool)
    scores = yes_no.compute_pope_scores(said, true, files)
    values = {name.removeprefix("pope_"): score.of(np.arange(8)) for name, score in scores.items()}
    expected = {"accuracy": 50, "precision": (1 / 3 + 1) * 50, "recall": 50, "yes_ratio": 50}
    assert values == pytest.approx({**expected, "f1": 50 * (2 / 5 + 2 / 3)})
    assert all(score.strata.tolist() == files for score in scores.values())
    assert all((score.unit, score.highest) == ("%", 100) for score in scores.values())
    assert all(score.strata is None for score in yes_no.compute_pope_scores(said, true).values())


def test_one_yes_that_is_right_is_all_of_the_yes_answers():
    scores = yes_no.compute_pope_scores(np.array([True, False]), np.array([True, True]))
    assert [score.of(np.arange(2)) for score in scores.values()] == pytest.approx([50, 100, 50, 200 / 3, 50])
    none = yes_no.compute_pope_scores(np.array([False, False]), np.array([False, False]))
    assert [score.of(np.arange(2)) for score in none.values()] == [100, 0, 0, 0, 0]


def test_a_sum_over_some_subtasks_is_over_their_images():
    correct = np.array([[True, True], [True, False], [True, True], [False, False]])
    scores = yes_no.compute_mme_scores(correct, ["count", "color", "color", "OCR"], {"some": ("color", "count")})
    some, whole = scores["some"], scores["mme_score"]
    assert (some.items.tolist(), some.highest, whole.items.tolist(), whole.highest) == (
        [0, 1, 2],
        400,
        [0, 1, 2, 3],
        600,
    )
    assert (some.of(some.items), whole.of(whole.items)) == (pytest.approx(200 + 75 + 50), pytest.approx(325))
    assert some.of(np.array([1])) == 50  # subtasks that a selection leaves out add nothing
    assert whole.strata.tolist() == ["count", "color", "color", "OCR"]
    assert [scores[name].highest for name in ("mme_accuracy", "mme_accuracy_plus")] == [100, 100]
