"""Whether the models are the authors' models: the outputs of ours against those of the authors' own code, by case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bench.analysis.evidence import Trace
from bench.formatting import listed
from bench.records.parity import Parity, ParityCase
from bench.records.schema import Record
from bench.records.store import PARITY_FILE
from bench.report.tables import NONE, Cell, Table, plain_table
from bench.report.words import link_of

COLUMNS = (("Authors' code", "commit"), "Outputs compared", ("Worst relative error", "in which output"), "Equal")
GITHUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def parity_view(parity: Parity, records: Iterable[Record]) -> dict[str, Any]:
    """The table, one sentence on it, and the models whose code is another by now ("": none)."""
    versions = parity.environment.versions
    return {
        "table": parity_table(parity.cases),
        "summary": summary(parity.cases),
        "stale": stale_words(parity.cases, records),
        "checked": f"{parity.created_utc[:10]}, torch {versions.get('torch', 'unknown')}, {parity.environment.machine}",
    }


def parity_table(cases: Sequence[ParityCase]) -> Table:
    ordered = sorted(enumerate(cases), key=lambda pair: (pair[1].family, pair[1].name))
    rows = [
        (case.family if case.name == case.family else f"{case.family}, case {case.name}", row_of(case, place))
        for place, case in ordered
    ]
    caption = "Our models on the authors' inputs and random draws, with the same weights, made by a rule."
    return plain_table(caption, COLUMNS, rows, "Model family")


def row_of(case: ParityCase, place: int) -> tuple[Cell, ...]:
    if case.reason:
        return (source_cell(case.source), NONE, Cell("–", case.reason), badge(False))
    count = Cell(str(case.num_outputs), trace=traced(case.num_outputs, place, "num_outputs"))
    return (source_cell(case.source), count, error_cell(case, place), badge(case.ok))


def error_cell(case: ParityCase, place: int) -> Cell:
    """The largest error, below it the output that it is of."""
    if case.worst is None:
        return NONE
    worst = case.outputs[case.worst]
    if worst.error is None:
        return Cell("no number", f"{worst.name}: not of their shape, or not finite")
    trace = traced(worst.error, place, "outputs", case.worst, "error")
    return Cell(power(worst.error, 1), f"{worst.name}; {power(worst.tolerance)} passes", trace=trace)


def power(value: float, num_digits: int = 0) -> str:
    """As "2.7e-6", with that many digits behind the point; "0" for none."""
    return re.sub(r"e([+-])0", r"e\1", f"{value:.{num_digits}e}") if value else "0"


def traced(value: float, place: int, *steps: str | int) -> Trace:
    return Trace(float(value), (PARITY_FILE,), ".".join(map(str, ("cases", place, *steps))))


def badge(ok: bool) -> Cell:
    return Cell("yes", style="yes", sign="✓") if ok else Cell("no", style="no", sign="✗")


def source_cell(source: str) -> Cell:
    """The repository at its commit, with its live address."""
    repository, _, commit = source.partition("@")
    named = re.fullmatch(r"[0-9a-f]{7,40}", commit)
    address = link_of(f"github.com/{repository}") if GITHUB.fullmatch(repository) else ""
    if address and named:
        return Cell(f"{repository} @ {commit}", link=f"{address}/tree/{commit}")
    return Cell(repository, "" if named else "commit not named", link=address) if repository else Cell("not named")


def summary(cases: Sequence[ParityCase]) -> str:
    """As "51 of 51 outputs in 12 cases equal those of the authors' own code, floats to 1e-4, tokens exactly."."""
    outputs = [output for case in cases for output in case.outputs]
    num_outputs = sum(case.num_outputs for case in cases)
    floats = max((output.tolerance for output in outputs), default=0.0)
    how = f", floats to {power(floats)}, tokens exactly" if floats else ""
    equal = sum(output.ok for output in outputs)
    return f"{equal} of {num_outputs} outputs in {len(cases)} cases equal those of the authors' own code{how}."


def stale_words(cases: Sequence[ParityCase], records: Iterable[Record]) -> str:
    """The models that the records measured in another version of our code than was compared; "": none."""
    compared = {model: version for case in cases for model, version in case.versions.items()}
    measured = {(record.model, record.inputs.versions.get("model")) for record in records}
    other = sorted(
        f"{model} (version {compared[model]}, measured: {version})"
        for model, version in measured
        if version is not None and compared.get(model, version) != version
    )
    return f"Compared before the code of these models changed: {listed(other)}." if other else ""
