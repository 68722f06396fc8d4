"""CLAIMS: the headline numbers, quoted with their sources; SIZE_CLAIMS: every printed model size;
BENCHMARK_CLAIMS: every score of D-DiT's benchmark table; PUBLISHED_*: printed numbers as context.
All that can be judged, the rows of `tables/*.csv` included, is `bench.claims.ledger.ledger()`; with a user's own,
`bench.claims.files.claims_in_use()`.

A claim is quoted, not interpreted. Two printed numbers that disagree are two claims, linked by `conflicts_with` and
shown side by side, never averaged. `in_small` is the direction of a claim that the small models of the digits and
scenes scales can answer: no number of a paper is ever compared with a number measured on digits.
"""

from __future__ import annotations

from bench.claims.published import PUBLISHED_QUALITY, PUBLISHED_SPEED
from bench.claims.published_text import PUBLISHED_PAINTING, PUBLISHED_UNDERSTANDING
from bench.claims.quality import QUALITY_CLAIMS
from bench.claims.sizes import SIZE_CLAIMS
from bench.claims.speed import SPEED_CLAIMS
from bench.claims.text import BENCHMARK_CLAIMS, TEXT_CLAIMS
from bench.records.schema import Claim

__all__ = [
    "BENCHMARK_CLAIMS",
    "CLAIMS",
    "PUBLISHED_PAINTING",
    "PUBLISHED_QUALITY",
    "PUBLISHED_SPEED",
    "PUBLISHED_UNDERSTANDING",
    "SIZE_CLAIMS",
]

CLAIMS: tuple[Claim, ...] = (*QUALITY_CLAIMS, *SPEED_CLAIMS, *TEXT_CLAIMS)
