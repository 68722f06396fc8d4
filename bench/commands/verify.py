"""`bench verify`: verdicts from the records, computed again; whether a page still says what the records say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.app import REPORT, RESULTS, ResultsDir, example
from bench.console import say
from bench.errors import CheckFailed

if TYPE_CHECKING:
    from bench.records.schema import Record, Verdict


@example("python -m bench verify --report reports/index.html")
def verify(
    results: ResultsDir = RESULTS,
    report: Annotated[Path, typer.Option(help="the page to check")] = REPORT,
) -> None:
    """Judge the records again and check the page against them: verdicts, numbers, files. Exit 1 if it differs."""
    from bench.analysis.evidence import (
        evidence,
        inputs_of,
        page_text,
        read_evidence,
        read_stored,
        traces_in,
        with_inputs,
    )
    from bench.analysis.records import made_of
    from bench.records.latest import latest
    from bench.records.parity import load_parity
    from bench.records.store import PARITY_FILE, check_there, load_records
    from bench.verdict.judged import claims_of_page, verdicts_of

    check_there(results)
    said = read_evidence(report)
    loaded = load_records([results])
    records = latest(loaded.records)
    parity, odd = load_parity([results])
    claims = claims_of_page()
    machines = sorted({record.environment.machine for record in records})

    def judged(chosen: Sequence[Record]) -> dict[str, list[Verdict]]:
        by_machine = {machine: [r for r in chosen if r.environment.machine == machine] for machine in machines}
        return {machine: list(chain.from_iterable(verdicts_of(claims, here))) for machine, here in by_machine.items()}

    (records, verdicts), left_out = made_of(lambda chosen: (chosen, judged(chosen)), records)
    for machine, found in verdicts.items():
        words = ", ".join(f"{count} {word}" for word, count in Counter(verdict.word for verdict in found).items())
        say(f"verdicts on {machine}: {words}")
    for record in records:
        if record.elsewhere:
            say(f"made elsewhere, scored here: {record.file}: {record.elsewhere.words}")
    shown = traces_in(page_text(report))
    beside = [PARITY_FILE] if parity else []
    stored = read_stored([*(record.file for record in records), *beside], [results])
    found = evidence(records, verdicts, parity)
    found = with_inputs(found, inputs_of(found, (number.trace for number in shown)), stored)
    unread = [*loaded.faults, *odd, *left_out]  # of which the page says the same
    other = [*differences(said, found), *wrong_numbers(shown, found["verdicts"], stored)]
    for fault in (*unread, *other):
        say(f"✗ {fault}")
    if other:
        raise CheckFailed(f"{report} is not the report of these records; `python -m bench report` renders it again")
    num_records = sum("kind" not in entry for entry in said["files"])
    counts = f"{num_records} records, {len(said['rows']):,} numbers, {len(said['verdicts'])} verdicts"
    if unread:
        files = "1 file was edited or is" if len(unread) == 1 else f"{len(unread)} files were edited or are"
        raise CheckFailed(f"{files} damaged; {report} has the rest as on disk ({counts})")
    say(f"✓ {report}: {counts} as on disk; {len(shown):,} numbers shown, each followed to its record")


def differences(said: Any, found: Any) -> list[str]:
    """One line per file, number or verdict of a page (`said`) that is not as the records have it (`found`)."""
    ours, theirs = ({entry["file"]: entry["sha256"] for entry in each["files"]} for each in (said, found))
    lines = [f"{file}: in the page, not (or no longer the latest) on disk" for file in ours.keys() - theirs.keys()]
    lines += [f"{file}: measured since the page was rendered" for file in theirs.keys() - ours.keys()]
    changed = [file for file in ours.keys() & theirs.keys() if ours[file] != theirs[file]]
    lines += [f"{file}: another checksum in the page than on disk" for file in changed]
    same = ours.keys() & theirs.keys() - set(changed)
    numbers = [numbers_of(each, same) for each in (said, found)]
    lines += [
        f"{file}, {key}: {numbers[0].get((file, key))} in the page, {numbers[1].get((file, key))} in the record"
        for file, key in numbers[0].keys() | numbers[1].keys()
        if numbers[0].get((file, key)) != numbers[1].get((file, key))
    ]
    words = [{tuple(row[:3]): tuple(row[3:]) for row in each["verdicts"]} for each in (said, found)]
    lines += [
        f"{claim} at {scale} on {machine}: {told(words[0], (machine, claim, scale))} in the page, "
        f"{told(words[1], (machine, claim, scale))} from the records"
        for machine, claim, scale in words[0].keys() | words[1].keys()
        if words[0].get((machine, claim, scale)) != words[1].get((machine, claim, scale))
    ]
    return sorted(lines)


def numbers_of(found: Any, files: set[str]) -> dict[tuple[str, str], list[Any]]:
    """By file and key: value, interval, count and unit of the measurements of these files."""
    names = [entry["file"] for entry in found["files"]]
    return {(names[row[0]], row[1]): list(row[2:]) for row in found["rows"] if names[row[0]] in files}


def wrong_numbers(shown: Sequence[Any], verdicts: Sequence[Sequence[Any]], stored: Mapping[str, Any]) -> list[str]:
    """One line per number on the page that its key in the records does not give."""
    from bench.analysis.formulas import UNFIT, evaluate

    by_verdict = {
        f"verdict {row[1]} {row[2]}": [other[4] for other in verdicts if other[1:3] == row[1:3]] for row in verdicts
    }
    lines = []
    for number in shown:
        trace = number.trace
        try:
            values = by_verdict[trace.key] if trace.of_verdict else [evaluate(trace.key, trace.files, stored)]
        except UNFIT:
            lines.append(f"{number.text}: its key {trace.key} leads nowhere in {', '.join(trace.files)}")
            continue
        if not any(value is not None and math.isclose(value, trace.value, rel_tol=1e-9) for value in values):
            lines.append(
                f"{number.text}: {trace.value} in the page, {values[0]} by {trace.key} of {', '.join(trace.files)}"
            )
    return lines


def told(verdicts: Mapping[tuple[Any, ...], Sequence[Any]], key: tuple[Any, ...]) -> str:
    """As "inconclusive (0.03)"."""
    if key not in verdicts:
        return "no verdict"
    word, value = verdicts[key]
    return word if value is None else f"{word} ({value:.4g})"
