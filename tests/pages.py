"""Rendered pages, and what a reader finds on them: tables, links, words."""

from __future__ import annotations

import functools
import html.parser
import pickle
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.records.store import save_record
from bench.report import render
from tests.paths import ROOT

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
RENDERED: dict[bytes, str] = {}  # by record set: the page of each is rendered once


def write(folder, records):
    """The folder of results below `folder`, with these records."""
    for made in records:
        save_record(made, folder / "results")
    (folder / "results").mkdir(exist_ok=True)
    return folder / "results"


def page_of(folder, records) -> str:
    """The page of these records, rendered into `folder`/reports beside `folder`/results."""
    results, path = write(folder, records), folder / "reports" / "index.html"
    key = pickle.dumps(records)
    if key in RENDERED:
        path.parent.mkdir(exist_ok=True)
        path.write_text(RENDERED[key])
    else:
        RENDERED[key] = render([results], path, now=NOW).read_text()
    return RENDERED[key]


@functools.cache
def committed_page() -> str:
    """The page of the committed records."""
    with tempfile.TemporaryDirectory() as folder:
        return render([ROOT / "results"], Path(folder) / "index.html").read_text()


class Tables(html.parser.HTMLParser):
    """Every table as (caption, rows of cell texts), and the ids and references of the page."""

    def __init__(self, page: str):
        super().__init__()
        self.tables: list[tuple[list[str], list[list[str]]]] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.targets += [found[name] for name in ("href", "src") if name in found]
        if tag == "table":
            self.tables.append(([], []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if "caption" in self.open:
            self.tables[-1][0].append(data)
        elif "table" in self.open and ("td" in self.open or "th" in self.open):
            self.tables[-1][1][-1][-1] += f" {data.strip()}"

    def table(self, caption: str) -> list[list[str]]:
        return next(
            [[" ".join(cell.split()) for cell in row] for row in rows]
            for words, rows in self.tables
            if caption in "".join(words)
        )


def text_of(page: str) -> str:
    body = page[page.index("<body>") :]
    return " ".join(
        html.unescape(re.sub(r"<svg.*?</svg>|<script.*?</script>|<[^>]+>", " ", body, flags=re.DOTALL)).split()
    )
