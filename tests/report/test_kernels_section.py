"""The report on the study "kernels": each ratio with and without this suite's own CPU kernels."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.fake_records import CONDITIONS, kernels, ratios
from tests.fake_studies import OWN_SETTINGS
from tests.pages import Tables, page_of, text_of


def part(page: str, study: str) -> str:
    """One study's article, as a page of its own."""
    start = page.index(f'id="acme-cpu-2c-study-{study}"')
    return "<body>" + page[page.rindex("<article", 0, start) : page.index("</article>", start)]


def test_each_ratio_is_told_with_and_without_own_kernels(tmp_path):
    """Against DiT, whose kernel saves it a fifth of its time: 3.0 times faster with it, 3.75 without."""
    both = {"mar-digits": (2.0, 2.0), "dit-digits": (3.0, 3.75), "var-digits": (0.1, 0.08)}
    made = kernels("transdiff-digits", both, {"dit-digits": ("gelu",), "var-digits": ("few rows", "gelu")})
    own = OWN_SETTINGS["transdiff-digits"]
    made = replace(made, settings=own)
    pairs = ratios("transdiff-digits", {"dit-digits": 2.9, "mar-digits": 2.1}, settings=own)
    entries = [
        replace(entry, conditions={**entry.conditions, "baseline": replace(CONDITIONS, own_kernels=names)})
        for entry, names in zip(pairs.speedups, (("gelu",), ()), strict=True)
    ]
    page = page_of(tmp_path, [made, replace(pairs, speedups=tuple(entries))])
    rows = {row[0]: row[1:] for row in Tables(part(page, "kernels")).table("every round timed each both ways") if row}
    assert rows["dit-digits"] == [
        *("3.00 times faster 2.940 to 3.060", "3.75 times faster 3.675 to 3.825", "gelu: 1.25 times"),
    ]
    assert rows["mar-digits"][2] == "none"
    assert rows["var-digits"][:2] == ["10.0 times slower 9.80 to 10.20", "12.5 times slower 12.25 to 12.76"]
    text = text_of(page)
    assert "Own kernels move the ratio against dit-digits most: with them transdiff-digits is 3.00 times faster" in text
    assert re.search(r"2\.90 times faster than dit-digits \(in one run 3\.00 with own kernels, 3\.75 without\)", text)
    assert "mar-digits (in one run" not in text
    assert "Other work ran" not in text_of(part(page, "kernels"))


def test_kernels_that_slow_a_model_down_are_said_to(tmp_path):
    """The small DiT takes 5 % longer with its own GELU than with torch's: the part does not call that a gain."""
    made = kernels("transdiff-digits", {"dit-digits": (3.0, 2.85)}, {"dit-digits": ("gelu",)})
    own = OWN_SETTINGS["transdiff-digits"]
    jitter = [1 + 0.001 * (place % 5) for place in range(10)]
    for factor, told in ((1.05, True), (0.95, False)):
        entries = [
            replace(each, rounds_s={**each.rounds_s, "baseline": tuple(0.3 * by * part for part in jitter)})
            for each, by in zip(made.speedups, (factor, 1.0), strict=True)
        ]
        text = text_of(part(page_of(tmp_path, [replace(made, settings=own, speedups=tuple(entries))]), "kernels"))
        assert ("At this size they slow dit-digits down." in text) is told
