"""What README.md, CONTRIBUTING.md and docs/ tell to type is there: commands, options, links."""

from __future__ import annotations

import re
from functools import cache

import pytest

from bench.commands.app import COMMANDS, application
from tests.paths import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", "results/README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
TYPED = re.compile(r"(?:python -m bench|-m bench) ([^`\n]+)")


@cache
def options_of(name: str) -> set[str]:
    """The options of a command, from its own parser."""
    found = application()
    for word in name.split():
        found = found.get_command(None, word)
    return {option for param in found.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}


def typed_in(page: str) -> list[str]:
    """What follows "python -m bench" on the page, also in a line that goes on with the words of the page."""
    return TYPED.findall(re.sub(r"\n(?=--)|(?<=--only)\n\s*", " ", (ROOT / page).read_text()))


def command_of(words: list[str]) -> str | None:
    return next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_option_exists(page):
    unknown = []
    for typed in typed_in(page):
        words = re.split(r"\s{2,}|;|#", typed)[0].split()
        if words[0].startswith("--") or words[0] == "...":
            continue  # `python -m bench --help`, and a name for all of them
        name = command_of(words)
        asked = {word.split("=")[0].rstrip(",.):") for word in words if word.startswith("--")}
        if name is None or asked - options_of(name):
            unknown.append(typed)
    assert unknown == []


def test_the_list_of_commands_is_whole():
    """docs/commands.md has an example of every command."""
    told = {command_of(typed.split()) for typed in typed_in("docs/commands.md")}
    assert set(COMMANDS) - told == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    assert [link for link in links if "://" not in link and not ((ROOT / page).parent / link).exists()] == []
