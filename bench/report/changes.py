"""What is not this machine's first report: other machines in a line each, and what changed since the committed page."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.analysis.evidence import evidence_in
from bench.analysis.machines import OtherMachine, compared
from bench.formatting import listed
from bench.records.schema import Verdict
from bench.report.reading import Found
from bench.report.sections.cards import headline_claims

MOST = 3  # verdicts that are named, before the rest is counted


def other_machines(found: Found) -> list[dict[str, str]]:
    """A line per machine beside the first, which answers the questions."""
    here, *others = found.by_machine or [""]
    ids = [claim.id for claim in headline_claims()]
    verdicts = {name: [v for i in ids for v in found.judged[i].every[name]] for name in found.by_machine}
    return [
        {
            "machine": name,
            "words": other_words(compared(here, name, verdicts, found.by_machine[here], found.by_machine[name])),
        }
        for name in others
    ]


def other_words(other: OtherMachine) -> str:
    """As "same words, times 2.5 times longer (1.9 to 3.1 by model)"."""
    num = other.num_same + len(other.differing)
    if not num:
        said = ["no claim that both could judge"]
    elif not other.differing:
        said = [
            f"same words for all {num} verdicts that both give" if num > 1 else "same word for the one shared verdict"
        ]
    else:
        named = some([f"{changed(ours, theirs)}" for ours, theirs in other.differing])
        said = [f"other words for {len(other.differing)} of {num} verdicts, here → there: {named}"]
    if other.times_longer:
        said.append(longer_words(*other.times_longer))
    return ", ".join(said)


def longer_words(value: float, low: float, high: float) -> str:
    """As "times 2.5 times longer (1.9 to 3.1 by model)". All three: how many times as long."""
    factor = f"{max(value, 1 / value):.2g}"
    if factor == "1":
        about, unit = "alike", " times as long"
    else:
        about, unit = f"{factor} times {'longer' if value > 1 else 'shorter'}", ""
        low, high = (low, high) if value > 1 else (1 / high, 1 / low)
    bounds = [f"{bound:.2g}" for bound in (low, high)]
    spread = f" ({bounds[0]} to {bounds[1]}{unit} by model)" if bounds[0] != bounds[1] else ""
    return f"times {about}{spread}"


def changed(ours: Verdict, theirs: Verdict) -> str:
    return f"{ours.claim_id} ({ours.word} → {theirs.word})"


def some(texts: Sequence[str]) -> str:
    rest = len(texts) - MOST
    return listed([*texts[:MOST], f"{rest} more"] if rest > 0 else list(texts))


# -- since the committed report ----------------------------------------------------------------------------------------


def committed_page(out: Path) -> str:
    """The page at `out` as git has it committed; "" where there is none."""
    if not out.parent.is_dir():
        return ""
    command = ["git", "-C", str(out.parent), "show", f"HEAD:./{out.name}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def since_words(before: Any, now: Any) -> str:
    """What one page's evidence says that an earlier one did not, in a line; "" where they say the same."""
    if before is None:
        return ""
    words = [by_claim(each) for each in (before, now)]
    turned = [key for key in words[1] if key in words[0] and words[0][key] != words[1][key]]
    files = [{entry["file"] for entry in each["files"] if "kind" not in entry} for each in (before, now)]
    new, gone = len(files[1] - files[0]), len(files[0] - files[1])
    judged = sum(key not in words[0] and word != "not run" for key, word in words[1].items())
    said = []
    if turned:
        named = [f"{key[1]} at {key[2]} on {key[0]} ({words[0][key]} → {words[1][key]})" for key in turned]
        said.append(f"{counted(len(turned), 'verdict')} changed: {some(named)}")
    said += [f"{counted(judged, 'verdict')} more"] if judged else []
    said += [f"{counted(new, 'new record')}"] if new else []
    said += [f"{counted(gone, 'record')} gone or superseded"] if gone else []
    return "; ".join(said)


def since_committed(out: Path, now: Any) -> str:
    return since_words(evidence_in(committed_page(out)), now)


def by_claim(found: Mapping[str, Any]) -> dict[tuple[str, str, str], str]:
    return {(row[0], row[1], row[2]): row[3] for row in found["verdicts"]}


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
