"""Two sets of records side by side: which verdicts agree, which measured values have intervals that overlap.

    python -m bench compare results results/retrained

Judges each side's latest records anew; measures nothing, imports no torch. Exit 1 where B is worse than A beyond noise.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.analysis.records import fit_for
from bench.analysis.seeds import seed_means, seeds_of, spreads_of
from bench.analysis.speed import common_ratios
from bench.claims import SIZE_CLAIMS
from bench.commands.app import JsonFile, example
from bench.commands.compare_sides import same_machine
from bench.console import console, say
from bench.errors import CheckFailed, UsageError
from bench.files import check_target
from bench.formatting import display_unit, interval, listed, number
from bench.metrics import METRICS, title_of
from bench.records.comparable import differences
from bench.records.json_files import check_json_path, plain, write_json, write_text
from bench.records.parts import Measurement
from bench.records.schema import Record, Verdict, Word
from bench.verdict.judged import claims_of_page, verdicts_of
from bench.verdict.pair import COUNTED
from bench.verdict.seeds import judge_later_images


@example("python -m bench compare results results/retrained")
def compare(
    run_a: Annotated[Path, typer.Argument(help="results folder, machine folder or record file")],
    run_b: Annotated[Path, typer.Argument(help="another")],
    json_file: JsonFile = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="also write the comparison as a page")] = None,
) -> None:
    """Two sets of records side by side: which verdicts agree, which intervals overlap. Exit 1 where B is worse.

    Worse is a verdict that turned from yes to no, or a value whose interval lies apart on the bad side: of a time by
    more than 15 %, the difference between two hours of one machine; of weights trained anew only beyond what training
    seeds differ by, where studies measured that.
    """
    regressions = compare_runs(run_a, run_b, json_file=json_file, html_file=html_file)
    if regressions:
        more = f" and {len(regressions) - 1} more" if len(regressions) > 1 else ""
        raise CheckFailed(f"{run_b} is worse than {run_a}: {regressions[0]}{more}")


GOOD, BAD = ("reproduced", "holds in small"), ("not reproduced", "does not hold in small")
TIMES = ("s", "images/s", "texts/s")  # units
HOUR_APART = 0.15  # relative: two runs of one machine at different hours, as in the verdicts on times
SEEDS_APART = 4.30 * math.sqrt(2)  # standard deviations between training seeds: Student's t of three, difference of two
MOST_ROWS = 5000  # of a table that is printed whole
EXACT = (*COUNTED, "nfe")  # metrics that are counted: equal or not


Run = tuple[str, str, str]  # model, protocol, and the seeds and settings as JSON


@dataclass(frozen=True)
class VerdictPair:
    """The verdicts of one claim at one scale on either side."""

    a: Verdict
    b: Verdict

    @property
    def state(self) -> str:
        """ "agree", "disagree", or which side alone was run."""
        if self.a.word == self.b.word:
            return "agree"
        return {self.a.word: "only B", self.b.word: "only A"}.get("not run", "disagree")

    @property
    def regression(self) -> str:
        """The verdict that turned from yes to no; "" where it did not."""
        if self.a.word in GOOD and self.b.word in BAD:
            return f"{self.a.claim_id} at {self.a.scale}: {self.a.word}, then {self.b.word}"
        return ""


@dataclass(frozen=True)
class ValuePair:
    """One metric of one run (equal model, protocol, settings and seeds) on either side."""

    model: str
    protocol: str
    run: str  # the seeds that are not 0 and the settings, as JSON
    metric: str
    a: Measurement
    b: Measurement
    differing: tuple[str, ...]  # fields that make the two incomparable
    noise: float = 0.0  # a difference that another run may make, beside the intervals; inf: unknown

    @property
    def state(self) -> str:
        """Whether the 95 % intervals overlap; of a count whether it is equal."""
        if self.differing:
            return f"not comparable: {listed(self.differing)}"
        if self.metric in EXACT:
            return "equal" if self.a.value == self.b.value else "differ"
        bounds = (self.a.ci_low, self.a.ci_high, self.b.ci_low, self.b.ci_high)
        if None in bounds:
            return "no interval"
        a_low, a_high, b_low, b_high = (float(bound) for bound in bounds if bound is not None)
        return "overlap" if a_low <= b_high and b_low <= a_high else "apart"

    @property
    def regression(self) -> str:
        """How B is worse than A, beyond the intervals and the noise; "" where it is not."""
        higher = METRICS[self.metric].higher_is_better if self.metric in METRICS else None
        gap = (self.a.value - self.b.value) * (1 if higher else -1)
        if higher is None or self.state not in ("apart", "differ") or gap <= self.noise:
            return ""
        before, after = shown(self)
        return f"{title_of(self.metric)} of {self.model} ({self.protocol}): {before}, then {after}"


# -- comparing ---------------------------------------------------------------------------------------------------------


def verdict_pairs(a: Sequence[Record], b: Sequence[Record]) -> list[VerdictPair]:
    """Every claim at every scale, and whether later images of a row are better."""
    claims = claims_of_page()
    judged = [[*chain.from_iterable(verdicts_of(claims, side)), judge_later_images(side)] for side in (a, b)]
    return [VerdictPair(*pair) for pair in zip(*judged, strict=True)]


def by_run(records: Iterable[Record]) -> dict[Run, Record]:
    """Records that measured something by model, protocol, and the seeds and settings as JSON."""
    found = {}
    for record in records:
        if record.status == "ok":
            training_seed, seed = seeds_of(record)
            seeds = {name: value for name, value in (("training_seed", training_seed), ("seed", seed)) if value}
            run = json.dumps(plain({**seeds, **record.settings}), sort_keys=True)
            found[record.model, record.protocol.name, run] = record
    return found


def value_pairs(a: Sequence[Record], b: Sequence[Record]) -> list[ValuePair]:
    """The metrics that both sides measured, in runs of equal model, protocol, settings and seeds."""
    both = [*a, *b]
    ours, theirs = by_run(both[: len(a)]), by_run(both[len(a) :])
    return [
        ValuePair(
            *run,
            metric,
            ours[run].measurements[metric],
            theirs[run].measurements[metric],
            tuple(differences(ours[run], theirs[run], metric)),
            noise_of(metric, ours[run], theirs[run], both),
        )
        for run in sorted(ours.keys() & theirs.keys())
        for metric in ours[run].measurements
        if metric in theirs[run].measurements
    ]


def ratio_pairs(a: Sequence[Record], b: Sequence[Record]) -> list[ValuePair]:
    """The ratios of shared rounds that both sides measured. None is better or worse by itself: either model may have
    changed, and what a claim says of them is among the verdicts."""
    ours, theirs = by_run(a), by_run(b)
    return [
        ValuePair(*run, name, one, other, differing, noise=math.inf)
        for run in sorted(ours.keys() & theirs.keys())
        for name, one, other, differing in common_ratios(ours[run], theirs[run])
    ]


def noise_of(metric: str, a: Record, b: Record, records: Sequence[Record]) -> float:
    """What the metric may differ by between two runs that nothing was changed for."""
    value = abs(a.measurements[metric].value)
    if metric in METRICS and METRICS[metric].unit in TIMES:
        disturbed = any(record.timing and record.timing.latency.disturbed for record in (a, b))
        return math.inf if disturbed else HOUR_APART * value
    if a.inputs.weights_sha256 == b.inputs.weights_sha256:
        return 0.0
    runs = {
        seeds_of(record): record.measurements[metric].value
        for record in records
        if record.protocol.study
        and (record.model, record.settings) == (a.model, a.settings)
        and metric in record.measurements
    }
    means = list(seed_means(runs).values())
    if len(means) < 2:
        return math.inf
    of_samplings = spreads_of(runs)[1] or 0.0  # unknown where each was sampled once: the means hold it then
    return SEEDS_APART * math.hypot(statistics.stdev(means), of_samplings)


def compare_runs(a: Path, b: Path, *, json_file: Path | None = None, html_file: Path | None = None) -> list[str]:
    """Print the comparison of two results folders or record files, write it to the files, return the regressions."""
    check_json_path(json_file)
    if html_file is not None:
        if not os.path.lexists(html_file.absolute().parent):
            raise UsageError(f"--html {html_file}: its folder does not exist")
        check_target(html_file, "--html")
    ours, theirs, faults = same_machine(a, b)
    try:
        verdicts, values, regressions = compared(ours, theirs)
    except Exception:  # what another program wrote, as settings of another type
        ours, our_odd = fit_for(lambda side: compared(side, side), ours)
        theirs, their_odd = fit_for(lambda side: compared(side, side), theirs)
        faults += [*our_odd, *their_odd]
        verdicts, values, regressions = compared(ours, theirs)
    runs = by_run(ours).keys(), by_run(theirs).keys()
    if json_file:
        found = as_json(a, b, verdicts, values)
        write_json(found | {"not_read": faults, "regressions": regressions}, json_file)
    if html_file is not None:
        from bench.report.comparison import comparison_page

        rows = verdict_rows(verdicts), value_rows(values)
        counted = (verdicts_counted(verdicts), *values_counted(values, *runs))
        write_text(comparison_page(str(a), str(b), *rows, counted, regressions, faults), html_file)
    print_verdicts(verdicts)
    print_values(values, *runs)
    for fault in faults:
        say(f"not read: {fault}")
    for text in regressions:
        say(f"worse: {text}")
    return regressions


def compared(a: Sequence[Record], b: Sequence[Record]) -> tuple[list[VerdictPair], list[ValuePair], list[str]]:
    """(verdicts, values, how B is worse)."""
    verdicts, values = verdict_pairs(a, b), [*value_pairs(a, b), *ratio_pairs(a, b)]
    worse = [*(pair.regression for pair in verdicts), *(pair.regression for pair in values)]
    return verdicts, values, list(filter(None, worse))


def as_json(a: Path, b: Path, verdicts: Sequence[VerdictPair], values: Sequence[ValuePair]) -> dict[str, Any]:
    return {
        "a": str(a),
        "b": str(b),
        "verdicts": [
            {"claim": pair.a.claim_id, "scale": pair.a.scale, "state": pair.state}
            | {name: asdict(verdict) for name, verdict in (("a", pair.a), ("b", pair.b))}
            for pair in verdicts
        ],
        "values": [
            {**asdict(pair), "run": json.loads(pair.run), "state": pair.state, "noise": finite(pair.noise)}
            for pair in values
        ],
    }


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# -- printing ----------------------------------------------------------------------------------------------------------


def print_verdicts(pairs: Sequence[VerdictPair]) -> None:
    print_table("Verdicts", ("claim", "scale", "A", "B", ""), verdict_rows(pairs))
    print(f"{verdicts_counted(pairs)}\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def given_and_shown(pairs: Sequence[VerdictPair]) -> tuple[list[VerdictPair], list[VerdictPair]]:
    """Every verdict that either side could give; of printed sizes those that disagree are shown."""
    given = [pair for pair in pairs if {pair.a.word, pair.b.word} != {"not run"}]
    sizes = {claim.id for claim in SIZE_CLAIMS}
    return given, [pair for pair in given if pair.a.claim_id not in sizes or pair.state != "agree"]


def verdict_rows(pairs: Sequence[VerdictPair]) -> list[tuple[str, str, Word, Word, str]]:
    """Claim, scale, either word, state."""
    _, kept = given_and_shown(pairs)
    return [(pair.a.claim_id, pair.a.scale, pair.a.word, pair.b.word, pair.state + evidence(pair)) for pair in kept]


def verdicts_counted(pairs: Sequence[VerdictPair]) -> str:
    given, kept = given_and_shown(pairs)
    hidden = f", {len(given) - len(kept)} of them sizes not shown" if len(given) > len(kept) else ""
    return f"verdicts: {tally(pair.state for pair in given)}{hidden}; {len(pairs) - len(given)} run on neither side"


def evidence(pair: VerdictPair) -> str:
    """How many records either verdict rests on, where they disagree: one side may have training seeds, one may not."""
    num_a, num_b = len(set(pair.a.records)), len(set(pair.b.records))
    return f": {num_a} records against {num_b}" if pair.state == "disagree" and num_a != num_b else ""


def print_values(pairs: Sequence[ValuePair], runs_a: Set[Run], runs_b: Set[Run]) -> None:
    columns = ("model", "protocol", "metric", "A", "B", "")
    rows = value_rows(pairs)
    if len(rows) > MOST_ROWS:
        told_apart = [row for row in rows if row[-1] != "overlap"]
        say(f"{len(rows) - len(told_apart)} values whose intervals overlap are not shown: --json FILE has them")
        rows = told_apart
    print_table("Measured values, with 95 % intervals", columns, rows)
    for line in values_counted(pairs, runs_a, runs_b):
        say(line)


def value_rows(pairs: Sequence[ValuePair]) -> list[tuple[str, ...]]:
    """Every value with an interval on either side, and counts that differ: model, protocol, metric, both, state."""
    runs = {(pair.model, pair.protocol, pair.run) for pair in pairs}
    several = Counter((model, protocol) for model, protocol, _ in runs)
    rows = []
    for pair in pairs:
        if pair.state not in ("equal", "no interval"):
            settings = ", ".join(f"{name} {value}" for name, value in json.loads(pair.run).items())
            told = f"{pair.model} ({settings})" if several[pair.model, pair.protocol] > 1 else pair.model
            rows.append((told, pair.protocol, title_of(pair.metric), *shown(pair), pair.state))
    return rows


def values_counted(pairs: Sequence[ValuePair], runs_a: Set[Run], runs_b: Set[Run]) -> tuple[str, ...]:
    return (
        f"values: {tally(pair.state.split(':')[0] for pair in pairs)}",
        f"runs: {len(runs_a & runs_b)} on both sides, {len(runs_a - runs_b)} on A alone, "
        f"{len(runs_b - runs_a)} on B alone",
        "The intervals cover the choice of samples, not another training run: of weights trained anew some lie apart.",
    )


def shown(pair: ValuePair) -> list[str]:
    """Both values in one unit, with their intervals."""
    unit = display_unit(pair.metric, [pair.a.value, pair.b.value])
    cells = []
    for measured in (pair.a, pair.b):
        bounds = (measured.value, measured.ci_low, measured.ci_high)
        limits = interval(*bounds, unit)
        cells.append(f"{number(*bounds, unit)} {unit.symbol}".strip() + (f" ({limits})" if limits else ""))
    return cells


def tally(states: Iterable[str]) -> str:
    """As "12 agree, 1 disagree"."""
    return ", ".join(f"{count} {state}" for state, count in Counter(states).items()) or "none"
