"""What was found, as it stands in README.md between two markers: generated from the records.

python -m bench.report.readme results README.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.errors import UsageError
from bench.records.json_files import write_text
from bench.records.schema import Verdict
from bench.report.reading import read
from bench.report.sections.answers import answers
from bench.report.sections.cards import headline_claims

BEGIN, END = "<!-- found: written by bench.report.readme -->", "<!-- end of found -->"


def block(results: Path) -> str:
    """The answers to the four questions, the picture and a verdict per headline claim."""
    judged = read([results]).judged
    lines = [f"- {found.question} **{found.answer}**" for found in answers(judged)]
    lines += ["", "[![Printed and measured speed-ups of TransDiff](reports/speedups.svg)](reports/index.html)", ""]
    lines += ["| claim | at the paper's size | in small |", "| --- | --- | --- |"]
    for claim in headline_claims():
        found = judged[claim.id]
        small = in_words(found.small.verdict) if found.small else "–"
        lines.append(f"| {claim.headline.rstrip('.')} | {in_words(found.paper.verdict)} | {small} |")
    return "\n".join(lines)


def in_words(verdict: Verdict) -> str:
    return f"{verdict.word} ({verdict.marker})" if verdict.marker else verdict.word


def with_block(text: str, found: str) -> str:
    """`text` with what stands between the markers replaced. UsageError where it has none."""
    if BEGIN not in text or END not in text:
        raise UsageError(f"no line {BEGIN!r} followed by {END!r}")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n{found}\n{END}{after}"


if __name__ == "__main__":
    folder, readme = map(Path, sys.argv[1:])
    write_text(with_block(readme.read_text(encoding="utf-8"), block(folder)), readme)
