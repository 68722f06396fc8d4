"""The text audit: empty, cut, looping and identical texts are counted, with examples; good texts are left alone."""

from __future__ import annotations

import pytest

from bench.metrics.text_audit import audit_texts, find_faults


@pytest.mark.parametrize(
    ("text", "finish", "faults"),
    [
        ("a dog runs on the grass", None, ()),
        ("a dog next to a dog", None, ()),
        ("new york new york", None, ()),
        ("bye bye", None, ()),
        ("2", None, ()),
        ("on", None, ()),
        ("", None, ("empty",)),
        (" \n", None, ("empty",)),
        ("...", None, ("empty",)),
        ("", "end-first", ("empty", "end_first")),
        ("a man riding a wave on top of a", None, ("truncated",)),
        ("a man riding a wave on top of a", "end", ()),
        ("a dog, a cat,", None, ("truncated",)),
        ("a dog runs", "length", ("truncated",)),
        ("red red red", None, ("repeated",)),
        ("a a a a", None, ("truncated", "repeated")),
        ("no, no, no.", None, ("repeated",)),
        ("a dog a dog a dog", None, ("repeated",)),
        ("on the grass on the grass today", None, ("repeated",)),
        ("no way way", None, ()),
        ("well, on the", None, ("truncated",)),
        ("on the", None, ()),
        ("of the dog", None, ()),
        ("a dog half-", None, ("truncated",)),
        ("a dog a dog a cat", None, ()),
        ("a cat on the grass on the grass", None, ("repeated",)),
        ("one two one three one", None, ()),
    ],
)
def test_faults_of_one_text(text, finish, faults):
    assert find_faults(text, finish) == faults


def test_counts_examples_and_who_said_how_it_ended():
    """Three of five are degenerate, one of them in two ways; it is counted once in the total."""
    texts = ["a dog", "", "no no no", "a cat sits", "the"]
    found = audit_texts(texts, ["end", "end-first", None, "length", "end"], ids=[10, 11, 12, 13, 14])
    assert found.degenerate.tolist() == [False, True, True, True, False]
    summary = found.summary
    assert (summary["num_texts"], summary["num_degenerate"], summary["degenerate_share"]) == (5, 3, 0.6)
    assert [summary[f"num_{name}"] for name in ("empty", "end_first", "truncated", "repeated")] == [1, 1, 1, 1]
    assert summary["num_with_finish"] == 4
    assert summary["examples"]["repeated"] == [{"id": 12, "text": "no no no"}]
    assert summary["warnings"] == []


def test_one_answer_to_everything_is_said_aloud():
    """Nine of ten the same is a warning, half of them (as in a yes/no set) is none; nothing is called degenerate."""
    (warning,) = audit_texts(["Yes"] * 18 + ["yes ", "no"]).summary["warnings"]
    assert warning == "19 of 20 texts are the same: 'yes'"
    half = audit_texts(["yes", "no"] * 10)
    assert half.summary["warnings"] == []
    assert not half.degenerate.any()
    assert (half.summary["num_distinct"], half.summary["most_common_share"]) == (2, 0.5)


def test_a_long_text_costs_little():
    """Ten thousand different words are audited without comparing all with all."""
    assert find_faults(" ".join(map(str, range(10_000)))) == ()


def test_a_run_of_64_words_is_looked_for_and_no_longer_one():
    """Said twice in a row; and what is said but once more than in part is no loop."""
    for length, faults in ((64, ("repeated",)), (65, ())):
        run = " ".join(f"w{i}" for i in range(length))
        assert find_faults(f"{run} {run}") == faults
    assert find_faults("w0 w1 w2 w3 w4 w0 w1 w2 w3") == ()


def test_ten_texts_of_which_nine_are_the_same_are_warned_of_and_nine_texts_are_not():
    def warnings(same, others):
        return audit_texts(["A red dog"] * same + [f"text {i}" for i in range(others)]).summary["warnings"]

    assert warnings(9, 1) == ["9 of 10 texts are the same: 'a red dog'"]
    assert warnings(18, 2) == ["18 of 20 texts are the same: 'a red dog'"]
    assert warnings(9, 0) == warnings(17, 3) == []


def test_a_warning_shows_sixty_letters_and_a_class_three_examples():
    found = audit_texts(["x" * 70] * 10).summary
    assert found["warnings"] == [f"10 of 10 texts are the same: {'x' * 60!r}"]
    assert (found["most_common_text"], found["most_common_share"]) == ("x" * 70, 1.0)
    examples = audit_texts(["a dog", *["..."] * 4]).summary["examples"]
    assert examples == {"empty": [{"id": place, "text": "..."} for place in (1, 2, 3)]}


def test_no_texts_have_nothing_odd():
    found = audit_texts([])
    assert found.degenerate.tolist() == []
    assert [found.summary[name] for name in ("num_texts", "degenerate_share", "most_common_share")] == [0, 0.0, 0.0]
    assert (found.summary["num_distinct"], found.summary["examples"], found.summary["warnings"]) == (0, {}, [])
