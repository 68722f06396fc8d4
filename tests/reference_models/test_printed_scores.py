"""The table of sizes of each family says what the paper prints of each size."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from bench.claims.ledger import ledger

PRINTED_BY_METRIC = {"FID": "fid", "IS": "inception_score"}
MODULES = ("transdiff", "transdiff_mrar", "mar", "llamagen", "var", "dit", "d_dit")


def beside_rows(module: str) -> list[dict[str, str]]:
    """The scores in the comments behind rows, in their order, as {"FID": "1.61", "IS": "282.0"}."""
    source = inspect.getsource(importlib.import_module(f"reference_models.sizes.{module}"))
    return [dict(re.findall(r"(FID|IS) ([\d.]+)", line)) for line in re.findall(r"\),  (# FID .*)", source)]


def printed_scores(model: str, metric: str) -> set[str]:
    """As its claims quote them: {"1.61"}; a headline claim quotes a sentence, which may hold several numbers."""
    sides = [(claim, claim.paper_scale) for claim in ledger()]
    quotes = [
        claim.quote for claim, side in sides if (side.subject, side.metric, side.kind) == (model, metric, "value")
    ]
    return {number for quote in quotes for number in re.findall(r"\d+(?:\.\d+)?", quote)}


@pytest.mark.parametrize("module", MODULES)
def test_each_row_of_a_size_ends_with_a_printed_score_and_none_that_has_one_lacks_it(module):
    sizes = importlib.import_module(f"reference_models.sizes.{module}").SPECS
    judged = [spec.name for spec in sizes if printed_scores(spec.name, "fid")]
    rows = beside_rows(module)
    assert len(rows) == len(judged), (judged, rows)
    for model, scores in zip(judged, rows, strict=True):
        for name, number in scores.items():
            assert number in printed_scores(model, PRINTED_BY_METRIC[name]), (model, name, number)
