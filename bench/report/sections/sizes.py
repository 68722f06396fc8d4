"""Model sizes, counted on the meta device: printed and counted side by side, each pair with its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.evidence import Trace
from bench.claims import SIZE_CLAIMS
from bench.claims.published import Published, PublishedSize
from bench.claims.sizes import SIZES, size_claims
from bench.formatting import fixed, listed
from bench.records.schema import Record
from bench.report.tables import NONE, Cell, Table, badge_cell
from bench.report.words import source_words
from bench.verdict.judge import judge

KINDS = {"num_params": "parameter counts", "flops": "counts of multiply-adds", "decoder_share": "decoder shares"}


COLUMNS = [
    (f"{heading}, {what}" if what else "Verdict", "")
    for heading in ("Parameters", "Gflops")
    for what in ("printed", "counted", "")
]


def size_view(records: Sequence[Record]) -> dict[str, Any]:
    """The records' counts against print: a row per model. A count is exact, so that any machine's will do."""
    files = {record.file: record for record in records}
    groups = []
    for group in SIZES:
        rows = [(r.model, row_cells(group, r, records, files)) for r in group.rows if isinstance(r, PublishedSize)]
        groups.append((source_words(group), rows))
    caption = (
        "Autoencoders left out; arithmetic of one forward. Papers print Gflops in multiply-adds; torch counts each as "
        "two operations, halved here."
    )
    return {"num_records": len(records), "summary": summary(records), "table": Table(caption, COLUMNS, groups)}


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


def row_cells(
    group: Published, row: PublishedSize, records: Sequence[Record], files: Mapping[str, Record]
) -> tuple[Cell, ...]:
    """Two triples of printed, counted and verdict: parameters (or the decoder's share), multiply-adds."""
    cells: dict[str, tuple[Cell, ...]] = {}
    for claim in size_claims(group, row):
        verdict = judge(claim, records)[0]
        metric = claim.paper_scale.metric
        counted = NONE
        if verdict.value is not None:
            value = files[verdict.records[0]].measurements[metric].value
            trace = Trace(value, verdict.records[:1], f"measurements.{metric}")
            counted = Cell(as_printed(metric, verdict.value), trace=trace)
        shown = (Cell(claim.quote), counted, badge_cell(verdict.word))
        cells["flops" if metric == "flops" else "params"] = shown
    return (*cells.get("params", (NONE,) * 3), *cells.get("flops", (NONE,) * 3))


def as_printed(metric: str, value: float) -> str:
    """A count in the unit of print, with digits enough to see where it was rounded."""
    if metric == "num_params":
        return f"{fixed(value / 1e6, 2)}M"
    return f"{fixed(100 * value, 1)} %" if metric == "decoder_share" else fixed(value, 3)
