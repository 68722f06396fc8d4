"""Model sizes, counted on the meta device: printed and counted side by side, each pair with its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.claims import SIZE_CLAIMS
from bench.claims.published import Published, PublishedSize
from bench.claims.sizes import SIZES, size_claims
from bench.formatting import fixed, listed
from bench.records.schema import Record
from bench.report.words import badge_of
from bench.verdict.judge import judge

KINDS = {"num_params": "parameter counts", "flops": "counts of multiply-adds", "decoder_share": "decoder shares"}


def size_view(records: Sequence[Record], link_by_file: Mapping[str, str]) -> dict[str, Any]:
    """The records' counts against print: a row per model. A count is exact, so that any machine's will do."""
    groups = []
    for group in SIZES:
        rows = [row for row in group.rows if isinstance(row, PublishedSize)]
        groups.append({"group": group, "rows": [row_view(group, row, records, link_by_file) for row in rows]})
    return {"num_records": len(records), "summary": summary(records), "groups": groups}


def summary(records: Sequence[Record]) -> str:
    """As "44 of 54 printed sizes are reproduced: 36 of 39 parameter counts, ..."."""
    words = [(claim.paper_scale.metric, judge(claim, records)[0].word) for claim in SIZE_CLAIMS]
    count = Counter(words)
    reproduced = sum(word == "reproduced" for _, word in words)
    totals = Counter(metric for metric, _ in words)
    parts = [f"{count[metric, 'reproduced']} of {totals[metric]} {kind}" for metric, kind in KINDS.items()]
    open_ = sum(word == "not run" for _, word in words)
    return f"{reproduced} of {len(words)} printed sizes are reproduced to the rounding of print: {listed(parts)}" + (
        f"; {open_} were not counted." if open_ else "."
    )


def row_view(
    group: Published, row: PublishedSize, records: Sequence[Record], link_by_file: Mapping[str, str]
) -> dict[str, Any]:
    """Name, then two triples of printed, counted and verdict: parameters (or the decoder's share), multiply-adds."""
    cells: dict[str, dict[str, str]] = {}
    for claim in size_claims(group, row):
        verdict = judge(claim, records)[0]
        metric = claim.paper_scale.metric
        cells["flops" if metric == "flops" else "params"] = {
            "printed": claim.quote,
            "counted": "–" if verdict.value is None else as_printed(metric, verdict.value),
            "link": link_by_file.get(verdict.records[0], "") if verdict.records else "",
            "reason": verdict.reason,
            **badge_of(verdict.word),
        }
    return {"model": row.model, "cells": [cells.get("params"), cells.get("flops")]}


def as_printed(metric: str, value: float) -> str:
    """A count in the unit of print, with digits enough to see where it was rounded."""
    if metric == "num_params":
        return f"{fixed(value / 1e6, 2)}M"
    return f"{fixed(100 * value, 1)} %" if metric == "decoder_share" else fixed(value, 3)
