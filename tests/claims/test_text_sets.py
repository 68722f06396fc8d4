"""Scores of fewer captions or questions than are published say so."""

from __future__ import annotations

import pytest

from bench.claims.text_sets import RELEASED, WORDS, fewer_than_released
from bench.protocols import PROTOCOLS


@pytest.mark.parametrize("scale", RELEASED)
def test_all_that_is_published_is_not_fewer(scale):
    assert fewer_than_released(scale, RELEASED[scale]) == ""
    for key, number in RELEASED[scale].items():
        told = fewer_than_released(scale, {**RELEASED[scale], key: number - 1})
        assert told == f"{number - 1:,} of the {number:,} {WORDS[key]}"


def test_what_nobody_counts_is_not_said_to_be_fewer():
    """Scenes have no released number, and a record of before may lack the count."""
    assert fewer_than_released("scenes", {"num_questions": 3}) == ""
    assert fewer_than_released("vqa-v2", {}) == ""


def test_every_scale_of_released_texts_has_its_numbers():
    scored = {p.scale for p in PROTOCOLS.values() if p.collects in ("captions", "answers") and p.terms == "published"}
    assert scored == RELEASED.keys()
