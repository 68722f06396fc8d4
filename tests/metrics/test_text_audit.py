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
